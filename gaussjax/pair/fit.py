"""The fit behind the front door: orient a pair, frame it, fit its objective, judge the optimum."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gaussjax.model import boundary as borders
from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.array_checks import is_traced
from gaussjax.model.folding import CoarseGrid, on_coarse_grid
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import AnyFamily, Boundary, LossName
from gaussjax.model.params import variance_bounds
from gaussjax.model.swap import swap_bounds, swap_pair, swap_params
from gaussjax.model.system_response import BlurModel
from gaussjax.model.transfer import axis_margins
from gaussjax.model.window import everywhere, taper
from gaussjax.numerics.compilation import compiled
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.newton import coarse_tolerance
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.coarse_start import LEAST_VARIANCE, RINGING_VARIANCE, find_coarse_start
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.evidence import Evidence, causes, gather_evidence
from gaussjax.pair.frame import Pair, Usable, centre_and_scale
from gaussjax.pair.informative_crop import Crop, informative_crop
from gaussjax.pair.iteration import implicit_fit, iterate
from gaussjax.pair.kernel_extent import is_seamless, jumps, model_limits
from gaussjax.pair.kernel_tail import Leakage, leakage
from gaussjax.pair.least_squares import LeastSquares
from gaussjax.pair.noise_ceiling import largest_levels, over_detail
from gaussjax.pair.objective import Fit, Objective
from gaussjax.pair.prediction import offset_of
from gaussjax.pair.robust import Robust
from gaussjax.pair.tiled_least_squares import TiledLeastSquares
from gaussjax.pair.tiles import tile_shape
from gaussjax.spectra.cross_spectra import windowed_spectra
from gaussjax.spectra.sharper_image import interior_variance
from gaussjax.spectra.start import Start, find_start
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.departures import (
    Departures,
    alternatives,
    directed,
    leaked_in,
    no_blur_at_all,
    reference_noise_departure,
    reference_noise_effect,
    rounding_noise_level,
    unexplained,
)
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.fitted_motion import Motion
from gaussjax.statistics.goodness_of_fit import ROUNDING_FACTOR, Adequacy, assess
from gaussjax.statistics.grey_levels import coherence
from gaussjax.statistics.long_run_covariance import power_unevenness, tapered_uneven_factors
from gaussjax.statistics.noise_levels import floored_noise
from gaussjax.statistics.optimum_summary import CERTAIN, Summary
from gaussjax.statistics.quantisation import rounding_noise, visible_steps
from gaussjax.statistics.residual_statistics import Regression
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, is_too_small

# Rounding of a transform and of a product with T, in units of that of one pixel's variance.
_COHERENT = 4
# Estimated noise levels count as separable when the relative error of sigma is at most this.
LARGEST_RELATIVE_ERROR = 0.05


@dataclass(frozen=True)
class Options:
    """The static options of an estimate, hashable: each combination compiles once."""

    family: AnyFamily
    kernel: Kernel
    boundary: Boundary
    loss: LossName | Callable
    gain: bool
    offset: bool
    shift: bool
    estimate_noise: bool
    largest_radius: int
    motion: bool = False  # of the images, beside the shift
    grid: CoarseGrid | None = None  # of the softer image on that of the reference
    spacing: tuple[float, ...] | None = None  # of pixels, in that of the finest axis

    def model(self, image_shape: tuple[int, ...]) -> BlurModel:
        """The model of a pair of this shape."""
        return BlurModel(
            self.family,
            self.kernel,
            *model_limits(image_shape, self.boundary, self.largest_radius),
            gain=self.gain,
            offset=self.offset,
            shift=self.shift,
            motion=self.motion,
            spacing=self.spacing,
        )


@compiled(static_argnames="options")
def fit_pair(
    reference: jax.Array,
    blurred: jax.Array,
    usable: Usable,
    steps: jax.Array | None,
    noise: jax.Array | None,
    bounds,
    initial,
    *,
    options: Options,
    correlation: jax.Array | None = None,
) -> tuple["Optimum", jax.Array, jax.Array, jax.Array]:
    """The optimum of a checked pair, whether it is swapped, and the bounds on its vector.

    What :func:`judged_estimate` takes. That is a program of its own: without the shape of an image
    in it, it compiles once for all of them.

    ``steps`` are those of the images' grey levels, ``[2]``, or None where the pixels have to tell;
    ``noise`` standard deviations, ``[2]``, or None; ``correlation`` the autocorrelations of the
    noise in both images, ``[2, *lags]``, or None where it is white.
    """
    images = fill_with_mean(reference, usable.reference), fill_with_mean(blurred, usable.blurred)
    lower, upper = variance_bounds(bounds, reference.dtype)
    model = options.model(reference.shape)
    grid, seen, known = options.grid, images, usable
    if grid is not None:
        sharp = on_coarse_grid(grid, images[0], blurred.shape)
        seen, known = (sharp, images[1]), usable.resampled(grid)
        lower = jnp.maximum(lower, LEAST_VARIANCE)
    crop = informative_crop(*seen, usable.size, grid)
    spectra, window, unit = _start_spectra(*seen, known, noise, crop, options)
    spectra, energy = jax.lax.stop_gradient(spectra), window.sum(2)
    powers = None if noise is None else jax.lax.stop_gradient((noise / unit) ** 2 * energy)
    levels = {"noise": powers, "estimate_noise": options.estimate_noise}
    if grid is None:
        inside = _interior(*jax.lax.stop_gradient(seen), window, crop, options)
        start = find_start(spectra, initial, lower, upper, model, **levels, inside=inside)
    else:
        on_grid = replace(options, grid=None).model(blurred.shape)
        start = find_coarse_start(grid, spectra, initial, on_grid, **levels)
    ceiling = None
    if options.estimate_noise:
        cropped = [crop.of(image) / unit for image in seen]
        ceiling = over_detail(spectra, window, cropped, correlation, grid)
    sharp, _ = swap_pair(start.swapped, *map(crop.of, seen))
    unit_of = _centre_and_scale(sharp, known.of_crop(crop), start.swapped, unit)
    pair = _pair(*images, unit_of, usable, start.swapped, options)
    pair = replace(pair, integers=steps is not None)
    if grid is not None:
        pair = replace(pair, rings=jnp.all(start.variance < RINGING_VARIANCE))
    per_pixel = (unit / pair.scale) ** 2 / energy
    noises = noise, correlation, ceiling
    objective, context = _objective(pair, model, start, noises, per_pixel, options)
    low, high = swap_bounds(lower, upper, start.swapped)
    scout = None
    # From the optimum of the crop a pass over the frame is enough, where half of all pairs would
    # take two: at 768 and 1024 px that spares a third and a quarter of the time, for 6 % more
    # compilation. With noise in both images and one parameter it spares a fifth, for 22 %.
    # Angle and scale are about the centre of the frame.
    pays = model.num_parameters > 1 or noise is None
    if crop.shape != pair.shape and pays and not model.motion:
        few = jax.lax.stop_gradient(pair).crop(crop)
        on_crop = options.model(_reference_shape(grid, crop.shape))
        scout, _ = _objective(few, on_crop, start, noises, per_pixel, options)
    fit, low, high = _fit(objective, scout, start, context, low, high)
    if steps is None:
        steps = visible_steps(usable.filling(reference), usable.filling(blurred))
    steps = steps.astype(reference.dtype)
    step, _ = swap_pair(start.swapped, steps[0], steps[1])
    known = rounding_noise(step / pair.scale)
    looked_at = Crop.whole(pair.shape) if model.has_exponent else crop
    return find_optimum(objective, pair, fit, looked_at, known), start.swapped, low, high


def _reference_shape(grid: CoarseGrid | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of the reference of a softer image of this shape."""
    return shape if grid is None else grid.fine_shape(shape)


