"""Iterative fits of a Gaussian blur to spectra: Gauss-Newton and any optax optimiser."""

import math
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import optax

from gaussjax.arguments import check_bounds, check_option
from gaussjax.assembly import assemble
from gaussjax.grid import half_plane_weights
from gaussjax.kernels import KERNELS, Kernel
from gaussjax.linear_algebra import inner_products, inverse_small, solve_small
from gaussjax.model import BlurModel
from gaussjax.params import FAMILIES, BlurParams, as_params, project_family
from gaussjax.residuals import loss, spectral_residual, without_zero_frequency
from gaussjax.result import BlurEstimate, rounding_variance
from gaussjax.solvers import Status, gauss_newton, gradient_descent
from gaussjax.spectra import Spectra
from gaussjax.start import find_start, orient, orient_bounds, variance_bounds


def fit_gauss_newton(
    spectra: Spectra,
    *,
    family: str = "isotropic",
    kernel: str = "continuous",
    truncate: float = 4.0,
    radius=None,
    initial=None,
    bounds=None,
) -> BlurEstimate:
    """Least-squares Gaussian blur of periodic images by damped Gauss-Newton on their spectra.

    Minimises ``1/2 sum m P |T(w; theta) - H|^2`` over the variance (px^2); see
    :func:`~gaussjax.residuals.loss`. A pair whose B is the sharper image is fitted from B to A
    and negated, so that swapping the images negates the estimate.

    Args:
        spectra: of one or many pairs, from :func:`~gaussjax.spectra.pair_spectra`.
        family: "isotropic", "axis_aligned" or "full".
        kernel: "continuous", "sampled", "integrated" or "discrete".
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px.
        radius: "sampled": a fixed radius in px, or a function from sigma to it.
        initial: start, sigma in px or BlurParams; None starts from the frequency ratio.
        bounds: (low, high) in sigma, px, or None; not for "full".

    Returns:
        BlurEstimate with ``s^2 (J'J)^-1`` error bars.

    Raises:
        ValueError: an unknown option, bounds for family "full", or an initial of a wrong shape.

    Source: parameter errors as in Seber & Wild, "Nonlinear Regression", Wiley 1989, ch. 2.
    """
    check_fit_options(family, kernel, bounds)
    convention = Kernel(kernel, truncate, radius)
    return _fit_gauss_newton(spectra, initial, bounds, family=family, convention=convention)


@partial(jax.jit, static_argnames=("family", "convention"))
def _fit_gauss_newton(
    spectra: Spectra, initial, bounds, *, family: str, convention: Kernel
) -> BlurEstimate:
    power = spectra.reference_power
    reach = max(spectra.image_shape)
    lower, upper = variance_bounds(bounds, power.dtype)
    model = BlurModel(family, convention, reach, spectra.image_shape)
    start = find_start(spectra, initial, lower, upper, model)
    oriented = orient(spectra, start.exchanged)

    def residual(variance):
        return spectral_residual(BlurParams(variance, family=family), oriented, convention, reach)

    low, high = orient_bounds(lower, upper, start.exchanged)
    state = gauss_newton(residual, start.variance, lower=low, upper=high, magnitude=1.0)
    return _spectral_result(
        BlurParams(state.params, family=family),
        oriented,
        convention,
        exchanged=start.exchanged,
        num_steps=start.num_steps + state.num_steps,
        problems={
            Status.NOT_CONVERGED: ~state.converged,
            Status.AT_BOUND: jnp.any((state.params <= low) | (state.params >= high)),
        },
    )


