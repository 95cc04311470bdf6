"""The front door: two images in, the Gaussian blur between them out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gaussjax import boundary as borders
from gaussjax.adequacy import assess
from gaussjax.arguments import (
    as_mask_pair,
    as_noise,
    as_pair,
    as_weights,
    check_finite,
    check_option,
    is_traced,
)
from gaussjax.criterion import Criterion
from gaussjax.errors_in_variables import ErrorsInVariables
from gaussjax.fit import check_fit_options
from gaussjax.instruments import LeastSquares
from gaussjax.kernels import Kernel
from gaussjax.losses import LOSSES
from gaussjax.model import BlurModel
from gaussjax.params import BlurParams
from gaussjax.passes import Fit, fit_passes, implicit_fit
from gaussjax.residuals import Frame, make_frame
from gaussjax.result import BlurEstimate, assemble, rounding_variance
from gaussjax.robust import Robust
from gaussjax.solvers import Status
from gaussjax.spectra import pair_spectra
from gaussjax.start import Start, find_start, orient_bounds, variance_bounds
from gaussjax.transfer import axis_margins
from gaussjax.whitening import floored_noise

# "valid" keeps at least this fraction of every axis to compare.
LEAST_INTERIOR = 0.25
# Padded boundaries without bounds are extended for a sigma of this fraction of the shortest axis.
LARGEST_SIGMA = 1 / 6
# Noise levels that the pair is asked for count as told apart when sigma is known this well ...
LARGEST_RELATIVE_ERROR = 0.05
# ... and the residual is as white as two white noises leave it: neighbours correlate by less.
LARGEST_AUTOCORRELATION = 0.02


@dataclass(frozen=True)
class _Options:
    """The static options of an estimate, hashable: each combination compiles once."""

    family: str
    kernel: Kernel
    boundary: str
    loss: str | Callable
    gain: bool
    offset: bool
    shift: bool
    estimate_noise: bool
    largest_radius: int


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Usable:
    """Which pixels of A and B are known, 1 or 0, and the weights of B; None: all, or all alike."""

    reference: jax.Array | None
    blurred: jax.Array | None
    weights: jax.Array | None


def estimate_blur(
    reference,
    blurred,
    *,
    family: str = "isotropic",
    kernel: str = "continuous",
    truncate: float = 4.0,
    radius=None,
    boundary: str = "valid",
    loss: str | Callable = "squared",
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    noise_std=None,
    bounds=None,
    mask=None,
    weights=None,
    initial=None,
) -> BlurEstimate:
    """Estimate the Gaussian blur that takes ``reference`` to ``blurred``.

    The model is ``B(x) = gain (g * A)(x - shift) + offset + noise``. The loss of the residual is
    minimised over the variance of g (px^2) and the nuisances asked for, on the pixels that can be
    compared (:mod:`gaussjax.boundary`, ``mask``). A negative sigma says that ``blurred`` is the
    sharper image; swapping the images negates the estimate where both are noisy
    (``noise_std``) or neither is. Pure: works under ``jax.jit`` and, for batches, ``jax.vmap``,
    and differentiates by the images (implicitly, at the optimum).

    Args:
        reference: A, real, rank 1 to 3; integers and booleans are promoted.
        blurred: B, of the same shape.
        family: "isotropic", "axis_aligned" or "full" covariance. A full covariance need not be
            positive definite: see ``is_positive_definite`` of the result.
        kernel: what sigma means on the pixel grid: "continuous", "sampled" (SciPy, OpenCV),
            "integrated" or "discrete"; see :mod:`gaussjax.kernels`.
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px, as SciPy.
        radius: "sampled": a fixed radius in px, or a (hashable) function from sigma to it.
        boundary: "valid" compares only pixels that the kernel cannot reach from beyond the edge;
            "periodic", "reflect", "nearest" and "zero" compare the whole frame and are right only
            if B was made that way. The padded three are extended for the upper bound, or for a
            sixth of the shortest axis; a wider blur is a status.
        loss: "squared", "absolute" (the least sum of absolute residuals), "huber", or a rho
            function of the residual over its standard deviation (by the median), elementwise.
        gain: fit a factor between the images.
        offset: fit a constant between them, in the unit of the images.
        shift: fit a displacement, px per axis, as ``scipy.ndimage.shift`` counts it.
        noise_std: None: noise in ``blurred`` only, of unknown level. ``(std_reference,
            std_blurred)`` in the unit of the images: errors in variables; only their ratio matters
            to the estimate. "estimate": both levels are found from the pair. Where they cannot be
            told apart (sigma small against the pixel) the status says so, and the value that
            stands is the one at the best guess of the levels, with its wide error bar.
        bounds: (low, high) in sigma, px; an estimate on a bound is a status. Not for "full".
        mask: True where a pixel may be used: one array for ``blurred``, or a pair
            ``(mask_reference, mask_blurred)``, either of them None. Pixels that a missing pixel of
            the reference blurs into are not compared. Masked pixels may be NaN.
        weights: of the pixels of ``blurred``, not negative: inverse variances up to a factor.
            Not with ``noise_std``.
        initial: start, sigma in px or BlurParams; the estimate does not depend on it.

    Returns:
        BlurEstimate: sigma in px with its standard error, a status and a verdict. The error bar
        is ``s^2 (J' W J)^-1`` for white residuals, a sandwich form for others and for robust
        losses, and that of errors in variables with ``noise_std``.

    Raises:
        TypeError: images that are not arrays of real numbers.
        ValueError: shapes that differ, rank 0 or above 3, empty or size-1 axes, an unknown option,
            bounds that are out of order or given for "full", the shape of a colour image,
            ``noise_std`` with another loss than "squared" or with weights, and outside of tracing
            NaN or infinite pixels that are not masked.

    Source: the error bars are those of Seber & Wild, "Nonlinear Regression", Wiley 1989, ch. 2;
    White, Econometrica 50(1), 1982; Fuller, "Measurement Error Models", Wiley 1987.
    """
    check_option(boundary, borders.BOUNDARIES, "boundary")
    check_fit_options(family, kernel, bounds)
    if not callable(loss):
        check_option(loss, LOSSES, "loss")
    narrowed = any(np.dtype(getattr(x, "dtype", "f4")) == np.float64 for x in (reference, blurred))
    reference, blurred = as_pair(reference, blurred)
    mask_reference, mask_blurred = as_mask_pair(mask, reference.shape)
    check_finite(reference, "reference", mask_reference)
    check_finite(blurred, "blurred", mask_blurred)
    usable = _Usable(mask_reference, mask_blurred, as_weights(weights, blurred))
    noise, estimate_noise = as_noise(noise_std, reference.dtype)
    if noise_std is not None and (loss != "squared" or weights is not None):
        raise ValueError(
            "noise_std describes the noise of both images: it goes with loss='squared' and"
            f" without weights; got loss={loss!r}, weights {'' if weights is None else 'not '}None"
        )
    convention = Kernel(kernel, truncate, radius)
    options = _Options(
        family=family,
        kernel=convention,
        boundary=boundary,
        loss=loss,
        gain=bool(gain),
        offset=bool(offset),
        shift=bool(shift),
        estimate_noise=estimate_noise,
        largest_radius=_largest_radius(reference.shape, convention, boundary, bounds),
    )
    estimate = _estimate(reference, blurred, usable, noise, bounds, initial, options=options)
    return replace(estimate, narrowed=narrowed and reference.dtype != jnp.float64)


@partial(jax.jit, static_argnames="options")
def _estimate(reference, blurred, usable, noise, bounds, initial, *, options) -> BlurEstimate:
    reference = _filled(reference, usable.reference)
    blurred = _filled(blurred, usable.blurred)
    # In a unit whose square does not leave the range of float32.
    unit = jax.lax.stop_gradient(jnp.max(jnp.abs(reference)))
    unit = jnp.where(unit > 0, unit, 1)
    noise = None if noise is None else (noise / unit) ** 2
    initial = _scaled(initial, 1 / unit) if isinstance(initial, BlurParams) else initial
    estimate = _estimate_scaled(
        reference / unit, blurred / unit, usable, noise, bounds, initial, options
    )
    power = 1 if options.loss == "absolute" else 2
    return replace(
        estimate,
        params=_scaled(estimate.params, unit),
        standard_error=_scaled(estimate.standard_error, unit),
        loss=unit**power * estimate.loss,
        noise_variance=unit**2 * estimate.noise_variance,
        noise_std=unit * estimate.noise_std,
    )


def _scaled(params: BlurParams, unit: jax.Array) -> BlurParams:
    """The parameters for images that are multiplied by ``unit``."""
    return params if params.offset is None else replace(params, offset=unit * params.offset)


def _filled(image: jax.Array, known: jax.Array | None) -> jax.Array:
    """The image with its mean where it is not known, so that NaN stays out of every sum."""
    if known is None:
        return image
    values = jnp.where(known > 0, image, 0)
    mean = jnp.sum(values) / jnp.maximum(jnp.sum(known), 1)
    return jnp.where(known > 0, image, mean)


def _estimate_scaled(
    reference, blurred, usable: _Usable, noise, bounds, initial, options: _Options
) -> BlurEstimate:
    dtype = reference.dtype
    lower, upper = variance_bounds(bounds, dtype)
    model = BlurModel(
        options.family,
        options.kernel,
        # "integrated" sums its taps half as far again as its tail matters.
        reach=options.largest_radius + options.largest_radius // 2 + 2,
        largest_margins=_largest_margins(reference.shape, options.boundary, options.largest_radius),
        gain=options.gain,
        offset=options.offset,
        shift=options.shift,
    )
    spectra, energy = _start_spectra(reference, blurred, usable, options)
    start = find_start(
        jax.lax.stop_gradient(spectra),
        initial,
        lower,
        upper,
        model,
        noise=None if noise is None else jax.lax.stop_gradient(noise * energy),
        estimate_noise=options.estimate_noise,
    )
    frame = _oriented_frame(reference, blurred, usable, start.exchanged, options)
    context = jnp.zeros(0, dtype)
    if noise is not None:
        levels = start.noise / energy if options.estimate_noise else noise
        if not options.estimate_noise:
            levels = jnp.where(start.exchanged, levels[::-1], levels)
        context = floored_noise(levels / frame.scale**2)
        ceiling = start.ceiling / energy / frame.scale**2
        criterion: Criterion = ErrorsInVariables(
            frame, model, options.estimate_noise, context, ceiling
        )
    elif options.loss == "squared":
        criterion = LeastSquares(frame, model)
    else:
        context = jnp.ones(1, dtype)
        criterion = Robust(frame, model, options.loss)
    fit, low, high = _fit(criterion, start, context, lower, upper)
    return _result(criterion, fit, start, low, high)


def _start_spectra(reference, blurred, usable: _Usable, options: _Options):
    """Spectra of the Hann-windowed pair, which hides the edge well enough for a start.

    And the energy of the window: white noise of variance v has the power v times it.
    """
    window = jnp.ones_like(reference)
    if options.boundary != "periodic":
        window = borders.taper(reference.shape, reference.dtype)
    for known in (usable.reference, usable.blurred):
        window = window if known is None else window * known
    total = jnp.sum(window)
    total = jnp.where(total > 0, total, 1)
    centre = jnp.sum(window * reference) / total
    other = centre
    if options.gain or options.offset:
        other = jnp.sum(window * blurred) / total
    spectra = pair_spectra(window * (reference - centre), window * (blurred - other))
    return spectra, jnp.sum(window**2)


def _oriented_frame(reference, blurred, usable: _Usable, exchanged, options: _Options) -> Frame:
    """The pair with the sharper image as the reference."""
    known, other = usable.reference, usable.blurred
    if known is not None or other is not None:
        ones = jnp.ones_like(reference)
        known = ones if known is None else known
        other = ones if other is None else other
        known, other = jnp.where(exchanged, other, known), jnp.where(exchanged, known, other)
    if usable.weights is not None:
        other = usable.weights if other is None else other * usable.weights
    return make_frame(
        jnp.where(exchanged, blurred, reference),
        jnp.where(exchanged, reference, blurred),
        options.boundary,
        options.largest_radius,
        known=known,
        weights=other,
    )


def _fit(criterion: Criterion, start: Start, context, lower, upper):
    """The fit, and the bounds on the vector of the oriented pair."""
    model, frame = criterion.model, criterion.frame
    # B minus gain A, on average: pixels at the edge matter little to a start.
    level = jnp.mean(frame.blurred) * frame.blurred.size / np.prod(frame.image_shape)
    vector = model.pack(start.variance, start.gain, level, start.shift)
    is_variance = jnp.arange(vector.size) < model.num_variances
    low, high = orient_bounds(lower, upper, start.exchanged)
    low = jnp.where(is_variance, low, -jnp.inf)
    high = jnp.where(is_variance, high, jnp.inf)
    held = jax.lax.stop_gradient(frame)
    fit = fit_passes(
        replace(criterion, frame=held), vector, jax.lax.stop_gradient(context), low, high
    )
    return implicit_fit(criterion, fit), low, high


def _result(criterion: Criterion, fit: Fit, start: Start, low, high) -> BlurEstimate:
    model, frame = criterion.model, criterion.frame
    window = criterion.window(fit.margins)
    summary = criterion.summary(fit.vector, window, fit.context)
    num_pixels = jnp.sum(window > 0)
    noise = jnp.where(start.exchanged, summary.noise[::-1], summary.noise)

    def of_the_pair(vector):
        params = replace(model.params(vector), offset=model.offset_of(vector, frame))
        return jax.tree.map(
            lambda kept, swapped: jnp.where(start.exchanged, swapped, kept),
            params,
            params.inverse(),
        )

    rotation = jax.jacfwd(lambda vector: ravel_pytree(of_the_pair(vector))[0])(fit.vector)
    wanted = axis_margins(model.params(fit.vector), model.kernel, model.ndim)
    adequacy = assess(
        blurred=frame.blurred,
        difference=frame.difference,
        window=window,
        residual=summary.residual,
        whitened=summary.whitened,
        chi_square=summary.chi_square,
        variance=jnp.diag(model.params(fit.vector).covariance_matrix(model.ndim)),
        rounding=rounding_variance(fit.vector.dtype),
    )
    # Six standard deviations of chance.
    largest = jnp.maximum(LARGEST_AUTOCORRELATION, 6 / jnp.sqrt(jnp.maximum(num_pixels, 1)))
    coloured = jnp.any(jnp.abs(adequacy.autocorrelation) > largest)
    sign = jnp.where(start.exchanged, -1, 1).astype(fit.vector.dtype)
    adequacy = replace(adequacy, displacement=sign * adequacy.displacement)
    estimates_noise = isinstance(criterion, ErrorsInVariables) and criterion.estimated
    is_robust = isinstance(criterion, Robust) and criterion.loss == "absolute"
    estimate = assemble(
        of_the_pair(fit.vector),
        ndim=model.ndim,
        covariance=rotation @ summary.covariance @ rotation.T,
        loss=frame.scale ** (1 if is_robust else 2) * summary.loss,
        noise_variance=frame.scale**2 * summary.noise_variance,
        noise_std=frame.scale * jnp.sqrt(noise),
        num_pixels=num_pixels.astype(jnp.int32),
        num_steps=start.num_steps + fit.num_steps,
        kernel=model.kernel,
        problems={
            Status.NOT_FINITE: ~jnp.isfinite(jnp.sum(frame.difference) + frame.scale),
            Status.TOO_SMALL: jnp.any(wanted > jnp.asarray(model.largest_margins))
            | (num_pixels < 4 * fit.vector.size),
            Status.NOT_CONVERGED: ~fit.converged,
            Status.NOISE_NOT_SEPARABLE: coloured & estimates_noise,
            Status.AT_BOUND: jnp.any((fit.vector <= low) | (fit.vector >= high)),
        },
        adequacy=adequacy,
        largest_relative_error=LARGEST_RELATIVE_ERROR if estimates_noise else jnp.inf,
    )
    return estimate


def _largest_margins(image_shape, boundary: str, largest_radius: int) -> tuple[int, ...]:
    if boundary == "valid":
        return tuple(int(0.5 * (1 - LEAST_INTERIOR) * n) for n in image_shape)
    return (largest_radius,) * len(image_shape)


def _largest_radius(image_shape, kernel: Kernel, boundary: str, bounds) -> int:
    """Static px that the kernel may reach; see ``boundary`` of :func:`estimate_blur`."""
    if boundary == "periodic":
        return max(image_shape)
    if boundary == "valid":
        return max(_largest_margins(image_shape, boundary, 0))
    sigma = LARGEST_SIGMA * min(image_shape)
    if bounds is not None and not is_traced(bounds):
        # A kernel longer than the frame blurs little but the extension.
        sigma = min(max(abs(float(bound)) for bound in bounds), max(image_shape))
    return min(kernel.reach(sigma), max(image_shape))