def estimate_within(
    reaches: list[int], *data, options: Options, correlation: jax.Array | None = None
) -> BlurEstimate:
    """The estimate with the first of some radii that is wide enough, as far as can be told."""

    def estimate(reach: int) -> BlurEstimate:
        within = replace(options, largest_radius=reach)
        return judged_estimate(*fit_pair(*data, options=within, correlation=correlation))

    found, wider = estimate(reaches[0]), reaches[1:]
    while wider and not is_traced(found.status) and int(found.status) == Status.TOO_SMALL:
        found = estimate(wider.pop(0))
    return found


@compiled(scalar=True)
def judged_estimate(at: "Optimum", swapped, low, high) -> BlurEstimate:
    """The estimate at an optimum with its error bars, status and verdict."""
    return estimate_at(at, judged(at), swapped, low, high)


def _start_spectra(reference, blurred, usable: Usable, noise, crop: Crop, options: Options):
    """Spectra of the Hann-windowed crop, its window, and the unit of the crop.

    White noise of variance v has v times the energy of the window as its power.
    """
    tapers = options.boundary != "periodic" or crop.shape != reference.shape
    reference, blurred, usable = crop.of(reference), crop.of(blurred), usable.of_crop(crop)
    # In a unit whose square does not leave the range of float32.
    unit = jax.lax.stop_gradient(jnp.max(jnp.abs(reference)))
    unit = jnp.where(unit > 0, unit, 1)
    # A pixel without weight is as good as missing.
    weighted = None if usable.weights is None else (usable.weights > 0).astype(reference.dtype)
    window = (taper if tapers else everywhere)(reference.shape, reference.dtype, usable.size)
    window = window.masked([usable.reference, usable.blurred, weighted])
    spectra = windowed_spectra(
        reference / unit,
        blurred / unit,
        window,
        levels_differ=options.gain or options.offset,
        # Low frequencies suffice, but for noise levels and the peak of a correlation.
        folded=noise is None and not options.shift,
    )
    return spectra, window, unit


