"""Is a Gaussian blur the right story? Figures of what a fit leaves unexplained, and a verdict."""

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.arguments import is_traced
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.summary import Summary
from gaussjax.statistics.verdict import Verdict

# A residual is structured where neighbours correlate beyond this many standard deviations of
# white noise ...
_SIGNIFICANT = 6.0
# ... and the fit is poor when the structured part is more than this of what happened between A
# and B, or of B (mean squares).
_LARGEST_STRUCTURE = 0.003
# It is poor, too, when more than this of B is left over, unless the noise is known to be so strong.
_LARGEST_REMAINDER = 0.5
# Noise that was given has to match the residual to this part, in variance.
_LARGEST_MISMATCH = 0.5
# A kurtosis beyond this (3 is normal) says that a few pixels make up the residual: they count as
# structure altogether.
_LARGEST_KURTOSIS = 20.0
# So many outliers (part of the pixels) to a robust loss are no accident: the model misses them.
_LARGEST_OUTLIERS = 0.1
# Images are misaligned when the shift that is left adds more than this to the variance,
# relatively, or is more than this many px whatever the blur.
_LARGEST_SHIFT_EFFECT = 0.02
_LARGEST_SHIFT = 0.25


@pytree
class Adequacy:
    """How well the fitted model explains the compared pixels.

    Of a large frame all but the residual's mean square is told by evenly spread bands of rows, and
    unless it is periodic without the pixels at its edge, which lack neighbours.

    Attributes:
        unexplained: mean square of the residual over the variance of B.
        unexplained_change: mean square of the residual over that of B - A; 1 is no better than no
            blur at all. Noise counts as unexplained.
        reduced_chi_square: of the residual against the noise that was given, near 1 for the right
            model; NaN where no noise was given.
        autocorrelation: of the (whitened) residual at a lag of one px, per axis, ``[ndim]``; near
            0 for white noise.
        displacement: px per axis, ``[ndim]``, by which the residual suggests to move the fitted
            image: its first-order shift.
        verdict: int32, a :class:`Verdict`.
    """

    unexplained: jax.Array
    unexplained_change: jax.Array
    reduced_chi_square: jax.Array
    autocorrelation: jax.Array
    displacement: jax.Array
    verdict: jax.Array

    @property
    def message(self) -> str | list[str]:
        """The verdict in a sentence; a list of them for a batch. Not available under tracing."""
        return Verdict.messages(self.verdict)

    def __str__(self) -> str:
        """A line of figures; a batch or a traced one prints its shapes instead."""
        if is_traced(self.verdict) or np.ndim(self.verdict):
            return f"Adequacy(verdict={self.verdict})"
        text = f"{100 * float(self.unexplained):.3g} % of B, "
        text += f"{100 * float(self.unexplained_change):.3g} % of B - A"
        if np.isfinite(self.reduced_chi_square):
            text += f"; reduced chi-square {float(self.reduced_chi_square):.4g}"
        return text


def assess(summary: Summary, *, variance: jax.Array, rounding: float) -> Adequacy:
    """Adequacy of a fit, its verdict still without what only the estimate knows.

    Args:
        summary: of the fit.
        variance: of the fitted Gaussian per axis, px^2, ``[ndim]``.
        rounding: variance that rounding leaves in the residual.
    """
    statistics, chi_square = summary.residual_statistics, summary.chi_square
    squares = summary.clipped_squares
    portion = summary.num_pixels / jnp.where(statistics.count > 0, statistics.count, 1)
    contrast, change = portion * statistics.contrast, portion * statistics.change
    floor = portion * statistics.weight * rounding
    autocorrelation, errors = statistics.correlations
    significant = jnp.any(jnp.abs(autocorrelation) > _SIGNIFICANT * errors)
    shift, shift_error = statistics.displacement
    structured = jnp.max(jnp.abs(autocorrelation)) * squares
    excess = jnp.where(jnp.isfinite(chi_square), (1 - 1 / chi_square) * squares, 0)
    structured = jnp.where(significant, jnp.maximum(structured, excess), 0)
    structured = jnp.where(statistics.kurtosis > _LARGEST_KURTOSIS, squares, structured)
    poor = structured > _LARGEST_STRUCTURE * jnp.minimum(change, contrast) + 100 * floor
    told = jnp.isfinite(chi_square)
    matches = jnp.abs(jnp.log(chi_square)) < jnp.log1p(_LARGEST_MISMATCH)
    poor = poor | told & ~matches | ~told & (squares > _LARGEST_REMAINDER * contrast + 100 * floor)
    poor = poor | (summary.outliers > _LARGEST_OUTLIERS)
    effect = jnp.sum(shift**2) / (shift.size * jnp.mean(jnp.abs(variance)) + 1e-12)
    size = jnp.max(jnp.abs(shift))
    misaligned = (effect > _LARGEST_SHIFT_EFFECT) & (size > 0.02) | (size > _LARGEST_SHIFT)
    misaligned = misaligned & jnp.any(jnp.abs(shift) > _SIGNIFICANT * shift_error)
    verdict = jnp.where(poor, jnp.int32(Verdict.EXPLAINED_POORLY), jnp.int32(Verdict.EXPLAINED))
    verdict = jnp.where(misaligned, jnp.int32(Verdict.MISALIGNED), verdict)
    return Adequacy(
        unexplained=summary.squares / jnp.where(contrast > 0, contrast, 1),
        unexplained_change=summary.squares / jnp.where(change > 0, change, 1),
        reduced_chi_square=chi_square,
        autocorrelation=autocorrelation,
        displacement=shift,
        verdict=verdict,
    )
