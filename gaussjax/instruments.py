"""Least squares on a part of the frame at FFT cost, by instruments held fixed.

Least squares on the compared pixels W is stationary where ``<W J_k, g*A - B> = 0`` for every
parameter, J_k = d(g*A)/d theta_k. Hold the instrument Z_k = W J_k(theta_0) fixed and the left
inner product is diagonal in frequency and exact for every theta,

    F_k(theta) = sum_w m Re(conj(z_k) T(w; theta) a) - <Z_k, B>,

so that its root costs no further FFT. The root is the exact answer for a noise-free pair from
any theta_0, and repeating from it converges to the least-squares estimate of a noisy one.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.grid import forward_transform, half_plane_weights, inverse_transform
from gaussjax.kernels import Kernel
from gaussjax.linear_algebra import inner_products
from gaussjax.params import BlurParams
from gaussjax.residuals import Frame, frame_window
from gaussjax.solvers import gauss_newton, step_tolerance
from gaussjax.transfer import axis_margins, gaussian_transfer

MAX_PASSES = 40
# Passes in which the margin still follows sigma. After them it stays, because a sigma whose
# margin sits at a rounding edge would move it back and forth for ever.
FOLLOWING_PASSES = 4
# The inverse of a narrow kernel has no finite support; its tail is gone after a few px more.
INVERSE_MARGIN = 6


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InteriorFit:
    """Where :func:`fit_interior` ended.

    Attributes:
        variance: ``[p]``, px^2.
        margins: ``[ndim]``, px, of the pixels that were compared.
        converged: the last pass moved no parameter by more than the solver's tolerance.
        num_steps: passes and solver steps together.
    """

    variance: jax.Array
    margins: jax.Array
    converged: jax.Array
    num_steps: jax.Array


@dataclass(frozen=True)
class InteriorModel:
    """The static part of an interior fit: which Gaussian, on which grid (not a pytree)."""

    family: str
    kernel: Kernel
    reach: int
    largest_margins: tuple[int, ...]

    def params(self, variance: jax.Array) -> BlurParams:
        """BlurParams of a variance vector."""
        return BlurParams(variance, family=self.family)

    def margins(self, variance: jax.Array) -> jax.Array:
        """Margins in px that the blur asks for, within those that leave pixels to compare."""
        ndim = len(self.largest_margins)
        params = self.params(variance)
        wanted = axis_margins(params, self.kernel, ndim)
        sharpens = jnp.diag(params.covariance_matrix(ndim)) < 0
        wanted = jnp.where(sharpens, wanted + INVERSE_MARGIN, wanted)
        return jnp.minimum(wanted, jnp.asarray(self.largest_margins, variance.dtype))

    def transfer(self, variance: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """T on the half-plane grid of ``shape``."""
        return gaussian_transfer(self.params(variance), shape, self.kernel, self.reach)

    def responses(self, variance: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
        """T and its derivatives by the variances, ``[*spectrum]`` and ``[p, *spectrum]``."""
        slopes, transfer = jax.jacfwd(lambda v: (self.transfer(v, shape),) * 2, has_aux=True)(
            variance
        )
        return transfer, jnp.moveaxis(slopes, -1, 0)


def fit_interior(
    frame: Frame, start: jax.Array, model: InteriorModel, lower: jax.Array, upper: jax.Array
) -> InteriorFit:
    """Least squares over the frame's window from ``start``, by repeated instrument passes."""

    def unfinished(state):
        fit, count = state
        return ~fit.converged & (count < MAX_PASSES)

    def one_pass(state):
        fit, count = state
        margins = jnp.where(count < FOLLOWING_PASSES, model.margins(fit.variance), fit.margins)
        root = instrument_root(frame, fit.variance, margins, model, lower, upper)
        moved = jnp.abs(root.params - fit.variance) / step_tolerance(root.params)
        # A root found at once is as good as rounding allows, however far the last digits move.
        still = (jnp.max(moved) <= 1) | (root.converged & (root.num_steps <= 2))
        settled = jnp.all(margins == fit.margins) & still
        steps = fit.num_steps + 1 + root.num_steps
        return InteriorFit(root.params, margins, settled, steps), count + 1

    initial = InteriorFit(
        variance=jnp.clip(start, lower, upper),
        margins=jnp.full(len(frame.image_shape), -1, start.dtype),
        converged=jnp.asarray(False),
        num_steps=jnp.asarray(0, jnp.int32),
    )
    fit, _ = jax.lax.while_loop(unfinished, one_pass, (initial, 0))
    return fit


def instrument_root(
    frame: Frame,
    variance: jax.Array,
    margins: jax.Array,
    model: InteriorModel,
    lower: jax.Array,
    upper: jax.Array,
):
    """One pass: instruments at ``variance``, then the root of F; a GaussNewtonState."""
    ndim = len(frame.image_shape)
    shape = frame.blurred.shape
    _, slopes = model.responses(variance, shape)
    fields = inverse_transform(slopes * frame.spectrum[None], shape)
    instruments = frame_window(frame, margins)[None] * fields
    # conj(z) a, weighted: the coefficients of T in F.
    response = jnp.conj(forward_transform(instruments, ndim)) * frame.spectrum[None]
    coefficients = half_plane_weights(shape, variance.dtype)[None] * response.real
    # <Z, (g*A - A) - (B - A)>: a small blur is not lost in the rounding of <Z, A>, and A = B
    # gives an exact zero.
    target = inner_products(instruments, frame.difference[None])[:, 0]
    information = jnp.diag(inner_products(instruments, fields))
    scale = jnp.where(information > 0, 1 / jnp.sqrt(jnp.where(information > 0, information, 1)), 0)

    def moments(theta):
        transfer = model.transfer(theta, shape)
        predicted = inner_products(coefficients, transfer[None] - 1)[:, 0]
        return scale * (predicted - target)

    magnitude = jnp.linalg.norm(scale * target)
    return gauss_newton(moments, variance, lower=lower, upper=upper, magnitude=magnitude)


def interior_statistics(
    frame: Frame, fit: InteriorFit, model: InteriorModel
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sum of squares, pixel count and J' W J at the end of a fit, in the frame's scale."""
    shape = frame.blurred.shape
    window = frame_window(frame, fit.margins)
    transfer, slopes = model.responses(fit.variance, shape)
    # One FFT of a stack: some releases of jaxlib hang on several large FFTs in one program.
    responses = jnp.concatenate([transfer[None], slopes])
    images = inverse_transform(responses * frame.spectrum[None], shape)
    predicted, fields = images[0], images[1:]
    residual = window * (predicted - frame.blurred)
    information = inner_products(window[None] * fields, fields)
    return jnp.sum(residual**2), jnp.sum(window), information
