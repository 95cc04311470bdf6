"""Error bars, departures, status and verdict of an optimum: the estimate that the caller gets."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gaussjax.model.params import signed_square
from gaussjax.model.swap import swap_pair, swap_params
from gaussjax.model.system_response import BlurModel
from gaussjax.model.transfer import axis_margins
from gaussjax.numerics.compilation import compiled
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.coarse_start import LEAST_VARIANCE
from gaussjax.pair.evidence import causes, with_conventions
from gaussjax.pair.optimum import Optimum
from gaussjax.pair.prediction import offset_of
from gaussjax.statistics.departures import (
    Departures,
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
from gaussjax.statistics.optimum_summary import CERTAIN, Summary
from gaussjax.statistics.residual_statistics import Regression
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, is_too_small

# Rounding of a transform and of a product with T, in units of that of one pixel's variance.
_COHERENT = 4
# Estimated noise levels count as separable when the relative error of sigma is at most this.
LARGEST_RELATIVE_ERROR = 0.05


@pytree
class Judged:
    """The error bars of an optimum by noise, and the departures from its model."""

    covariance: jax.Array  # of the vector, `[k, k]`
    # standard deviation of what the rounding of the grey levels may do to the vector, in all pairs
    # of one kind alike, `[k]`
    common: jax.Array
    departures: Departures


@compiled(scalar=True)
def judged_estimate(at: Optimum, swapped, low, high) -> BlurEstimate:
    """The estimate at an optimum with its error bars, status and verdict."""
    return estimate_at(at, judged(at), swapped, low, high)


def judged(at: Optimum) -> Judged:
    """Error bars and departures of an optimum."""
    evidence, summary = at.evidence, at.summary
    scatter, departures = summary.scatter, at.departures
    common, by_level = jnp.zeros_like(at.vector), 0.0
    # The scatter of errors in variables allows for correlated noise already.
    correlated = 1.0 if departures is not None else evidence.correlated
    factors = jnp.sqrt(correlated * evidence.uneven.factors)
    scatter = scatter * jnp.outer(factors, factors)
    if at.tails is not None:
        scatter = scatter + at.tails
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
    return with_conventions(found, evidence, rounding)


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
    rings = False
    if edge is not None:
        least = jnp.min(signed_square(oriented.sigma(model.ndim)))
        rings = edge.is_all(model, least)
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
    told_by = jnp.mean(at.evidence.frequencies[: model.num_variances], axis=0)
    least = jnp.min(ratios) ** 2
    estimate = replace(estimate, told_by=told_by / jnp.stack([sign * least, least**2]))
    if not model.motion:
        return estimate
    angle_error, scale_error = jnp.sqrt(diagonal(found.covariance))[-2:]
    angle, scale = sign * vector[-2], jnp.exp(sign * vector[-1])
    motion = Motion(angle, scale, angle_error, scale * scale_error)
    return replace(estimate, motion=motion)
