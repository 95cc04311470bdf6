"""Robust losses on the compared pixels: the objective ``sum_x W rho(r / s)``."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gaussjax.model.window import Window
from gaussjax.numerics.linear_algebra import definite, inner_products, inverse_small
from gaussjax.numerics.newton import Evaluation, newton, step_tolerance
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.objective import Fit, Objective
from gaussjax.pair.prediction import residual_and_fields, second_order_term
from gaussjax.statistics.optimum_summary import Summary
from gaussjax.statistics.robust_losses import (
    ABSOLUTE_ROUNDING,
    huber,
    influence,
    median_scale,
    smooth_absolute,
)

# The context follows in the next pass.
_STEPS_PER_PASS = 20
# In the error bar the corner of |z| is rounded off wider than in the fit: its curvature there is
# the density of the residual at zero, which takes many pixels to tell.
_DENSITY_WIDTH = 0.3
# Scales beyond which a pixel is an outlier to the verdict.
_CLIP = 3.0


@pytree
class Robust(Objective):
    """``s^2 sum_x W rho(r / s)``, s from the residual.

    An :class:`~gaussjax.pair.objective.Objective`.

    "absolute" is the limit of ``sqrt(r^2 + s^2)`` as s shrinks with the residual to a hundredth
    of its scale: a continuation, whose end differs from the least absolute sum by less than 1e-4
    of it.
    """

    loss: str | Callable = static()  # "absolute", "huber" or a rho function

    @property
    def rho(self) -> Callable:
        """The loss of a standardised residual."""
        return {"absolute": smooth_absolute, "huber": huber}.get(self.loss, self.loss)  # pyright: ignore

    def context(self, vector: jax.Array, margins: jax.Array, previous: jax.Array) -> jax.Array:
        """The scale s, ``[1]``: the standard deviation by the median absolute residual."""
        residual, _ = residual_and_fields(self.model, vector, self.frame)
        scale = median_scale(residual, self.window(margins).values)
        if self.loss == "absolute":
            scale = ABSOLUTE_ROUNDING * scale
        return jnp.maximum(scale, rounding_variance(vector.dtype) ** 0.5)[None]

    def evaluate(self, vector: jax.Array, window: Window, context: jax.Array) -> Evaluation:
        """Cost, gradient and curvature at a vector."""
        residual, fields = residual_and_fields(self.model, vector, self.frame)
        scale = context[0]
        z = residual / scale
        psi, slope = influence(self.rho, z)
        convex = inner_products((window.values * slope)[None] * fields, fields)
        second_order = second_order_term(
            self.model, vector, scale * window.values * psi, self.frame
        )
        return Evaluation(
            cost=scale**2 * jnp.sum(window.values * self.rho(z)),
            gradient=scale * inner_products(fields, (window.values * psi)[None])[:, 0],
            curvature=definite(convex + second_order, convex),
        )

    def linearize(self, vector: jax.Array, margins: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Residual and Jacobian at a vector, on the extended frame in its scale."""
        return residual_and_fields(self.model, vector, self.frame)

    def improve(self, fit: Fit, lower, upper) -> Fit:
        """Damped Newton steps, as many as one pass is worth."""
        window = self.window(fit.margins)
        root = newton(
            lambda theta: self.evaluate(theta, window, fit.context),
            fit.vector,
            lower=lower,
            upper=upper,
            max_steps=_STEPS_PER_PASS,
        )
        length = jnp.max(jnp.abs(root.params - fit.vector) / step_tolerance(root.params))
        # A root found at once is as good as rounding allows, however far the last digits move.
        predicted = jnp.where(root.converged & (root.num_steps <= 1), 0, length)
        linear = self.linearize(root.params, fit.margins)
        return fit.moved(root.params, linear, length, predicted, root.num_steps)

    def gradient(self, vector: jax.Array, margins: jax.Array, context: jax.Array) -> jax.Array:
        """Gradient of the objective."""
        return self.evaluate(vector, self.window(margins), context).gradient

    def prediction(self, fit: Fit) -> tuple[jax.Array, jax.Array]:
        """The prediction of the last pass."""
        return fit.linear

    def score(self, residual, window: Window, context: jax.Array) -> jax.Array:
        """``W s psi(r / s)``, in the unit of the residual where it is not large."""
        scale = context[0]
        psi, _ = influence(self.rho, residual / scale)
        spread = scale * (1 / ABSOLUTE_ROUNDING if self.loss == "absolute" else 1)
        return spread * window.values * psi

    def influence(self, residual, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Derivative of the loss by the residual, and the slope of that, pixel by pixel.

        Of ``s^2 rho(r / s)``; or of ``|r|``, whose corner is rounded off as in the error bar.
        """
        psi, slope = influence(self.rho, residual / scale)
        if self.loss != "absolute":
            return scale * psi, slope
        width = scale * (_DENSITY_WIDTH / ABSOLUTE_ROUNDING)
        _, slope = influence(self.rho, residual / width)
        return psi, slope / width

    def summary(self, fit: Fit) -> Summary:
        """The sandwich of M-estimators.

        Source: P. J. Huber, "Robust Statistics", Wiley 1981, ch. 6.
        """
        window = self.window(fit.margins)
        residual, fields = fit.linear
        absolute = self.loss == "absolute"
        scale = fit.context[0]
        spread = scale * (1 / ABSOLUTE_ROUNDING if absolute else 1)
        psi, _ = influence(self.rho, residual / scale)
        width = spread * (_DENSITY_WIDTH if absolute else 1)
        _, slope = influence(self.rho, residual / width)
        # d psi(r / s) / d theta = slope J / width, where psi has no unit.
        curvature = inner_products((window.values * slope)[None] * fields, fields) / width
        inverse = inverse_small(curvature)
        information = inner_products(window.values[None] * fields, fields)
        num_pixels = window.num_pixels.astype(residual.dtype)
        total = jnp.sum(window.values * jnp.abs(residual))
        loss = total if absolute else scale**2 * jnp.sum(window.values * self.rho(residual / scale))
        noise_variance = spread**2
        clipped = jnp.clip(residual, -_CLIP * spread, _CLIP * spread)
        return Summary(
            inverse=inverse,
            scatter=jnp.sum(window.values * psi**2) / num_pixels * information,
            rounding=rounding_variance(residual.dtype) * inverse_small(information),
            loss=loss,
            noise_variance=noise_variance,
            chi_square=jnp.full_like(total, jnp.inf),
            noise=jnp.stack([jnp.zeros_like(noise_variance), noise_variance]),
            num_pixels=num_pixels,
            certainty=jnp.full_like(total, jnp.inf),
            squares=jnp.sum(window.values * residual**2),
            clipped_squares=jnp.sum(window.values * clipped**2),
            outliers=jnp.mean(clipped != residual, where=window.values > 0),
            residual_statistics=self.residual_statistics(
                fit.vector, window, residual, window.values * clipped
            ),
        )
