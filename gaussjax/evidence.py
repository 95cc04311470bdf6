"""What a verdict is made of: inner products over the pixels, which add up over parts of a frame.

Most figures are quadratic in a few *columns* that are made for every pixel: the slopes of the
prediction, itself, 1 and the residual. One matrix of the inner products of the columns holds
them.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.bands import sampled
from gaussjax.linear_algebra import diagonal, diagonal_matrix, inverse_small, product
from gaussjax.sums import sums_of_rows

# Blocks of a sample whose sums tell how the scores of neighbours depend on each other.
_NUM_BLOCKS = 64
# Px of an axis that a block is long at least.
_LEAST_STRETCH = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Evidence:
    """Sums over the compared pixels, of a large frame over bands of them.

    Attributes:
        products: inner products of the columns, weighted, ``[i, i]`` with i = ndim + 3.
        scatter: sums over blocks of neighbours of the products of any two inner products of the
            columns, ``[i i, i i]``.
        change: weighted sum of squares of B - A.
        powers: number of pixels, and sums of the second and the fourth power of the whitened
            residual, ``[3]``.
        neighbours: per axis, of pixels and the next ones: sums of products of the whitened
            residual, of their mean squares, and of the squared products, ``[ndim, 3]``.
    """

    products: jax.Array
    scatter: jax.Array
    change: jax.Array
    powers: jax.Array
    neighbours: jax.Array

    @property
    def ndim(self) -> int:
        """Number of axes of the frame."""
        return len(self.neighbours)

    @property
    def count(self) -> jax.Array:
        """Number of pixels."""
        return self.powers[0]

    @property
    def weight(self) -> jax.Array:
        """Sum of their weights."""
        return self.products[-2, -2]

    @property
    def contrast(self) -> jax.Array:
        """Weighted sum of squares of B without its mean."""
        predicted, one, residual = -3, -2, -1
        power = self.products[predicted, predicted] - 2 * self.products[predicted, residual]
        power = power + self.products[residual, residual]
        level = self.products[predicted, one] - self.products[residual, one]
        return jnp.maximum(power - level**2 / jnp.where(self.weight > 0, self.weight, 1), 0)

    @property
    def kurtosis(self) -> jax.Array:
        """Of the whitened residual; 3 is normal."""
        count, squares, fourth = self.powers
        return count * fourth / jnp.where(squares > 0, squares, 1) ** 2

    @property
    def correlations(self) -> tuple[jax.Array, jax.Array]:
        """Of neighbours along each axis, and their standard errors by chance, ``[ndim]`` each."""
        products, squares, squared = self.neighbours.T
        total = jnp.where(squares > 0, squares, 1)
        # The error of independent neighbours, whatever the distribution of their sizes.
        return products / total, jnp.sqrt(squared) / total

    @property
    def displacement(self) -> tuple[jax.Array, jax.Array]:
        """Least-squares shift with ``residual = shift . grad predicted``, and its standard error.

        Beside a gain and an offset, whose lack must not be taken for a shift.
        """
        i = self.ndim + 3
        normal, score = self.products[: i - 1, : i - 1], self.products[: i - 1, i - 1]
        # A flat prediction has no shift.
        normal = normal + diagonal_matrix((diagonal(normal) <= 0).astype(normal.dtype))
        inverse = inverse_small(normal)
        solution = inverse @ score
        # The scores of a block are its products times this.
        rest = jnp.append(-solution, 1)
        scatter = self.scatter.reshape(i, i, i, i)[:-1, :, :-1]
        spread = jnp.einsum("aibj,i,j->ab", scatter, rest, rest, precision="highest")
        errors = jnp.sqrt(jnp.maximum(diagonal(inverse @ spread @ inverse), 0))
        return solution[: self.ndim], errors[: self.ndim]


def blank_evidence(ndim: int, dtype) -> Evidence:
    """Room for the evidence of a frame of this rank, without values."""
    i = ndim + 3
    shapes = (i, i), (i * i, i * i), (), (3,), (ndim, 3)
    return Evidence(*(jax.lax.empty(shape, dtype) for shape in shapes))


def gather(
    difference: jax.Array,
    window: jax.Array,
    predicted: jax.Array,
    residual: jax.Array,
    whitened: jax.Array,
    parts: int = 1,
) -> Evidence:
    """Evidence of a frame, or of one of its parts.

    Args:
        difference: B - A.
        window: weights of the compared pixels.
        predicted: the model's B.
        residual: predicted - B.
        whitened: the residual with white noise, times the window.
        parts: of the frame, of which this is one (static).
    """
    images = difference, window, predicted, residual, whitened
    difference, window, predicted, residual, whitened = (sampled(x, parts) for x in images)
    ndim = window.ndim - 1

    def moved(image: jax.Array, axis: int, step: int) -> jax.Array:
        """By a pixel along an axis; periodic, but 0 at the edge of a band of several."""
        if axis > 0 or len(image) == 1:
            return jnp.roll(image, -step, axis + 1)
        size = image.shape[axis + 1]
        image = jax.lax.slice_in_dim(image, max(step, 0), size + min(step, 0), axis=axis + 1)
        widths = [(0, 0)] * image.ndim
        widths[axis + 1] = (max(-step, 0), max(step, 0))
        return jnp.pad(image, widths)

    ones = jnp.ones_like(window)
    columns = []
    for axis in range(ndim):
        slope = 0.5 * (moved(predicted, axis, 1) - moved(predicted, axis, -1))
        # At the edge of a band there is none; that of a frame is not compared.
        columns.append(slope * moved(ones, axis, 1) * moved(ones, axis, -1))
    columns += [predicted, ones, residual]
    each = range(len(columns))
    compared = jnp.where(window > 0, ones, 0)
    squares = whitened**2
    along_axes = []
    for axis in range(ndim):
        product_of_two = whitened * moved(whitened, axis, 1)
        both = squares * moved(compared, axis, 1) + compared * moved(squares, axis, 1)
        along_axes += [product_of_two, 0.5 * both, product_of_two**2]
    weighted = [window * column for column in columns]
    pairs = [(i, j) for i in each for j in each[i:]]
    powers = [compared, squares, squares**2]
    # A signal has one row; of a volume the rows are those of its first axis.
    summands = [weighted[i] * columns[j] for i, j in pairs] + powers + along_axes
    summands = [x if ndim > 1 else x[:, None] for x in (*summands, window * difference**2)]
    if ndim > 2:
        summands = [jnp.moveaxis(x, 1, -2) for x in summands]
    found = jnp.stack(sums_of_rows(summands))
    both_ways = np.asarray([pairs.index((min(i, j), max(i, j))) for i in each for j in each])
    flat = jnp.take(_block_totals(found[: len(pairs)]), both_ways, axis=0, mode="clip")
    rest = found[len(pairs) :]
    totals = jnp.sum(rest, axis=tuple(range(1, rest.ndim)))
    return Evidence(
        products=jnp.sum(flat, axis=1).reshape(len(columns), len(columns)),
        scatter=product(flat, flat.T),
        change=totals[-1],
        powers=totals[:3],
        neighbours=totals[3:-1].reshape(ndim, 3),
    )


def _block_totals(sums: jax.Array) -> jax.Array:
    """Of each, sums of the sums of rows ``[bands, ...]`` over stretches of every axis.

    ``[k, bands, ...] -> [k, blocks]``.
    """
    count, bands, *axes = sums.shape
    wanted = max(round((_NUM_BLOCKS / bands) ** (1 / len(axes))), 1)
    for axis, size in enumerate(axes, 2):
        length = max(-(-size // wanted), min(_LEAST_STRETCH, size))
        stretches = -(-size // length)
        # Zeros add nothing.
        widths = [(0, 0)] * sums.ndim
        widths[axis] = (0, stretches * length - size)
        shape = (*sums.shape[:axis], stretches, length, *sums.shape[axis + 1 :])
        sums = jnp.sum(jnp.pad(sums, widths).reshape(shape), axis=axis + 1)
    return sums.reshape(count, -1)
