"""Blurs of scenes by NumPy, and the Gaussian that comes nearest to a blur of another shape.

A scene is continued by its mirror image; pairs are cut out of its middle.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from scipy import fft, signal, special

from experiments.shared.scipy_reference import interior, refined_minimum

Sigma = float | Sequence[float]


def through(image: np.ndarray, transfer: Callable[..., np.ndarray]) -> np.ndarray:
    """What a filter makes of an image; ``transfer`` of the angular frequency along every axis."""
    mirrored = np.pad(image, [(0, n) for n in image.shape], mode="symmetric")
    frequencies = [2 * np.pi * np.fft.fftfreq(n) for n in mirrored.shape]
    frequencies[-1] = 2 * np.pi * np.fft.rfftfreq(mirrored.shape[-1])
    grids = np.meshgrid(*frequencies, indexing="ij", sparse=True)
    made = np.asarray(fft.irfftn(fft.rfftn(mirrored) * transfer(*grids), mirrored.shape))
    return made[tuple(slice(n) for n in image.shape)]


def gaussian(image: np.ndarray, sigma: Sigma, kernel: str = "continuous") -> np.ndarray:
    """A Gaussian blur in one of the package's four conventions; sigma in px, or one per axis."""
    sigmas = np.broadcast_to(np.asarray(sigma, float), image.ndim)

    def transfer(*grids):
        each = (axis_transfer(kernel, s, w) for s, w in zip(sigmas, grids, strict=True))
        return reduce(np.multiply, each)

    return through(image, transfer)


def axis_transfer(kernel: str, sigma: float, w: np.ndarray) -> np.ndarray:
    """Transfer function along one axis, at angular frequencies in rad/px."""
    if sigma == 0:
        return np.ones_like(w)
    if kernel == "continuous":
        return np.exp(-0.5 * sigma**2 * w**2)
    if kernel == "discrete":
        return np.exp(sigma**2 * (np.cos(w) - 1))
    reach = int((4 if kernel == "sampled" else 8) * sigma + 0.5) + (kernel == "integrated")
    n = np.arange(-reach, reach + 1)
    if kernel == "sampled":
        taps = np.exp(-0.5 * (n / sigma) ** 2)
    else:
        taps = np.diff(special.ndtr((np.arange(-reach, reach + 2) - 0.5) / sigma))
    taps = taps / taps.sum()
    return np.tensordot(np.cos(np.multiply.outer(w, n)), taps, axes=1)


def rotated_gaussian(image: np.ndarray, sigmas: Sequence[float], angle: float) -> np.ndarray:
    """A continuous Gaussian of two widths, px, the first along a direction in rad."""
    along, across = sigmas
    c, s = np.cos(angle), np.sin(angle)
    return through(
        image,
        lambda y, x: np.exp(
            -0.5 * (along**2 * (c * x + s * y) ** 2 + across**2 * (c * y - s * x) ** 2)
        ),
    )


def shifted(image: np.ndarray, shift: Sequence[float] | np.ndarray) -> np.ndarray:
    """Displaced by a shift in px, band-limited."""
    return through(
        image, lambda *grids: np.exp(-1j * sum(w * d for w, d in zip(grids, shift, strict=True)))
    )


def convolved(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Filtered by a kernel of odd width, which is normalised."""
    return signal.fftconvolve(image, kernel / kernel.sum(), mode="same")


def radii(reach: int) -> np.ndarray:
    """Distance of every tap from the centre of a kernel of that reach, px."""
    return np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])


def best_gaussian(scene: np.ndarray, other: np.ndarray, pad: int, *, upper: float) -> float:
    """Signed sigma in px of the Gaussian that comes nearest to what was made of a scene.

    Least squares without noise, continuous convention, on the pixels of the frame (what is left
    without ``pad``) that are farther than 4 sigma from its edge. Negative where ``other`` blurred
    comes nearer to the scene than the scene blurred to ``other``.
    """
    sigma = 0.0
    for _ in range(3):  # the interior is that of its own sigma
        frame = min(n - 2 * pad for n in scene.shape)
        margin = pad + min(int(np.ceil(4 * abs(sigma))) + 1, int(0.375 * frame))
        found = _nearest(scene, other, margin, upper), _nearest(other, scene, margin, upper)
        (blur, misfit), (sharpening, exchanged) = found
        sigma = blur if misfit <= exchanged else -sharpening
    return sigma


def _nearest(sharp: np.ndarray, soft: np.ndarray, margin: int, upper: float) -> tuple[float, float]:
    """Sigma, 0 where any blur is worse than none, and its mean squared misfit."""
    coefficients = fft.dctn(sharp)
    frequencies = [np.pi * np.arange(n) / n for n in sharp.shape]
    squared = sum(w**2 for w in np.meshgrid(*frequencies, indexing="ij", sparse=True))
    target = interior(soft, margin)

    def misfit(variance: float) -> float:
        model = np.asarray(fft.idctn(coefficients * np.exp(-0.5 * variance * squared)))
        return float(np.mean((interior(model, margin) - target) ** 2))

    refined, best = refined_minimum(misfit, np.append(0, np.geomspace(0.01, upper**2, 24)))
    variance = min(refined, best, key=misfit)
    variance = variance if variance > 1e-4 else 0.0
    return float(np.sqrt(variance)), misfit(variance)


def least_standard_error(scene: np.ndarray, sigma: float, noise_std: float, pad: int) -> float:
    """Cramer-Rao bound of a continuous Gaussian's sigma, px, for white noise in B.

    Over the pixels of the frame that are farther than ceil(3 sigma) + 2 px from its edge, as
    ``cramer_rao_bound`` of the shared reference has it for SciPy's kernel.
    """

    def slope(*grids):
        squared = sum(w**2 for w in grids)
        return -sigma * squared * np.exp(-0.5 * sigma**2 * squared)

    change = interior(through(scene, slope), pad + int(np.ceil(3 * sigma)) + 2)
    return float(noise_std / np.linalg.norm(change))
