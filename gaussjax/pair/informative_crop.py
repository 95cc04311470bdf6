"""A crop of a large frame, to start from: where its images differ most."""

import math

import jax
import jax.numpy as jnp

from gaussjax.model.folding import CoarseGrid
from gaussjax.model.fourier import along_axis
from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.model.window import everywhere
from gaussjax.numerics.pytree import pytree, static

# Frames of no more px are their own crop: another pass, and its compilation, would cost more than
# it spares.
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

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> "Crop":
        """All of a frame."""
        return cls(jnp.zeros(len(shape), jnp.int32), shape)

    def of(self, image: jax.Array) -> jax.Array:
        """The pixels of an image in this crop."""
        if image.shape == self.shape:
            return image
        # A corner is never negative: else every index would be wrapped around first.
        return jax.lax.dynamic_slice(
            image, list(self.corner), self.shape, allow_negative_indices=False
        )

    def on_fine_grid(self, grid: CoarseGrid) -> "Crop":
        """The same box of the fine image, where ratios are whole numbers or it is all there is."""
        ratios = jnp.asarray([int(r) for r in grid.ratios], self.corner.dtype)
        return Crop(self.corner * ratios, grid.fine_shape(self.shape))

    def on_coarse_grid(self, grid: CoarseGrid) -> "Crop":
        """The same box of the coarse image, of whole periods of the two grids."""
        shape = tuple(int(n / r) for n, r in zip(self.shape, grid.ratios, strict=True))
        over = jnp.asarray([r.numerator for r in grid.ratios], self.corner.dtype)
        under = jnp.asarray([r.denominator for r in grid.ratios], self.corner.dtype)
        return Crop(self.corner // over * under, shape)

    def size_of(self, size: jax.Array) -> jax.Array:
        """Px per axis of an image in this crop of its frame, ``[ndim]``."""
        return jnp.minimum(size - self.corner, jnp.asarray(self.shape, size.dtype))


def informative_crop(
    reference: jax.Array, blurred: jax.Array, size: jax.Array | None, grid: CoarseGrid | None
) -> Crop:
    """The most informative crop of images on one grid; all of a grid that no crop can be cut of."""
    if grid is not None and not grid.is_whole:
        return Crop.whole(blurred.shape)
    return most_informative_crop(reference, blurred, size)


def most_informative_crop(
    reference: jax.Array, blurred: jax.Array, size: jax.Array | None = None
) -> Crop:
    """The crop of a frame with the largest sum of squares of B - A: what the blur has changed.

    A small frame, or one that is not much larger than a crop, is its own crop. The images may have
    a ``size`` in the corner of the frame.
    """
    shape = reference.shape
    frame, box = bucket_shape(shape), []
    for own, length in zip(shape, frame, strict=True):
        wanted = max(_LEAST_SIZE, int(_LEAST_PART * length))
        is_cut = math.prod(frame) > _LEAST_PIXELS and 2 * wanted <= 3 * length // 2
        box.append(_BLOCKS * (wanted // _BLOCKS) if is_cut else own)
    crop = tuple(box)
    if crop == shape:
        return Crop.whole(shape)
    # Every eighth row of the blocks is enough.
    step = _ROWS if crop[0] < shape[0] and crop[0] // _BLOCKS % _ROWS == 0 else 1
    energy = (blurred[::step] - reference[::step]) ** 2
    if size is not None:
        energy *= everywhere(shape, energy.dtype, size).values[::step]
    return Crop(densest_box(energy, crop, step, size), crop)


def densest_box(
    energy: jax.Array, box: tuple[int, ...], step: int = 1, size: jax.Array | None = None
) -> jax.Array:
    """Corner of the box with the largest sum of an energy, in quarters of the box, ``[ndim]``.

    The energy is of every pixel, or of every ``step``-th row, with a step that divides a quarter of
    the box. An image of ``size`` px per axis lies in the corner of the frame, and the box within it
    as far as it can; the energy beyond is 0. None: it fills the frame.
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
    for axis in range(len(box)):
        if size is None:
            break
        place = lengths[axis] * jnp.arange(energy.shape[axis], dtype=size.dtype)
        inside = (place == 0) | (place + box[axis] <= size[axis])
        energy = jnp.where(along_axis(inside, axis, len(box)), energy, -1)
    best = jnp.stack(jnp.unravel_index(jnp.argmax(energy), energy.shape))
    return best.astype(jnp.int32) * jnp.asarray(lengths, jnp.int32)
