"""Bins of the radial frequency |w|: sums of a half-plane spectrum over rings of the full plane."""

import math
from functools import reduce

import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import angular_frequencies, half_plane_weights


class RadialBins:
    """Rings of equal width from 0 to pi rad/px, without the zero frequency and the corners.

    Rings that hold no frequency are left out. NumPy in float64, outside of tracing.

    Args:
        image_shape: of the images whose spectra are summed.
        num_bins: rings asked for.

    Attributes:
        radius: |w| of every stored frequency, rad/px, ``[*half plane]``.
        counts: frequencies of the full plane in a ring, ``[bins]``.
    """

    radius: np.ndarray
    counts: np.ndarray

    def __init__(self, image_shape: tuple[int, ...], num_bins: int) -> None:
        squares = [np.asarray(w, float) ** 2 for w in angular_frequencies(image_shape, jnp.float32)]
        self.radius = np.sqrt(reduce(np.add, squares))
        # Of the full plane, where a stored frequency stands for itself and its mirror image.
        weights = math.prod(image_shape) * np.asarray(half_plane_weights(image_shape, jnp.float32))
        # Nyquist's frequency is in, whatever its rounding.
        inside = (self.radius > 0) & (self.radius < math.pi * (1 + 1e-5))
        self._weights = np.where(inside, weights, 0.0)
        index = (self.radius * (num_bins / math.pi)).astype(int)
        self._index, self._num_bins = np.minimum(index, num_bins - 1).ravel(), num_bins
        totals = np.bincount(self._index, self._weights.ravel(), num_bins)
        self._occupied = totals > 0
        self.counts = totals[self._occupied]

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sums ``[bins]`` over the full plane of real values ``[*half plane]``, even in w."""
        weighted = (self._weights * values).ravel()
        return np.bincount(self._index, weighted, self._num_bins)[self._occupied]