@partial(
    jax.jit,
    static_argnames=(
        "optimizer",
        "num_steps",
        "parameter",
        "family",
        "kernel",
        "truncate",
        "radius",
    ),
)
def fit_optax(
    spectra: Spectra,
    optimizer: optax.GradientTransformation,
    *,
    initial=None,
    num_steps: int = 200,
    parameter: str = "variance",
    family: str = "isotropic",
    kernel: str = "continuous",
    truncate: float = 4.0,
    radius=None,
) -> BlurEstimate:
    """Minimise the public :func:`~gaussjax.residuals.loss` by an optax optimiser.

    The loss is divided by the energy of the reference, so that learning rates carry over.

    Args:
        spectra: of one or many pairs.
        optimizer: any gradient transformation, such as ``optax.adam(0.1)`` or ``optax.lbfgs()``.
        initial: start, sigma in px or BlurParams; None starts at 1 px.
        num_steps: number of updates (static).
        parameter: "variance" (px^2), or "log_sigma", which keeps sigma positive.
        family: "isotropic", "axis_aligned" or "full" (with "variance" only).
        kernel: "continuous", "sampled", "integrated" or "discrete".
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px.
        radius: "sampled": a fixed radius in px, or a function from sigma to it.

    Returns:
        BlurEstimate. The error bar includes the distance that a Gauss-Newton step would still go;
        where that is more than a small fraction of it and of the value, the status is "not
        converged".

    Raises:
        TypeError: an optimizer that is no gradient transformation.
        ValueError: an unknown option, or "log_sigma" with family "full".
    """
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(f"optimizer must be an optax.GradientTransformation, got {optimizer!r}")
    check_fit_options(family, kernel, None)
    check_option(parameter, ("variance", "log_sigma"), "parameter")
    if parameter == "log_sigma" and family == "full":
        raise ValueError("parameter='log_sigma' has no meaning for family='full'; use 'variance'")
    ndim = len(spectra.image_shape)
    power = spectra.reference_power
    convention = Kernel(kernel, truncate, radius)
    first = as_params(1.0 if initial is None else initial, ndim, power.dtype)
    variance = project_family(first.covariance_matrix(ndim), family)
    logarithmic = parameter == "log_sigma"
    energy = jnp.sum(half_plane_weights(spectra.image_shape, power.dtype) * power)

    def decode(coordinates):
        return BlurParams(jnp.exp(2 * coordinates) if logarithmic else coordinates, family=family)

    def objective(coordinates):
        params = decode(coordinates)
        value = loss(params, spectra, kernel=kernel, truncate=truncate, radius=radius)
        return value / jnp.where(energy > 0, energy, 1)

    start = 0.5 * jnp.log(variance) if logarithmic else variance
    coordinates, _ = gradient_descent(objective, start, optimizer, num_steps)
    params = decode(coordinates)

    def residual(vector):
        moved = BlurParams(vector, family=family)
        return spectral_residual(moved, spectra, convention, max(spectra.image_shape))

    here = gauss_newton(residual, params.variance, max_steps=1)
    distance = solve_small(here.evaluation.curvature, here.evaluation.gradient)
    estimate = _spectral_result(
        params,
        spectra,
        convention,
        exchanged=jnp.asarray(False),
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
    oriented: Spectra,
    kernel: Kernel,
    *,
    exchanged: jax.Array,
    num_steps: jax.Array,
    problems: dict[Status, jax.Array],
    distance: jax.Array | None = None,
) -> BlurEstimate:
    """Error bars s^2 (J'J)^-1 and status of a fit to spectra; negated when exchanged.

    ``distance`` from the optimum, ``[p]``, counts as error too.
    """
    power = without_zero_frequency(oriented.reference_power)
    weights = half_plane_weights(oriented.image_shape, power.dtype)

    def residual(variance):
        moved = BlurParams(variance, family=params.family)
        return spectral_residual(moved, oriented, kernel, max(oriented.image_shape))

    energy = jnp.sum(weights * power)
    # The residual lacks the imaginary part of H, what several pairs disagree on, and the zero
    # frequency, where T = 1.
    constant = power * oriented.transfer.imag**2 + oriented.unexplained_power
    means = (oriented.reference_power - power) * jnp.abs(1 - oriented.transfer) ** 2
    squares = energy * jnp.sum(residual(params.variance) ** 2)
    squares = squares + jnp.sum(weights * (constant + means))
    num_pixels = math.prod(oriented.image_shape) * oriented.num_pairs
    noise_variance = squares / (num_pixels - params.variance.size)
    # Relative to the energy, because its square may not fit float32.
    relative = noise_variance / jnp.where(energy > 0, energy, 1)
    relative = relative + rounding_variance(power.dtype) / num_pixels
    jacobian = jnp.moveaxis(jax.jacfwd(residual)(params.variance), -1, 0)
    information = inner_products(jacobian, jacobian)
    covariance = relative * inverse_small(information)
    if distance is not None:
        covariance = covariance + jnp.outer(distance, distance)
    remaining = jnp.sum(weights * without_zero_frequency(oriented.blurred_power))
    sign = jnp.where(exchanged, -1, 1).astype(power.dtype)
    return assemble(
        replace(params, variance=sign * params.variance),
        ndim=len(oriented.image_shape),
        covariance=covariance,
        loss=0.5 * squares,
        noise_variance=noise_variance,
        num_pixels=num_pixels,
        num_steps=num_steps,
        kernel=kernel,
        problems={
            Status.NOT_FINITE: ~jnp.isfinite(jnp.sum(oriented.blurred_power)),
            # Any blur that is wide enough explains an image without structure.
            Status.NOT_IDENTIFIABLE: remaining <= energy * rounding_variance(power.dtype),
            **problems,
        },
    )


def check_fit_options(family: str, kernel: str, bounds) -> None:
    """Raise ValueError for options that no fit takes, and for bounds out of order."""
    check_option(family, FAMILIES, "family")
    check_option(kernel, KERNELS, "kernel")
    check_bounds(bounds)
    if bounds is not None and family == "full":
        raise ValueError("bounds are on sigma per axis; family='full' takes none")
