"""Rings of radial frequency, in rad/px: the same for images of every shape."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import frequency_indices, plane_counts

# Rounding of a frequency that lies on a ring's edge, as a part of its width.
_ON_EDGE = 1e-9


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

    def traced_sums(self, values: list[jax.Array]) -> jax.Array:
        """The same of several JAX arrays, ``[i, num_bins + 1]``."""
        flat = jnp.stack([value.reshape(-1) for value in values], axis=1)
        weighted = jnp.asarray(self.weights.reshape(-1, 1), flat.dtype) * flat
        # A loop over the frequencies: as a product with a matrix it is a little quicker, but the
        # matrix has a row for each of them.
        return jax.ops.segment_sum(weighted, jnp.asarray(self.ring.ravel()), len(self.counts)).T
