"""Windows: which pixels of a frame are compared, and by how much each counts."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.boundary import extended_shape
from gaussjax.model.fourier import along_axis
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals


@pytree
class Window:
    """Weights of the pixels of a frame: a profile along every axis, times a map of them all."""

    profiles: tuple[jax.Array, ...]  # along the axes, between 0 and 1
    map: jax.Array | None  # of the frame's shape, or None for 1 everywhere
    # px per axis of the image in the corner of the frame, `[ndim]`; None: it fills the frame
    size: jax.Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the frame."""
        return tuple(profile.size for profile in self.profiles)

    @property
    def values(self) -> jax.Array:
        """The weights, of the frame's shape."""
        ndim = len(self.profiles)
        values = reduce(
            jnp.multiply, (along_axis(p, axis, ndim) for axis, p in enumerate(self.profiles))
        )
        return values if self.map is None else values * self.map

    def masked(self, maps: Iterable[jax.Array | None]) -> "Window":
        """The same weights times maps of the frame's shape; None is 1 everywhere."""
        found = [each for each in (self.map, *maps) if each is not None]
        return replace(self, map=reduce(jnp.multiply, found)) if found else self

    def sum(self, power: int = 1) -> jax.Array:
        """Sum of a power of the weights; without a look at the pixels where there is no map."""
        if self.map is not None:
            return jnp.sum(self.values**power)
        return reduce(jnp.multiply, (jnp.sum(profile**power) for profile in self.profiles))

    def totals(self, images: list[jax.Array]) -> jax.Array:
        """Weighted sums of images, made in one loop, ``[m]``."""
        return totals([self.values * image for image in images])

    @property
    def num_pixels(self) -> jax.Array:
        """Number of weights above 0."""
        if self.map is not None:
            return jnp.sum(self.values > 0)
        return reduce(jnp.multiply, (jnp.sum(profile > 0) for profile in self.profiles))


def interior_window(
    image_shape: tuple[int, ...],
    pad: int,
    margins: jax.Array,
    dtype,
    ramps: jax.Array | None = None,
    size: jax.Array | None = None,
) -> Window:
    """Indicator of the pixels of the extended frame that are >= ``margins`` px from its edges.

    Args:
        image_shape: shape of the frame before extension.
        pad: extension of the frame in px.
        margins: integer px per axis, shape ``[ndim]``; may be traced.
        dtype: of the result, which has the extended shape.
        ramps: px per axis over which it rises from 0 to 1, as a squared sine, ``[ndim]``; None
            makes it 0 or 1.
        size: px per axis of the image in the corner of the frame, from whose edges it is then.
    """
    profiles = []
    for axis, length in enumerate(extended_shape(image_shape, pad)):
        n = image_shape[axis] if size is None else size[axis].astype(dtype)
        index, margin = jnp.arange(length, dtype=dtype) - pad, margins[axis].astype(dtype)
        depth = jnp.minimum(index - margin, n - 1 - margin - index)
        profile = jnp.where(depth >= 0, 1, 0).astype(dtype)
        if ramps is not None:
            rise = jnp.clip((depth + 0.5) / ramps[axis], 0, 1)
            profile = profile * jnp.sin(0.5 * jnp.pi * rise) ** 2
        profiles.append(profile)
    return Window(tuple(profiles), None, size)


def erode(known: jax.Array, margins: jax.Array) -> jax.Array:
    """1 where no pixel of ``known`` within ``margins`` px per axis is 0, else 0; periodic.

    The margins are integers, ``[ndim]``, and may be traced.
    """
    missing = known <= 0
    for axis, size in enumerate(known.shape):
        # The number missing in x - r .. x + r, from cumulative sums, because r may be traced.
        reach = jnp.minimum(margins[axis], (size - 1) // 2).astype(jnp.int32)
        counts = jnp.moveaxis(missing, axis, 0).astype(jnp.int32)
        sums = jnp.concatenate([jnp.zeros_like(counts[:1]), jnp.cumsum(counts, axis=0)])
        index = jnp.arange(size, dtype=jnp.int32)

        def before(k, sums=sums, size=size):
            turns = (k // size).reshape(-1, *[1] * (sums.ndim - 1))
            return sums[k % size] + sums[-1:] * turns

        near = before(index + reach + 1) - before(index - reach)
        missing = jnp.moveaxis(near > 0, 0, axis)
    return 1 - missing.astype(known.dtype)


def everywhere(image_shape: tuple[int, ...], dtype, size: jax.Array | None = None) -> Window:
    """1 for every pixel of the image, which fills the frame or has this size in its corner."""
    if size is not None:
        return interior_window(image_shape, 0, jnp.zeros_like(size), dtype, size=size)
    return Window(tuple(jnp.ones(n, dtype) for n in image_shape), None)


def taper(image_shape: tuple[int, ...], dtype, size: jax.Array | None = None) -> Window:
    """Separable Hann window, sin^2(pi (k + 1/2) / n) per axis, over the image in the frame.

    Source: F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier
    transform", Proc. IEEE 66(1), 1978.
    """
    if size is not None:
        ramps = 0.5 * size.astype(dtype)
        return interior_window(image_shape, 0, jnp.zeros_like(size), dtype, ramps, size)
    # In NumPy, so that the compiled program takes no sine.
    profiles = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in image_shape)
    return Window(tuple(jnp.asarray(profile, dtype) for profile in profiles), None)
