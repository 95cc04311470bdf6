"""Widths of a fitted kernel beside sigma: each is a multiple of it that depends on the exponent."""

import math
from typing import Any

import jax
import numpy as np

from gaussjax.checks import as_number
from gaussjax.model.params import BlurParams, namespace
from gaussjax.model.radial_kernel import energy_series, fwhm_series, log_width
from gaussjax.statistics.gaussianity import Gaussianity

# Full width at half maximum of a Gaussian, in sigmas: 2 sqrt(2 ln 2).
FWHM_PER_SIGMA = 2.0 * (2.0 * np.log(2.0)) ** 0.5


def fwhm_per_sigma(exponent: jax.Array | None, ndim: int) -> tuple[Any, Any]:
    """Full width at half maximum in units of s, and the derivative of its logarithm by p.

    Of the kernel along a line through its centre; but for p = 2 the dimensions differ.
    """
    if exponent is None:
        return FWHM_PER_SIGMA, 0.0
    log, slope = log_width(fwhm_series(ndim), exponent)
    return namespace(exponent).exp(log), slope


def half_contrast(exponent: jax.Array | None) -> tuple[Any, Any]:
    """Frequency (cycles/px) times s at which T is 1/2: ``(2 ln 2)^(1 / p) / (2 pi)``.

    And the derivative of its logarithm by p, ``-ln(2 ln 2) / p^2``.
    """
    if exponent is None:
        return FWHM_PER_SIGMA / (4 * np.pi), 0.0
    slope = -math.log(math.log(4)) / exponent**2
    return math.log(4) ** (1 / exponent) / (2 * math.pi), slope


def half_contrast_error(sigma, sigma_error, found: Gaussianity | None) -> Any:
    """Standard error of the frequency at which T is 1/2; NaN or infinite where sigma is 0."""
    factor, slope = half_contrast(None if found is None else found.exponent)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The error of the logarithm, in which the frequency falls as sigma rises.
        part = width_error(1.0, -sigma_error / sigma, 1.0, slope, found)
        return factor / abs(sigma) * abs(part)


def energy_radius_per_sigma(params: BlurParams, ndim: int, fraction: float) -> tuple[Any, Any]:
    """Radius within which this part of the kernel's sum lies, in units of s.

    And the derivative of its logarithm by p. ValueError for a fraction that is traced or not
    between 0 and 1, or a blur that is not round.
    """
    fraction = as_number(fraction, "fraction", "between 0 and 1", lambda x: 0 < x < 1)
    if params.family not in ("isotropic", "generalised"):
        raise ValueError(
            "the radius of enclosed energy is of a round kernel: family must be 'isotropic' or"
            f" 'generalised', got {params.family!r}"
        )
    series = energy_series(ndim, fraction)
    if params.exponent is None:
        return math.exp(log_width(series, np.float64(2))[0]), 0.0
    log, slope = log_width(series, params.exponent)
    return namespace(params.exponent).exp(log), slope


def width_error(sigma, sigma_error, per_sigma, slope, found: Gaussianity | None) -> Any:
    """Standard error of ``per_sigma(p) sigma`` (px), from those of sigma and p.

    ``slope`` is the derivative of the logarithm of the factor by p; ``found`` None: no p is fitted.
    """
    by_sigma = per_sigma * sigma_error
    if found is None:
        return by_sigma
    by_exponent = per_sigma * sigma * slope * found.standard_error
    square = by_sigma**2 + by_exponent**2 + 2 * found.correlation * by_sigma * by_exponent
    xp = namespace(square)
    return xp.sqrt(xp.maximum(square, 0))
