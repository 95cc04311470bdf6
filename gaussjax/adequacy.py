"""Is a Gaussian blur the right story? Figures of what a fit leaves unexplained, and a verdict."""

import enum
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.arguments import is_traced
from gaussjax.linear_algebra import inverse_small, solve_small


class Verdict(enum.IntEnum):
    """What an estimate says about its pair, beside the status of the fit."""

    EXPLAINED = 0
    EXPLAINED_POORLY = 1
    SHARPER = 2
    NOT_IDENTIFIABLE = 3
    MISALIGNED = 4

    @property
    def message(self) -> str:
        """One plain sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Verdict.EXPLAINED: "a Gaussian blur explains the pair",
    Verdict.EXPLAINED_POORLY: "a Gaussian blur explains the pair poorly",
    Verdict.SHARPER: "the second image is the sharper one",
    Verdict.NOT_IDENTIFIABLE: "the pair does not tell its blur",
    Verdict.MISALIGNED: "the images are misaligned: fit the shift, or register them first",
}

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
# Pixels, about, that neighbours are looked at, and rows of which they come together.
LARGEST_SAMPLE = 2**16
_BAND = 16
# Blocks of a sample whose sums tell how the scores of neighbours depend on each other.
_NUM_BLOCKS = 64
# Images are misaligned when the shift that is left adds more than this to the variance,
# relatively, or is more than this many px whatever the blur.
_LARGEST_SHIFT_EFFECT = 0.02
_LARGEST_SHIFT = 0.25


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Adequacy:
    """How well the fitted model explains the compared pixels.

    Of a large frame all but the residual's mean square is told by evenly spread bands of rows.

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
        codes = np.asarray(self.verdict)
        sentences = [Verdict(int(code)).message for code in codes.reshape(-1)]
        return sentences[0] if codes.ndim == 0 else sentences

    def __str__(self) -> str:
        """A line of figures; a batch or a traced one prints its shapes instead."""
        if is_traced(self.verdict) or np.ndim(self.verdict):
            return f"Adequacy(verdict={self.verdict})"
        text = f"{100 * float(self.unexplained):.3g} % of B, "
        text += f"{100 * float(self.unexplained_change):.3g} % of B - A"
        if np.isfinite(self.reduced_chi_square):
            text += f"; reduced chi-square {float(self.reduced_chi_square):.4g}"
        return text


def assess(
    *,
    blurred: jax.Array,
    difference: jax.Array,
    window: jax.Array,
    residual: jax.Array,
    whitened: jax.Array,
    squares: jax.Array,
    outliers: jax.Array,
    num_pixels: jax.Array,
    chi_square: jax.Array,
    variance: jax.Array,
    rounding: float,
) -> Adequacy:
    """Adequacy of a fit, its verdict still without what only the estimate knows.

    Args:
        blurred: B.
        difference: B - A.
        window: weights of the compared pixels.
        residual: predicted - B.
        whitened: the residual with white noise, times the window.
        squares: sum of squared residuals without the outliers that the loss discounts.
        outliers: part of the compared pixels that they are.
        num_pixels: compared.
        chi_square: reduced, or NaN.
        variance: of the fitted Gaussian per axis, px^2, ``[ndim]``.
        rounding: variance that rounding leaves in the residual.
    """
    everything = jnp.sum(window * residual**2)
    blurred, difference, window, residual, whitened = map(
        _sampled, (blurred, difference, window, residual, whitened)
    )
    sampled = jnp.sum(window > 0)
    portion = num_pixels / jnp.where(sampled > 0, sampled, 1)
    total = portion * jnp.sum(window)
    total = jnp.where(total > 0, total, 1)
    mean = portion * jnp.sum(window * blurred) / total
    contrast = portion * jnp.sum(window * (blurred - mean) ** 2)
    change = portion * jnp.sum(window * difference**2)
    predicted = blurred + residual
    autocorrelation, significant = _neighbours(whitened, window)
    displacement, displacement_error = _displacement(predicted, window, residual)
    floor = total * rounding
    structured = jnp.max(jnp.abs(autocorrelation)) * squares
    excess = jnp.where(jnp.isfinite(chi_square), (1 - 1 / chi_square) * squares, 0)
    structured = jnp.where(significant, jnp.maximum(structured, excess), 0)
    fourth = sampled * jnp.sum(whitened**4)
    peaked = fourth > _LARGEST_KURTOSIS * jnp.sum(whitened**2) ** 2
    structured = jnp.where(peaked, squares, structured)
    poor = structured > _LARGEST_STRUCTURE * jnp.minimum(change, contrast) + 100 * floor
    told = jnp.isfinite(chi_square)
    matches = jnp.abs(jnp.log(chi_square)) < jnp.log1p(_LARGEST_MISMATCH)
    poor = poor | told & ~matches | ~told & (squares > _LARGEST_REMAINDER * contrast + 100 * floor)
    poor = poor | (outliers > _LARGEST_OUTLIERS)
    effect = jnp.sum(displacement**2) / (displacement.size * jnp.mean(jnp.abs(variance)) + 1e-12)
    size = jnp.max(jnp.abs(displacement))
    misaligned = (effect > _LARGEST_SHIFT_EFFECT) & (size > 0.02) | (size > _LARGEST_SHIFT)
    misaligned = misaligned & jnp.any(jnp.abs(displacement) > _SIGNIFICANT * displacement_error)
    verdict = jnp.where(poor, jnp.int32(Verdict.EXPLAINED_POORLY), jnp.int32(Verdict.EXPLAINED))
    verdict = jnp.where(misaligned, jnp.int32(Verdict.MISALIGNED), verdict)
    return Adequacy(
        unexplained=everything / jnp.where(contrast > 0, contrast, 1),
        unexplained_change=everything / jnp.where(change > 0, change, 1),
        reduced_chi_square=chi_square,
        autocorrelation=autocorrelation,
        displacement=displacement,
        verdict=verdict,
    )


