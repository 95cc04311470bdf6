"""What one pair adds beside its sums: evidence, its record, and whether it stands aside."""

from typing import cast

import jax
import jax.numpy as jnp

from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.own_fit import OwnFit
from gaussjax.dataset.pair_sums import PairEquations, PairEvidence
from gaussjax.dataset.pooled_transfer import RingSums
from gaussjax.dataset.result import PairRecord
from gaussjax.numerics.linear_algebra import diagonal, inverse_small, product
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.judgement import Judged, estimate_at, judged
from gaussjax.pair.optimum import Optimum
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.goodness_of_fit import Adequacy
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

# Images are unrelated if the joint blur leaves over this part of the contrast of B, and neighbours
# share this part of what it leaves.
_UNRELATED, _STRUCTURED = 0.5, 0.25
# Standard errors by which a refused pair has to contradict the joint blur.
_AGAINST = 5.0


@pytree
class PairFit:
    """A pair, linearized at the point of the pass and at one near its own root."""

    coefficients: jax.Array  # at the point of the pass, `[p, *spectrum]`
    joint: PairEquations  # its equations there
    rings: RingSums  # its spectra there
    own: OwnFit  # of it alone
    finite: jax.Array  # all its pixels are, and its sums


def judge(
    fit: PairFit, present, unit: jax.Array, options: JointOptions
) -> tuple[PairEvidence, PairRecord]:
    """Evidence and record of one pair; ``unit`` divides all images, ``present``: it is a pair."""
    at, joint, p = fit.own.optimum, fit.joint, len(fit.joint.gradient)
    found = judged(at)
    estimate = estimate_at(at, found, fit.own.swapped, fit.own.low, fit.own.high)
    departures, adequacy = found.departures, cast(Adequacy, estimate.adequacy)
    information = joint.information
    # What moves the own root is a score at its own information; only that of least squares is in
    # the unit of the joint one.
    own = information
    if at.departures is None:
        own = inverse_small(at.summary.inverse[:p, :p])

    def finite(values):
        return jnp.where(fit.finite & jnp.isfinite(values), values, 0)

    # A pair without a root of its own shows nothing there.
    has_root = fit.finite & (estimate.status == Status.ESTIMATED)

    def of_root(values):
        return jnp.where(has_root, finite(values), 0)

    evidence = PairEvidence(
        within=finite(_score_covariance(at, found, information, unit, options)),
        common=of_root(product(own, found.common[:p])),
        displacement=of_root(adequacy.displacement * joint.num_pixels),
        additive=of_root(departures.additive),
        squares=of_root(departures.additive**2),
        effects=of_root(product(own, departures.effects[:p])),
        shares=of_root(departures.shares),
        num_told=has_root.astype(information.dtype),
        trials=departures.trials,
        causes=departures.causes,
    )
    # What the joint blur leaves over, not the pair's own.
    misfit = joint.structure / jnp.where(joint.change > 0, joint.change, 1)
    params, error = estimate.params, estimate.sigma_standard_error
    one, zero = jnp.ones_like(misfit), jnp.zeros_like(misfit)
    known = jnp.isfinite(error)
    still = jnp.zeros(at.model.ndim, misfit.dtype)
    record = PairRecord(
        sigma=jnp.where(known, estimate.sigma, jnp.nan),
        standard_error=error,
        model_error=jnp.where(known, estimate.sigma_model_error, jnp.nan),
        status=estimate.status,
        verdict=adequacy.verdict,
        cause=adequacy.cause,
        counted=fit.finite & ~_stands_aside(joint, estimate.status, adequacy, options),
        misfit=misfit,
        noise_std=jnp.sqrt(estimate.noise_variance),
        gain=one if params.gain is None else params.gain,
        offset=zero if params.offset is None else params.offset,
        shift=still if params.shift is None else params.shift,
        score=joint.gradient,
        score_error=jnp.sqrt(jnp.maximum(diagonal(evidence.within), 0)),
        slope=information,
    )
    # NaN is what is not known of a pair; of what fills up the batch there is nothing to know.
    return evidence, jax.tree.map(lambda x: jnp.where(present, x, jnp.zeros_like(x)), record)


def _score_covariance(
    at: Optimum, found: Judged, information: jax.Array, unit: jax.Array, options: JointOptions
) -> jax.Array:
    """Covariance of the gradient at the point of the pass, by the noise of the pair, ``[p, p]``.

    Not by the information at the pair's own optimum: a pair that says little has it anywhere.
    """
    p = len(information)
    if at.departures is not None or options.loss != "squared":
        return product(product(information, found.covariance[:p, :p]), information.T)
    factors = jnp.sqrt(at.evidence.correlated * at.evidence.uneven.factors)[:p]
    noise = at.summary.noise_variance * (at.scale / unit) ** 2
    return noise * information * jnp.outer(factors, factors)


def _stands_aside(
    joint: PairEquations, status: jax.Array, adequacy: Adequacy, options: JointOptions
) -> jax.Array:
    """The pair does not belong: unrelated, misaligned, inverted, or refused against all others.

    A pair that is refused because it says little stays: left out for what noise did to it, it
    would bias the others' mean.
    """
    # Noise that is as strong as the image is white; another image's residual is not.
    is_visible = joint.squares > _UNRELATED * joint.contrast
    unrelated = is_visible & (joint.structure > _STRUCTURED * joint.squares)
    moved = (status == Status.ESTIMATED) & (adequacy.verdict == Verdict.MISALIGNED)
    inverted = adequacy.cause == Cause.INVERTED
    noise = options.score_noise(joint.squares / jnp.maximum(joint.num_pixels, 1))
    against = joint.gradient @ inverse_small(joint.information) @ joint.gradient
    refused = status != Status.ESTIMATED
    # Else it has no shift to hold its sums at, or no levels to weight them by.
    if not (options.shift or options.estimates_noise):
        refused = refused & (against > _AGAINST**2 * noise)
    return unrelated | moved | inverted | refused
