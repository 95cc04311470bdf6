"""Least-squares fits of any transfer function between two images, on pixels common to all.

    soft = gain (K * sharp)(x - shift) + offset + noise

Damped Gauss-Newton steps go on from where ``report/kernel_scan.py`` ends. In NumPy and float64, for
the reason of ``model/kernel_shapes.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from gaussjax.model.boundary import fast_length
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.fourier import forward_transform, plane_counts, spectrum_shape
from gaussjax.model.kernel_shapes import Frequencies
from gaussjax.model.shape_buckets import embed
from gaussjax.pair.transfer_padding import Layout
from gaussjax.report.kernel_candidate import Candidate

_STEPS = 12
_ENOUGH = 1e-3  # noise variances of the sum of squares that a last step may gain


def frequencies(shape: tuple[int, ...]) -> Frequencies:
    """Of the half plane, rad/px, shaped to broadcast."""
    index = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    return np.ix_(*(2 * np.pi * each for each in index))


@dataclass(frozen=True)
class Nuisances:
    """Which of them are fitted, and where they start."""

    gain: float | None
    offset: float | None
    shift: np.ndarray | None

    @property
    def vector(self) -> np.ndarray:
        """Those that are fitted."""
        parts = [
            np.atleast_1d(each) for each in (self.gain, self.offset, self.shift) if each is not None
        ]
        return np.concatenate(parts, dtype=float) if parts else np.empty(0)


@dataclass(frozen=True)
class Found:
    """A kernel at its optimum.

    Attributes:
        candidate: the kernel.
        parameters: of the kernel.
        nuisances: gain, offset, shift as far as they are fitted.
        rows: soft less predicted, and derivatives of the prediction by everything that is fitted.
        noise: products of the rows, per pixel, that white noise of variance 1 in the sharp image
            leaves.
    """

    candidate: Candidate
    parameters: np.ndarray
    nuisances: np.ndarray
    rows: np.ndarray
    noise: np.ndarray

    def moments(self, window: np.ndarray, noise_variance: float) -> np.ndarray:
        """Products of the rows summed over a window, without what noise adds to them."""
        rows = self.rows.reshape(len(self.rows), -1)
        products = (window.ravel() * rows) @ rows.T
        return products - noise_variance * np.sum(window) * self.noise


@dataclass(frozen=True)
class KernelPair:
    """Two images in the form that fits of kernels need.

    Attributes:
        sharp: the sharper one, float64.
        soft: the other one.
        start: of gain, offset and shift.
        noise_variance: of white noise in the sharp image, 0 if it has none.
    """

    sharp: np.ndarray
    soft: np.ndarray
    start: Nuisances
    noise_variance: float = 0.0

    @cached_property
    def mean(self) -> float:
        """Of the sharp image."""
        return float(np.mean(self.sharp))

    @cached_property
    def frame_shape(self) -> tuple[int, ...]:
        """A little larger than the images, which fade into their mirror images there: no jump."""
        wanted = (n + max(8, min(32, n // 8)) for n in self.sharp.shape)
        return tuple(2 * fast_length(-(-n // 2)) for n in wanted)  # even: real transforms are quick

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Of the sharp image without its mean."""
        return np.fft.rfftn(embed(self.sharp - self.mean, self.frame_shape))

    @cached_property
    def w(self) -> Frequencies:
        """Frequencies of the frame."""
        return frequencies(self.frame_shape)

    def image(self, spectrum: np.ndarray) -> np.ndarray:
        """The image of a spectrum of the frame."""
        axes = tuple(range(len(self.frame_shape)))
        return np.fft.irfftn(spectrum, self.frame_shape, axes)[
            tuple(slice(n) for n in self.sharp.shape)
        ]

    def windowed(
        self, window: np.ndarray, residual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        """Spectra of the sharp image and a residual in a window, and the former's noise power."""
        inside = tuple(slice(n) for n in self.sharp.shape)
        frames = np.zeros((2, *self.frame_shape))
        frames[:, *inside] = window * np.stack([self.sharp - self.mean, residual])
        sharp, rest = (np.fft.rfftn(frame) for frame in frames)
        return sharp, rest, self.noise_variance * float(np.sum(window**2))

    def noise_products(self, transfers: list[np.ndarray]) -> np.ndarray:
        """Mean products of white noise of variance 1 behind transfer functions."""
        return _products_over_plane(transfers, plane_counts(self.frame_shape[-1]), self.frame_shape)

    def shifted_back(self, image: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """An image without its displacement of ``shift`` px."""
        phase = np.exp(1j * np.asarray(sum(s * w for s, w in zip(shift, self.w, strict=True))))
        return self.image(phase * np.fft.rfftn(embed(image, self.frame_shape)))

    def split(self, nuisances: np.ndarray) -> tuple[float, float, np.ndarray | None]:
        """Gain, offset and shift of a vector of those that are fitted."""
        rest = list(nuisances)
        gain = rest.pop(0) if self.start.gain is not None else 1.0
        offset = rest.pop(0) if self.start.offset is not None else 0.0
        return gain, offset, np.array(rest) if self.start.shift is not None else None

    def rows(
        self, blurred: list[np.ndarray], nuisances: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residual and derivatives of the prediction, and how they depend on ``blurred``.

        Args:
            blurred: spectra of the blurred sharp image, without its mean, and of its derivatives
                by the parameters of the kernel.
            nuisances: a vector of those that are fitted.

        Returns:
            Rows of ``Found``, and a matrix that has the coefficients of ``blurred`` in each.
        """
        gain, offset, shift = self.split(nuisances)
        if shift is not None:
            phase = np.exp(-1j * np.asarray(sum(s * w for s, w in zip(shift, self.w, strict=True))))
            blurred = [phase * each for each in blurred]
        images = [self.image(each) for each in blurred]
        base = images[0] + self.mean
        rows = [self.soft - gain * base - offset, *(gain * each for each in images[1:])]
        mixing = [gain * row for row in np.eye(len(blurred))]
        mixing[0] = -mixing[0]
        if self.start.gain is not None:
            rows.append(base)
            mixing.append(np.eye(len(blurred))[0])
        if self.start.offset is not None:
            rows.append(np.ones_like(base))
        if shift is not None:
            rows += [gain * self.image(-1j * w * blurred[0]) for w in self.w]
        mixing += [np.zeros(len(blurred))] * (len(rows) - len(mixing))
        return np.stack(rows), np.stack(mixing)


def with_derivatives(
    candidate: Candidate, w: Frequencies, parameters: np.ndarray
) -> list[np.ndarray]:
    """The transfer function, and its derivatives by the parameters, by differences."""
    found = [candidate.transfer(w, parameters)]
    if not candidate.is_listed:
        for step in np.diag(1e-5 * np.maximum(np.abs(parameters), 0.1)):
            ahead = candidate.transfer(w, parameters + step)
            found.append((ahead - found[0]) / np.sum(step))
    return found


def solved(matrix: np.ndarray, gradient: np.ndarray, damping: float = 0.0) -> np.ndarray:
    """Step of damped normal equations; along what they say nothing of, none.

    None at all at the edge of a kernel's domain, where its derivatives are not finite.
    """
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(gradient))):
        return np.zeros_like(gradient)
    unit = np.sqrt(np.maximum(np.diag(matrix), 0))
    unit = np.where(unit > 0, unit, 1)
    scaled = matrix / np.outer(unit, unit) + damping * np.eye(len(unit))
    return np.linalg.lstsq(scaled, gradient / unit, rcond=1e-10)[0] / unit


def refined(
    pair: KernelPair, candidate: Candidate, parameters: np.ndarray, window: np.ndarray
) -> Found:
    """The least-squares fit on the pixels of a window, from the parameters of a scan."""
    nuisances, number = pair.start.vector, 0 if candidate.is_listed else len(parameters)
    count, damping = float(np.sum(window > 0)), 0.0
    best, least, kept = None, np.inf, np.zeros((1, 1))
    for _ in range(_STEPS):
        found = evaluated(pair, candidate, parameters, nuisances)
        moments = found.moments(window, pair.noise_variance)
        if moments[0, 0] <= least:
            best, least, kept = found, moments[0, 0], moments
            damping = damping / 8 if damping > 1e-6 else 0.0
        else:
            damping = max(8 * damping, 1e-3)
        assert best is not None
        step = solved(kept[1:, 1:], kept[1:, 0], damping)
        if damping > 1e3 or kept[1:, 0] @ step < _ENOUGH * abs(least) / count:
            break
        parameters, nuisances = best.parameters, best.nuisances + step[number:]
        if number:
            parameters = np.clip(parameters + step[:number], candidate.lower, candidate.upper)
    assert best is not None
    return best


def evaluated(
    pair: KernelPair, candidate: Candidate, parameters: np.ndarray, nuisances: np.ndarray
) -> Found:
    """Residual and fields of a kernel."""
    if candidate.operator is not None:
        image, noise_gain = candidate.operator(pair.sharp - pair.mean, parameters)
        blurred, products = [np.fft.rfftn(embed(image, pair.frame_shape))], np.array([[noise_gain]])
    else:
        transfers = with_derivatives(candidate, pair.w, parameters)
        blurred = [each * pair.spectrum for each in transfers]
        products = np.zeros((len(transfers),) * 2)
        if pair.noise_variance:
            products = pair.noise_products(transfers)
    rows, mixing = pair.rows(blurred, nuisances)
    return Found(candidate, parameters, nuisances, rows, mixing @ products @ mixing.T)


def _products_over_plane(
    transfers: list[np.ndarray], weights: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Means over all frequencies of weighted products of transfer functions on the half plane."""
    rows = np.stack([np.broadcast_to(each, spectrum_shape(shape)) for each in transfers])
    weighted = (weights * rows).reshape(len(rows), -1)
    return weighted @ rows.reshape(len(rows), -1).T / np.prod(shape)


@dataclass(frozen=True)
class CoarseKernelPair(KernelPair):
    """The same where the soft image has larger pixels; kernels are on the grid of the sharp one.

    A spectrum goes through the pixels of the soft image (:mod:`gaussjax.pair.transfer_padding`)
    before it becomes an image.

    Attributes:
        grid: of the soft image.
    """

    grid: CoarseGrid | None = None

    @cached_property
    def layout(self) -> Layout:
        """Of the continued images."""
        return Layout.of(self.soft.shape, "valid", self.grid)

    @cached_property
    def frame_shape(self) -> tuple[int, ...]:
        """Of the sharp image, continued."""
        return self.layout.reference_shape

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Of the sharp image without its mean, through the pixels of the soft one."""
        return _in_double(_seen, self.layout, self.sharp - self.mean)

    def image(self, spectrum: np.ndarray) -> np.ndarray:
        """The soft image of a spectrum of the frame."""
        return _in_double(Layout.image, self.layout, spectrum)

    def windowed(
        self, window: np.ndarray, residual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        """Such that their products are those in the window, but for what folds into one."""
        mean = np.sqrt(np.mean(window**2))
        rest = _in_double(Layout.transform, self.layout, window**2 * residual) / mean
        # Folding adds the mirror image of what stands beside its own.
        half = np.where(plane_counts(self.frame_shape[-1]) > 1, 1.0, 2.0)
        noise = self.noise_variance * np.prod(self.frame_shape) * half * self._noise_gain
        return mean * half * self.spectrum, rest, mean**2 * noise / self.layout.ratio

    @cached_property
    def _noise_gain(self) -> np.ndarray:
        ones = np.ones(spectrum_shape(self.frame_shape))
        return _in_double(Layout.with_noise_gain, self.layout, ones)

    def noise_products(self, transfers: list[np.ndarray]) -> np.ndarray:
        """Mean products of white noise of variance 1 behind transfer functions and pixels."""
        weights = 2 * self.layout.ratio * self._noise_gain
        return _products_over_plane(transfers, weights, self.frame_shape)


def _seen(layout: Layout, image: jax.Array) -> jax.Array:
    whole = layout.continued_reference(image)
    assert layout.grid is not None
    return layout.grid.seen(forward_transform(whole, whole.ndim), layout.whole)


def _in_double(function: Callable, layout: Layout, values: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(jax.jit(function, static_argnums=0)(layout, values))
