"""Rings of radial frequency, in rad/px: the same for images of every shape."""

import math
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.model.fourier import frequency_indices, plane_counts
from gaussjax.numerics.linear_algebra import product
from gaussjax.numerics.reductions import sums

# Rounding of a frequency that lies on a ring's edge, as a part of its width.
_ON_EDGE = 1e-9
# Frequencies of one ring that a loop adds up.
_BLOCK = 64


class RadialBins:
    """Rings of equal width from 0 to pi rad/px, and one for the corners beyond pi.

    The zero frequency is in none. NumPy in float64; ``image_shape`` and the number of rings up to
    pi are static.

    Attributes:
        radius: |w| of every stored frequency, rad/px, ``[*half plane]``.
        ring: number of its ring, ``num_bins`` in the corners.
        weights: frequencies of the full plane that it stands for, 0 for the zero frequency.
        counts: frequencies of the full plane in a ring, ``[num_bins + 1]``.
    """

    radius: np.ndarray
    ring: np.ndarray
    weights: np.ndarray
    counts: np.ndarray

    def __init__(self, image_shape: tuple[int, ...], num_bins: int) -> None:
        ndim, squares = len(image_shape), np.zeros(())
        for axis, index in enumerate(frequency_indices(image_shape)):
            vector = 2 * math.pi / image_shape[axis] * index
            squares = squares + vector.reshape([-1 if k == axis else 1 for k in range(ndim)]) ** 2
        self.radius = np.sqrt(squares)
        # On an edge, as often for lengths that are powers of 2, it is in the upper ring, whatever
        # the rounding; Nyquist's frequency is in the last one.
        ring = np.floor(self.radius * (num_bins / math.pi) + _ON_EDGE).astype(int)
        inside = self.radius < math.pi + _ON_EDGE
        self.ring = np.where(inside, np.minimum(ring, num_bins - 1), num_bins)
        # A stored frequency stands for itself and its mirror image in the full plane.
        self.weights = plane_counts(image_shape[-1]) * (self.radius > 0)
        self.counts = np.bincount(self.ring.ravel(), self.weights.ravel(), num_bins + 1)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sums ``[num_bins + 1]`` over the full plane of values ``[*half plane]``, even in w."""
        weighted = self.weights * values
        return np.bincount(self.ring.ravel(), weighted.ravel(), len(self.counts))

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the frequencies ring by ring, ``[blocks, _BLOCK]``, and the ring of each block."""
        rings = [np.flatnonzero(self.ring.ravel() == ring) for ring in range(len(self.counts))]
        # What fills up the last block of a ring is the zero frequency, which counts for nothing.
        rows = [np.pad(ring, (0, -len(ring) % _BLOCK)).reshape(-1, _BLOCK) for ring in rings]
        return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(each) for each in rows])

    def in_order(self, values: ArrayLike) -> jax.Array:
        """Values ``[..., *half plane]`` ring by ring, ``[..., blocks, frequencies]``."""
        values = jnp.asarray(values)
        flat = values.reshape(*values.shape[: values.ndim - self.ring.ndim], self.ring.size)
        return jnp.take(flat, jnp.asarray(self._places[0]), axis=-1, mode="clip")

    def ordered_sums(self, values: list[jax.Array]) -> jax.Array:
        """:meth:`sum` of several arrays that are :meth:`in_order`, ``[i, num_bins + 1]``.

        Neighbours add up in a loop, where ring numbers of frequencies in the order of an FFT tell
        it for each one anew where to: three times as long, with all arrays written out.
        """
        weights = jnp.asarray(self.weights.ravel()[self._places[0]], values[0].dtype)
        rows = jnp.stack(sums([weights * value for value in values], (1,)))
        owners = np.eye(len(self.counts))[self._places[1]]
        return product(rows, jnp.asarray(owners, rows.dtype))
