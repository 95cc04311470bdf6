"""A checked pair whose direction is known: the images as they came, framed whole or in part."""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp

from gaussjax.part import Part
from gaussjax.residuals import Frame, make_frame


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pair:
    """Two images of one shape, one of which is to be blurred to the other.

    Attributes:
        reference: A.
        blurred: B.
        known: 1 for the pixels of A and of B that are known, 0 for those that are missing; None
            for all.
        weights: of the pixels of B, or None for 1.
        exchanged: B is the sharper one, so that it is to be blurred to A.
        centre: subtracted from both images.
        scale: divides both images.
        boundary: one of ``BOUNDARIES`` (static).
        pad: of its frame, px; matters to the padded boundaries only (static).
    """

    reference: jax.Array
    blurred: jax.Array
    known: tuple[jax.Array | None, jax.Array | None]
    weights: jax.Array | None
    exchanged: jax.Array
    centre: jax.Array
    scale: jax.Array
    boundary: str = field(metadata={"static": True})
    pad: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """Of both images."""
        return self.reference.shape

    def part(self, part: Part) -> "Pair":
        """A part of the pair, beyond whose edges nothing is known."""
        images = (self.reference, self.blurred, self.known, self.weights)
        reference, blurred, known, weights = jax.tree.map(part.of, images)
        return replace(
            self,
            reference=reference,
            blurred=blurred,
            known=known,
            weights=weights,
            boundary="valid",
            pad=0,
        )

    def frame(self) -> Frame:
        """The pair made ready for residuals, its sharper image as the reference."""
        known, other = self.known
        if known is not None or other is not None:
            ones = jnp.ones_like(self.reference)
            known = ones if known is None else known
            other = ones if other is None else other
            known, other = self._oriented(known, other)
        if self.weights is not None:
            other = self.weights if other is None else other * self.weights
        sharp, soft = self._oriented(self.reference, self.blurred)
        # Of the images as they came: oriented ones would be written out first.
        sign = jnp.where(self.exchanged, -1, 1).astype(sharp.dtype)
        return make_frame(
            sharp,
            soft,
            sign * (self.blurred - self.reference),
            self.boundary,
            self.pad,
            centre=self.centre,
            scale=self.scale,
            known=known,
            weights=other,
        )

    def _oriented(self, first, second):
        return (
            jnp.where(self.exchanged, second, first),
            jnp.where(self.exchanged, first, second),
        )