def _interior(reference, blurred, window, crop: Crop, options: Options):
    """The small blur inside of a crop and its error."""
    images = crop.of(reference), crop.of(blurred)
    return interior_variance(*images, window.values > 0, shift=options.shift)


def _centre_and_scale(sharp, usable: Usable, swapped, unit) -> tuple[jax.Array, jax.Array]:
    """Of the sharper image of a crop, where it is known."""
    known, _ = usable.known(swapped, sharp)
    if usable.size is not None:
        known = everywhere(sharp.shape, sharp.dtype, usable.size).masked([known]).values
    return centre_and_scale(sharp, known, unit)


def _pair(reference, blurred, unit, usable: Usable, swapped, options: Options) -> Pair:
    """The pair in a unit, which are its centre and its scale."""
    centre, scale = unit
    # Across grids that do not share their pixels' edges a coarse pixel sees beyond the frame's.
    is_local = options.grid is None or options.grid.is_local
    # A plane is moved and blurred in closed form; where the seam is left out none is needed.
    rings = options.grid is None and jumps(options.boundary, options.kernel)
    # A blur with a spacing would change a harmonic function.
    seamless = options.spacing is None and is_seamless(
        options.boundary, options.kernel, options.family, shift=options.shift
    )
    return Pair(
        reference,
        blurred,
        usable,
        swapped,
        centre,
        scale,
        boundary=options.boundary,
        pad=options.largest_radius,
        seamless=is_local and seamless,
        levelled=rings and not seamless,
        grid=options.grid,
    )


def _objective(
    pair: Pair, model: BlurModel, start: Start, noises: tuple, per_pixel, options: Options
) -> tuple[Objective, jax.Array]:
    """What the options ask to minimise, and its first context.

    Args:
        pair: oriented.
        model: of its blur.
        start: of the fit.
        noises: in the order of the caller's images: standard deviations in their unit, or None,
            autocorrelations, or None, and the largest levels over the finest detail, or None.
        per_pixel: the factor from a noise power of the start to a variance in the pair's scale.
        options: of the estimate.
    """
    frame, (noise, correlation, ceiling) = pair.frame(), noises
    if noise is not None:
        levels = floored_noise(start.noise * per_pixel)
        if not options.estimate_noise:
            levels = (swap_pair(start.swapped, noise, noise[::-1])[0] / pair.scale) ** 2
            # Rounding is noise of both images.
            levels = levels + rounding_variance(levels.dtype)
        if correlation is not None:
            correlation, _ = swap_pair(start.swapped, correlation, correlation[::-1])
        objective = ErrorsInVariables(
            frame, model, options.estimate_noise, levels, levels, correlation
        )
        if ceiling is not None:
            vector = model.pack(start.variance, start.gain, 0.0, start.shift, start.exponent)
            window = objective.window(frame.margins(model, vector))
            ceiling, _ = swap_pair(start.swapped, ceiling, ceiling[::-1])
            objective = replace(objective, ceiling=largest_levels(frame, window, ceiling))
        return objective, levels
    if options.loss != "squared":
        return Robust(frame, model, options.loss), jnp.ones(1, pair.reference.dtype)
    nothing = jnp.zeros(0, pair.reference.dtype)
    tile = tile_shape(pair.shape, pair.boundary, pair.pad)
    if pair.grid is not None and not pair.grid.is_whole:
        tile = pair.shape
    # A tile would cut off a tail that the frame holds.
    if tile == pair.shape or model.motion or model.has_exponent:
        return LeastSquares(frame, model), nothing
    return TiledLeastSquares(frame, model, pair, tile), nothing


