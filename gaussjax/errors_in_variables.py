"""Noise in both images: the whitened residual, differentiated through its whitening.

With white noise of variance v_A in A and v_B in B the residual d = B - R A - level has the power
spectrum ``D = v_B + |R|^2 v_A``, which depends on the parameters. Over the whole plane

    1/2 sum_w |d(w)|^2 / D(w)

has its mean stationary at the truth only because D is differentiated too: least squares takes the
noise that it finds in A, and not in B, for blur. Here d is known inside a window m alone, so its
transform u = FT(m d) has the power spectrum of d smeared by that of the window,

    E|u|^2 = sum(m^2) D_m,    D_m = FT(IFT(D) rho),    rho = autocorrelation of m over sum(m^2),

which holds for any window, whatever its holes: the sum over ``|u|^2 / D_m`` stays unbiased, and
pixels that the frame's edge has spoiled are never whitened. Only v_A / v_B matters to the optimum.

Source: W. A. Fuller, "Measurement Error Models", Wiley 1987, ch. 3 (the estimating equation);
P. Whittle, "Estimation and information in stationary time series", Ark. Mat. 2, 1953 (by
frequencies).
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gaussjax.criterion import Linearization, NewtonCriterion, Summary
from gaussjax.grid import forward_transform, half_plane_weights, inverse_transform
from gaussjax.linear_algebra import definite, inner_products, inverse_small
from gaussjax.model import BlurModel
from gaussjax.residuals import Frame, frame_window
from gaussjax.result import rounding_variance
from gaussjax.solvers import Evaluation
from gaussjax.whitening import (
    excess_scatter,
    noise_regression,
    real_products,
    smeared,
    squared_magnitude,
    whitened_sums,
)


class _Transforms(NamedTuple):
    """What the sums over frequencies are made of; slopes are derivatives, ``[k, *spectrum]``."""

    residual: jax.Array
    u: jax.Array
    u_slopes: jax.Array
    response: jax.Array
    response_slopes: jax.Array
    # The spectrum that white noise of A leaves in u, per v_A.
    passed: jax.Array
    passed_slopes: jax.Array


@dataclass(frozen=True)
class ErrorsInVariables(NewtonCriterion):
    """``1/2 sum |u|^2 / D_m``; a :class:`~gaussjax.criterion.Criterion`.

    The context is the pair of noise variances (v_A, v_B) in the frame's scale, ``[2]``.

    Attributes:
        frame: the pair.
        model: its model.
        estimated: the noise levels follow from the residual: a regression of |u|^2 on the two
            spectra that white noise in B and in A would leave in it.
        noise: the levels that were given, or those to start from, ``[2]``.
        ceiling: the largest that estimated levels may be, ``[2]``.
    """

    frame: Frame
    model: BlurModel
    estimated: bool
    noise: jax.Array
    ceiling: jax.Array

    def window(self, margins: jax.Array) -> jax.Array:
        """The window m, which rises over two sigma and two pixels.

        A sharper edge leaks where D spans decades: frequencies that the blur has emptied would see
        more of the noise in A, through the edge, than their own. A softer one wastes pixels.
        """
        return frame_window(self.frame, margins, 2 + 0.5 * margins)

    def _transforms(self, vector, window) -> _Transforms:
        model, shape = self.model, window.shape
        residual, fields = model.residual(vector, self.frame)
        transforms = forward_transform(
            window[None] * jnp.concatenate([residual[None], fields]), model.ndim
        )
        response, slopes = model.responses(vector, shape)
        squared_slopes = 2 * jnp.real(jnp.conj(response)[None] * slopes)
        passed = smeared(
            jnp.concatenate([squared_magnitude(response)[None], squared_slopes]), window
        )
        return _Transforms(
            residual, transforms[0], transforms[1:], response, slopes, passed[0], passed[1:]
        )

    def evaluate(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> Evaluation:
        """Cost, gradient and curvature at a vector."""
        at = self._transforms(vector, window)
        weights = half_plane_weights(window.shape, vector.dtype)
        cost, gradient, scatter = whitened_sums(
            at.u, at.u_slopes, at.passed, at.passed_slopes, context, weights
        )
        energy = jnp.sum(window**2)
        excess = excess_scatter(at.response, at.response_slopes, context, weights * energy)
        return Evaluation(cost, gradient, definite(scatter - excess, scatter))

    def context(self, vector: jax.Array, window: jax.Array, previous: jax.Array) -> jax.Array:
        """(v_A, v_B): as given, or by weighted regression of |u|^2 on (|R|^2, 1)."""
        if not self.estimated:
            return self.noise
        at = self._transforms(vector, window)
        density = previous[1] + previous[0] * at.passed
        weights = half_plane_weights(window.shape, vector.dtype) / density**2
        power = squared_magnitude(at.u) / jnp.sum(window**2)
        return noise_regression(power, at.passed, weights, self.ceiling)

    def summary(self, vector, window, context, linear: Linearization, num_pixels) -> Summary:
        """``H^-1 J H^-1``, J the scatter of the score and H the mean second derivative.

        They differ when A is noisy. Noise levels that were estimated add their own error.
        """
        at = self._transforms(vector, window)
        weights = half_plane_weights(window.shape, vector.dtype)
        energy = jnp.sum(window**2)
        cost, _, scatter = whitened_sums(
            at.u, at.u_slopes, at.passed, at.passed_slopes, context, weights
        )
        chi_square = 2 * cost / (energy - vector.size)
        # Only the ratio of the levels is taken on trust: the residual tells how strong they are.
        noise = chi_square * context
        scatter = scatter / chi_square
        inverse = inverse_small(
            scatter - excess_scatter(at.response, at.response_slopes, noise, weights * energy)
        )
        # Pixels on the ramp count less in the score than in its derivative.
        scatter = scatter * jnp.sum(window**4) / energy
        density = noise[1] + noise[0] * at.passed
        if self.estimated:
            per_pixel = energy * (weights / density**2)[None]
            basis = jnp.stack([at.passed, jnp.ones_like(at.passed)])
            information = 0.5 * inner_products(per_pixel * basis, basis)
            sums = 0.5 * inner_products(per_pixel, at.passed_slopes)[0]
            lever = jnp.outer(sums, jnp.stack([-noise[1], noise[0]]))
            scatter = scatter + lever @ inverse_small(information) @ lever.T
        floor = rounding_variance(vector.dtype) * inverse_small(
            real_products(weights[None] * at.u_slopes, at.u_slopes)
        )
        squares = jnp.sum(weights * squared_magnitude(at.u))
        return Summary(
            covariance=inverse @ scatter @ inverse + floor,
            loss=0.5 * squares,
            noise_variance=squares / energy,
            chi_square=jnp.full_like(squares, jnp.nan) if self.estimated else chi_square,
            noise=context,
            whitened=inverse_transform(at.u / jnp.sqrt(density), window.shape),
            squares=jnp.sum(window * at.residual**2),
            outliers=jnp.zeros_like(squares),
        )
