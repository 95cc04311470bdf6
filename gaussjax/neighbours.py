"""How the neighbouring pixels of a residual hang together, told by bands of rows."""

import math

import jax
import jax.numpy as jnp

from gaussjax.linear_algebra import inverse_small, product, solve_small

# Pixels of a large image that are looked at, about, in bands of so many rows ...
_SAMPLE = 2**16
_BAND = 4
# ... of which there are at least so many: a quarter of the rows still holds a few.
_LEAST_BANDS = 16
# Blocks of a sample whose sums tell how the scores of neighbours depend on each other.
_NUM_BLOCKS = 64


def sampled(image: jax.Array) -> jax.Array:
    """Bands of neighbouring rows of a large image, evenly spread: ``[bands, rows, ...]``.

    How neighbours hang together, some ten thousand pixels tell well enough for a verdict; all of
    them would take longer than the fit. A small image is one band.
    """
    rows = image.shape[0]
    num_bands = max(_SAMPLE * rows // (_BAND * image.size), _LEAST_BANDS)
    if image.ndim == 1 or _BAND * num_bands >= rows:
        return image[None]
    period = rows // num_bands
    bands = image[: period * num_bands].reshape(num_bands, period, *image.shape[1:])
    return bands[:, (period - _BAND) // 2 :][:, :_BAND]


def neighbour_correlations(whitened: jax.Array, window: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Correlation of neighbours per axis and its standard error by chance, ``[ndim]`` each."""
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
    return jnp.stack(correlations), jnp.stack(errors)


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


def displacement_left(
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
    return product(blocks, blocks.swapaxes(1, 2))