def _fit(objective: Objective, scout: Objective | None, start: Start, context, lower, upper):
    """The fit, and the bounds on the vector of the oriented pair."""
    model, frame = objective.model, objective.frame
    # The mean of B - gain A: pixels at the edge matter little to a start.
    level = 0.0
    if model.offset:
        level = jnp.mean(frame.blurred) * (frame.blurred.size / math.prod(frame.image_shape))
    vector = model.pack(start.variance, start.gain, level, start.shift, start.exponent)
    low, high = model.box(lower, upper, vector.dtype)
    num_steps = start.num_steps
    if scout is not None:
        # From the optimum of the crop the frame needs one or two passes.
        near = iterate(scout, vector, context, low, high, coarse_tolerance(vector.dtype))
        found = near.converged & jnp.all(jnp.isfinite(near.vector))
        vector = jnp.where(found, near.vector, vector)
        context = jnp.where(found, near.context, context)
        num_steps = num_steps + near.num_steps
    # The optimum does not depend on its start, and so has no derivative by it.
    held, vector, context = jax.lax.stop_gradient((objective, vector, context))
    fit = iterate(held, vector, context, low, high)
    fit = replace(fit, num_steps=num_steps + fit.num_steps)
    return implicit_fit(objective, fit), low, high


@pytree
class Optimum:
    """An optimum of one pair and what was seen there: no images, so that it is cheap to keep."""

    vector: jax.Array  # of the oriented pair, `[k]`
    converged: jax.Array
    num_steps: jax.Array
    finite: jax.Array  # all pixels of the pair are
    centre: jax.Array  # of its frame, and
    scale: jax.Array
    rounding: jax.Array  # variance of the rounding of the sharper image's grey levels, in its scale
    summary: Summary
    evidence: Evidence
    # of a residual whose spectrum is known, which are then all that there are
    departures: Departures | None
    leakage: Leakage | None  # of what lies beyond the frame, where a kernel reaches so far
    largest_margins: jax.Array  # px per axis that leave enough pixels to compare
    model: BlurModel = static()  # without anything that depends on the frame's shape
    ratios: tuple[float, ...] | None = static(default=None)  # fine px per px, across grids
    estimates_noise: bool = static(default=False)
    loss_power: int = static(default=2)  # of the images' unit, in the loss


@pytree
class Judged:
    """The error bars of an optimum by noise, and the departures from its model."""

    covariance: jax.Array  # of the vector, `[k, k]`
    # standard deviation of what the rounding of the grey levels may do to the vector, in all pairs
    # of one kind alike, `[k]`
    common: jax.Array
    departures: Departures


def find_optimum(objective: Objective, pair: Pair, fit: Fit, crop: Crop, known) -> Optimum:
    """Summary and evidence at the optimum of a fit: from its frame, or from a crop of a large one.

    Args:
        objective: that was minimised.
        pair: as in the objective.
        fit: its optimum.
        crop: where to look for departures.
        known: variance of the rounding of the sharper image's grey levels.
    """
    summary, model = objective.summary(fit), objective.model
    evidence, departures = _evidence(objective, pair, fit, crop, (known, summary.inverse[0]))
    is_absolute = isinstance(objective, Robust) and objective.loss == "absolute"
    size = objective.frame.size
    largest = model.largest_margins if size is None else borders.largest_margins(size)
    return Optimum(
        vector=fit.vector,
        converged=fit.converged,
        num_steps=fit.num_steps,
        finite=jnp.isfinite(jnp.sum(objective.frame.difference)),
        centre=objective.frame.centre,
        scale=objective.frame.scale,
        rounding=known,
        summary=summary,
        evidence=evidence,
        departures=departures,
        leakage=leakage(objective, pair, fit),
        largest_margins=jnp.asarray(largest, jnp.int32),
        model=replace(model, reach=0, largest_margins=(0,) * model.ndim),
        ratios=None if pair.grid is None else pair.grid.steps,
        estimates_noise=isinstance(objective, ErrorsInVariables) and objective.estimated,
        loss_power=1 if is_absolute else 2,
    )


