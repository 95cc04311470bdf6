"""What a verdict is made of: inner products over the pixels, which add up over parts of a frame.

All figures are quadratic in a few *columns* that are made for every pixel: the residual, its next
neighbours, their squares, the slopes of the prediction and so on. One matrix of the inner products
of the columns holds them all.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.bands import sampled
from gaussjax.linear_algebra import inverse_small, product, solve_small

# Blocks of a sample whose sums tell how the scores of neighbours depend on each other.
_NUM_BLOCKS = 64


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Evidence:
    """Inner products of the columns of :func:`gather`, of a large frame over bands of it.

    Attributes:
        products: of all columns with each other, ``[j, j]``.
        scatter: sums over blocks of neighbours of the products of any two products of the columns
            that tell a displacement, ``[i i, i i]`` with i = ndim + 3.
    """

    products: jax.Array
    scatter: jax.Array

    @property
    def ndim(self) -> int:
        """Number of axes of the frame."""
        return math.isqrt(len(self.scatter)) - 3

    @property
    def count(self) -> jax.Array:
        """Number of pixels."""
        return self._of("indicator", "indicator")

    @property
    def weight(self) -> jax.Array:
        """Sum of their weights."""
        return self._of("one", "one")

    @property
    def contrast(self) -> jax.Array:
        """Weighted sum of squares of B without its mean."""
        power = self._of("predicted", "predicted") - 2 * self._of("predicted", "residual")
        power = power + self._of("residual", "residual")
        level = self._of("predicted", "one") - self._of("residual", "one")
        weight = jnp.where(self.weight > 0, self.weight, 1)
        return jnp.maximum(power - level**2 / weight, 0)

    @property
    def change(self) -> jax.Array:
        """Weighted sum of squares of B - A."""
        return self._of("difference", "difference")

    @property
    def kurtosis(self) -> jax.Array:
        """Of the whitened residual; 3 is normal."""
        squares = self._of("whitened", "whitened")
        fourth = self._of("square", "square")
        return self.count * fourth / jnp.where(squares > 0, squares, 1) ** 2

    @property
    def correlations(self) -> tuple[jax.Array, jax.Array]:
        """Of neighbours along each axis, and their standard errors by chance, ``[ndim]`` each."""
        found, errors = [], []
        for axis in range(self.ndim):
            both = self._of("square", ("indicator", axis)) + self._of("indicator", ("square", axis))
            total = jnp.where(both > 0, 0.5 * both, 1)
            found.append(self._of("whitened", ("whitened", axis)) / total)
            # Of independent neighbours, whatever the distribution of their sizes.
            errors.append(jnp.sqrt(self._of("square", ("square", axis))) / total)
        return jnp.stack(found), jnp.stack(errors)

    @property
    def displacement(self) -> tuple[jax.Array, jax.Array]:
        """Least-squares shift with ``residual = shift . grad predicted``, and its standard error.

        Beside a gain and an offset, whose lack must not be taken for a shift.
        """
        i = self.ndim + 3
        normal, score = self.products[: i - 1, : i - 1], self.products[: i - 1, i - 1]
        # A flat prediction has no shift.
        normal = normal + jnp.diag(jnp.where(jnp.diag(normal) > 0, 0, 1).astype(normal.dtype))
        solution = solve_small(normal, score)
        # The scores of a block are its products times this.
        rest = jnp.append(-solution, 1)
        scatter = self.scatter.reshape(i, i, i, i)[:-1, :, :-1]
        spread = jnp.einsum("aibj,i,j->ab", scatter, rest, rest, precision="highest")
        inverse = inverse_small(normal)
        errors = jnp.sqrt(jnp.maximum(jnp.diag(inverse @ spread @ inverse), 0))
        return solution[: self.ndim], errors[: self.ndim]

    def _of(self, first, second) -> jax.Array:
        """The inner product of two columns by their names."""
        names = _names(self.ndim)
        return self.products[names.index(first), names.index(second)]


def _names(ndim: int) -> list:
    """What the columns are; a pair names the next neighbour along an axis."""
    near = [(name, axis) for name in _OF_NEIGHBOURS for axis in range(ndim)]
    weighted = [("slope", axis) for axis in range(ndim)]
    weighted += ["predicted", "one", "residual", "difference"]
    return [*weighted, *_OF_NEIGHBOURS, *near]


_OF_NEIGHBOURS = ["whitened", "indicator", "square"]


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

    root = jnp.sqrt(window)
    ones = jnp.ones_like(window)
    columns = []
    for axis in range(ndim):
        slope = 0.5 * (moved(predicted, axis, 1) - moved(predicted, axis, -1))
        # At the edge of a band there is none; that of a frame is not compared.
        columns.append(root * slope * moved(ones, axis, 1) * moved(ones, axis, -1))
    columns += [root * predicted, root, root * residual, root * difference]
    near = [whitened, (window > 0).astype(window.dtype), whitened**2]
    columns += near + [moved(image, axis, 1) for image in near for axis in range(ndim)]
    products = _block_products(jnp.stack(columns))
    i = ndim + 3
    flat = products[:, :i, :i].reshape(-1, i * i)
    return Evidence(jnp.sum(products, axis=0), product(flat.T, flat))


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
    return product(blocks, blocks.swapaxes(1, 2))
