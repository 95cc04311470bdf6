"""The part of a frame that an estimate to a given precision has read."""

import math

import jax

from gaussjax.numerics.pytree import pytree, static


@pytree
class FramePart:
    """Tiles that were read, and how well they tell sigma; ``tile`` is ``shape`` if all was read."""

    corners: jax.Array  # index of the first pixel of every tile, `[n, ndim]`
    precision: jax.Array  # that was reached, as a part of the largest sigma
    tile: tuple[int, ...] = static()  # shape of each tile, px
    shape: tuple[int, ...] = static()  # of the frame
    asked: float = static()  # precision

    @property
    def fraction(self) -> float:
        """Part of the frame's pixels that the estimate is of."""
        return len(self.corners) * math.prod(self.tile) / math.prod(self.shape)

    @property
    def is_reached(self) -> bool:
        """Sigma is known as well as was asked."""
        return bool(self.precision <= self.asked)

    def __str__(self) -> str:
        """What was read, and what it tells."""
        tile, frame = (" x ".join(map(str, shape)) for shape in (self.tile, self.shape))
        missed = "" if self.is_reached else f", not to {100 * self.asked:g} % as asked"
        part = f"{len(self.corners)} of {tile} px, {100 * self.fraction:.3g} % of {frame} px"
        return f"{part}: sigma to {100 * float(self.precision):.2g} %{missed}"