def _evidence(
    objective: Objective, pair: Pair, fit: Fit, crop: Crop, known: tuple
) -> tuple[Evidence, Departures | None]:
    """Evidence on a fit from its frame, or from the crop of a large one.

    And the departures, of a fit whose residual has a spectrum that is known. ``known`` is as of
    :func:`gather_evidence`, and of no use where levels are not known.
    """
    model, margins, prediction = objective.model, fit.margins, None
    crop = objective.looked_at(crop)
    if crop.shape == pair.shape and not isinstance(objective, TiledLeastSquares):
        prediction = objective.prediction(fit)
    else:
        seen = _reference_shape(pair.grid, crop.shape)
        model = replace(model, largest_margins=borders.largest_margins(seen))
        objective = replace(objective, frame=pair.crop(crop).frame(), model=model)
        margins = objective.frame.margins(model, fit.vector)
    at = fit.vector, margins, fit.context
    seen = objective.view(*at, prediction)
    of_levels = pair.integers and pair.grid is None and isinstance(objective, LeastSquares)
    is_whole, told = crop.shape == pair.shape, known if of_levels else None
    evidence = gather_evidence(seen, model, fit.vector, is_whole=is_whole, known=told)
    unevenness = None
    if seen.variance is not None:
        unevenness = power_unevenness(seen.score, seen.window.values)
        departures = replace(evidence.departures, variance=seen.variance)
        factors = tapered_uneven_factors(seen.score, list(seen.fields), seen.window.values)
        uneven = replace(evidence.uneven, factors=factors)
        evidence = replace(evidence, departures=departures, uneven=uneven)
    departures = objective.spectral_departures(*at, unevenness)
    if departures is not None:
        rounding = rounding_variance(fit.vector.dtype)
        departures = directed(evidence.departures, rounding, causes(model)).joined(departures)
        # Three families of tests: directions, bands of the spectrum, levels.
        departures = replace(departures, trials=tuple(3 * t for t in departures.trials))
        departures = _with_conventions(departures, evidence, rounding)
    return evidence, departures


def _departures(at: Optimum) -> Departures:
    """The departures that are tested where only the softer image is taken to have noise."""
    model, evidence, summary = at.model, at.evidence, at.summary
    rounding = rounding_variance(at.vector.dtype)
    found = directed(evidence.departures, rounding, causes(model))
    by_pixels = ROUNDING_FACTOR * rounding
    # What leaks in is smooth, too.
    known = at.rounding if at.leakage is None else at.rounding + at.leakage.noise
    rest = unexplained(found)
    noise = reference_noise_departure(
        evidence.noise, summary, known, by_pixels, rest, uneven=evidence.uneven
    )
    p, k = model.num_variances, model.num_parameters
    no_blur = no_blur_at_all(evidence.noise, summary, at.vector[:p], k, rest)
    found = found.joined(noise).joined(no_blur)
    return _with_conventions(found, evidence, rounding)


def _with_conventions(found: Departures, evidence: Evidence, rounding: float) -> Departures:
    """The departures, and the other kernel conventions if there are any."""
    if not evidence.changes.shape[1]:
        return found
    others = alternatives(evidence.conventions, rounding, evidence.changes, Cause.CONVENTION)
    return found.joined(others)


def judged(at: Optimum) -> Judged:
    """Error bars and departures of an optimum."""
    evidence, summary = at.evidence, at.summary
    scatter, departures = summary.scatter, at.departures
    common, by_level = jnp.zeros_like(at.vector), 0.0
    # The scatter of errors in variables allows for correlated noise already.
    correlated = 1.0 if departures is not None else evidence.correlated
    factors = jnp.sqrt(correlated * evidence.uneven.factors)
    scatter = scatter * jnp.outer(factors, factors)
    if departures is None:
        if evidence.levels is not None:
            flat = coherence(evidence.levels, summary, at.rounding)
            scatter = scatter + flat.scatter
            at = replace(at, evidence=evidence.with_coherence(flat))
        departures = _departures(at)
        level, level_error = rounding_noise_level(evidence.noise, summary, at.rounding)
        effect = reference_noise_effect(evidence.noise, summary, jnp.ones_like(level))
        by_level = jnp.outer(effect, effect) * (level**2 + level_error**2)
        common = jnp.sqrt(level**2 + level_error**2) * effect
    covariance = summary.inverse @ scatter @ summary.inverse.T
    # Rounding of a transfer function is the same everywhere: no mean over pixels makes it smaller.
    covariance = covariance + _COHERENT * summary.num_pixels * summary.rounding + by_level
    if at.leakage is not None:
        leak, errors = at.leakage, jnp.sqrt(diagonal(covariance))
        found = leaked_in(leak.change, errors, leak.z_score, leak.share)
        departures = departures.joined(found)
    return Judged(covariance, common, departures)


