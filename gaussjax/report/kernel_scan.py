"""Where fits of kernels start: the best parameters by spectra in bins of frequency.

The misfit of disks and boxes has many minima, so that many starts are tried. A transfer function
changes slowly with frequency: spectra are summed over bins of up to four frequencies per axis.
"""

from dataclasses import dataclass

import numpy as np

from gaussjax.model.fourier import plane_counts
from gaussjax.model.kernel_shapes import Frequencies, gaussian
from gaussjax.report.kernel_candidate import Candidate
from gaussjax.report.kernel_fit import KernelPair, solved, with_derivatives

_FINE, _COARSE = 16, 48  # indices of frequencies up to which bins hold one and two of them
_STEPS, _ENOUGH = 12, 2e-3  # at most; relative change at which they end


@dataclass(frozen=True)
class BinnedSpectra:
    """Power of the sharp image and cross-power, summed over bins of frequency.

    Attributes:
        w: frequencies of the bins.
        power: P.
        cross: C; the blur that is looked for is C / P but for noise.
    """

    w: Frequencies
    power: np.ndarray
    cross: np.ndarray

    def misfit(self, transfer: np.ndarray) -> float:
        """Sum of squares but for a constant."""
        return float(np.sum((self.power * transfer - 2 * self.cross) * transfer))

    def equations(self, rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and matrix of a Gauss-Newton step, from T and its derivatives."""
        slopes = np.reshape(rows[1:], (len(rows) - 1, -1))
        rest = (self.cross - self.power * rows[0]).ravel()
        return slopes @ rest, (self.power.ravel() * slopes) @ slopes.T


def binned_spectra(pair: KernelPair, window: np.ndarray, sigma: float) -> BinnedSpectra:
    """Spectra in which a Gaussian of ``sigma`` stands for what the window does not touch.

    ``b = T a + FT(window (soft - T * sharp))``, as in ``transfer_profile``.
    """
    shape, w = pair.frame_shape, pair.w
    transfer = gaussian(w, sigma**2)
    (residual, *_), _ = pair.rows([transfer * pair.spectrum], pair.start.vector)
    gain, _, shift = pair.split(pair.start.vector)
    sharp, rest, noise = pair.windowed(window, residual)
    rest = rest / gain
    if shift is not None:
        rest = rest * np.exp(
            1j * np.asarray(sum(s * each for s, each in zip(shift, w, strict=True)))
        )
    power = np.abs(sharp) ** 2
    cross = transfer * power + np.real(np.conj(sharp) * rest)
    both = plane_counts(shape[-1]) * np.stack([power - noise, cross])
    bins = [_bins(n, k == len(shape) - 1) for k, n in enumerate(shape)]
    for axis, (starts, order, _) in enumerate(bins, start=1):
        both = np.add.reduceat(np.take(both, order, axis), starts, axis)
    return BinnedSpectra(np.ix_(*(each for _, _, each in bins)), *both)


def _bins(size: int, is_half: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts of bins in the sorted indices of frequencies, their order, mean frequencies."""
    index = np.arange(size // 2 + 1) if is_half else np.arange(-(size // 2), (size + 1) // 2)
    order = index if is_half else np.argsort(np.fft.fftfreq(size), kind="stable")
    near = np.abs(index)
    label = np.where(near < _FINE, near, np.where(near < _COARSE, near // 2 * 2, near // 4 * 4))
    starts = np.flatnonzero(np.diff(np.sign(index) * label - (index < 0) * 0.5, prepend=np.inf))
    mean = np.add.reduceat(index.astype(float), starts) / np.diff(np.append(starts, len(index)))
    return starts, order, 2 * np.pi / size * mean


def scanned(candidate: Candidate, spectra: BinnedSpectra, sigma: float) -> np.ndarray:
    """The parameters of least misfit to binned spectra, from the best of many starts."""
    starts = candidate.starts(sigma)
    misfits = np.array([spectra.misfit(candidate.transfer(spectra.w, each)) for each in starts])
    # Of taps that reach too far it is NaN.
    misfits = np.nan_to_num(misfits, nan=np.inf)
    if candidate.is_listed or not starts.shape[1]:
        return starts[np.argmin(misfits)]
    best = np.argsort(misfits)[:2]
    if starts.shape[1] == 1:
        padded = np.pad(misfits, 1, constant_values=np.inf)
        valleys = np.flatnonzero((misfits <= padded[:-2]) & (misfits <= padded[2:]))
        best = valleys[np.argsort(misfits[valleys])][:2]

    found = [_minimum(candidate, spectra, starts[k]) for k in best]
    return min(found, key=lambda each: each[0])[1]


def _minimum(
    candidate: Candidate, spectra: BinnedSpectra, parameters: np.ndarray
) -> tuple[float, np.ndarray]:
    """Misfit and parameters by Levenberg and Marquardt's steps within the bounds."""
    least = spectra.misfit(candidate.transfer(spectra.w, parameters))
    damping = 1e-3
    for _ in range(_STEPS):
        rows = with_derivatives(candidate, spectra.w, parameters)
        gradient, matrix = spectra.equations(rows)
        for _ in range(6):
            step = solved(matrix, gradient, damping)
            trial = np.clip(parameters + step, candidate.lower, candidate.upper)
            found = spectra.misfit(candidate.transfer(spectra.w, trial))
            if found <= least:
                break
            damping *= 8
        else:
            break
        is_done = np.all(np.abs(trial - parameters) < _ENOUGH * (np.abs(trial) + 1e-3))
        parameters, least, damping = trial, found, max(damping / 10, 1e-9)
        if is_done:
            break
    return least, parameters
