"""The measured transfer function of a pair, radially averaged; no Gaussian is assumed."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import as_count
from gaussjax.model.arguments import Mask
from gaussjax.model.fourier import (
    forward_transform,
    multiply,
    shift_phase,
)
from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams
from gaussjax.model.radial_bins import RadialBins
from gaussjax.model.transfer import gaussian_transfer, known_reach
from gaussjax.pair.oriented_pair import OrientedPair, orient
from gaussjax.pair.transfer_fit import fit_transfer
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.transfer_estimate import TransferEstimate
from gaussjax.statistics.transfer_profile import TransferProfile

_MOST_BINS = 2**16  # more than any image has radii that differ
_SIGNIFICANT = 3.0  # standard deviations by which the power of a signal exceeds that of noise


def transfer_profile(
    reference: ArrayLike,
    blurred: ArrayLike,
    estimate: BlurEstimate,
    *,
    mask: Mask | None = None,
    num_bins: int = 32,
) -> TransferProfile:
    """Measure the transfer function from A to B, beside the Gaussian one of an estimate.

    With a and b the transforms of A and of B without gain, offset and shift, in every bin

        H1 = Re sum conj(a) b / sum |a|^2,    H2 = sum |b|^2 / Re sum conj(a) b,

    where ``b = T a + FT(window (B - prediction))``: the window, a squared sine inside of what the
    blur reaches from beyond the edge, acts on the small residual alone, so that cropping does no
    harm. The power of known noise in A (``noise_std``) is subtracted from the denominator of H1.
    Across grids H1 is that of :func:`~gaussjax.fit_transfer`, which knows what folds where, and H2
    is not known (NaN). Not for use under ``jit``.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        estimate: of this pair, by :func:`~gaussjax.estimate_blur`.
        mask: True where a pixel may be used, as in ``estimate_blur``.
        num_bins: between 0 and pi rad/px; those that hold no frequency are left out.

    Raises:
        TypeError: images that are not arrays of real numbers, or no estimate.
        ValueError: images, masks or estimate that do not fit each other, a batch of estimates, NaN
            or infinite pixels that are not masked, or fewer than one bin.

    Source: J. S. Bendat & A. G. Piersol, "Random Data", 4th ed., Wiley 2010, ch. 6 and 9 (H1, H2
    and the error); ISO 12233:2017 (the unit of MTF50).
    """
    num_bins = as_count(num_bins, "num_bins", 1, _MOST_BINS)
    pair = orient(reference, blurred, estimate, mask)
    params, kernel = pair.params(estimate), estimate.kernel
    if pair.grid is not None:
        found = fit_transfer(
            reference,
            blurred,
            gain=params.gain is not None,
            shift=params.shift is not None,
            noise_std=_noise_of_both(estimate),
            mask=mask,
            sampling=pair.grid.steps,
            pixel=pair.grid.pixel,  # pyright: ignore[reportArgumentType]  # one of `PIXELS`
            centre=pair.grid.first,
            num_bins=min(num_bins, min(pair.sharp.shape) // 2),
        )
        return _of_fit(found, params, kernel, pair)
    reach = known_reach(params, kernel, pair.shape)
    predicted = pair.predicted(params, kernel)
    *spectra, gaussian, window = _spectra(pair, params, predicted, kernel, reach)
    a, b = (np.asarray(spectrum, complex) for spectrum in spectra)
    transfer, levels = np.asarray(gaussian, float), np.asarray(estimate.noise_std, float)
    if pair.is_swapped:
        a, b, transfer = b, a, 1 / transfer
        levels = levels / (1.0 if params.gain is None else float(params.gain))
    # A level of exactly 0 is that of a fit that was given no noise of both images.
    noise = levels[0] ** 2 * (levels.min() > 0)
    return _profile(RadialBins(pair.shape, num_bins), a, b, transfer, noise, window)


def _noise_of_both(estimate: BlurEstimate) -> tuple[float, float] | None:
    """Levels that were given or found; None: of a fit to noise in B alone."""
    first, second = (float(level) for level in estimate.noise_std)
    return (first, second) if min(first, second) > 0 else None


def _of_fit(
    found: TransferEstimate, params: BlurParams, kernel: Kernel, pair: OrientedPair
) -> TransferProfile:
    """The profile of a fitted transfer function, beside the Gaussian of the parameters."""
    shape = pair.sharp.shape
    gaussian = gaussian_transfer(params, shape, kernel, known_reach(params, kernel, shape))
    bins = RadialBins(shape, found.frequency.size)
    counts = np.maximum(bins.counts, 1)
    radius = bins.sum(bins.radius) / counts
    fitted = np.interp(found.frequency, radius[:-1], (bins.sum(np.asarray(gaussian)) / counts)[:-1])
    return TransferProfile(
        frequency=found.frequency,
        transfer=found.transfer,
        inverse_noise_transfer=jnp.full_like(found.transfer, jnp.nan),
        coherence=found.coherence,
        fitted=jnp.asarray(fitted, found.transfer.dtype),
        standard_error=found.standard_error,
    )


@partial(jax.jit, static_argnames=("kernel", "reach"))
def _spectra(
    pair: OrientedPair, params: BlurParams, predicted: jax.Array, kernel: Kernel, reach: int
) -> tuple[jax.Array, ...]:
    """Windowed spectra of the sharp image and of the aligned soft one; T; the window."""
    margins = pair.margins(params, kernel)
    inside = jnp.asarray(pair.shape, margins.dtype) - 2 * margins
    window = pair.window(margins, 0.5 * inside.astype(pair.sharp.dtype))
    total = jnp.sum(window)
    mean = jnp.sum(window * pair.sharp) / jnp.where(total > 0, total, 1)
    sharp = forward_transform(window * (pair.sharp - mean), window.ndim)
    residual = forward_transform(window * (pair.soft - predicted), window.ndim)
    gaussian = gaussian_transfer(params, pair.shape, kernel, reach)
    soft = multiply(gaussian, sharp) + _aligned(residual, params, pair.shape)
    return sharp, soft, gaussian, window


def _aligned(spectrum: jax.Array, params: BlurParams, shape: tuple[int, ...]) -> jax.Array:
    """Without the gain and the shift of the model."""
    if params.shift is not None:
        spectrum = spectrum * shift_phase(-params.shift, shape)
    return spectrum if params.gain is None else multiply(1 / params.gain, spectrum)


def _profile(
    bins: RadialBins,
    a: np.ndarray,
    b: np.ndarray,
    gaussian: np.ndarray,
    noise_variance: float,
    window: jax.Array,
) -> TransferProfile:
    """The profile from the windowed spectra of A and of the aligned B, by sums over every bin."""
    shown = np.flatnonzero(bins.counts[:-1])

    def ring_sum(values):
        """Over the rings that hold a frequency, without the corners."""
        return bins.sum(values)[shown]

    counts = bins.counts[shown]
    power, product = np.abs(a) ** 2, np.conj(a) * b
    total, passed = ring_sum(power), ring_sum(np.abs(b) ** 2)
    cross, imaginary = ring_sum(np.real(product)), ring_sum(np.imag(product))
    energy = float(jnp.sum(window**2))
    # The window correlates neighbouring frequencies, and half of the plane mirrors the other.
    fourth = float(jnp.sum(window**4)) * window.size
    independent = 0.5 * counts * (energy**2 / fourth if fourth else 0.0)
    noise = noise_variance * energy * counts
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = total - noise
        signal = np.where(signal > _SIGNIFICANT * noise / np.sqrt(independent), signal, np.nan)
        coherence = np.minimum((cross**2 + imaginary**2) / (total * passed), 1)
        # |H1|^2 (1 - c) / (2 n c), without its division by a small c; and the error of the signal.
        squares = (1 - coherence) * total * passed / 2 + (cross * noise / signal) ** 2
        frequency = ring_sum(power * bins.radius) / total
        plain = ring_sum(bins.radius) / counts
        values = {
            "frequency": np.where(total > 0, frequency, plain),
            "transfer": cross / signal,
            "inverse_noise_transfer": passed / cross,
            "coherence": coherence,
            "fitted": ring_sum(power * gaussian) / total,
            "standard_error": np.sqrt(squares / independent) / signal,
        }
    dtype = window.dtype
    return TransferProfile(**{name: jnp.asarray(value, dtype) for name, value in values.items()})
