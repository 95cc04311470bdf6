"""Level and autocorrelation of noise, from exposures of one scene."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from gaussjax.model.array_checks import as_real, check_known

# Lags that are looked at: so many px at most, and this part of an axis.
_LARGEST, _PART = 32, 4
# Standard errors beyond which there is a correlation: of a thousand lags none is so by chance.
_SIGNIFICANT = 4.0
# Correlations end where there is none at so many px more.
_GAP = 3


def noise_of_repeats(exposures: ArrayLike) -> tuple[float, np.ndarray]:
    """Level and autocorrelation of the noise in exposures of one scene, from their differences.

    With d_i the differences from the mean of n exposures y_i,

        c(x) = sum_i sum_p d_i(p) d_i(p + x) / ((n - 1) pixels),    std = sqrt(c(0)),
        correlation(x) = lambda(x) c(x) / c(0),

    with a flat-topped lag window: lambda is 1 as far as correlations are significant and falls to 0
    over as many px again. White noise has the correlation ``[[1]]``.

    Args:
        exposures: ``[n, *shape]`` with n >= 2, of rank 1 to 3, as they go into an estimate
            (resampled, denoised, developed), registered, of one brightness. A constant between them
            does no harm.

    Returns:
        std: of one exposure, in its unit: for the mean of n divide by sqrt(n). Where the noise
        follows the signal it is the root of the mean variance.

        correlation: an array with odd sides, 1 in its middle, for ``noise_correlation``. Its error
        is that of ``(n - 1) pixels`` pixels: they should be more than those of the pair.

    Raises:
        TypeError: not an array of real numbers.
        ValueError: fewer than two exposures, another rank, values that are traced or not finite, or
            exposures that are all the same.

    Source: D. N. Politis, "Adaptive bandwidth choice", J. Nonparametr. Stat. 15, 2003 (flat-topped
    lag windows, and how wide they are to be).

    Example:
        >>> std, correlation = gaussjax.noise_of_repeats(stack)
        >>> gaussjax.estimate_blur(
        ...     stack[0], blurred, noise_std=(std, 0.01), noise_correlation=(correlation, None)
        ... )
    """
    check_known("its correlations are looked at", exposures=exposures)
    stack = np.asarray(as_real(exposures, "exposures"), float)
    if not 2 <= stack.ndim <= 4 or len(stack) < 2 or min(stack.shape[1:]) < 2:
        raise ValueError(
            "exposures must be a stack [n, *shape] of at least two images of rank 1 to 3 and one"
            f" scene; got shape {stack.shape}"
        )
    if not np.all(np.isfinite(stack)):
        raise ValueError("exposures has NaN or infinite pixels; crop to where all are known")
    reach = [min(_LARGEST, n // _PART) for n in stack.shape[1:]]
    covariance = _autocovariance(stack - np.mean(stack, axis=0), reach)
    level = covariance[tuple(reach)]
    if not level > 0:
        raise ValueError("exposures are all the same: their differences show no noise")
    return math.sqrt(level), _windowed(covariance / level, (len(stack) - 1) * stack[0].size)


def _autocovariance(differences: np.ndarray, reach: list[int]) -> np.ndarray:
    """Autocovariance of differences from a mean, ``[2 reach + 1]`` lags along every axis."""
    n, *shape = differences.shape
    axes, room = range(len(shape)), [size + r for size, r in zip(shape, reach, strict=True)]
    total = 0.0
    for each in differences:
        transform = np.fft.rfftn(each - np.mean(each), room, axes)
        total = total + np.abs(transform) ** 2
    products = np.fft.irfftn(total, room, axes)
    for axis, (size, r) in enumerate(zip(shape, reach, strict=True)):
        lags = np.arange(-r, r + 1)
        pairs = (size - np.abs(lags)).reshape([-1 if k == axis else 1 for k in axes])
        products = np.take(products, lags, axis, mode="wrap") / pairs
    return products / (n - 1)


def _windowed(rho: np.ndarray, num_pixels: int) -> np.ndarray:
    """Correlations times the lag window, in the box where that is not 0."""
    far = np.max(np.abs(np.indices(rho.shape).T - np.array(rho.shape) // 2), axis=-1).T
    chance = _SIGNIFICANT / math.sqrt(num_pixels)
    # The squares of correlations add to the variance of each of them (Bartlett's formula).
    chance *= math.sqrt(np.sum(rho**2, where=np.abs(rho) > chance))
    # Not beyond half of the box, so that the window has room to fall, nor beyond a gap.
    correlated = np.unique(far[(np.abs(rho) > chance) & (far <= np.max(far) // 2)])
    reach = int(correlated[np.flatnonzero(np.diff(correlated, append=np.inf) > _GAP)[0]])
    window = np.clip((2 * reach + 1 - far) / (reach + 1), 0, 1)
    box = tuple(slice(max(n // 2 - 2 * reach, 0), n // 2 + 2 * reach + 1) for n in rho.shape)
    found = (window * rho)[box]
    # Symmetric to the last digit.
    return (found + np.flip(found)) / 2
