"""A large frame as overlapping tiles: sums over its pixels, a tile at a time, in the caches."""

import math
from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.boundary import fast_length, largest_margins
from gaussjax.model.options import PADDED_BOUNDARIES
from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.numerics import loops
from gaussjax.pair.frame import Pair, frame_window
from gaussjax.pair.informative_crop import Crop

# px per axis of what a tile compares, about: its arrays stay in the second cache of a core.
_TILE = 256
# Frames of no more px per axis are their own tile.
_LARGEST_WHOLE = 640
# Margin in px for which the tiles are laid out; other margins make more of them, or fewer.
_MARGIN = 20
# Tiles of which at least this part is compared are worth it.
_LEAST_INTERIOR = 0.5


def tile_shape(shape: tuple[int, ...], boundary: str, pad: int) -> tuple[int, ...]:
    """Shape of the tiles of a frame; its own where it is taken whole.

    Images only: of a volume too much would overlap. Not where the edges meet.
    """
    frame, widest = bucket_shape(shape), widest_tile(shape, boundary, pad)
    if boundary == "periodic" or len(shape) != 2 or min(frame) <= _LARGEST_WHOLE:
        return widest
    if boundary != "valid" and widest == shape:
        return widest
    counts = [max(round(n / _TILE), 2) for n in frame]
    interiors = [(n - 2 * _MARGIN) / count for n, count in zip(frame, counts, strict=True)]
    # Multiples of 32, whose transforms are the quickest.
    blocks = [math.ceil((interior + 2 * _MARGIN) / 32) for interior in interiors]
    return tuple(32 * fast_length(block) for block in blocks)


def widest_tile(shape: tuple[int, ...], boundary: str, pad: int) -> tuple[int, ...]:
    """Shape of the tiles of a wide blur: a padded frame and what most blurs reach around it.

    Wider ones take two tiles along an axis. The frame's own where it is taken whole: without
    padding, or padded for a blur that is as wide as the frame.
    """
    if boundary not in PADDED_BOUNDARIES or pad > min(largest_margins(shape)):
        return shape
    # Large frames get narrower tiles: there memory counts.
    part = 8 if min(bucket_shape(shape)) <= _LARGEST_WHOLE else 16
    return tuple(fast_length(n + 2 * min(pad, n // part)) for n in shape)


def tiles_fit(margins: jax.Array, tile: tuple[int, ...]) -> jax.Array:
    """The tiles overlap by so little that they are quicker than the whole frame."""
    widest = [int((1 - _LEAST_INTERIOR) * n) for n in tile]
    return jnp.all(2 * margins <= jnp.asarray(widest, margins.dtype))


def sum_over_tiles(
    of_tile: Callable, pair: Pair, tile: tuple[int, ...], margins: jax.Array, abreast: int = 2
):
    """Sums over the tiles of a frame, each pixel of whose interior counts once.

    Args:
        of_tile: function of a :class:`~gaussjax.pair.frame.Frame` and its window to two pytrees:
            what is summed over all tiles, and what over every other one.
        pair: not with ``boundary="periodic"``.
        tile: shape of the tiles.
        margins: px per axis that the blur and the shift reach, ``[ndim]``.
        abreast: tiles at once; of several the first is the one of every other.
    """
    size, lengths = pair.usable.size, jnp.asarray(tile, jnp.int32)
    shape = jnp.asarray(pair.shape, jnp.int32) if size is None else size.astype(jnp.int32)
    # The tiles are laid within the images: none has to know where these end.
    pair = replace(pair, usable=replace(pair.usable, size=None))
    margins, padded = margins.astype(jnp.int32), pair.boundary in PADDED_BOUNDARIES
    if padded:
        # A blur that reaches farther gets a status.
        margins = jnp.minimum(margins, pair.pad)
    edge = 0 if padded else margins
    steps = lengths - 2 * margins
    counts = jnp.maximum(-(-(shape - 2 * edge) // steps), 1)
    if padded:
        steps = -(-shape // counts)
    # What is summed of a tile lies in its middle, as far from its edges as can be.
    halo = (lengths - steps) // 2
    total = jnp.prod(counts, dtype=jnp.int32)

    def one(index):
        place, rest = [], index
        for count in counts[::-1]:
            place, rest = [rest % count, *place], rest // count
        first = edge + jnp.stack(place) * steps
        last = jnp.minimum(first + steps, shape - edge)
        corner = first - halo
        if not padded:
            corner = jnp.minimum(corner, shape - lengths)
        frame = pair.crop(Crop(corner, tile)).frame()
        window = frame_window(frame, margins)
        profiles = []
        for axis, size in enumerate(tile):
            here = jnp.arange(size, dtype=jnp.int32) + corner[axis]
            inside = (here >= first[axis]) & (here < last[axis]) & (index < total)
            profiles.append(inside.astype(frame.blurred.dtype))
        return of_tile(frame, replace(window, profiles=tuple(profiles)))

    # Several at once: the transforms of one run on a single core of the CPU.
    def several(index, sums):
        found, some = one(abreast * index)
        for other in range(1, abreast):
            found = jax.tree.map(jnp.add, found, one(abreast * index + other)[0])
        return jax.tree.map(jnp.add, sums, (found, some))

    shapes = jax.eval_shape(one, total)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return loops.fori_loop(0, -(-total // abreast), several, zeros)
