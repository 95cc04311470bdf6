"""The transfer function of a pair as it is, radially averaged: no Gaussian is assumed."""

import math
from dataclasses import dataclass
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import angular_frequencies, forward_transform, half_plane_weights
from gaussjax.model.params import BlurParams
from gaussjax.model.transfer import gaussian_transfer, known_reach
from gaussjax.report.oriented_pair import OrientedPair, orient
from gaussjax.statistics.result import BlurEstimate


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


# Standard deviations by which a bin's power in A must exceed A's noise to be called signal.
_SIGNIFICANT = 3.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TransferProfile:
    """Transfer functions in bins of radial frequency |w|, each of shape ``[bins]``.

    Gain, offset and shift of the estimate are taken out, so that all begin at 1; above 1 B is the
    sharper image.

    Attributes:
        frequency: rad/px, the mean over the bin by the power of A.
        transfer: H1, cross-power over the power of A; unbiased by noise in B. NaN where A holds
            nothing but noise of a known level.
        inverse_noise_transfer: H2, power of B over cross-power; unbiased by noise in A. Noise in B
            raises it: H1 and H2 part where noise takes over.
        coherence: squared, 0 to 1: the part of B's power that A explains by any linear filter.
        fitted: the Gaussian of the estimate, averaged as H1 is.
        standard_error: of ``transfer``.
    """

    frequency: jax.Array
    transfer: jax.Array
    inverse_noise_transfer: jax.Array
    coherence: jax.Array
    fitted: jax.Array
    standard_error: jax.Array

    @property
    def mtf50(self) -> float:
        """Frequency at which ``transfer`` first falls below one half, cycles/px; NaN if nowhere.

        Cycles per pixel as in ISO 12233. Linear between bins, which reads 0.02 as up to 4 % more.
        """
        known = np.isfinite(self.transfer)
        transfer = np.concatenate([[1.0], np.asarray(self.transfer, float)[known]])
        frequency = np.concatenate([[0.0], np.asarray(self.frequency, float)[known]])
        below = np.flatnonzero(transfer < 0.5)
        if not below.size:
            return math.nan
        end = int(below[0])
        part = (transfer[end - 1] - 0.5) / (transfer[end - 1] - transfer[end])
        crossing = frequency[end - 1] + part * (frequency[end] - frequency[end - 1])
        return float(crossing / (2 * math.pi))


def transfer_profile(
    reference, blurred, estimate: BlurEstimate, *, mask=None, num_bins: int = 32
) -> TransferProfile:
    """Measure the transfer function from A to B, beside the Gaussian one of an estimate.

    With a and b the transforms of A and of B without gain, offset and shift, in every bin

        H1 = Re sum conj(a) b / sum |a|^2,    H2 = sum |b|^2 / Re sum conj(a) b,

    where ``b = T a + FT(window (B - prediction))``: the window, a squared sine inside of what the
    blur reaches from beyond the edge, acts on the small residual alone, so that cropping does no
    harm. Noise that is known to be in A (``noise_std``) is taken out of the denominator of H1. A
    report: to be called outside of ``jit``.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        estimate: of this pair, by :func:`~gaussjax.estimate_blur`.
        mask: True where a pixel may be used, as in ``estimate_blur``.
        num_bins: between 0 and pi rad/px; those that hold no frequency are left out.

    Raises:
        TypeError: images that are not arrays of real numbers.
        ValueError: images, masks or estimate that do not fit each other, a batch of estimates, NaN
            or infinite pixels that are not masked, or fewer than one bin.

    Source: J. S. Bendat & A. G. Piersol, "Random Data", 4th ed., Wiley 2010, ch. 6 and 9 (H1, H2
    and the error); ISO 12233:2017 (the unit of MTF50).
    """
    if num_bins < 1:
        raise ValueError(f"num_bins must be at least 1, got {num_bins}")
    pair = orient(reference, blurred, estimate, mask)
    params = pair.params(estimate)
    margins = pair.margins(params, estimate.kernel)
    window = pair.window(margins, 0.5 * (jnp.asarray(pair.shape) - 2 * margins))
    ndim = window.ndim
    total = jnp.sum(window)
    mean = jnp.sum(window * pair.sharp) / jnp.where(total > 0, total, 1)
    a = forward_transform(window * (pair.sharp - mean), ndim)
    residual = window * (pair.soft - pair.predicted(params, estimate.kernel))
    error = _aligned(forward_transform(residual, ndim), params, pair.shape)
    reach = known_reach(params, estimate.kernel, ndim, max(pair.shape))
    gaussian = gaussian_transfer(params, pair.shape, estimate.kernel, reach)
    bins = RadialBins(pair.shape, num_bins)
    return _profile(pair, params, estimate, bins, window, a, gaussian * a + error, gaussian)


