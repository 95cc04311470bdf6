"""Goodness of fit: what a fit leaves unexplained, and a verdict on it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.array_checks import is_traced
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.cause import MOVES, SHAPES, Cause
from gaussjax.statistics.covariance import variance_error
from gaussjax.statistics.departures import Departures
from gaussjax.statistics.optimum_summary import Summary
from gaussjax.statistics.residual_statistics import Regression
from gaussjax.statistics.verdict import Verdict

# A fit is poor if a few pixels make up its residual, by a kurtosis beyond this (3 is normal), and
# its squares are more than this part of those of B - A, or of B ...
_LARGEST_KURTOSIS, _VISIBLE = 20.0, 0.003
# ... or if a robust loss clips more than this part of the pixels: the model misses them.
_LARGEST_OUTLIERS = 0.1
# A shift is significant beyond this many of its standard errors.
_SIGNIFICANT = 6.0
# Images are misaligned if the displacement adds more than this part to the variance and is more
# than so many px, or if it is more than so many px whatever the blur.
_LARGEST_SHIFT_EFFECT, _LEAST_SHIFT = 0.02, 0.02
_LARGEST_SHIFT = 0.25
# Departures that move sigma by less than this part of it, or less than so many px, do not matter.
_TOLERABLE = 0.005
# A mean square up to this multiple of what rounding leaves does not make a fit poor.
ROUNDING_FACTOR = 100


@pytree
class Adequacy:
    """How well the fitted model explains the compared pixels.

    In a large frame all figures but the residual's mean square come from evenly spread bands of
    rows. Pixels at the edge, which lack neighbours, are left out unless the frame is periodic.

    Attributes:
        unexplained: mean square of the residual over the variance of B.
        unexplained_change: mean square of the residual over that of B - A; 1 is no better than no
            blur at all. Noise counts as unexplained.
        reduced_chi_square: of the residual against the noise that was given, near 1 for the right
            model; infinite where no noise was given.
        autocorrelation: of the (whitened) residual at a lag of one px, per axis, ``[ndim]``; near
            0 for white noise.
        displacement: px per axis, ``[ndim]``, by which the residual suggests to move the fitted
            image: its first-order shift.
        p_value: probability that a pair which the model describes would show a departure as
            significant as the most significant one; adjusted for the number of departures.
        cause: int32, a :class:`Cause`: what that departure looks like.
        verdict: int32, a :class:`Verdict`.
    """

    unexplained: jax.Array
    unexplained_change: jax.Array
    reduced_chi_square: jax.Array
    autocorrelation: jax.Array
    displacement: jax.Array
    p_value: jax.Array
    cause: jax.Array
    verdict: jax.Array

    @property
    def message(self) -> str | list[str]:
        """The verdict in a sentence; a list of them for a batch. Not available under tracing."""
        return Verdict.messages(self.verdict)

    @property
    def cause_message(self) -> str | list[str]:
        """What the most significant departure looks like, in a sentence; a list for a batch."""
        return Cause.messages(self.cause)

    def __str__(self) -> str:
        """A line of figures; a batch or a traced one prints its shapes instead."""
        if is_traced(self.verdict) or np.ndim(self.verdict):
            return f"Adequacy(verdict={self.verdict})"
        text = f"{100 * float(self.unexplained):.3g} % of B, "
        text += f"{100 * float(self.unexplained_change):.3g} % of B - A"
        if np.isfinite(self.reduced_chi_square):
            text += f"; reduced chi-square {float(self.reduced_chi_square):.4g}"
        return text


def assess(summary: Summary, left: Regression, *, variance: jax.Array, rounding: float) -> Adequacy:
    """Adequacy of a fit; its verdict and its cause lack what only the whole estimate shows.

    ``left`` is what its residual looks like, ``variance`` that of the fitted Gaussian per axis,
    px^2, ``[ndim]``, and ``rounding`` the one that rounding leaves in the residual.
    """
    statistics, chi_square = summary.residual_statistics, summary.chi_square
    # From the pixels that the statistics are of to all.
    scale = summary.num_pixels / jnp.where(statistics.count > 0, statistics.count, 1)
    contrast, change = scale * statistics.contrast, scale * statistics.change
    by_rounding = ROUNDING_FACTOR * (scale * statistics.weight * rounding)
    visible = summary.clipped_squares > _VISIBLE * jnp.minimum(change, contrast) + by_rounding
    poor = (statistics.kurtosis > _LARGEST_KURTOSIS) & visible
    poor = poor | (summary.outliers > _LARGEST_OUTLIERS)
    verdict = jnp.where(poor, jnp.int32(Verdict.EXPLAINED_POORLY), jnp.int32(Verdict.EXPLAINED))
    misaligned = _is_misaligned(left.displacement, left.displacement_error, variance)
    cause = jnp.where(poor, jnp.int32(Cause.OUTLIERS), jnp.int32(Cause.NONE))
    return Adequacy(
        unexplained=summary.squares / jnp.where(contrast > 0, contrast, 1),
        unexplained_change=summary.squares / jnp.where(change > 0, change, 1),
        reduced_chi_square=chi_square,
        autocorrelation=statistics.correlations[0],
        displacement=left.displacement,
        p_value=jnp.ones_like(chi_square),
        cause=jnp.where(misaligned, jnp.int32(Cause.SHIFT), cause),
        verdict=jnp.where(misaligned, jnp.int32(Verdict.MISALIGNED), verdict),
    )


@pytree
class Judgement:
    """What the departures from the model amount to."""

    p_value: jax.Array  # of the most significant one, adjusted for their number
    cause: jax.Array  # int32, what it looks like
    variance_error: jax.Array  # px^2 that the most harmful significant one moves, as sigma
    verdict: jax.Array  # int32


def judge(
    departures: Departures,
    effects: jax.Array,
    left: jax.Array,
    sigma: jax.Array,
    variance_se: jax.Array,
    inverted: jax.Array | bool,
) -> Judgement:
    """Verdict by significance and effect: what is significant has to matter, too.

    The effects, and those ``left`` beside what explains most, are sizes, px^2, ``[*sigma, m]``;
    ``variance_se`` is the standard error of the variance by noise, px^2. Contrast that is
    ``inverted`` is no blur, however well a negative gain explains it.

    Sigma is that of the nearest Gaussian. A kernel of another shape has one, too: where it explains
    most and is a reason for doubt, the verdict tells of it, and it does not widen the interval.
    """
    significant = departures.significant
    # The others tell the same departure less clearly.
    named = jnp.where(jnp.any(significant), significant, departures.possible)
    first = jnp.argmax(jnp.where(named, departures.shares, -1))
    cause = jnp.where(
        jnp.any(named),
        jnp.asarray([int(each) for each in departures.causes], jnp.int32)[first],
        jnp.int32(Cause.NONE),
    )
    cause = jnp.where(inverted, jnp.int32(Cause.INVERTED), cause)
    serious = jnp.max(jnp.where(significant & departures.serious, effects, 0), axis=-1)
    tolerable = variance_error(sigma, jnp.maximum(_TOLERABLE * jnp.abs(sigma), _TOLERABLE))
    matters = jnp.any(serious > jnp.maximum(variance_se, tolerable)) | inverted
    is_shape = np.asarray([each in SHAPES for each in departures.causes])
    told = is_shape & (_is_among(cause, SHAPES) & matters)
    error = jnp.max(jnp.where(departures.possible & ~told, left, 0), axis=-1)
    moved = _is_among(cause, MOVES)
    doubted = jnp.where(moved, jnp.int32(Verdict.MISALIGNED), jnp.int32(Verdict.EXPLAINED_POORLY))
    return Judgement(
        p_value=jnp.min(departures.p_values),
        cause=cause,
        variance_error=error,
        verdict=jnp.where(matters, doubted, jnp.int32(Verdict.EXPLAINED)),
    )


def _is_among(cause: jax.Array, causes: Sequence[Cause]) -> jax.Array:
    return jnp.any(cause == jnp.asarray([int(each) for each in causes], jnp.int32))


def worse(first: jax.Array, second: jax.Array) -> jax.Array:
    """The first verdict unless it is "explained"."""
    return jnp.where(first == Verdict.EXPLAINED, second, first)


def _is_misaligned(displacement, errors, variance) -> jax.Array:
    """The displacement is significant and adds to the blur; px and px^2 per axis."""
    added = jnp.sum(displacement**2)
    relative = added / (displacement.size * jnp.mean(jnp.abs(variance)) + 1e-12)
    largest = jnp.max(jnp.abs(displacement))
    matters = (relative > _LARGEST_SHIFT_EFFECT) & (largest > _LEAST_SHIFT)
    matters = matters | (largest > _LARGEST_SHIFT)
    return matters & jnp.any(jnp.abs(displacement) > _SIGNIFICANT * errors)
