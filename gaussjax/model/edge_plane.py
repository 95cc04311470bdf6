"""A plane, twisted, that has most of what an image jumps by at opposite edges of its frame.

An FFT blurs an image that goes on at the opposite edge. What a band-limited kernel spreads of that
jump over the frame is a thousand times as much as a small blur changes of a smooth scene. The
periodic part (:mod:`gaussjax.model.periodic_part`) has no jump, but what it leaves out is changed
by a blur that is not round, and by a shift. A plane ``P = b'x + x'Cx / 2``, C zero on its diagonal,
is moved and blurred in closed form:

    (g * P)(x - d) - P(x) = d'Cd / 2 - b'd + tr(C V) / 2 - (C d)'x.
"""

from functools import reduce
from typing import Self

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import coordinates
from gaussjax.model.params import BlurParams
from gaussjax.numerics.pytree import pytree


@pytree
class EdgePlane:
    """The plane; coordinates are in px from the middle of the frame."""

    slope: jax.Array  # b, `[ndim]`
    twist: jax.Array  # C, `[ndim, ndim]`

    @classmethod
    def of(cls, image: jax.Array) -> Self:
        """The plane by the mean difference of opposite edges, and by how it changes along them."""
        places = coordinates(image.shape, image.dtype)
        slope, rows = [], []
        for axis, size in enumerate(image.shape):
            first, last = (jax.lax.index_in_dim(image, k, axis) for k in (0, -1))
            jump = (last - first) / max(size - 1, 1)
            slope.append(jnp.mean(jump))
            row = [jnp.zeros((), image.dtype)] * image.ndim
            for other in set(range(image.ndim)) - {axis}:
                squares = jump.size * _mean_square(image.shape[other])
                row[other] = jnp.sum(jump * places[other]) / squares
            rows.append(jnp.stack(row))
        twist = jnp.stack(rows)
        return cls(jnp.stack(slope), 0.5 * (twist + twist.T))

    def image(self, shape: tuple[int, ...]) -> jax.Array:
        """P on a frame."""
        places = coordinates(shape, self.slope.dtype)
        gradients = [
            b + 0.5 * sum(c * x for c, x in zip(row, places, strict=True))
            for b, row in zip(self.slope, self.twist, strict=True)
        ]
        found = reduce(jnp.add, (g * x for g, x in zip(gradients, places, strict=True)))
        return jnp.broadcast_to(found, shape)

    def change(self, params: BlurParams) -> jax.Array:
        """What a blur with a gain changes of ``gain P``: a level, and a slope by axis."""
        ndim = len(self.slope)
        level, slope = jnp.zeros((), self.slope.dtype), jnp.zeros_like(self.slope)
        if params.shift is not None:
            slope = -jnp.sum(self.twist * params.shift[None], axis=1)
            level = -jnp.sum((self.slope + 0.5 * slope) * params.shift)
        if params.family == "full":
            level = level + 0.5 * jnp.sum(self.twist * params.covariance_matrix(ndim))
        found = jnp.concatenate([level[None], slope])
        return found if params.gain is None else params.gain * found


def _mean_square(size: int) -> float:
    """Of the coordinates along an axis; 1 where it is one px."""
    return (size**2 - 1) / 12 if size > 1 else 1


def plane_image(change: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The image of a level and a slope by axis; of a level alone, a number."""
    slopes = zip(change[1:], coordinates(shape, change.dtype), strict=False)
    return reduce(jnp.add, (slope * x for slope, x in slopes), change[0])
