"""One blur of many pairs, from their sums; in float64, whatever the images are."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.dataset.estimating_equation import Root, find_root
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.pair_sums import PairEquations, PairEvidence
from gaussjax.dataset.passes import JointPass
from gaussjax.dataset.processes import total_over_processes
from gaussjax.dataset.result import PairRecord
from gaussjax.dataset.state import PassSums
from gaussjax.model.params import BlurParams
from gaussjax.model.swap import swap_params
from gaussjax.model.system_response import BlurModel
from gaussjax.model.transfer import axis_margins
from gaussjax.numerics.linear_algebra import inverse_small, product
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.cluster_robust import cluster_robust, influence
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.goodness_of_fit import Adequacy
from gaussjax.statistics.random_effects import RandomEffects, random_effects
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, is_too_small
from gaussjax.statistics.verdict import Verdict

# Relative moves of a blur in a pass: beyond the first it is far from settled, below the second it
# has not moved.
_FAR, _SLIGHTLY = 0.6, 1e-4
# A pair whose information is less than this part of the pairs' mean counts as having so much when
# it is asked how far its own root may be off.
_LEAST_INFORMATION = 1e-6
# A pair whose standard error is more than this part of the joint sigma says little; px below which
# sigma is not linear in the variance.
_WEAK, _LEAST_WIDTH = 0.1, 0.3


@pytree
class JointFit:
    """The blur at which the sums of many pairs balance; NumPy arrays in float64."""

    vector: np.ndarray  # of the oriented pairs, px^2, `[p]`
    estimate: BlurEstimate  # of the pairs as they are
    # about how far another pass from there would move the variances at most, in their
    # standard errors
    predicted_step: np.ndarray
    effects: RandomEffects  # scatter of the pairs' own sigmas
    records: PairRecord  # of this process, with what counts in the end
    influence: np.ndarray  # how far the variances move when a pair is left out, px^2, `[n, p]`
    all_count: np.ndarray  # most pairs do not belong to this blur, so that none was set aside


@pytree
class _Root:
    """The root of the sums, and how it stands to the point of the pass."""

    root: Root
    within: jax.Array  # its covariance by the noise within the pairs, `[p, p]`
    # what all pairs have in common, and no number of them makes smaller, `[p, p]`
    common: jax.Array
    move: jax.Array  # from the point of the pass, `[p]`
    change: jax.Array  # likewise, as a part of itself
    squares: jax.Array  # `sum W r^2` at the root


def joint_fit(
    current: JointPass, sums: PassSums, options: JointOptions, *, repeated: bool
) -> JointFit:
    """The joint fit of pairs, from the sums of a pass over those of all processes.

    ``repeated``: the pass began at the root of another one over the same pairs.
    """
    start, joint = current.start, sums.joint
    options = replace(options, swapped=start.swapped)
    shapes = tuple(sorted(joint.coefficients))
    models = tuple(options.model(shape) for shape in shapes)
    with jax.enable_x64(True):
        numbers = [joint.coefficients[shape] for shape in shapes], joint.equations, joint.evidence
        numbers = jax.tree.map(lambda x: jnp.asarray(x, float), (*numbers, start.vector))
        frames = tuple(options.frame_shape(shape) for shape in shapes)
        least = options.least(models[0], float)
        at = _find(*numbers, start.rounding, least, shapes=frames, models=models)
        at = jax.device_get(at)
        sigma = np.asarray(BlurParams(at.root.vector, family=options.family).sigma(models[0].ndim))
        records = current.all_records(sigma.shape)
        if sums.all_count:
            records = replace(records, counted=np.ones_like(records.counted))
        slopes = np.asarray(records.slope, float)
        scores = np.asarray(records.score, float) + slopes @ (at.root.vector - start.vector)
        centre = -sigma if start.swapped else sigma
        own = _own_sigmas(records, scores, slopes, centre, options)
        effects = random_effects(*own, centre, total_over_processes)
        covariance, freedom, moves = _by_scatter(
            scores, slopes, start.unit, records, effects, options
        )
        # At a bound the scores are no scatter about 0.
        if not np.all(np.isfinite(covariance)) or np.any(at.root.vector <= least):
            covariance, freedom = at.within, None
        covariance = covariance + at.common
        step, settled = _next_step(at, covariance, options, repeated)
        # Those of the absolute loss are of another unit than its gradient.
        squares = joint.equations.squares if options.loss == "absolute" else at.squares
        estimate = _estimate(
            at.root,
            jnp.asarray(covariance),
            freedom if freedom is None else jnp.asarray(freedom),
            replace(joint.equations, squares=squares),
            joint.evidence,
            start.unit,
            jnp.asarray(settled),
            least,
            model=max(models, key=lambda model: min(model.largest_margins)),
            swapped=options.swapped,
        )
        vector, estimate = jax.device_get((at.root.vector, estimate))
    estimate = replace(estimate, grid=options.grid(models[0].ndim))
    all_count = np.asarray(sums.all_count)
    return JointFit(vector, estimate, step, effects, records, moves, all_count)


@partial(jax.jit, static_argnames=("shapes", "models"))
def _find(
    coefficients,
    equations: PairEquations,
    evidence: PairEvidence,
    point,
    rounding,
    least,
    *,
    shapes: tuple[tuple[int, ...], ...],
    models: tuple[BlurModel, ...],
) -> _Root:
    def project(vector):
        parts = zip(models, coefficients, shapes, strict=True)
        return sum(
            (model.project(c, vector, shape) for model, c, shape in parts), jnp.zeros_like(vector)
        )

    root = find_root(project, equations.gradient, equations.information, point, least)
    inverse = inverse_small(equations.information)
    # What rounding does to all pairs alike does not average out.
    floor = rounding * (jnp.max(jnp.abs(root.vector)) + FIELD_SCALE) ** 2
    common = product(inverse, evidence.common)
    move = jnp.abs(root.vector - point)
    return _Root(
        root=root,
        within=product(product(inverse, evidence.within), inverse.T),
        common=floor * jnp.eye(len(point), dtype=point.dtype) + jnp.outer(common, common),
        move=move,
        change=move / (jnp.max(jnp.abs(root.vector)) + FIELD_SCALE),
        squares=equations.squares_after(root.vector - point),
    )


def _own_sigmas(
    records: PairRecord, scores, slopes, centre, options: JointOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Sigmas of the pairs that count, px, and their error bars.

    Of a pair that says little its own sigma is no normal variable, and may not exist. It is
    replaced by one step from the joint blur, which is: a score over its slope. All such pairs are
    taken: to choose among them would be to choose by their noise.
    """
    sigma, error = (np.asarray(x, float) for x in (records.sigma, records.standard_error))
    told = np.asarray(records.told)
    if options.family == "full":
        return sigma[told], error[told]
    least = np.finfo(float).tiny
    own = np.diagonal(slopes, axis1=1, axis2=2)
    known = records.counted & np.all(own > least, axis=1)
    own = np.where(own > least, own, 1)
    # Sigma is nearly linear in the variance about a blur that is not much narrower than a pixel.
    width = 2 * np.maximum(np.abs(np.atleast_1d(centre)), _LEAST_WIDTH)
    usable = np.where(known[:, None, None], slopes, np.eye(own.shape[1]))
    away = np.linalg.solve(usable, (scores if options.swapped else -scores)[..., None])[..., 0]
    by_step = np.atleast_1d(centre) + away / width
    step_error = np.asarray(records.score_error, float) / own / width
    weak = step_error > _WEAK * width / 2
    shape = (len(sigma), -1)
    well = (told[:, None] & ~weak).reshape(shape)
    values = np.where(well, np.nan_to_num(sigma.reshape(shape)), by_step)
    errors = np.where(well, np.nan_to_num(error.reshape(shape)), step_error)
    keep = known & np.all(well | weak, axis=1)
    return values[keep].reshape(-1, *sigma.shape[1:]), errors[keep].reshape(-1, *sigma.shape[1:])


