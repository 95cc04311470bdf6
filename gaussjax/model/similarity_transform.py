"""Similarities of the plane, and images resampled by them.

A similarity takes the place y of a pixel in A to its place in B,

    phi(y) = c + scale R(angle) (y - c) + shift,      R = [[cos, sin], [-sin, cos]] in (row, column)

with c the centre of the frame. B is resampled to the grid of A, ``B(phi(y))``, and never A: B is
the smoother of the two.
"""

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import coordinates
from gaussjax.numerics import loops
from gaussjax.numerics.pytree import pytree

# Taps of the interpolator and the shape of its window: an error below 1e-4 up to .8 pi rad/px.
_TAPS = 16
_SHAPE = 8.0


@pytree
class Similarity:
    """Rotation, scale and shift between two images; arrays gain leading axes under ``vmap``."""

    # rad; positive turns the last axis towards the first: `scipy.ndimage.rotate` counts the other
    # way round
    angle: jax.Array
    scale: jax.Array  # of B over A: above 1 B shows the scene larger
    shift: jax.Array  # px, `[2]`, of the centre of the frame

    @staticmethod
    def none(dtype) -> "Similarity":
        """The identity."""
        return Similarity(jnp.zeros((), dtype), jnp.ones((), dtype), jnp.zeros(2, dtype))

    @property
    def matrix(self) -> jax.Array:
        """``scale R(angle)``, ``[2, 2]``."""
        cos, sin = jnp.cos(self.angle), jnp.sin(self.angle)
        rows = jnp.stack([jnp.stack([cos, sin]), jnp.stack([-sin, cos])])
        return self.scale * rows

    def after(self, angle, log_scale, shift) -> "Similarity":
        """What small changes of A's grid, seen from there, make of it: ``phi o (id + change)``."""
        return Similarity(angle, jnp.exp(log_scale), shift).before(self)

    @property
    def inverse(self) -> "Similarity":
        """From the places in B to those in A."""
        back = Similarity(-self.angle, 1 / self.scale, self.shift)
        return replace(back, shift=-back.matrix @ self.shift)

    def before(self, change: "Similarity") -> "Similarity":
        """``change o phi``."""
        shift = change.matrix @ self.shift + change.shift
        return Similarity(self.angle + change.angle, self.scale * change.scale, shift)

    def about(self, off: Sequence[float]) -> "Similarity":
        """The same map with the shift of a centre from which its own is ``off`` px."""
        place = jnp.asarray(off, self.shift.dtype)
        return replace(self, shift=self.shift + place - self.matrix @ place)

    def in_pixels(self, ratio: float, off: Sequence[float]) -> "Similarity":
        """In px of which one has ``ratio``, of a frame whose centre lies ``off`` px before its."""
        return replace(self, shift=ratio * self.shift).about(off)

    def resample(
        self, image: jax.Array, known: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """``image(phi(y))`` on the pixels y of a frame of its shape; 1 where all taps lie inside.

        Along one axis after the other: phi is solved for the column first. Windowed sinc (Kaiser).

        Source: E. Catmull and A. R. Smith, "3-D transformations of images in scanline order",
        SIGGRAPH 1980; for the window F. J. Harris, Proc. IEEE 66(1), 1978.
        """
        (a, b), (c, d) = self.matrix
        dtype = image.dtype
        height, width = image.shape
        rows = jnp.arange(height, dtype=dtype)[:, None] - 0.5 * (height - 1)
        columns = jnp.arange(width, dtype=dtype)[None] - 0.5 * (width - 1)
        up, along = self.shift
        # Of a source row r = a y + b x + up, so that y = (r - b x - up) / a.
        source = c / a * (rows - up) + (d - c * b / a) * columns + along
        known = jnp.ones_like(image) if known is None else known
        image, known = _interpolated(image, known, source + 0.5 * (width - 1), 1)
        source = a * rows + b * columns + up
        return _interpolated(image, known, source + 0.5 * (height - 1), 0)


def motion_fields(slopes: list[jax.Array], pixel: float = 1.0) -> list[jax.Array]:
    """Derivatives of a prediction by angle and log scale, from those by the shift along each axis.

    A displacement (u, v) of B against A changes it by ``u slopes[0] + v slopes[1]``. ``pixel`` is
    the size of a px of the prediction in the unit of the shift.
    """
    if pixel != 1:
        slopes = [pixel * slope for slope in slopes]
    up, along = coordinates(slopes[0].shape, slopes[0].dtype)
    return [along * slopes[0] - up * slopes[1], up * slopes[0] + along * slopes[1]]


def _interpolated(
    image: jax.Array, known: jax.Array, place: jax.Array, axis: int
) -> tuple[jax.Array, jax.Array]:
    """An image at fractional places along one axis, and 1 where all taps are known, else 0."""
    size = image.shape[axis]
    first = jnp.floor(place)
    fraction = place - first
    first = first.astype(jnp.int32) - (_TAPS // 2 - 1)
    inside = (first >= 0) & (first + _TAPS <= size)
    first = jnp.clip(first, 0, size - _TAPS)
    nothing = jnp.zeros_like(image), jnp.zeros_like(fraction), inside

    # A loop: written out, sixteen windows take seconds to compile.
    def add(k, sums):
        value, total, inside = sums
        weight = _kernel(fraction + (_TAPS // 2 - 1 - k).astype(fraction.dtype))
        value += weight * jnp.take_along_axis(image, first + k, axis=axis)
        inside &= jnp.take_along_axis(known, first + k, axis=axis) > 0
        return value, total + weight, inside

    value, total, inside = loops.fori_loop(0, _TAPS, add, nothing)
    return value / total, inside.astype(image.dtype)


def _kernel(x: jax.Array) -> jax.Array:
    """Windowed sinc at distances of at most half the taps."""
    # Not 0: there the root has no derivative.
    root = jnp.sqrt(jnp.maximum(1 - (2 * x / _TAPS) ** 2, 1e-6))
    return jnp.sinc(x) * jnp.exp(_SHAPE * (root - 1))
