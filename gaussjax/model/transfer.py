"""Gaussian blurs: their transfer function on the frequency grid, and blurring with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from gaussjax.checks import check_option
from gaussjax.model import boundary as borders
from gaussjax.model.arguments import as_image, check_finite
from gaussjax.model.array_checks import as_array, as_shape, is_traced, kind_of
from gaussjax.model.fourier import (
    along_axis,
    angular_frequencies,
    forward_transform,
    frequency_indices,
    inverse_transform,
    multiply,
    outer_product,
    shift_factors,
    shift_phase,
)
from gaussjax.model.generalised_gaussian import check_supported, radial_transfer
from gaussjax.model.kernels import Kernel, as_kernel, axis_transfer, nominal_sigma
from gaussjax.model.options import (
    GENERALISED,
    PADDED_BOUNDARIES,
    WHOLE_FRAMES,
    KernelName,
    WholeFrame,
)
from gaussjax.model.params import BlurParams, as_params
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.sharding import automatic_sharding

# Times the longest axis that a kernel may reach: one that is wider leaves nothing but the mean.
_FAR = 8


def gaussian_transfer(
    params: BlurParams, image_shape: tuple[int, ...], kernel: Kernel, reach: int
) -> jax.Array:
    """Transfer function T of the Gaussian alone on the half-plane grid; see transfer_function.

    A sampled or integrated kernel with a radius of more than ``reach`` px is NaN.
    """
    ndim = len(image_shape)
    if params.exponent is not None:
        check_supported(params.family, kernel.name)
        return radial_transfer(params.variance[0], params.exponent, image_shape)
    if not is_separable(params.family, ndim):
        return _full_transfer(params.covariance_matrix(ndim), image_shape, kernel)
    factors = _axis_transfers(params, image_shape, kernel, reach)
    return outer_product(factors)


def is_separable(family: str, ndim: int) -> bool:
    """The transfer function is a product of one function for each axis."""
    return family != GENERALISED and (family != "full" or ndim == 1)


def _axis_transfers(
    params: BlurParams, image_shape: tuple[int, ...], kernel: Kernel, reach: int
) -> list[jax.Array]:
    """T along every axis of the half-plane grid, of a separable family."""
    variances = params.axis_variances(len(image_shape))
    is_round = params.family == "isotropic" and params.spacing is None
    if not kernel.is_finite:
        return [
            axis_transfer(kernel, variance, index, size, reach)
            for variance, index, size in zip(
                variances, frequency_indices(image_shape), image_shape, strict=True
            )
        ]
    factors, halves = [], {}
    for axis, (size, index) in enumerate(
        zip(image_shape, frequency_indices(image_shape), strict=True)
    ):
        # T is even in w, and an isotropic blur is the same along axes of the same length.
        if not is_round or size not in halves:
            half = jnp.arange(size // 2 + 1)
            halves[size] = axis_transfer(kernel, variances[axis], half, size, reach)
        factors.append(halves[size][jnp.abs(index)])
    return factors


def _full_transfer(
    covariance: jax.Array, image_shape: tuple[int, ...], kernel: Kernel
) -> jax.Array:
    ndim = len(image_shape)
    if kernel.name == "integrated":
        raise ValueError(
            "kernel='integrated' has no closed form for family='full';"
            " use 'continuous', 'discrete' or 'sampled'"
        )
    if kernel.name == "sampled":
        return _full_sampled_transfer(covariance, image_shape, kernel)
    w = angular_frequencies(image_shape, covariance.dtype)
    exponent = jnp.zeros((1,) * ndim, covariance.dtype)
    for i in range(ndim):
        for j in range(i, ndim):
            if kernel.name == "continuous":
                form = w[i] * w[j]
            elif i == j:
                form = 4 * jnp.sin(0.5 * w[i]) ** 2
            else:
                # sin w_i sin w_j has the right second derivative, so S is the true covariance.
                form = jnp.sin(w[i]) * jnp.sin(w[j])
            exponent = exponent - (0.5 if i == j else 1.0) * covariance[i, j] * form
    return jnp.exp(exponent)


def _full_sampled_transfer(
    covariance: jax.Array, image_shape: tuple[int, ...], kernel: Kernel
) -> jax.Array:
    """exp(-n' S^-1 n / 2) on the box |n_j| <= R(sqrt(S_jj)); NaN unless S is definite."""
    ndim = len(image_shape)
    sign = jnp.sign(jnp.trace(covariance))
    definite = sign * covariance
    precision = jnp.linalg.inv(definite)
    is_definite = jnp.min(jnp.linalg.eigvalsh(jax.lax.stop_gradient(definite))) > 0
    offsets, inside = [], jnp.ones((1,) * ndim, bool)
    for axis, size in enumerate(image_shape):
        n = jnp.fft.fftfreq(size, 1 / size).astype(covariance.dtype)
        radius = kernel.support_at(nominal_sigma(definite[axis, axis]))
        inside = inside & along_axis(jnp.abs(n) <= radius, axis, ndim)
        is_definite = is_definite & (2 * radius < size)
        offsets.append(along_axis(n, axis, ndim))
    form = jnp.zeros((1,) * ndim, covariance.dtype)
    for i in range(ndim):
        for j in range(ndim):
            form = form + precision[i, j] * offsets[i] * offsets[j]
    weights = jnp.where(inside, jnp.exp(-0.5 * form), 0)
    transfer = forward_transform(weights / jnp.sum(weights), ndim).real
    transfer = jnp.where(sign < 0, 1 / transfer, transfer)
    return jnp.where(is_definite, transfer, jnp.nan)


def system_response(
    params: BlurParams, image_shape: tuple[int, ...], kernel: Kernel, reach: int
) -> jax.Array:
    """Gain T(w) exp(-i w . shift): what multiplies A's spectrum; real where no shift is fitted."""
    response = gaussian_transfer(params, image_shape, kernel, reach)
    if params.gain is not None:
        response = params.gain * response
    if params.shift is not None:
        response = multiply(response, shift_phase(params.shift, image_shape))
    return response


def response_factors(
    params: BlurParams, image_shape: tuple[int, ...], kernel: Kernel, reach: int
) -> list[jax.Array]:
    """Vectors, one for each axis, whose outer product :func:`system_response` is; if separable."""
    factors = _axis_transfers(params, image_shape, kernel, reach)
    if params.gain is not None:
        factors[0] = params.gain * factors[0]
    if params.shift is not None:
        phases = shift_factors(params.shift, image_shape)
        factors = [multiply(factor, phase) for factor, phase in zip(factors, phases, strict=True)]
    return factors


@automatic_sharding
def transfer_function(
    params: BlurParams | ArrayLike,
    image_shape: Sequence[int],
    *,
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
) -> jax.Array:
    """Transfer function of a Gaussian blur on the half-plane frequency grid of an image.

    Continuous: ``T(w) = exp(-1/2 w' S w)`` with w in rad/px and S the covariance in px^2; see
    :mod:`gaussjax.model.kernels` for the other conventions,
    :mod:`gaussjax.model.generalised_gaussian` for other exponents than 2. ``T(0) = 1`` and
    ``T(w; -S) = 1 / T(w; S)``.

    Args:
        params: BlurParams (gain, offset and shift are not part of T), or sigma in px: a scalar or
            one per axis.
        image_shape: of the real image, 1 to 3 axes.
        kernel: a name or a Kernel; this and the next two as in :func:`~gaussjax.blur`.
        truncate: "sampled" only.
        radius: "sampled" only.

    Returns:
        Real array ``[..., image_shape[-1] // 2 + 1]``. Under tracing a sampled or integrated kernel
        wider than the longest axis is NaN, because its taps cannot be counted then.

    Raises:
        TypeError: params that are no real numbers, or a shape that is none.
        ValueError: unknown kernel, a shape of params that fits neither family nor axes, or a
            kernel that reaches far beyond the frame.
    """
    convention = as_kernel(kernel, truncate, radius)
    shape = as_shape(image_shape, "image_shape")
    given = as_array(params.variance if isinstance(params, BlurParams) else params, "params")
    dtype = jnp.result_type(float, given if kind_of(given.dtype) == "f" else float)
    params = as_params(params, len(shape), dtype)
    reach = known_reach(params, convention, shape)
    return gaussian_transfer(params, shape, convention, reach)


@automatic_sharding
def blur(
    image: ArrayLike,
    params_or_sigma: BlurParams | ArrayLike,
    *,
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    boundary: WholeFrame = "periodic",
) -> jax.Array:
    """Blur an image by a Gaussian in the Fourier domain: ``gain (g * A)(x - shift) + offset``.

    Args:
        image: real array of rank 1 to 3; integers are promoted. Batches by ``jax.vmap``.
        params_or_sigma: BlurParams, or sigma in px: a scalar or one per axis. Negative sharpens.
        kernel: "continuous", "sampled" (what SciPy and OpenCV do), "integrated" or "discrete";
            or a :class:`~gaussjax.Kernel`, which holds the next two as well.
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px, as SciPy.
        radius: "sampled": a fixed radius in px, or a function from sigma to it.
        boundary: "periodic" (SciPy's wrap), "reflect", "nearest" or "zero" (constant).

    Returns:
        Array of the image's shape. When sigma is traced and the boundary pads, the frame is
        extended by half its longest axis, and a wider blur is NaN rather than wrong.

    Raises:
        TypeError: an image that is not real numbers.
        ValueError: unknown option, a generalised Gaussian with another kernel than "continuous" or
            a padded boundary, rank 0 or above 3, empty or size-1 axes, sigma of a wrong shape or
            not finite, a kernel that reaches far beyond the frame, and outside of tracing NaN or
            infinite pixels.
    """
    image = as_image(image, "image")
    check_finite(image, "image")
    check_option(boundary, WHOLE_FRAMES, "boundary")
    convention = as_kernel(kernel, truncate, radius)
    params = as_params(params_or_sigma, image.ndim, image.dtype, "params_or_sigma")
    check_supported(params.family, convention.name, boundary)
    padded = boundary in PADDED_BOUNDARIES
    reach = known_reach(params, convention, image.shape, "params_or_sigma", padded=padded)
    # In steps, because every new reach compiles anew.
    reach = -(-reach // 8) * 8
    return _blur(image, params, kernel=convention, boundary=boundary, reach=reach)


@partial(jax.jit, static_argnames=("kernel", "boundary", "reach"))
def _blur(image, params: BlurParams, *, kernel: Kernel, boundary: str, reach: int) -> jax.Array:
    pad = reach if boundary in PADDED_BOUNDARIES else 0
    extended = borders.extend(image, boundary, pad)
    response = system_response(params, extended.shape, kernel, reach)
    spectrum = multiply(response, forward_transform(extended, image.ndim))
    result = borders.crop(inverse_transform(spectrum, extended.shape), image.shape, pad)
    if pad:
        covered = jnp.max(axis_margins(params, kernel, image.ndim)) <= pad
        result = jnp.where(covered, result, jnp.nan)
    return result if params.offset is None else result + params.offset


def axis_margins(params: BlurParams, kernel: Kernel, ndim: int) -> jax.Array:
    """Pixels per axis that the blur and the shift reach over an edge, ``[ndim]``, floating.

    But for the tail of a generalised Gaussian:
    see :func:`gaussjax.model.generalised_gaussian.tail_margins`.
    """
    sigma = nominal_sigma(diagonal(params.covariance_matrix(ndim)))
    margins = kernel.margin_at(sigma)
    if params.shift is not None:
        margins = margins + jnp.ceil(jnp.abs(jax.lax.stop_gradient(params.shift)))
    return margins


def known_reach(
    params: BlurParams,
    kernel: Kernel,
    image_shape: tuple[int, ...],
    name: str = "params",
    *,
    padded: bool = False,
) -> int:
    """Reach in px from the parameters' values, 0 where neither taps nor pads need one.

    While the parameters are traced it is the longest axis, or half of it where the frame is
    ``padded`` by the reach. ValueError, which names the argument, for parameters that are not
    finite, or a reach that would take all memory.
    """
    if not (kernel.is_finite or padded):
        return 0
    ndim, longest = len(image_shape), max(image_shape)
    if is_traced(params):
        return (longest + 1) // 2 if padded else longest
    with jax.ensure_compile_time_eval():
        sigma = float(jnp.max(nominal_sigma(diagonal(params.covariance_matrix(ndim)))))
        shift = 0.0 if params.shift is None else float(jnp.max(jnp.abs(params.shift)))
    if not math.isfinite(sigma + shift):
        raise ValueError(f"{name} must be finite, got sigma {sigma} and shift {shift}")
    reach = kernel.reach(sigma) + math.ceil(shift)
    if reach > _FAR * longest:
        raise ValueError(
            f"{name}: a blur with sigma {sigma:.3g} px and shift {shift:.3g} px reaches {reach:.3g}"
            f" px, far beyond a frame of {image_shape}, and leaves it flat: use a smaller sigma,"
            " shift, truncate or radius"
        )
    return reach
