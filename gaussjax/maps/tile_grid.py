"""Where the tiles of a map lie in the frame."""

import math
from dataclasses import dataclass

import numpy as np

from gaussjax.checks import as_count, shown


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one shape, evenly spread so that they cover the whole frame.

    Across grids all px are those of the reference.
    """

    shape: tuple[int, ...]  # of the frame, px
    tile: tuple[int, ...]  # shape of a tile, px
    # px from one tile to the next, at most: the last tile ends where the frame does
    step: tuple[int, ...]
    # Px of which shape, tiles and corners are multiples: across grids whole coarse px
    unit: tuple[int, ...]

    @property
    def corners(self) -> tuple[tuple[int, ...], ...]:
        """Index of the first pixel of every tile, per axis."""
        found = []
        for n, tile, step, unit in zip(self.shape, self.tile, self.step, self.unit, strict=True):
            count = math.ceil((n - tile) / step) + 1
            places = np.linspace(0, (n - tile) // unit, count).round().astype(int)
            found.append(tuple((unit * places).tolist()))
        return tuple(found)

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of tiles per axis."""
        return tuple(len(corners) for corners in self.corners)

    @property
    def centres(self) -> tuple[tuple[float, ...], ...]:
        """Centres of the tiles per axis, px from the centre of the frame's first pixel."""
        pairs = zip(self.corners, self.tile, strict=True)
        return tuple(tuple(k + (tile - 1) / 2 for k in corners) for corners, tile in pairs)

    @property
    def spacings(self) -> tuple[float, ...]:
        """Px from one tile to the next per axis, on average; the tile itself where it is alone."""
        sizes = zip(self.shape, self.tile, self.counts, strict=True)
        return tuple((n - tile) / (m - 1) if m > 1 else float(tile) for n, tile, m in sizes)


def make_grid(shape: tuple[int, ...], tile, step, unit: tuple[int, ...] | None = None) -> TileGrid:
    """The grid of tiles of a frame, all in px; tile and step are an int or one per axis.

    A step of None is half a tile. The shape is a multiple of ``unit`` (None: 1); a tile is widened
    to whole ones, a step as well if it is less than one. ValueError for a tile that is no whole
    number from 2 to the frame's size, or a step that is none from 1 to the tile's.
    """
    tile = _per_axis(tile, len(shape), "tile")
    step = tuple(t // 2 for t in tile) if step is None else _per_axis(step, len(shape), "step")
    if any(not 2 <= t <= n for t, n in zip(tile, shape, strict=True)):
        raise ValueError(f"tile must be from 2 px to the frame's {shape}; got {shown(tile)}")
    if any(not 1 <= s <= t for s, t in zip(step, tile, strict=True)):
        raise ValueError(
            f"step must be from 1 px to the tile's {tile}, or gaps stay; got {shown(step)}"
        )
    unit = (1,) * len(shape) if unit is None else unit
    # A frame holds whole units, so that a tile is widened to no more than all of it.
    tile = tuple(-(-t // u) * u for t, u in zip(tile, unit, strict=True))
    return TileGrid(tuple(shape), tile, tuple(map(max, step, unit)), unit)


def _per_axis(value, ndim: int, name: str) -> tuple[int, ...]:
    values = value if isinstance(value, tuple | list) else (value,) * ndim
    if len(values) != ndim:
        raise ValueError(
            f"{name} must be a whole number of px, or one for each of {ndim} axes; got"
            f" {shown(value)}"
        )
    return tuple(as_count(each, name, 1) for each in values)
