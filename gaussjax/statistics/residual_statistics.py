"""Sums over the pixels from which a verdict is derived; they add up over parts of a frame.

Most are quadratic in a few *columns*: the gradient of the prediction, the prediction, 1 and the
residual, of every pixel. One matrix holds the inner products of all columns.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.numerics.linear_algebra import diagonal, diagonal_matrix, inverse_small, product
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import row_sums

# Of a large image about so many pixels are sampled, in bands of so many rows and one more on
# either side. There are at least so many bands, so that a quarter of the rows still holds a few.
_SAMPLE, _BAND, _LEAST_BANDS = 2**15, 4, 16
# Blocks of a sample, whose sums show how the scores of neighbours depend on each other, and the
# least rows of a block.
_NUM_BLOCKS, _LEAST_ROWS = 64, 4


class Regression(NamedTuple):
    """What a residual looks like, by least squares, each beside the others and an offset."""

    displacement: jax.Array  # ``residual = shift . grad predicted``, px, `[ndim]`
    displacement_error: jax.Array  # its standard error
    gain: jax.Array  # factor on the contrast of the prediction
    gain_error: jax.Array


@pytree
class ResidualStatistics:
    """Sums over the compared pixels, of a large frame over bands of them."""

    products: jax.Array  # inner products of the columns, weighted, `[i, i]` with i = ndim + 3
    # sums over blocks of neighbours of the products of any two inner products of the columns,
    # `[i i, i i]`
    scatter: jax.Array
    change: jax.Array  # weighted sum of squares of B - A
    # number of pixels, and sums of the second and the fourth power of the whitened residual,
    # `[3]`
    powers: jax.Array
    # per axis, of pixels and the next ones: sums of products of the whitened residual, of
    # their mean squares, and of the squared products, `[ndim, 3]`
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

    def less_correlated(self, expected: jax.Array) -> "ResidualStatistics":
        """The same without the correlations that are expected of neighbours, ``[ndim]``."""
        products, squares, squared = self.neighbours.T
        products = products - expected * squares
        return replace(self, neighbours=jnp.stack([products, squares, squared], axis=1))

    def regression(self) -> "Regression":
        """Of the residual on the gradient of the prediction, the prediction and 1."""
        i = self.ndim + 3
        normal, score = self.products[: i - 1, : i - 1], self.products[: i - 1, i - 1]
        # A flat prediction has no shift.
        normal = normal + diagonal_matrix((diagonal(normal) <= 0).astype(normal.dtype))
        inverse = inverse_small(normal)
        solution = inverse @ score
        # The scores of a block are its products times these weights.
        weights = jnp.append(-solution, 1)
        scatter = self.scatter.reshape(i, i, i, i)[:-1, :, :-1]
        spread = jnp.einsum("aibj,i,j->ab", scatter, weights, weights, precision="highest")
        errors = jnp.sqrt(jnp.maximum(diagonal(inverse @ spread @ inverse), 0))
        shift, gain = slice(self.ndim), self.ndim
        return Regression(solution[shift], errors[shift], 1 - solution[gain], errors[gain])


def gather(
    difference: jax.Array,
    window: jax.Array,
    predicted: jax.Array,
    residual: jax.Array,
    whitened: jax.Array,
    parts: int = 1,
    *,
    size: jax.Array | None = None,
    periodic: bool = False,
) -> ResidualStatistics:
    """Residual statistics of a frame, or of one of its parts.

    Args:
        difference: B - A.
        window: weights of the compared pixels.
        predicted: the model's B.
        residual: predicted - B.
        whitened: the residual with white noise, times the window.
        parts: number of parts of the frame (static).
        size: px per axis of the image in the corner of the frame; None: it fills it.
        periodic: the frame goes on at the opposite edge. Else pixels at an edge, which lack
            neighbours, are left out (static).
    """
    images = difference, window, predicted, residual, whitened
    bands = [sampled(image, parts, size) for image in images]
    if periodic and len(bands[0]) == 1:
        bands = [jnp.pad(image[0], 1, mode="wrap")[None] for image in bands]
    difference, window, predicted, residual, whitened = bands
    ndim = window.ndim - 1
    compared, squares = jnp.where(window > 0, 1, jnp.zeros_like(window)), whitened**2
    here = inner(compared)
    columns, along_axes = [], []
    for axis in range(ndim):
        columns.append(0.5 * (inner(predicted, axis, 1) - inner(predicted, axis, -1)))
        product_of_two = inner(whitened) * inner(whitened, axis, 1)
        both = inner(squares) * inner(compared, axis, 1) + here * inner(squares, axis, 1)
        along_axes += [product_of_two, 0.5 * both, product_of_two**2]
    columns += [inner(predicted), jnp.ones_like(here), inner(residual)]
    each = range(len(columns))
    weighted = [inner(window) * column for column in columns]
    pairs = [(i, j) for i in each for j in each[i:]]
    powers = [here, inner(squares), inner(squares) ** 2]
    summands = [weighted[i] * columns[j] for i, j in pairs] + powers + along_axes
    found = jnp.stack(row_sums([*summands, inner(window) * inner(difference) ** 2]))
    both_ways = np.asarray([pairs.index((min(i, j), max(i, j))) for i in each for j in each])
    blocks = _block_totals(found[: len(pairs)], bucket_shape(images[0].shape)[0])
    flat = jnp.take(blocks, both_ways, axis=0, mode="clip")
    totals = jnp.sum(found[len(pairs) :], axis=(1, 2))
    return ResidualStatistics(
        products=jnp.sum(flat, axis=1).reshape(len(columns), len(columns)),
        scatter=product(flat, flat.T),
        change=totals[-1],
        powers=totals[:3],
        neighbours=totals[3:-1].reshape(ndim, 3),
    )


def _block_totals(sums: jax.Array, frame: int) -> jax.Array:
    """Add up rows within blocks, each in one band: ``[k, bands, rows] -> [k, blocks]``.

    A single band is divided as one of ``frame`` rows would be.
    """
    count, bands, rows = sums.shape
    wanted = max(round(_NUM_BLOCKS / bands), 1)
    whole = frame - 2 if bands == 1 else rows
    length = max(-(-whole // wanted), min(_LEAST_ROWS, rows), 1)
    blocks = -(-rows // length)
    # Zeros add nothing.
    sums = jnp.pad(sums, ((0, 0), (0, 0), (0, blocks * length - rows)))
    return jnp.sum(sums.reshape(count, bands * blocks, length), axis=2)


def sampled(image: jax.Array, parts: int = 1, size: jax.Array | None = None) -> jax.Array:
    """Bands of neighbouring rows of a large image, evenly spread: ``[bands, rows, ...]``.

    Some ten thousand pixels show well enough for a verdict how neighbours correlate; all of them
    would take longer than the fit. A small image is one band. An image that is one of several
    ``parts`` of a frame gives that many times fewer. The image may have a ``size``, px per axis, in
    the corner of the frame.
    """
    rows, *others = bucket_shape(image.shape)
    wanted = max(_SAMPLE // (_BAND * math.prod(others)), _LEAST_BANDS)
    num_bands = -(-wanted // parts)
    height = _BAND + 2
    # The fewest rows that an image of this bucket has are to hold all bands.
    if image.ndim == 1 or 3 * (height * num_bands + height) >= 2 * rows:
        return image[None]
    if size is not None:
        period = size[0] // num_bands
        first = jnp.arange(num_bands, dtype=size.dtype) * period + (period - height) // 2
        chosen = first[:, None] + jnp.arange(height, dtype=size.dtype)[None]
        return jnp.take(image, chosen, axis=0, mode="clip")
    period = len(image) // num_bands
    bands = image[: period * num_bands].reshape(num_bands, period, *image.shape[1:])
    return bands[:, (period - height) // 2 :][:, :height]


def inner(bands: jax.Array, axis: int = 0, step: int = 0) -> jax.Array:
    """The pixels of bands that have all neighbours, or those one step further along an axis."""
    steps = (step * (k == axis) for k in range(bands.ndim - 1))
    sizes = bands.shape[1:]
    return bands[:, *(slice(1 + s, n - 1 + s) for s, n in zip(steps, sizes, strict=True))]
