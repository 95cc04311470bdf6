"""A crop of a large frame, to start from: where its images differ most."""

import jax
import jax.numpy as jnp

from gaussjax.numerics.pytree import pytree, static

# Frames of fewer px are their own crop: another pass, and its compilation, would cost more than it
# spares.
_LEAST_PIXELS = 640**2
# px per axis that a start looks at, at least ...
_LEAST_SIZE = 256
# ... and this fraction of a longer axis.
_LEAST_PART = 0.25
# Blocks per axis of a crop: it begins at a multiple of one.
_BLOCKS = 4
_ROWS = 8


@pytree
class Crop:
    """A box of pixels of a frame."""

    corner: jax.Array  # index of its first pixel, `[ndim]`
    shape: tuple[int, ...] = static()  # of the box

    def of(self, image: jax.Array) -> jax.Array:
        """The pixels of an image in this crop."""
        if image.shape == self.shape:
            return image
        # A corner is never negative: else every index would be wrapped around first.
        return jax.lax.dynamic_slice(
            image, list(self.corner), self.shape, allow_negative_indices=False
        )


def most_informative_crop(reference: jax.Array, blurred: jax.Array) -> Crop:
    """The crop of a frame with the largest sum of squares of B - A: what the blur has changed.

    A small frame, or one that is not much larger than a crop, is its own crop.
    """
    shape = reference.shape
    box = []
    for size in shape:
        wanted = max(_LEAST_SIZE, int(_LEAST_PART * size))
        is_cut = reference.size >= _LEAST_PIXELS and 2 * wanted <= 3 * size // 2
        box.append(_BLOCKS * (wanted // _BLOCKS) if is_cut else size)
    crop = tuple(box)
    if crop == shape:
        return Crop(jnp.zeros(len(shape), jnp.int32), shape)
    # Every eighth row of the blocks is enough.
    step = _ROWS if crop[0] < shape[0] and crop[0] // _BLOCKS % _ROWS == 0 else 1
    energy = (blurred[::step] - reference[::step]) ** 2
    return Crop(densest_box(energy, crop, step), crop)


def densest_box(energy: jax.Array, box: tuple[int, ...], step: int = 1) -> jax.Array:
    """Corner of the box with the largest sum of an energy, in quarters of the box, ``[ndim]``.

    Args:
        energy: of every pixel, or of every ``step``-th row.
        box: its shape.
        step: see there; it divides a quarter of the box.
    """
    shape = (energy.shape[0] * step, *energy.shape[1:])
    cut = [length < size for length, size in zip(box, shape, strict=True)]
    lengths = [n // _BLOCKS if c else n for n, c in zip(box, cut, strict=True)]
    if not any(cut):
        return jnp.zeros(len(box), jnp.int32)
    for axis, length in enumerate([lengths[0] // step, *lengths[1:]]):
        count = energy.shape[axis] // length
        energy = jax.lax.slice_in_dim(energy, 0, count * length, axis=axis)
        split = (*energy.shape[:axis], count, length, *energy.shape[axis + 1 :])
        energy = jnp.sum(energy.reshape(split), axis=axis + 1)
    blocks = tuple(_BLOCKS if c else 1 for c in cut)
    strides = (1,) * len(box)
    energy = jax.lax.reduce_window(energy, 0.0, jax.lax.add, blocks, strides, "VALID")
    best = jnp.stack(jnp.unravel_index(jnp.argmax(energy), energy.shape))
    return best.astype(jnp.int32) * jnp.asarray(lengths, jnp.int32)