def _by_scatter(
    scores, slopes, unit, records: PairRecord, effects: RandomEffects, options: JointOptions
):
    """Covariance by the scatter of the pairs, its degrees of freedom, and the pairs' influence."""
    counted = np.asarray(records.counted)
    moves = np.full(scores.shape, np.nan)
    scores, slopes = scores[counted], slopes[counted]
    # How far the own roots may be off: by noise, where they have any information, and by scatter.
    number = total_over_processes(np.asarray(float(len(scores))))
    mean = total_over_processes(slopes.sum(0)) / max(number, 1)
    least = _LEAST_INFORMATION * np.trace(mean) * np.eye(len(mean))
    noise = np.nan_to_num(np.asarray(records.noise_std, float)[counted] / unit) ** 2
    noise = options.score_noise(noise)
    known = np.linalg.inv(slopes + np.where(least > 0, least, np.eye(len(mean))))
    scatter = np.nan_to_num(np.max(2 * np.abs(effects.mean) * effects.scatter)) ** 2
    variances = noise[:, None, None] * known + scatter * np.eye(len(mean))
    try:
        found = cluster_robust(scores, slopes, variances, total_over_processes)
        moves[counted] = influence(scores, slopes, total_over_processes)
    except ValueError:  # sums that are not finite: nothing is known
        return np.full(mean.shape, np.nan), None, moves
    return found.covariance, found.freedom, moves