def _sampled(image: jax.Array) -> jax.Array:
    """Bands of neighbouring rows of a large image, evenly spread: ``[bands, rows, ...]``.

    How neighbours hang together, some ten thousand pixels tell well enough for a verdict; all of
    them would take longer than the fit. A small image is one band.
    """
    rows = image.shape[0]
    num_bands = max(LARGEST_SAMPLE * rows // (_BAND * image.size), 1)
    if image.ndim == 1 or _BAND * num_bands >= rows:
        return image[None]
    period = rows // num_bands
    bands = image[: period * num_bands].reshape(num_bands, period, *image.shape[1:])
    return bands[:, (period - _BAND) // 2 :][:, :_BAND]


def _neighbours(whitened: jax.Array, window: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Correlation of neighbours per axis, and whether any is beyond chance; of bands."""
    correlations, errors = [], []
    for axis in range(1, whitened.ndim):
        # The last row of a band has no neighbour in it; that of a periodic frame has the first.
        wraps = axis > 1 or len(window) == 1
        sums = jnp.zeros(3, whitened.dtype)
        for (here, there), (w_here, w_there) in zip(
            _pairs(whitened, axis, wraps), _pairs(window, axis, wraps), strict=True
        ):
            both = (w_here > 0) & (w_there > 0)
            product = jnp.where(both, here * there, 0)
            squares = jnp.where(both, 0.5 * (here**2 + there**2), 0)
            sums += jnp.stack([jnp.sum(product), jnp.sum(squares), jnp.sum(product**2)])
        total = jnp.where(sums[1] > 0, sums[1], 1)
        correlations.append(sums[0] / total)
        # Of independent neighbours, whatever the distribution of their sizes.
        errors.append(jnp.sqrt(sums[2]) / total)
    correlation, error = jnp.stack(correlations), jnp.stack(errors)
    return correlation, jnp.any(jnp.abs(correlation) > _SIGNIFICANT * error)


def _pairs(image: jax.Array, axis: int, wraps: bool) -> list[tuple[jax.Array, jax.Array]]:
    """Views of the image and of its next pixels along an axis; the wrapped ones apart."""
    n = image.shape[axis]
    bounds = [(0, n - 1, 1, n)] + [(n - 1, n, 0, 1)] * wraps
    return [
        (
            jax.lax.slice_in_dim(image, a, b, axis=axis),
            jax.lax.slice_in_dim(image, c, d, axis=axis),
        )
        for a, b, c, d in bounds
    ]


def _displacement(
    predicted: jax.Array, window: jax.Array, residual: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Least-squares shift with ``residual = shift . grad predicted``, and its standard error.

    Beside a gain and an offset, whose lack must not be taken for a shift. Of bands, each without
    its outermost pixels.
    """
    ndim = predicted.ndim - 1

    def cut(image, first, axis):
        return jax.lax.slice_in_dim(image, first, image.shape[axis] - 2 + first, axis=axis)

    def inside(image, without=None):
        for axis in range(1, ndim + 1):
            image = image if axis == without else cut(image, 1, axis)
        return image

    slopes = [
        inside(0.5 * (cut(predicted, 2, k) - cut(predicted, 0, k)), k) for k in range(1, ndim + 1)
    ]
    predicted, window, residual = map(inside, (predicted, window, residual))
    columns = jnp.stack([*slopes, predicted, jnp.ones_like(predicted), residual])
    # Of every block all products; their sums are those of the frame.
    products = _block_products(jnp.sqrt(window)[None] * columns)
    sums = jnp.sum(products, axis=0)
    normal, score = sums[:-1, :-1], sums[:-1, -1]
    # A flat prediction has no shift.
    normal = normal + jnp.diag(jnp.where(jnp.diag(normal) > 0, 0, 1).astype(normal.dtype))
    solution = solve_small(normal, score)
    scores = products[:, :-1, -1] - products[:, :-1, :-1] @ solution
    inverse = inverse_small(normal)
    covariance = inverse @ (scores.T @ scores) @ inverse
    return solution[:ndim], jnp.sqrt(jnp.diag(covariance))[:ndim]


def _block_products(columns: jax.Array) -> jax.Array:
    """Inner products of ``[j, bands, rows, ...]`` over blocks of neighbours, ``[blocks, j, j]``."""
    j, bands, *shape = columns.shape
    split = min(len(shape), 2)
    counts = [max(round((_NUM_BLOCKS / bands) ** (1 / split)), 1)] * split
    lengths = [-(-n // count) for n, count in zip(shape, counts, strict=False)]
    excess = [c * n - size for c, n, size in zip(counts, lengths, shape, strict=False)]
    padding = [(0, 0), (0, 0), *((0, extra) for extra in excess), *[(0, 0)] * (len(shape) - split)]
    halves = [part for pair in zip(counts, lengths, strict=True) for part in pair]
    blocks = jnp.pad(columns, padding).reshape(j, bands, *halves, -1)
    outer = [1, *range(2, 2 + 2 * split, 2)]
    inner = [k for k in range(1, blocks.ndim) if k not in outer]
    blocks = blocks.transpose(*outer, 0, *inner).reshape(
        -1, j, math.prod(lengths) * blocks.shape[-1]
    )
    return jnp.matmul(blocks, blocks.swapaxes(1, 2), precision="highest")
