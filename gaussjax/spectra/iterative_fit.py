"""Iterative fits of a Gaussian blur to spectra: Gauss-Newton and any optax optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from gaussjax.checks import as_count, check_option, shown
from gaussjax.model.arguments import check_fit_options
from gaussjax.model.fourier import half_plane_sum, half_plane_weights
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import COORDINATES, Coordinate, Family, KernelName
from gaussjax.model.params import BlurParams, as_params, project_family, variance_bounds
from gaussjax.model.swap import swap_bounds
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics.linear_algebra import inverse_small, solve_small
from gaussjax.numerics.loops import differing_like
from gaussjax.numerics.newton import gradient_descent
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.spectra.cross_spectra import Spectra, check_spectra
from gaussjax.spectra.least_squares import BlurSums, blur_sums, minimise
from gaussjax.spectra.loss import blur_powers, loss, spectral_squares, without_zero_frequency
from gaussjax.spectra.sharper_image import swap_spectra
from gaussjax.spectra.start import find_start
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status

if TYPE_CHECKING:
    import optax


@automatic_sharding
def fit_gauss_newton(
    spectra: Spectra,
    *,
    family: Family = "isotropic",
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    initial: BlurParams | ArrayLike | None = None,
    bounds: ArrayLike | None = None,
) -> BlurEstimate:
    """Least-squares Gaussian blur of periodic images by damped Gauss-Newton on their spectra.

    Minimises ``1/2 sum m P |T(w; theta) - H|^2`` over the variance (px^2); see
    :func:`~gaussjax.loss`. A pair whose B is the sharper image is fitted from B to A
    and negated, so that swapping the images negates the estimate.

    Args:
        spectra: of one or many pairs, from :func:`~gaussjax.pair_spectra`.
        family: "isotropic", "axis_aligned" or "full".
        kernel: a name or a Kernel; this and the next two as in :func:`~gaussjax.blur`.
        truncate: "sampled" only.
        radius: "sampled" only.
        initial: start, sigma in px or BlurParams; None starts from the frequency ratio.
        bounds: (low, high) in sigma, px, or None; not for "full".

    Returns:
        BlurEstimate with ``s^2 (J'J)^-1`` error bars.

    Raises:
        TypeError: no Spectra, or options that are no text or numbers.
        ValueError: a batch of spectra, an unknown option, bounds for family "full", or an initial
            of a wrong shape.

    Source: parameter errors as in Seber & Wild, "Nonlinear Regression", Wiley 1989, ch. 2.
    """
    check_fit_options(family, bounds)
    convention = as_kernel(kernel, truncate, radius)
    check_spectra(spectra)
    dtype = spectra.reference_power.dtype
    # As arrays of one type, so that another value does not compile anew.
    if initial is not None:
        initial = as_params(initial, len(spectra.image_shape), dtype, "initial")
    if bounds is not None:
        pair: Any = bounds
        bounds = tuple(jnp.asarray(pair[k], dtype) for k in range(2))
    return _fit_gauss_newton(spectra, initial, bounds, family=family, convention=convention)


@partial(jax.jit, static_argnames=("family", "convention"))
def _fit_gauss_newton(
    spectra: Spectra, initial, bounds, *, family: Family, convention: Kernel
) -> BlurEstimate:
    shape = spectra.image_shape
    reach = max(shape)
    lower, upper = variance_bounds(bounds, spectra.reference_power.dtype)
    start = find_start(spectra, initial, lower, upper, BlurModel(family, convention, reach, shape))
    low, high = swap_bounds(lower, upper, start.swapped)
    # The sums need P and Re C of the oriented pair; Re C is the same in both directions.
    oriented = swap_spectra(start.swapped, spectra)
    power = without_zero_frequency(oriented.reference_power)
    cross = without_zero_frequency(spectra.cross_power.real)

    def sums_at(variance):
        params = BlurParams(variance, family=family)
        return blur_sums(power, cross, params, shape, convention, reach)

    state = minimise(sums_at, start.variance, lower=low, upper=high)
    params = BlurParams(state.params, family=family)

    squares = spectral_squares(params, oriented, convention, reach)
    return _spectral_result(
        params,
        spectra,
        convention,
        sums=state.evaluation.sums,
        squares=half_plane_sum(squares, shape),
        swapped=start.swapped,
        num_steps=start.num_steps + state.num_steps,
        problems={
            Status.NOT_CONVERGED: ~state.converged,
            Status.AT_BOUND: jnp.any((state.params <= low) | (state.params >= high)),
        },
    )


@automatic_sharding
def fit_optax(
    spectra: Spectra,
    optimizer: optax.GradientTransformation,
    *,
    initial: BlurParams | ArrayLike | None = None,
    num_steps: int = 200,
    parameter: Coordinate = "variance",
    family: Family = "isotropic",
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
) -> BlurEstimate:
    """Minimise the public :func:`~gaussjax.loss` by an optax optimiser.

    The loss is divided by the energy of the reference, so that learning rates carry over.

    Args:
        spectra: of one or many pairs.
        optimizer: any gradient transformation, such as ``optax.adam(0.1)`` or ``optax.lbfgs()``.
        initial: start, sigma in px or BlurParams; None starts at 1 px.
        num_steps: number of updates (static).
        parameter: "variance" (px^2), or "log_sigma", which keeps sigma positive.
        family: "isotropic", "axis_aligned" or "full" (with "variance" only).
        kernel: a name or a Kernel; this and the next two as in :func:`~gaussjax.blur`.
        truncate: "sampled" only.
        radius: "sampled" only.

    Returns:
        BlurEstimate. The error bar includes the distance that a Gauss-Newton step would still go;
        where that is more than a small fraction of it and of the value, the status is "not
        converged".

    Raises:
        TypeError: no Spectra, an optimizer that is no gradient transformation, or options that are
            no text or numbers.
        ValueError: a batch of spectra, an unknown option, or "log_sigma" with family "full".
    """
    import optax  # here, because the other fits do without it and it takes a tenth of a second

    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            f"optimizer must be an optax.GradientTransformation; got {shown(optimizer)}"
        )
    check_fit_options(family, None)
    check_option(parameter, COORDINATES, "parameter")
    if parameter == "log_sigma" and family == "full":
        raise ValueError("parameter='log_sigma' has no meaning for family='full'; use 'variance'")
    num_steps = as_count(num_steps, "num_steps", 1, 2**31 - 1)
    convention = as_kernel(kernel, truncate, radius)
    check_spectra(spectra)
    ndim, dtype = len(spectra.image_shape), spectra.reference_power.dtype
    first = as_params(1.0 if initial is None else initial, ndim, dtype, "initial")
    logarithmic = parameter == "log_sigma"
    static = {"num_steps": num_steps, "logarithmic": logarithmic, "family": family}
    return _fit_optax(spectra, first, optimizer=optimizer, convention=convention, **static)


@partial(jax.jit, static_argnames=("optimizer", "num_steps", "logarithmic", "family", "convention"))
def _fit_optax(
    spectra: Spectra,
    first: BlurParams,
    *,
    optimizer: optax.GradientTransformation,
    num_steps: int,
    logarithmic: bool,
    family: Family,
    convention: Kernel,
) -> BlurEstimate:
    ndim, power = len(spectra.image_shape), spectra.reference_power
    variance = project_family(first.covariance_matrix(ndim), family)
    energy = jnp.sum(half_plane_weights(spectra.image_shape, power.dtype) * power)

    def decode(coordinates):
        return BlurParams(jnp.exp(2 * coordinates) if logarithmic else coordinates, family=family)

    def objective(coordinates):
        params = decode(coordinates)
        value = loss(params, spectra, kernel=convention)
        return value / jnp.where(energy > 0, energy, 1)

    start = 0.5 * jnp.log(variance) if logarithmic else variance
    # Every device goes down its own gradient.
    start = differing_like(start, spectra)
    coordinates, _ = gradient_descent(objective, start, optimizer, num_steps)
    return _result_where_stopped(decode(coordinates), spectra, convention, num_steps)


def _result_where_stopped(
    params: BlurParams, spectra: Spectra, kernel: Kernel, num_steps: int
) -> BlurEstimate:
    """The estimate at ``params``; not converged if a Gauss-Newton step from there goes far."""
    reach = max(spectra.image_shape)
    sums = blur_sums(*blur_powers(spectra), params, spectra.image_shape, kernel, reach)
    distance = solve_small(sums.information, sums.gradient)
    squares = spectral_squares(params, spectra, kernel, reach)
    estimate = _spectral_result(
        params,
        spectra,
        kernel,
        sums=sums,
        squares=half_plane_sum(squares, spectra.image_shape),
        swapped=jnp.asarray(False),
        num_steps=jnp.asarray(num_steps, jnp.int32),
        distance=distance,
        problems={},
    )
    small = jnp.maximum(0.1 * estimate.standard_error.variance, 1e-3 * jnp.abs(params.variance))
    stopped_short = jnp.any(jnp.abs(distance) > small)
    status = jnp.where(
        stopped_short & (estimate.status != Status.NOT_FINITE),
        jnp.int32(Status.NOT_CONVERGED),
        estimate.status,
    )
    return replace(estimate, status=status)


def _spectral_result(
    params: BlurParams,
    spectra: Spectra,
    kernel: Kernel,
    *,
    sums: BlurSums,
    squares: jax.Array,
    swapped: jax.Array,
    num_steps: jax.Array,
    problems: dict[Status, jax.Array],
    distance: jax.Array | None = None,
) -> BlurEstimate:
    """Error bars s^2 (J'J)^-1 and status of a fit to spectra; negated when swapped.

    ``params``, ``sums`` and ``squares``, the sum of squared residuals, are of the oriented pair.
    ``distance`` from the optimum, ``[p]``, counts as error too.
    """
    dtype = params.variance.dtype
    energy = sums.energy
    scale = jnp.where(energy > 0, energy, 1)
    num_pixels = math.prod(spectra.image_shape) * spectra.num_pairs
    count = num_pixels.astype(dtype)
    noise_variance = squares / (count - params.variance.size)
    # Relative to the energy, because its square may not fit float32.
    relative = noise_variance / scale + rounding_variance(dtype) / count
    covariance = relative * inverse_small(sums.information / scale)
    if distance is not None:
        covariance = covariance + jnp.outer(distance, distance)
    # The power of B that the blur explains with a free gain. Without any, B has no structure, and
    # every blur that is wide enough fits.
    explained = sums.cross / scale * (sums.cross / jnp.where(sums.power > 0, sums.power, 1))
    sign = jnp.where(swapped, -1, 1).astype(dtype)
    return make_estimate(
        replace(params, variance=sign * params.variance),
        ndim=len(spectra.image_shape),
        covariance=covariance,
        loss=0.5 * squares,
        noise_variance=noise_variance,
        num_pixels=num_pixels,
        num_steps=num_steps,
        kernel=kernel,
        problems={
            Status.NOT_FINITE: ~spectra.is_finite,
            Status.NOT_IDENTIFIABLE: explained <= rounding_variance(dtype),
            **problems,
        },
    )
