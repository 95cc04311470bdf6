"""The optimum of a fit: what was seen there, without images."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model import boundary as borders
from gaussjax.model.folding import reference_shape
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.evidence import Evidence, causes, gather_evidence, with_conventions
from gaussjax.pair.frame import Pair
from gaussjax.pair.informative_crop import Crop
from gaussjax.pair.kernel_tail import Leakage, leakage
from gaussjax.pair.least_squares import LeastSquares
from gaussjax.pair.objective import Fit, Objective
from gaussjax.pair.robust import Robust
from gaussjax.pair.tiled_least_squares import TiledLeastSquares
from gaussjax.pair.wrapped_tails import tail_scatter, wraps_tails
from gaussjax.statistics.departures import Departures, directed
from gaussjax.statistics.long_run_covariance import power_unevenness, tapered_uneven_factors
from gaussjax.statistics.optimum_summary import Summary


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
    # covariance of the score by it, where a shift brings it in, `[k, k]`
    tails: jax.Array | None
    largest_margins: jax.Array  # px per axis that leave enough pixels to compare
    model: BlurModel = static()  # without anything that depends on the frame's shape
    ratios: tuple[float, ...] | None = static(default=None)  # fine px per px, across grids
    estimates_noise: bool = static(default=False)
    loss_power: int = static(default=2)  # of the images' unit, in the loss


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
        tails=_tails(objective, fit),
        largest_margins=jnp.asarray(largest, jnp.int32),
        model=replace(model, reach=0, largest_margins=(0,) * model.ndim),
        ratios=None if pair.grid is None else pair.grid.steps,
        estimates_noise=isinstance(objective, ErrorsInVariables) and objective.estimated,
        loss_power=1 if is_absolute else 2,
    )


def _tails(objective: Objective, fit: Fit) -> jax.Array | None:
    """The scatter by what a shift brings in from beyond the frame; None of tiles."""
    model, frame = objective.model, objective.frame
    is_whole = isinstance(objective, LeastSquares) and not isinstance(objective, TiledLeastSquares)
    if not (is_whole and wraps_tails(model, frame)):
        return None
    objective, fit = jax.lax.stop_gradient((objective, fit))
    (_, fields), weights = objective.prediction(fit), objective.window(fit.margins).values
    return tail_scatter(model, fit.vector, objective.frame, weights, fields)


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
        seen = reference_shape(pair.grid, crop.shape)
        model = replace(model, largest_margins=borders.largest_margins(seen))
        objective = replace(objective, frame=pair.crop(crop).frame(), model=model)
        margins = objective.frame.margins(model, fit.vector)
    at = fit.vector, margins, fit.context
    seen = objective.view(*at, prediction)
    of_levels = pair.integers and pair.grid is None and isinstance(objective, LeastSquares)
    extents, told = None, known if of_levels else None
    if crop.shape != pair.shape:
        extents = tuple(n / m for n, m in zip(pair.shape, crop.shape, strict=True))
    evidence = gather_evidence(seen, model, fit.vector, extents=extents, known=told)
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
        departures = with_conventions(departures, evidence, rounding)
    return evidence, departures
