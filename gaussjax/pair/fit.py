"""The fit behind the front door: orient a pair, frame it, fit its objective, say how well."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gaussjax.model import boundary as borders
from gaussjax.model.kernels import Kernel
from gaussjax.model.response import BlurModel
from gaussjax.model.transfer import axis_margins
from gaussjax.model.window import everywhere, taper
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.newton import coarse_tolerance
from gaussjax.numerics.precision import rounding_variance
from gaussjax.pair.crop import Part, liveliest_part
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.frame import Pair, centre_and_scale
from gaussjax.pair.iteration import fit_passes, implicit_fit
from gaussjax.pair.least_squares import LeastSquares
from gaussjax.pair.objective import Fit
from gaussjax.pair.prediction import offset_of
from gaussjax.pair.robust import Robust
from gaussjax.pair.tiled_least_squares import StreamedLeastSquares
from gaussjax.pair.tiles import tile_shape
from gaussjax.spectra.cross_spectra import folded_image, pair_spectra
from gaussjax.spectra.orientation import swap_bounds, swap_pair, swap_params, variance_bounds
from gaussjax.spectra.start import Start, find_start
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.goodness_of_fit import assess
from gaussjax.statistics.noise import floored_noise
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, is_too_small

# Noise levels that the pair is asked for count as told apart when sigma is known this well ...
LARGEST_RELATIVE_ERROR = 0.05
# ... and the residual is as white as two white noises leave it: neighbours correlate by less.
LARGEST_AUTOCORRELATION = 0.02
AnyObjective = LeastSquares | Robust | ErrorsInVariables


@dataclass(frozen=True)
class Options:
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
class Usable:
    """Which pixels of A and B are known, 1 or 0, and the weights of B; None: all, or all alike."""

    reference: jax.Array | None
    blurred: jax.Array | None
    weights: jax.Array | None


@partial(jax.jit, static_argnames="options")
def fit_pair(
    reference: jax.Array,
    blurred: jax.Array,
    usable: Usable,
    noise: jax.Array | None,
    bounds,
    initial,
    *,
    options: Options,
) -> BlurEstimate:
    """The estimate of a checked pair; ``noise`` are standard deviations, ``[2]``, or None."""
    reference = _filled(reference, usable.reference)
    blurred = _filled(blurred, usable.blurred)
    lower, upper = variance_bounds(bounds, reference.dtype)
    model = BlurModel(
        options.family,
        options.kernel,
        # "integrated" sums its taps half as far again as its tail matters.
        reach=options.largest_radius + options.largest_radius // 2 + 2,
        largest_margins=(
            borders.largest_margins(reference.shape)
            if options.boundary == "valid"
            else (options.largest_radius,) * reference.ndim
        ),
        gain=options.gain,
        offset=options.offset,
        shift=options.shift,
    )
    part = liveliest_part(reference, blurred)
    spectra, energy, unit = _start_spectra(reference, blurred, usable, noise, part, options)
    start = find_start(
        jax.lax.stop_gradient(spectra),
        initial,
        lower,
        upper,
        model,
        noise=None if noise is None else jax.lax.stop_gradient((noise / unit) ** 2 * energy),
        estimate_noise=options.estimate_noise,
    )
    pair = _pair(reference, blurred, unit, usable, part, start.swapped, options)
    context = jnp.zeros(0, reference.dtype)
    if noise is not None:
        per_pixel = (unit / pair.scale) ** 2 / energy
        levels = start.noise * per_pixel
        if not options.estimate_noise:
            levels = (swap_pair(start.swapped, noise, noise[::-1])[0] / pair.scale) ** 2
        context = floored_noise(levels)
        make: Callable[..., AnyObjective] = partial(
            ErrorsInVariables,
            estimated=options.estimate_noise,
            noise=context,
            ceiling=start.ceiling * per_pixel,
        )
    elif options.loss == "squared":
        make = LeastSquares
    else:
        context = jnp.ones(1, reference.dtype)
        make = partial(Robust, loss=options.loss)
    objective = make(pair.frame(), model)
    scout = None
    if part.shape != pair.shape:
        few = jax.lax.stop_gradient(pair).part(part).frame()
        margins = borders.largest_margins(part.shape)
        scout = make(few, replace(model, largest_margins=margins))
    if make is LeastSquares:
        tile = tile_shape(pair.shape, options.boundary)
        if tile != pair.shape:
            objective = StreamedLeastSquares(objective.frame, model, pair, tile)
    fit, low, high = _fit(objective, scout, start, context, lower, upper)
    return _result(objective, pair, fit, start, low, high)


def _filled(image: jax.Array, known: jax.Array | None) -> jax.Array:
    """The image with its mean where it is not known, so that NaN stays out of every sum."""
    if known is None:
        return image
    values = jnp.where(known > 0, image, 0)
    mean = jnp.sum(values) / jnp.maximum(jnp.sum(known), 1)
    return jnp.where(known > 0, image, mean)


def _start_spectra(reference, blurred, usable: Usable, noise, part: Part, options: Options):
    """Spectra of the Hann-windowed part, which hides the edge well enough for a start.

    And the energy of the window: white noise of variance v has the power v times it. The unit of
    the part comes third.
    """
    whole = reference.shape
    reference, blurred = part.of(reference), part.of(blurred)
    # In a unit whose square does not leave the range of float32.
    unit = jax.lax.stop_gradient(jnp.max(jnp.abs(reference)))
    unit = jnp.where(unit > 0, unit, 1)
    reference, blurred = reference / unit, blurred / unit
    # A pixel without weight is as good as missing.
    weighted = None if usable.weights is None else (usable.weights > 0).astype(reference.dtype)
    knowns = (usable.reference, usable.blurred, weighted)
    knowns = (None if known is None else part.of(known) for known in knowns)
    tapers = options.boundary != "periodic" or reference.shape != whole
    make = taper if tapers else everywhere
    window = make(reference.shape, reference.dtype).masked(knowns)
    total = window.sum()
    total = jnp.where(total > 0, total, 1)
    centre, other = (each / total for each in window.totals([reference, blurred]))
    if not (options.gain or options.offset):
        other = centre
    images = window.values * (reference - centre), window.values * (blurred - other)
    if noise is None and not options.shift:
        # All that such a start looks at. Noise and the peak of a correlation take all frequencies.
        images = (folded_image(image) for image in images)
    return pair_spectra(*images), window.sum(2), unit


def _pair(reference, blurred, unit, usable: Usable, part: Part, swapped, options: Options) -> Pair:
    """The pair in the centre and scale of its part, whose sharper image is the reference."""
    images = jnp.where(swapped, part.of(blurred), part.of(reference))
    known = None
    if usable.reference is not None or usable.blurred is not None:
        ones = jnp.ones_like(images)
        known = jnp.where(
            swapped,
            ones if usable.blurred is None else part.of(usable.blurred),
            ones if usable.reference is None else part.of(usable.reference),
        )
    centre, scale = centre_and_scale(images, known, unit)
    return Pair(
        reference,
        blurred,
        (usable.reference, usable.blurred),
        usable.weights,
        swapped,
        centre,
        scale,
        options.boundary,
        options.largest_radius,
    )


def _fit(objective: AnyObjective, scout: AnyObjective | None, start: Start, context, lower, upper):
    """The fit, and the bounds on the vector of the oriented pair."""
    model, frame = objective.model, objective.frame
    # B minus gain A, on average: pixels at the edge matter little to a start.
    level = 0.0
    if model.offset:
        level = jnp.mean(frame.blurred) * frame.blurred.size / np.prod(frame.image_shape)
    vector = model.pack(start.variance, start.gain, level, start.shift)
    is_variance = jnp.arange(vector.size) < model.num_variances
    low, high = swap_bounds(lower, upper, start.swapped)
    low = jnp.where(is_variance, low, -jnp.inf)
    high = jnp.where(is_variance, high, jnp.inf)
    num_steps = start.num_steps
    if scout is not None:
        # What a part tells leaves a large frame little to do.
        tolerance = coarse_tolerance(vector.dtype)
        near = fit_passes(scout, vector, context, low, high, tolerance=tolerance)
        found = near.converged & jnp.all(jnp.isfinite(near.vector))
        vector = jnp.where(found, near.vector, vector)
        context = jnp.where(found, near.context, context)
        num_steps = num_steps + near.num_steps
    # How the start came about does not matter to the optimum.
    held, vector, context = jax.lax.stop_gradient((objective, vector, context))
    fit = fit_passes(held, vector, context, low, high)
    fit = replace(fit, num_steps=num_steps + fit.num_steps)
    return implicit_fit(objective, fit), low, high


def _result(objective: AnyObjective, pair: Pair, fit: Fit, start: Start, low, high) -> BlurEstimate:
    model, frame = objective.model, objective.frame
    total = jnp.sum(frame.difference)
    summary = objective.summary(fit)
    num_pixels = summary.num_pixels
    noise, _ = swap_pair(start.swapped, summary.noise, summary.noise[::-1])

    def of_the_pair(vector):
        params = replace(model.params(vector), offset=offset_of(model, vector, frame))
        return swap_params(start.swapped, params)

    rotation = jax.jacfwd(lambda vector: ravel_pytree(of_the_pair(vector))[0])(fit.vector)
    wanted = axis_margins(model.params(fit.vector), model.kernel, model.ndim)
    adequacy = assess(
        summary.residual_statistics,
        everything=summary.everything,
        squares=summary.squares,
        outliers=summary.outliers,
        num_pixels=num_pixels,
        chi_square=summary.chi_square,
        variance=diagonal(model.params(fit.vector).covariance_matrix(model.ndim)),
        rounding=rounding_variance(fit.vector.dtype),
    )
    # Six standard deviations of chance.
    largest = jnp.maximum(LARGEST_AUTOCORRELATION, 6 / jnp.sqrt(jnp.maximum(num_pixels, 1)))
    coloured = jnp.any(jnp.abs(adequacy.autocorrelation) > largest)
    sign = jnp.where(start.swapped, -1, 1).astype(fit.vector.dtype)
    adequacy = replace(adequacy, displacement=sign * adequacy.displacement)
    estimates_noise = isinstance(objective, ErrorsInVariables) and objective.estimated
    is_robust = isinstance(objective, Robust) and objective.loss == "absolute"
    return make_estimate(
        of_the_pair(fit.vector),
        ndim=model.ndim,
        covariance=rotation @ summary.covariance @ rotation.T,
        loss=frame.scale ** (1 if is_robust else 2) * summary.loss,
        noise_variance=frame.scale**2 * summary.noise_variance,
        noise_std=frame.scale * jnp.sqrt(noise),
        num_pixels=num_pixels.astype(jnp.int32),
        num_steps=fit.num_steps,
        kernel=model.kernel,
        problems={
            Status.NOT_FINITE: ~jnp.isfinite(total),
            Status.TOO_SMALL: is_too_small(
                wanted, model.largest_margins, num_pixels, fit.vector.size
            ),
            Status.NOT_CONVERGED: ~fit.converged,
            Status.NOISE_NOT_SEPARABLE: coloured & estimates_noise,
            Status.AT_BOUND: jnp.any((fit.vector <= low) | (fit.vector >= high)),
        },
        adequacy=adequacy,
        largest_relative_error=LARGEST_RELATIVE_ERROR if estimates_noise else jnp.inf,
    )
