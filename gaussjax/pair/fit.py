"""The fit behind the front door: orient a pair, frame it, fit its objective."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.array_checks import is_traced
from gaussjax.model.folding import CoarseGrid, on_coarse_grid, reference_shape
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import AnyFamily, Boundary, LossName
from gaussjax.model.params import variance_bounds
from gaussjax.model.swap import swap_bounds, swap_pair
from gaussjax.model.system_response import BlurModel
from gaussjax.model.window import everywhere, taper
from gaussjax.numerics.compilation import compiled, in_succession
from gaussjax.numerics.newton import coarse_tolerance
from gaussjax.numerics.precision import rounding_variance
from gaussjax.pair.coarse_start import LEAST_VARIANCE, RINGING_VARIANCE, find_coarse_start
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.frame import Pair, Usable, centre_and_scale
from gaussjax.pair.informative_crop import Crop, informative_crop
from gaussjax.pair.iteration import implicit_fit, iterate
from gaussjax.pair.judgement import judged_estimate
from gaussjax.pair.kernel_extent import is_seamless, jumps, model_limits
from gaussjax.pair.least_squares import LeastSquares
from gaussjax.pair.noise_ceiling import largest_levels, over_detail
from gaussjax.pair.objective import Objective
from gaussjax.pair.optimum import Optimum, find_optimum
from gaussjax.pair.robust import Robust
from gaussjax.pair.tiled_least_squares import TiledLeastSquares
from gaussjax.pair.tiles import tile_shape
from gaussjax.spectra.cross_spectra import windowed_spectra
from gaussjax.spectra.sharper_image import interior_variance
from gaussjax.spectra.start import Start, find_start
from gaussjax.statistics.noise_levels import floored_noise
from gaussjax.statistics.quantisation import rounding_noise, visible_steps
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status


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
) -> tuple[Optimum, jax.Array, jax.Array, jax.Array]:
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
        on_crop = options.model(reference_shape(grid, crop.shape))
        scout, _ = _objective(few, on_crop, start, noises, per_pixel, options)
    fit, low, high = _fit(objective, scout, start, context, low, high)
    if steps is None:
        steps = visible_steps(usable.filling(reference), usable.filling(blurred))
    steps = steps.astype(reference.dtype)
    step, _ = swap_pair(start.swapped, steps[0], steps[1])
    known = rounding_noise(step / pair.scale)
    looked_at = Crop.whole(pair.shape) if model.has_exponent else crop
    return find_optimum(objective, pair, fit, looked_at, known), start.swapped, low, high


_fitted_and_judged = in_succession(fit_pair, judged_estimate)


def estimate_within(
    reaches: list[int], *data, options: Options, correlation: jax.Array | None = None
) -> BlurEstimate:
    """The estimate with the first of some radii that is wide enough, as far as can be told."""

    def estimate(reach: int) -> BlurEstimate:
        within = replace(options, largest_radius=reach)
        return _fitted_and_judged(*data, options=within, correlation=correlation)

    found, wider = estimate(reaches[0]), reaches[1:]
    while wider and not is_traced(found.status) and int(found.status) == Status.TOO_SMALL:
        found = estimate(wider.pop(0))
    return found


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
