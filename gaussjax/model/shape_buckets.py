"""Few shapes of frames for many shapes of images, because every shape is a program to compile.

An image lies in the corner of a frame whose lengths are those of a short ladder. What it does not
fill is a rectangle's outside, which no compared pixel sees: "valid" stays away from edges anyway.
"""

import jax
import jax.numpy as jnp
import numpy as np

# A ladder of these numbers times powers of two; shorter axes stay as they are.
_STEPS, _SHORTEST = (5, 7), 16
# px at least over which an image fades into its mirror image at the opposite edge.
_FADE = 8


def bucket_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The frame for images of this shape; their own if all lengths are powers of two.

    Everything that divides a frame into parts goes by these lengths, in any frame: so the parts are
    the same whether the frame is the image's own or its bucket's.
    """
    if all(size & (size - 1) == 0 for size in shape):
        return shape
    return tuple(_bucket_length(size) for size in shape)


def _bucket_length(size: int) -> int:
    def ladder(least: int) -> int:
        return min(step << max((-(-least // step) - 1).bit_length(), 0) for step in _STEPS)

    if size < _SHORTEST or ladder(size) == size:
        return size
    return ladder(size + _FADE)


def embed(image, shape: tuple[int, ...]):
    """The image in the corner of a frame of ``shape``; in NumPy, if it is an array of NumPy's.

    Beyond it its mirror images at either edge fade into each other, so that there is no jump from
    which a kernel without an end could ring.
    """
    library = jnp if isinstance(image, jax.Array) else np
    for axis, size in enumerate(shape):
        gap = size - image.shape[axis]
        if not gap:
            continue
        last = library.split(library.flip(image, axis), [gap], axis)[0]
        first = library.flip(library.split(image, [gap], axis)[0], axis)
        rise = np.sin(0.5 * np.pi * (np.arange(gap) + 0.5) / gap) ** 2
        rise = np.expand_dims(rise, [k for k in range(image.ndim) if k != axis])
        image = library.concatenate([image, last + rise.astype(image.dtype) * (first - last)], axis)
    return image
