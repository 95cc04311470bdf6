"""Least squares on a part of the frame at FFT cost, by instruments held fixed.

Least squares on the compared pixels W is stationary where ``<W J_k, predicted - B> = 0`` for every
parameter, J_k = d predicted / d theta_k. Hold the instrument Z_k = W J_k(theta_0) fixed and the
left inner product is diagonal in frequency and exact for every theta,

    F_k(theta) = sum_w m Re(conj(z_k) R(w; theta) a) + level(theta) sum Z_k - <Z_k, B>,

so that its root costs no further FFT. The root is the exact answer for a noise-free pair from
any theta_0, and an unbiased one for noise in B. From there one Newton step leads to the
least-squares estimate: one FFT of W r tells the gradient ``<W r, J_k>`` at the root and how the
fields turn, ``<W r, d^2 predicted / d theta_k d theta_l>``. A second pass is needed only where the
first has come a long way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.boundary import Window
from gaussjax.criterion import (
    FIELD_SCALE,
    ImageCriterion,
    Improvement,
    Summary,
    held_back,
)
from gaussjax.linear_algebra import definite, inner_products
from gaussjax.moment_root import MomentRoot, root_by_chords, root_by_newton
from gaussjax.result import rounding_variance
from gaussjax.solvers import bounded_step, step_tolerance
from gaussjax.uncertainty import (
    block_sums,
    fisher_covariance,
    sandwich_covariance,
    wider_covariance,
)

# A pass may end the fit if it went no farther, of the scale on which the fields change: the error
# bar takes them from its start.
_LONGEST_WAY = 0.1
# Less far where the fields are taken as they were at its start.
_LONGEST_WAY_UNTURNED = 0.02


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Linearization:
    """The residual near a vector, and what its Jacobian J is needed for after the fit.

    Attributes:
        residual: r = predicted - B on the extended frame in its scale, ``[*frame]``.
        scores: sums of ``W r J`` over blocks of neighbours, ``[k, *blocks]``.
        information: ``J' W J``, ``[k, k]``.
    """

    residual: jax.Array
    scores: jax.Array
    information: jax.Array


@dataclass(frozen=True)
class LeastSquares(ImageCriterion):
    """``1/2 sum_x W r^2``, a :class:`~gaussjax.criterion.Criterion`."""

    def context(self, vector: jax.Array, window: Window, previous: jax.Array) -> jax.Array:
        """None is needed: ``[0]``."""
        return previous

    def linearize(self, vector: jax.Array, window: Window) -> Linearization:
        """Residual, scores and information at a vector."""
        residual, fields = self.model.residual(vector, self.frame)
        weighted = window.values[None] * fields
        return Linearization(
            residual, block_sums(residual[None] * weighted), inner_products(weighted, fields)
        )

    def improve(self, vector, window, context, lower, upper, previous) -> Improvement:
        """One pass: instruments at ``vector``, the root of F, and a Newton step from there."""
        frame, model = self.frame, self.model
        shape = frame.blurred.shape
        fields = model.fields(vector, frame)
        instruments = window.values[None] * fields
        moments, target = self._moments(instruments)
        if model.is_separable:
            root = root_by_newton(moments, vector, target, lower, upper)
        else:
            # A Jacobian of the moments would take a spectrum for every parameter.
            root = root_by_chords(moments, vector, target, inner_products(instruments, fields))
        residual = model.misfit(root.params, frame)
        # At the root r is orthogonal to the fields at ``vector``; at the optimum to those there.
        products = model.products((window.values * residual)[None], frame)
        total = jnp.sum(window.values * residual)

        def inner(theta):
            return model.project(products, theta, shape)[0] + self._level(theta, total)

        if model.is_separable:
            # Forward twice, gradient and all: vectors along the axes are cheap to derive.
            turning, gradient = jax.jacfwd(
                lambda theta: (jax.jacfwd(inner)(theta),) * 2, has_aux=True
            )(root.params)
            curvature = definite(root.information + turning, root.information)
        else:
            # How the fields turn would take a spectrum for every pair of parameters.
            gradient, curvature = jax.grad(inner)(root.params), root.information
        step = bounded_step(root.params, gradient, curvature, lower, upper)
        found = jnp.clip(root.params + held_back(step, root.params), lower, upper)
        residual = residual + jnp.tensordot(root.turned @ (found - root.params), fields, 1)
        scores = jnp.tensordot(root.turned.T, block_sums(residual[None] * instruments), 1)
        return Improvement(
            found,
            Linearization(residual, scores, root.information),
            self._is_settled(vector, root, found) | root.at_once,
            jnp.max(jnp.abs(found - vector) / step_tolerance(found)),
            root.num_steps,
        )

    def _moments(self, instruments: jax.Array) -> tuple[Callable, jax.Array]:
        """F, a function of theta, ``[k]``, and its constant term."""
        frame, model = self.frame, self.model
        coefficients = model.products(instruments, frame)
        # <Z, (predicted - A) - (B - A)>: a small blur is not lost in the rounding of <Z, A>, and
        # A = B gives an exact zero.
        target = inner_products(instruments, frame.difference[None])[:, 0]
        sums = jnp.sum(instruments, axis=tuple(range(1, instruments.ndim)))

        def moments(theta):
            predicted = model.project(coefficients, theta, frame.blurred.shape)
            return predicted + self._level(theta, sums) - target

        return moments, target

    def _level(self, theta: jax.Array, sums: jax.Array) -> jax.Array | float:
        """The level times sums of weights, which need not be made where there is none."""
        model = self.model
        return model.level(theta, self.frame) * sums if model.gain or model.offset else 0.0

    def _is_settled(self, vector: jax.Array, root: MomentRoot, found: jax.Array) -> jax.Array:
        """What another pass would change is below the tolerance, and the way here was short."""
        tolerance = step_tolerance(found)
        way, last = jnp.abs(found - vector), jnp.abs(found - root.params)
        # The next step is to the last as the last was to the whole way, or as the way is to the
        # scale on which the fields change.
        far = jnp.max(way / (jnp.abs(found) + FIELD_SCALE))
        shrinks = jnp.max(last / tolerance) / jnp.maximum(jnp.max(way / tolerance), 1)
        ahead = jnp.max(last / tolerance) * jnp.maximum(shrinks, far)
        # Unless rounding is all that it moves.
        decrease = 0.5 * (found - root.params) @ root.information @ (found - root.params)
        visible = decrease > (64 * jnp.finfo(found.dtype).eps * root.magnitude) ** 2
        longest = _LONGEST_WAY if self.model.is_separable else _LONGEST_WAY_UNTURNED
        return ((ahead <= 1) | ~visible) & (far <= longest)

    def gradient(self, vector: jax.Array, window: Window, context: jax.Array) -> jax.Array:
        """J' W r."""
        residual, fields = self.model.residual(vector, self.frame)
        return inner_products(fields, (window.values * residual)[None])[:, 0]

    def summary(self, vector, window, context, linear: Linearization) -> Summary:
        """``s^2 (J' W J)^-1``, or the sandwich where the residual is not white."""
        residual, curvature = linear.residual, linear.information
        squares = jnp.sum(window.values * residual**2)
        noise_variance = squares / (window.num_pixels - vector.size)
        with_rounding = noise_variance + rounding_variance(vector.dtype)
        classical = fisher_covariance(curvature, with_rounding)
        sandwich = sandwich_covariance(curvature, linear.scores)
        return Summary(
            covariance=wider_covariance(classical, sandwich),
            loss=0.5 * squares,
            noise_variance=noise_variance,
            chi_square=jnp.full_like(squares, jnp.nan),
            noise=jnp.stack([jnp.zeros_like(noise_variance), noise_variance]),
            whitened=window.values * residual,
            squares=squares,
            outliers=jnp.zeros_like(squares),
        )
