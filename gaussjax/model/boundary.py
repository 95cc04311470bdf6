"""What lies beyond the edge of a frame: extensions, tapers and the pixels that may be compared.

An FFT blurs a periodic image. Every other boundary is a frame *extended* by more pixels than the
kernel reaches, blurred periodically, and compared only inside a *window*:

    periodic                   no extension, every pixel compared
    reflect, nearest, zero     extended as SciPy's modes do, every pixel of the frame compared
    valid                      no extension, only pixels that the blur cannot reach from outside
"""

from typing import Any

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import along_axis
from gaussjax.model.options import PAD_MODES

# Padded boundaries without bounds are extended for a sigma of this fraction of the shortest axis.
LARGEST_SIGMA = 1 / 6
# "valid" keeps at least this fraction of every axis to compare.
_LEAST_INTERIOR = 0.25


def fast_length(size: int) -> int:
    """The smallest length >= ``size`` with no prime factor above 5, for which FFTs are quick."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def extended_shape(image_shape: tuple[int, ...], pad: int) -> tuple[int, ...]:
    """Shape of a frame extended by at least ``pad`` px on every side, rounded up for the FFT."""
    return tuple(fast_length(n + 2 * pad) for n in image_shape) if pad else image_shape


def extend(image: jax.Array, boundary: str, pad: int) -> jax.Array:
    """Continue ``image`` by at least ``pad`` px on every side as SciPy's mode ``boundary`` does."""
    if not pad:
        return image
    shape = extended_shape(image.shape, pad)
    widths = [(pad, size - n - pad) for n, size in zip(image.shape, shape, strict=True)]
    return jnp.pad(image, widths, mode=PAD_MODES[boundary])


def box_of(
    image: jax.Array,
    corner: jax.Array,
    shape: tuple[int, ...],
    boundary: str,
    beyond: float = 0.0,
    size: jax.Array | None = None,
) -> jax.Array:
    """A box of the image continued as :func:`extend` does, however far, but nowhere written out.

    Its first pixel has the index ``corner``, ``[ndim]``, which may be negative, and traced. The
    ``boundary`` is a padded one, with the value ``beyond`` for "zero". What is continued are
    ``size`` px per axis, ``[ndim]``, in the corner of ``image``; None: all.
    """
    for axis, length in enumerate(shape):
        n = image.shape[axis] if size is None else size[axis].astype(jnp.int32)
        index = corner[axis] + jnp.arange(length, dtype=jnp.int32)
        turn = index % (2 * n)
        reflected = jnp.minimum(turn, 2 * n - 1 - turn)
        place = reflected if boundary == "reflect" else jnp.clip(index, 0, n - 1)
        image = jnp.take(image, place, axis=axis, mode="clip")
        if boundary == "zero":
            inside = along_axis(place == index, axis, len(shape))
            image = jnp.where(inside, image, jnp.asarray(beyond, image.dtype))
    return image


def crop(image: jax.Array, image_shape: tuple[int, ...], pad: int) -> jax.Array:
    """Undo :func:`extend`: the frame itself, of shape ``image_shape``."""
    return image[tuple(slice(pad, pad + n) for n in image_shape)]


def embed(image: jax.Array, pad: int) -> jax.Array:
    """Place a frame where :func:`extend` would put it, with zeros around it."""
    return extend(image, "zero", pad)


def largest_margins(image_shape) -> Any:
    """Px per axis that "valid" may leave out at either edge; a tuple, of an array an array."""
    part = 0.5 * (1 - _LEAST_INTERIOR)
    if isinstance(image_shape, jax.Array):
        return jnp.floor(part * image_shape).astype(image_shape.dtype)
    return tuple(int(part * n) for n in image_shape)