def _aligned(spectrum: jax.Array, params: BlurParams, shape: tuple[int, ...]) -> jax.Array:
    """Without the gain and the shift of the model."""
    if params.shift is not None:
        w = angular_frequencies(shape, params.shift.dtype)
        phase = sum(s * wj for s, wj in zip(params.shift, w, strict=True))
        spectrum = spectrum * jnp.exp(1j * phase)
    return spectrum if params.gain is None else spectrum / params.gain


def _profile(
    pair: OrientedPair,
    params: BlurParams,
    estimate: BlurEstimate,
    bins: RadialBins,
    window: jax.Array,
    a: jax.Array,
    b: jax.Array,
    gaussian: jax.Array,
) -> TransferProfile:
    """Bin the powers; where the pair was swapped, A is ``b`` and the way from it the inverse."""
    products = (
        jnp.abs(a) ** 2,
        jnp.abs(b) ** 2,
        jnp.real(jnp.conj(a) * b),
        jnp.imag(jnp.conj(a) * b),
    )
    power, other, real, imaginary = (np.asarray(product, float) for product in products)
    transfer, scale = np.broadcast_to(np.asarray(gaussian, float), power.shape), 1.0
    if pair.is_swapped:
        power, other, transfer = other, power, 1 / transfer
        scale = 1.0 if params.gain is None else float(params.gain)
    total, passed, cross = bins.sum(power), bins.sum(other), bins.sum(real)
    energy = float(jnp.sum(window**2))
    # The window correlates neighbouring frequencies, and half of the plane mirrors the other.
    fourth = float(jnp.sum(window**4)) * window.size
    independent = 0.5 * bins.counts * (energy**2 / fourth if fourth else 0.0)
    levels = np.asarray(estimate.noise_std, float)
    # A level of exactly 0 is that of a fit that was told nothing of noise in both images.
    noise = (levels[0] / scale) ** 2 * energy * bins.counts * (levels.min() > 0)
    dtype = window.dtype
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = total - noise
        signal = np.where(signal > _SIGNIFICANT * noise / np.sqrt(independent), signal, np.nan)
        coherence = np.minimum((cross**2 + bins.sum(imaginary) ** 2) / (total * passed), 1)
        # |H1|^2 (1 - c) / (2 n c), without its division by a small c; and the error of the signal.
        squares = (1 - coherence) * total * passed / 2 + (cross * noise / signal) ** 2
        frequency = bins.sum(power * bins.radius) / total
        plain = bins.sum(bins.radius) / bins.counts
        return TransferProfile(
            frequency=jnp.asarray(np.where(total > 0, frequency, plain), dtype),
            transfer=jnp.asarray(cross / signal, dtype),
            inverse_noise_transfer=jnp.asarray(passed / cross, dtype),
            coherence=jnp.asarray(coherence, dtype),
            fitted=jnp.asarray(bins.sum(power * transfer) / total, dtype),
            standard_error=jnp.asarray(np.sqrt(squares / independent) / signal, dtype),
        )