def _next_step(at: _Root, covariance, options: JointOptions, repeated: bool):
    """How far another pass would move the root, in standard errors; and whether it is settled.

    The instruments were made at the point of the pass. Another pass would move the root by their
    relative change since then times the error that the change acts on: the root's own, or with
    nuisances the whole move. After a second pass it is no further than that one has moved.
    """
    error = np.sqrt(np.abs(np.diag(covariance)))
    acted_on = np.maximum(error, at.move) if options.has_nuisances else error
    step = at.move if repeated else at.change * acted_on
    step = np.max(step / np.where(error > 0, error, 1))
    largest_change = np.max(at.change)
    settled = (largest_change <= _SLIGHTLY) | (step <= 1) & (largest_change <= _FAR)
    return step, settled


@partial(jax.jit, static_argnames=("model", "swapped"))
def _estimate(
    root: Root,
    covariance,
    freedom,
    equations: PairEquations,
    evidence: PairEvidence,
    unit,
    settled,
    least,
    *,
    model: BlurModel,
    swapped: bool,
) -> BlurEstimate:
    """The estimate at the root of the sums, with a verdict on what all pairs show together."""
    oriented = BlurParams(root.vector, family=model.family)
    margins = axis_margins(oriented, model.kernel, model.ndim)
    p, num_pixels = len(root.vector), equations.num_pixels
    inverse = inverse_small(equations.information)
    squares = equations.squares
    positive = jnp.where(num_pixels > 0, num_pixels, 1)
    neighbours = equations.structure / jnp.where(squares > 0, squares, 1)
    contrast, change = equations.contrast, equations.change
    adequacy = Adequacy(
        unexplained=squares / jnp.where(contrast > 0, contrast, 1),
        unexplained_change=squares / jnp.where(change > 0, change, 1),
        reduced_chi_square=jnp.full_like(squares, jnp.inf),
        autocorrelation=jnp.full(model.ndim, neighbours),
        displacement=evidence.displacement / positive,
        p_value=jnp.ones_like(squares),
        cause=jnp.int32(Cause.NONE),
        verdict=jnp.int32(Verdict.EXPLAINED),
    )
    bars = jnp.sqrt(jnp.abs(jnp.diagonal(covariance)))
    estimate = make_estimate(
        swap_params(swapped, oriented),
        ndim=model.ndim,
        covariance=covariance,
        loss=0.5 * unit**2 * squares,
        noise_variance=unit**2 * squares / jnp.maximum(num_pixels - p, 1),
        num_pixels=num_pixels,
        num_steps=root.num_steps,
        kernel=model.kernel,
        problems={
            Status.TOO_SMALL: is_too_small(
                margins, jnp.asarray(model.largest_margins, jnp.int32), num_pixels, p
            ),
            Status.NOT_CONVERGED: ~root.is_settled(bars) | ~settled,
            Status.SHARPER_THAN_PIXELS: jnp.any(root.vector <= least),
        },
        adequacy=adequacy,
        departures=evidence.departures(inverse, num_pixels),
    )
    if freedom is None:
        return estimate
    few = freedom[0] if estimate.sigma.ndim == 0 else freedom[: estimate.sigma.size]
    if model.family == "full":
        few = jnp.full_like(estimate.sigma, jnp.min(freedom))
    return replace(estimate, freedom=few)
