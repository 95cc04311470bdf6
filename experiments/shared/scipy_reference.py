"""The outside reference: SciPy's optimiser on SciPy's blur, in the image domain."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage, optimize


def least_squares_sigma(
    reference: np.ndarray,
    blurred: np.ndarray,
    *,
    initial: float,
    upper: float,
    margin: int = 0,
    mode: str = "reflect",
    truncate: float = 4.0,
) -> tuple[float, bool]:
    """Bounded nonlinear least squares in sigma, ``scipy.optimize.least_squares``.

    Args:
        reference: A.
        blurred: B.
        initial: start, px.
        upper: bound on sigma, px; the lower one is 0.
        margin: px left out along every edge.
        mode: what ``scipy.ndimage.gaussian_filter`` assumes beyond the edge.
        truncate: its radius in sigmas.

    Returns:
        sigma in px, and whether SciPy calls it converged.
    """
    target = interior(blurred, margin).ravel()

    def residual(sigma: np.ndarray) -> np.ndarray:
        model = ndimage.gaussian_filter(reference, sigma[0], mode=mode, truncate=truncate)
        return interior(model, margin).ravel() - target

    solution = optimize.least_squares(residual, initial, bounds=(0, upper))
    return float(solution.x[0]), bool(solution.success)


def least_misfit(
    measure: Callable[[np.ndarray], float],
    reference: np.ndarray,
    blurred: np.ndarray,
    *,
    upper: float,
    margin: int,
) -> float:
    """The sigma in px of the least ``measure(g*A - B)``: a grid, then a bounded search."""

    def misfit(sigma: float) -> float:
        return measure(gaussian_residual(reference, blurred, sigma, margin))

    refined, best = refined_minimum(misfit, np.append(0, np.geomspace(0.1, upper, 40)))
    return min(refined, best, key=misfit)


def refined_minimum(misfit: Callable[[float], float], grid: np.ndarray) -> tuple[float, float]:
    """Where a function is least, by a search around its least grid point; and that grid point."""
    best = int(np.argmin([misfit(value) for value in grid]))
    bracket = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    return bounded_minimum(misfit, bracket), float(grid[best])


def bounded_minimum(misfit: Callable[[float], float], bounds: tuple[float, float]) -> float:
    """Where a function is least within bounds, by Brent's method."""
    found: Any = optimize.minimize_scalar(misfit, bounds=bounds, method="bounded")
    return float(found.x)


def gaussian_residual(
    reference: np.ndarray, blurred: np.ndarray, sigma: float, margin: int
) -> np.ndarray:
    """``g*A - B`` farther than ``margin`` px from the edge; NaN for a NaN sigma.

    A Gaussian can only blur: a negative sigma counts as zero.
    """
    if not np.isfinite(sigma):
        return np.full_like(interior(blurred, margin), np.nan)
    return interior(ndimage.gaussian_filter(reference, max(sigma, 0.0)) - blurred, margin)


def root_mean_square(residual: np.ndarray) -> float:
    """Square root of the mean r^2."""
    return float(np.sqrt(np.mean(residual**2)))


def mean_absolute(residual: np.ndarray) -> float:
    """Mean |r|."""
    return float(np.mean(np.abs(residual)))


def continuous_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """SciPy's Gaussian in the Fourier domain: continuous and periodic."""
    return np.fft.ifftn(ndimage.fourier_gaussian(np.fft.fftn(image), sigma)).real


def interior(image: np.ndarray, margin: int) -> np.ndarray:
    """The pixels farther than ``margin`` from every edge."""
    return image[tuple(slice(margin, n - margin) for n in image.shape)]


def cramer_rao_bound(scene: np.ndarray, sigma: float, noise_std: float, crop: Callable) -> float:
    """Least standard deviation that an unbiased estimate of sigma can have, px.

    ``noise_std / ||dB/dsigma||`` for white noise in B, over the pixels of the crop that are
    farther than ceil(3 sigma) + 2 px from its edge; the derivative is a central difference of
    SciPy's blur with its number of taps held fixed.
    """
    radius, step = int(4 * sigma + 0.5), 1e-4 * sigma
    above, below = (
        ndimage.gaussian_filter(scene, sigma + change, radius=radius) for change in (step, -step)
    )
    slope = interior(crop((above - below) / (2 * step)), int(np.ceil(3 * sigma)) + 2)
    return float(noise_std / np.linalg.norm(slope))
