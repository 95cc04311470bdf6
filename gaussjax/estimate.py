"""The front door: two images in, the Gaussian blur between them out."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax import boundary as borders
from gaussjax.arguments import as_pair, check_finite, check_option, is_traced
from gaussjax.fit import check_fit_options, fit_gauss_newton
from gaussjax.instruments import InteriorModel, fit_interior, interior_statistics
from gaussjax.kernels import Kernel
from gaussjax.linear_algebra import inverse_small
from gaussjax.params import BlurParams
from gaussjax.residuals import make_frame
from gaussjax.result import BlurEstimate, assemble, rounding_variance
from gaussjax.solvers import Status
from gaussjax.spectra import pair_spectra
from gaussjax.start import find_start, orient_bounds, variance_bounds
from gaussjax.transfer import axis_margins

# "valid" keeps at least this fraction of every axis to compare.
LEAST_INTERIOR = 0.25
# Padded boundaries without bounds are extended for a sigma of this fraction of the shortest axis.
LARGEST_SIGMA = 1 / 6


def estimate_blur(
    reference,
    blurred,
    *,
    family: str = "isotropic",
    kernel: str = "continuous",
    truncate: float = 4.0,
    radius=None,
    boundary: str = "valid",
    bounds=None,
    initial=None,
) -> BlurEstimate:
    """Estimate the Gaussian blur that takes ``reference`` to ``blurred``, by least squares.

    Minimises ``1/2 sum_x W(x) ((g_theta * A)(x) - B(x))^2`` over the variance of g (px^2),
    where W selects the compared pixels (:mod:`gaussjax.boundary`), and white noise in B only is
    assumed for the error bar ``s^2 (J' W J)^-1``. A negative sigma says that ``blurred`` is the
    sharper image. Pure: works under ``jax.jit`` and, for batches, ``jax.vmap``.

    Args:
        reference: A, real, rank 1 to 3; integers and booleans are promoted.
        blurred: B, of the same shape.
        family: "isotropic", "axis_aligned" or "full" covariance.
        kernel: what sigma means on the pixel grid: "continuous", "sampled" (SciPy, OpenCV),
            "integrated" or "discrete"; see :mod:`gaussjax.kernels`.
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px, as SciPy.
        radius: "sampled": a fixed radius in px, or a (hashable) function from sigma to it.
        boundary: "valid" compares only pixels that the kernel cannot reach from beyond the edge;
            "periodic", "reflect", "nearest" and "zero" compare the whole frame and are right only
            if B was made that way. The padded three are extended for the upper bound, or for a
            sixth of the shortest axis; a wider blur is a status.
        bounds: (low, high) in sigma, px; an estimate on a bound is a status. Not for "full".
        initial: start, sigma in px or BlurParams; the estimate does not depend on it.

    Returns:
        BlurEstimate: sigma in px with its standard error and a status.

    Raises:
        TypeError: images that are not arrays of real numbers.
        ValueError: shapes that differ, rank 0 or above 3, empty or size-1 axes, an unknown option,
            bounds that are out of order or given for "full", the shape of a colour image, and
            outside of tracing NaN or infinite pixels.

    Source: the error bar is that of nonlinear least squares, Seber & Wild, "Nonlinear
    Regression", Wiley 1989, ch. 2.
    """
    check_option(boundary, borders.BOUNDARIES, "boundary")
    check_fit_options(family, kernel, bounds)
    narrowed = any(np.dtype(getattr(x, "dtype", "f4")) == np.float64 for x in (reference, blurred))
    reference, blurred = as_pair(reference, blurred)
    check_finite(reference, "reference")
    check_finite(blurred, "blurred")
    convention = Kernel(kernel, truncate, radius)
    estimate = _estimate(
        reference,
        blurred,
        bounds,
        initial,
        family=family,
        kernel=convention,
        boundary=boundary,
        largest_radius=_largest_radius(reference.shape, convention, boundary, bounds),
    )
    return replace(estimate, narrowed=narrowed and reference.dtype != jnp.float64)


@partial(jax.jit, static_argnames=("family", "kernel", "boundary", "largest_radius"))
def _estimate(
    reference, blurred, bounds, initial, *, family, kernel, boundary, largest_radius
) -> BlurEstimate:
    # In a unit whose square does not leave the range of float32.
    unit = jnp.max(jnp.abs(reference))
    unit = jnp.where(unit > 0, unit, 1)
    estimate = _estimate_scaled(
        reference / unit,
        blurred / unit,
        bounds,
        initial,
        family=family,
        kernel=kernel,
        boundary=boundary,
        largest_radius=largest_radius,
    )
    return replace(
        estimate, loss=unit**2 * estimate.loss, noise_variance=unit**2 * estimate.noise_variance
    )


def _estimate_scaled(
    reference, blurred, bounds, initial, *, family, kernel, boundary, largest_radius
) -> BlurEstimate:
    if boundary == "periodic":
        centre = jnp.mean(reference)
        return fit_gauss_newton(
            pair_spectra(reference - centre, blurred - centre),
            family=family,
            kernel=kernel.name,
            truncate=kernel.truncate,
            radius=kernel.radius,
            initial=initial,
            bounds=bounds,
        )
    ndim = reference.ndim
    lower, upper = variance_bounds(bounds, reference.dtype)
    model = InteriorModel(
        family,
        kernel,
        # "integrated" sums its taps half as far again as its tail matters.
        reach=largest_radius + largest_radius // 2 + 2,
        largest_margins=_largest_margins(reference.shape, boundary, largest_radius),
    )
    start = find_start(
        _tapered_spectra(reference, blurred),
        initial,
        lower,
        upper,
        family=family,
        kernel=kernel,
        reach=model.reach,
    )
    sharper = jnp.where(start.exchanged, blurred, reference)
    softer = jnp.where(start.exchanged, reference, blurred)
    frame = make_frame(sharper, softer, boundary, largest_radius)
    low, high = orient_bounds(lower, upper, start.exchanged)
    fit = fit_interior(frame, start.variance, model, low, high)
    sign = jnp.where(start.exchanged, -1, 1).astype(reference.dtype)
    squares, num_pixels, information = interior_statistics(frame, fit, model)
    noise_variance = squares / (num_pixels - fit.variance.size)
    with_rounding = noise_variance + rounding_variance(reference.dtype)
    wanted = axis_margins(model.params(fit.variance), kernel, ndim)
    return assemble(
        BlurParams(sign * fit.variance, family=family),
        ndim=ndim,
        covariance=with_rounding * inverse_small(information),
        loss=0.5 * frame.scale**2 * squares,
        noise_variance=frame.scale**2 * noise_variance,
        num_pixels=num_pixels.astype(jnp.int32),
        num_steps=start.num_steps + fit.num_steps,
        kernel=kernel,
        problems={
            Status.NOT_FINITE: ~jnp.isfinite(jnp.sum(reference) + jnp.sum(blurred)),
            Status.TOO_SMALL: jnp.any(wanted > jnp.asarray(model.largest_margins)),
            Status.NOT_CONVERGED: ~fit.converged,
            Status.AT_BOUND: jnp.any((fit.variance <= low) | (fit.variance >= high)),
        },
    )


def _tapered_spectra(reference: jax.Array, blurred: jax.Array):
    """Spectra of the Hann-windowed pair, which hides the edge well enough for a start."""
    window = borders.taper(reference.shape, reference.dtype)
    centre = jnp.sum(window * reference) / jnp.sum(window)
    return pair_spectra(window * (reference - centre), window * (blurred - centre))


def _largest_margins(image_shape, boundary: str, largest_radius: int) -> tuple[int, ...]:
    if boundary == "valid":
        return tuple(int(0.5 * (1 - LEAST_INTERIOR) * n) for n in image_shape)
    return (largest_radius,) * len(image_shape)


def _largest_radius(image_shape, kernel: Kernel, boundary: str, bounds) -> int:
    """Static px that the kernel may reach; see ``boundary`` of :func:`estimate_blur`."""
    if boundary == "valid":
        return max(_largest_margins(image_shape, boundary, 0))
    sigma = LARGEST_SIGMA * min(image_shape)
    if bounds is not None and not is_traced(bounds):
        # A kernel longer than the frame blurs little but the extension.
        sigma = min(max(abs(float(bound)) for bound in bounds), max(image_shape))
    return min(kernel.reach(sigma), max(image_shape))
