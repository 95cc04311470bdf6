"""A large frame as overlapping tiles: sums over its pixels, a tile at a time, in the caches."""

import math
from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.boundary import fast_length
from gaussjax.numerics import loops
from gaussjax.pair.crop import Crop
from gaussjax.pair.frame import Pair, frame_window

# px per axis of what a tile compares, about: its arrays stay in the second cache of a core.
_TILE = 256
# Frames below this many px per axis are their own tile.
_LEAST_SIZE = 640
# Margin in px for which the tiles are laid out; other margins make more of them, or fewer.
_MARGIN = 20
# Tiles of which at least this part is compared are worth it.
_LEAST_INTERIOR = 0.5


def tile_shape(shape: tuple[int, ...], boundary: str) -> tuple[int, ...]:
    """Shape of the tiles of a frame; its own where it is not cut into tiles.

    Images only: of a volume too much would overlap. And only where the edge counts for nothing.
    """
    if boundary != "valid" or len(shape) != 2 or min(shape) < _LEAST_SIZE:
        return shape
    counts = [max(round(n / _TILE), 2) for n in shape]
    interiors = [(n - 2 * _MARGIN) / count for n, count in zip(shape, counts, strict=True)]
    # Multiples of 32, whose transforms are the quickest.
    blocks = [math.ceil((interior + 2 * _MARGIN) / 32) for interior in interiors]
    return tuple(32 * fast_length(block) for block in blocks)


def tiles_fit(margins: jax.Array, tile: tuple[int, ...]) -> jax.Array:
    """The tiles overlap by so little that they are quicker than the whole frame."""
    widest = [int((1 - _LEAST_INTERIOR) * n) for n in tile]
    return jnp.all(2 * margins <= jnp.asarray(widest, margins.dtype))


def sum_over_tiles(of_tile: Callable, pair: Pair, tile: tuple[int, ...], margins: jax.Array):
    """Sums over the tiles of a frame, each pixel of whose interior counts once.

    Args:
        of_tile: function of a :class:`~gaussjax.pair.frame.Frame` and its window to two pytrees:
            what is summed over all tiles, and what over every other one.
        pair: with ``boundary="valid"``.
        tile: shape of the tiles.
        margins: px per axis that the blur and the shift reach, ``[ndim]``.
    """
    shape, lengths = (jnp.asarray(each, jnp.int32) for each in (pair.shape, tile))
    margins = margins.astype(jnp.int32)
    steps = lengths - 2 * margins
    counts = jnp.maximum(-(-(shape - 2 * margins) // steps), 1)
    total = counts[0] * counts[1]

    def one(index):
        place = jnp.stack([index // counts[1], index % counts[1]])
        first = margins + place * steps
        last = jnp.minimum(first + steps, shape - margins)
        corner = jnp.minimum(first - margins, shape - lengths)
        frame = pair.crop(Crop(corner, tile)).frame()
        window = frame_window(frame, margins)
        profiles = []
        for axis, size in enumerate(tile):
            here = jnp.arange(size, dtype=jnp.int32) + corner[axis]
            inside = (here >= first[axis]) & (here < last[axis]) & (index < total)
            profiles.append(inside.astype(frame.blurred.dtype))
        return of_tile(frame, replace(window, profiles=tuple(profiles)))

    # Two at once: the transforms of one run on a single core of the CPU.
    def two(index, sums):
        (even, some), (odd, _) = one(2 * index), one(2 * index + 1)
        return jax.tree.map(jnp.add, sums, (jax.tree.map(jnp.add, even, odd), some))

    like = jax.eval_shape(one, total)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    return loops.fori_loop(0, (total + 1) // 2, two, zeros)
