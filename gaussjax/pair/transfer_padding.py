"""The frame of a pair whose transfer function is measured: continued beyond its edges.

A filter T acts on the grid of the reference. On one grid its image is compared as it is. Across
grids its spectrum goes through aperture, place and folding of the coarse pixels
(:mod:`gaussjax.model.folding`), and a sum over coarse pixels is, by the adjoint, one over the fine
frequencies of what is tiled.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model import boundary as borders
from gaussjax.model.folding import (
    RINGING,
    CoarseGrid,
    fold,
    noise_power,
    product_weights,
    reference_shape,
    tile,
    with_noise_gain,
)
from gaussjax.model.fourier import along_axis, forward_transform, inverse_transform
from gaussjax.model.options import PAD_MODES

# Px of the reference by which a frame is mirrored over its edge, and falls to its mean: no jump, no
# leakage.
_PAD = 32


@dataclass(frozen=True)
class Layout:
    """The shapes of a pair, static."""

    shape: tuple[int, ...]  # of B, which is compared
    pads: tuple[int, ...]  # px of B by which it is continued before its first
    whole: tuple[int, ...]  # its shape then
    grid: CoarseGrid | None  # of B on that of A; None: they share one

    @classmethod
    def of(cls, shape: tuple[int, ...], boundary: str, grid: CoarseGrid | None) -> "Layout":
        """The layout for a blurred image of this shape."""
        if boundary != "valid":
            return cls(shape, (0,) * len(shape), shape, grid)
        if grid is None:
            pad = min(_PAD, *shape)
            return cls(shape, (pad,) * len(shape), borders.extended_shape(shape, pad), None)
        pads, whole, most = [], [], min(_PAD, *grid.fine_shape(shape))
        for n, r in zip(shape, grid.ratios, strict=True):
            # Whole fine px, and lengths that are quick on both grids.
            pads.append(r.denominator * math.ceil(most / r.numerator))
            parts = math.ceil((n + 2 * pads[-1]) / r.denominator)
            whole.append(r.denominator * borders.fast_length(parts))
        return cls(shape, tuple(pads), tuple(whole), grid)

    @property
    def reference_shape(self) -> tuple[int, ...]:
        """The shape of A, continued, on whose half plane T is."""
        return reference_shape(self.grid, self.whole)

    @property
    def ratio(self) -> float:
        """Px of A per px of B."""
        return math.prod(self.reference_shape) / math.prod(self.whole)

    def continued_reference(self, image: jax.Array) -> jax.Array:
        """A, continued."""
        return continued(image, reference_shape(self.grid, self.pads), self.reference_shape)

    def continued_blurred(self, image: jax.Array) -> jax.Array:
        """B, continued."""
        return continued(image, self.pads, self.whole)

    def embedded(self, image: jax.Array) -> jax.Array:
        """An image on the grid of B in its frame, 0 beyond its edge."""
        sizes = zip(self.pads, self.shape, self.whole, strict=True)
        return jnp.pad(image, [(pad, size - n - pad) for pad, n, size in sizes])

    def image(self, spectrum: jax.Array) -> jax.Array:
        """The image on the grid of B of a reference's spectrum, without what continues it."""
        whole = inverse_transform(self.folded(spectrum), self.whole)
        places = zip(self.pads, self.shape, strict=True)
        return whole[tuple(slice(pad, pad + n) for pad, n in places)]

    def transform(self, image: jax.Array) -> jax.Array:
        """Transform of an image on the grid of B, 0 beyond its edge, on the half plane of A."""
        return self.tiled(forward_transform(self.embedded(image), image.ndim))

    def folded(self, spectrum: jax.Array) -> jax.Array:
        """A spectrum on the half plane of B."""
        return spectrum if self.grid is None else fold(self.grid, spectrum, self.whole)

    def tiled(self, spectrum: jax.Array) -> jax.Array:
        """A spectrum, from the half plane of B to that of A."""
        return spectrum if self.grid is None else tile(self.grid, spectrum, self.whole)

    def product_weights(self, dtype) -> jax.Array:
        """The weights by which sums of :meth:`transform` times a spectrum of A are sums over px."""
        return product_weights(self.grid, self.whole, dtype)

    def with_noise_gain(self, values: jax.Array) -> jax.Array:
        """Values times the part of A's white noise that coarse pixels leave, before folding."""
        return with_noise_gain(self.grid, values, self.whole)

    def noise_power(self, power: jax.Array) -> jax.Array:
        """Power that A's white noise has in an image on the grid of B, from that in A."""
        return noise_power(self.grid, power, self.whole)

    def energy(self, dtype) -> jax.Array:
        """Sum of squares of what continues an image, px of B."""
        return jnp.sum(self.continued_blurred(jnp.ones(self.shape, dtype)) ** 2)

    def margins(self, reach: jax.Array) -> jax.Array:
        """Px of B that a kernel of this reach (px of A, ``[ndim]``) asks for, where they exist."""
        if self.grid is not None:
            return self.grid.coarse_margins(reach, self.shape)
        return jnp.minimum(reach, jnp.asarray(borders.largest_margins(self.shape), reach.dtype))

    @property
    def largest_margin(self) -> int:
        """Px of A that may be left out along every edge."""
        margins = borders.largest_margins(self.shape)
        if self.grid is None:
            return min(margins)
        room = [
            (n - 0.5) * r - abs(start)
            for n, r, start in zip(margins, self.grid.steps, self.grid.starts, strict=True)
        ]
        return max(int(min(room)) - (0 if self.grid.is_local else RINGING), 0)


def continued(image: jax.Array, pads: tuple[int, ...], whole: tuple[int, ...]) -> jax.Array:
    """The image mirrored over its edge, where it falls to 0: neither jumps nor leaks."""
    if whole == image.shape:
        return image
    sizes = list(zip(pads, image.shape, whole, strict=True))
    widths = [(pad, size - n - pad) for pad, n, size in sizes]
    found = jnp.pad(image, widths, mode=PAD_MODES["reflect"])
    for axis, (pad, n, size) in enumerate(sizes):
        index = np.arange(size)
        beyond = np.maximum(pad - index, 0) / pad
        beyond = np.maximum(beyond, np.maximum(index - (pad + n - 1), 0) / (size - pad - n))
        profile = jnp.asarray(np.cos(0.5 * np.pi * beyond) ** 2, image.dtype)
        found = found * along_axis(profile, axis, image.ndim)
    return found
