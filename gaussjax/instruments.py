"""Least squares on a part of the frame at FFT cost, by instruments held fixed.

Least squares on the compared pixels W is stationary where ``<W J_k, predicted - B> = 0`` for every
parameter, J_k = d predicted / d theta_k. Hold the instrument Z_k = W J_k(theta_0) fixed and the
left inner product is diagonal in frequency and exact for every theta,

    F_k(theta) = sum_w m Re(conj(z_k) R(w; theta) a) + level(theta) sum Z_k - <Z_k, B>,

so that its root costs no further FFT. The root is the exact answer for a noise-free pair from
any theta_0. Repeating from it converges to the least-squares estimate of a noisy one, and quickly
even where the noise is large: near the root the instruments turn with theta, which adds
``G (theta - theta_0)`` to F, with ``G_kl = <W r, d^2 predicted / d theta_k d theta_l>``.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.criterion import Summary
from gaussjax.grid import forward_transform, half_plane_weights
from gaussjax.linear_algebra import inner_products
from gaussjax.model import BlurModel
from gaussjax.residuals import Frame, frame_window
from gaussjax.result import rounding_variance
from gaussjax.solvers import SolverState, gauss_newton
from gaussjax.uncertainty import fisher_covariance, sandwich_covariance, wider_covariance


@dataclass(frozen=True)
class LeastSquares:
    """``1/2 sum_x W r^2``, a :class:`~gaussjax.criterion.Criterion`."""

    frame: Frame
    model: BlurModel

    def window(self, margins: jax.Array) -> jax.Array:
        """W."""
        return frame_window(self.frame, margins)

    def context(self, vector: jax.Array, window: jax.Array, previous: jax.Array) -> jax.Array:
        """None is needed: ``[0]``."""
        return previous

    def solve(self, vector, window, context, lower, upper, near) -> SolverState:
        """One pass: instruments at ``vector``, then the root of F."""
        frame, model = self.frame, self.model
        shape = frame.blurred.shape
        residual, fields = model.residual(vector, frame)
        instruments = window[None] * fields
        # conj(z) a, weighted: the coefficients of R in F.
        transforms = forward_transform(instruments, model.ndim)
        weights = half_plane_weights(shape, vector.dtype)[None]
        coefficients = weights * jnp.conj(transforms) * frame.spectrum[None]
        # Without a shift R is real.
        coefficients = coefficients if model.shift else coefficients.real
        # Far from the root it would spoil the exact answer.
        turning = jnp.where(near, model.turning(vector, frame, window * residual), 0)
        # <Z, (predicted - A) - (B - A)>: a small blur is not lost in the rounding of <Z, A>, and
        # A = B gives an exact zero.
        target = inner_products(instruments, frame.difference[None])[:, 0]
        sums = jnp.sum(instruments, axis=tuple(range(1, instruments.ndim)))
        information = jnp.diag(inner_products(instruments, fields))
        positive = information > 0
        scale = jnp.where(positive, 1 / jnp.sqrt(jnp.where(positive, information, 1)), 0)

        def moments(theta):
            predicted = model.project(coefficients, theta, shape)
            level = model.level(theta, frame) * sums
            return scale * (predicted + level - target + turning @ (theta - vector))

        magnitude = jnp.linalg.norm(scale * target)
        return gauss_newton(moments, vector, lower=lower, upper=upper, magnitude=magnitude)

    def gradient(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> jax.Array:
        """J' W r."""
        residual, fields = self.model.residual(vector, self.frame)
        return inner_products(fields, (window * residual)[None])[:, 0]

    def summary(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> Summary:
        """``s^2 (J' W J)^-1``, or the sandwich where the residual is not white."""
        residual, fields = self.model.residual(vector, self.frame)
        squares = jnp.sum(window * residual**2)
        noise_variance = squares / (jnp.sum(window > 0) - vector.size)
        curvature = inner_products(window[None] * fields, fields)
        with_rounding = noise_variance + rounding_variance(vector.dtype)
        classical = fisher_covariance(curvature, with_rounding)
        sandwich = sandwich_covariance(curvature, window[None] * residual[None] * fields)
        return Summary(
            covariance=wider_covariance(classical, sandwich),
            loss=0.5 * squares,
            noise_variance=noise_variance,
            chi_square=jnp.full_like(squares, jnp.nan),
            noise=jnp.stack([jnp.zeros_like(noise_variance), noise_variance]),
            residual=residual,
            whitened=window * residual,
            squares=squares,
            outliers=jnp.zeros_like(squares),
        )