def _is_unrelated(
    model: BlurModel, summary: Summary, adequacy: Adequacy, left: Regression
) -> jax.Array:
    """Whether the prediction explains no more of the softer image than chance does."""
    # A fitted gain is tested as a parameter.
    unrelated = (jnp.abs(left.gain) < CERTAIN * left.gain_error) & (not model.gain)
    if not model.shift:
        return unrelated
    # As many displacements were looked at as there are pixels: the best of so many standard normal
    # deviates has the square 2 log n.
    least = CERTAIN**2 + 2 * jnp.log(jnp.maximum(summary.num_pixels, 1))
    explained = summary.num_pixels * (1 - adequacy.unexplained)
    return unrelated | (explained < least * adequacy.unexplained)


def estimate_at(at: Optimum, found: Judged, swapped, low, high) -> BlurEstimate:
    """The estimate at an optimum, with status and verdict.

    Args:
        at: the optimum.
        found: its error bars and departures.
        swapped: the second image is the sharper one.
        low: bounds on the vector, ``[k]``.
        high: likewise.
    """
    model, summary, vector = at.model, at.summary, at.vector
    noise, _ = swap_pair(swapped, summary.noise, summary.noise[::-1])

    def params_of(vector):
        offset = offset_of(model, vector, at.centre, at.scale)
        return swap_params(swapped, replace(model.params(vector), offset=offset))

    rotation = jax.jacfwd(lambda vector: ravel_pytree(params_of(vector))[0])(vector)
    oriented = model.params(vector)
    # Residuals are seen on the grid of the softer image.
    ratios = jnp.asarray(at.ratios or (1,) * model.ndim, vector.dtype)
    left = summary.residual_statistics.regression()
    adequacy = assess(
        summary,
        left,
        variance=diagonal(oriented.covariance_matrix(model.ndim)) / ratios**2,
        rounding=rounding_variance(vector.dtype),
    )
    sign = jnp.where(swapped, -1, 1).astype(vector.dtype)
    adequacy = replace(adequacy, displacement=sign * ratios * adequacy.displacement)
    margins = axis_margins(oriented, model.kernel, model.ndim)
    unrelated = _is_unrelated(model, summary, adequacy, left)
    edge = at.evidence.edge
    rings = False if edge is None else edge.is_all(model.num_variances, model.ndim)
    # Across grids there is a bound that nobody gave.
    lowest = -jnp.inf if at.ratios is None else LEAST_VARIANCE
    estimate = make_estimate(
        params_of(vector),
        ndim=model.ndim,
        covariance=rotation @ found.covariance @ rotation.T,
        loss=at.scale**at.loss_power * summary.loss,
        noise_variance=at.scale**2 * summary.noise_variance,
        noise_std=at.scale * jnp.sqrt(noise),
        num_pixels=summary.num_pixels.astype(jnp.int32),
        num_steps=at.num_steps,
        kernel=model.kernel,
        problems={
            Status.NOT_FINITE: ~at.finite,
            Status.TOO_SMALL: is_too_small(
                margins, at.largest_margins, summary.num_pixels, vector.size
            ),
            Status.NOT_CONVERGED: ~at.converged,
            Status.NOT_IDENTIFIABLE: unrelated | (summary.certainty < CERTAIN) | rings,
            Status.AT_BOUND: jnp.any((vector <= low) | (vector >= high)),
            Status.SHARPER_THAN_PIXELS: jnp.any((vector <= low) & (low == lowest)),
        },
        adequacy=adequacy,
        departures=found.departures,
        largest_relative_error=LARGEST_RELATIVE_ERROR if at.estimates_noise else jnp.inf,
    )
    if not model.motion:
        return estimate
    angle_error, scale_error = jnp.sqrt(diagonal(found.covariance))[-2:]
    angle, scale = sign * vector[-2], jnp.exp(sign * vector[-1])
    motion = Motion(angle, scale, angle_error, scale * scale_error)
    return replace(estimate, motion=motion)
