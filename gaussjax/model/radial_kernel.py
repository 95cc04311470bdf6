"""The kernel of a generalised Gaussian as a function of the radius: its widths, in units of s.

With T = exp(-w^p / 2) the kernel in one, two or three dimensions is ``int T(w) b(w r) w^(d-1) dw``,
b = cos, J0 or sinc, and the mass beyond a radius an integral of 1 - T. For a large radius that
oscillates. Turned into the complex plane, w = |w| exp(i phi) with phi below pi / 2 and pi / 2p,
1 - T stays bounded and exp(i w r) decays, so that the trapezoidal rule in log |w| converges
geometrically. J0 and J1 are means of cosines and sines over directions.

Widths are found at Chebyshev nodes in p, and interpolated in between: a millionth.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, legendre

from gaussjax.model.generalised_gaussian import LARGEST_EXPONENT, LEAST_EXPONENT
from gaussjax.model.params import namespace

_NODES = 18  # in p
_MIDDLE, _HALF = (LARGEST_EXPONENT + LEAST_EXPONENT) / 2, (LARGEST_EXPONENT - LEAST_EXPONENT) / 2
# log |w r| of the nodes along the ray.
_STEP = 0.06
_LOGS = np.arange(-20, 6, _STEP)
_HALVINGS = 16


def log_width(coefficients: np.ndarray, exponent) -> tuple[Any, Any]:
    """Logarithm of a width over s, and its derivative by p; for NumPy and JAX arrays.

    The coefficients are those of :func:`fwhm_series` or :func:`energy_series`.
    """
    xp = namespace(exponent)
    angle = xp.arccos(xp.clip((exponent - _MIDDLE) / _HALF, -1, 1))

    def value(series):
        return sum(float(c) * xp.cos(k * angle) for k, c in enumerate(series))

    return value(coefficients), value(chebyshev.chebder(coefficients) / _HALF)


@cache
def fwhm_series(ndim: int) -> np.ndarray:
    """The series of log(full width at half maximum / s)."""

    def above_half(radius, exponents):
        return _kernel(exponents, radius, ndim) - 0.5 * _kernel(exponents, 0 * radius, ndim)

    return _series(above_half, 0.05, 3.0) + np.eye(_NODES)[0] * np.log(2)


@cache
def energy_series(ndim: int, fraction: float) -> np.ndarray:
    """The series of log(radius within which this part of the kernel's sum lies / s)."""

    def outside(radius, exponents):
        return _mass_beyond(exponents, radius, ndim) - (1 - fraction)

    return _series(outside, 1e-3, 1e3)


def _series(falling: Callable, low: float, high: float) -> np.ndarray:
    """Chebyshev coefficients of the logarithm of a root in the radius, by p."""
    x = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    exponents = _MIDDLE + _HALF * x
    below, above = (np.full(_NODES, np.log(end)) for end in (low, high))
    for _ in range(_HALVINGS):
        middle = 0.5 * (below + above)
        inside = falling(np.exp(middle), exponents) > 0
        below, above = np.where(inside, middle, below), np.where(inside, above, middle)
    first, last = (falling(np.exp(end), exponents) for end in (below, above))
    return chebyshev.chebfit(x, below + (above - below) * first / (first - last), _NODES - 1)


@cache
def _gauss_legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes between -1 and 1, and weights."""
    return legendre.leggauss(count)


def _kernel(exponents: np.ndarray, radius: np.ndarray, ndim: int) -> np.ndarray:
    """The kernel at a radius of at most a few s, up to a factor that depends on p, ``[n]``."""
    nodes, weights = _gauss_legendre(200)
    nodes = 0.5 * (nodes + 1)
    # Denser near 0, where T is not smooth; T ends at 2e-18.
    longest = 80.0 ** (1 / exponents)[:, None]
    w = longest * nodes**4
    weights = longest * nodes**3 * weights * np.exp(-0.5 * w ** exponents[:, None])
    x = w * radius[:, None]
    if ndim == 1:
        return np.sum(weights * np.cos(x), axis=1)
    if ndim == 3:
        return np.sum(weights * w**2 * np.sinc(x / np.pi), axis=1)
    directions = np.sin(np.pi * (np.arange(32) + 0.5) / 64)
    return np.sum(weights * w * sum(np.cos(x * part) for part in directions), axis=1)


def _mass_beyond(exponents: np.ndarray, radius: np.ndarray, ndim: int) -> np.ndarray:
    """Part of the kernel's sum that lies farther than a radius, ``[n]``."""
    angle = 0.8 * np.minimum(np.pi / 2, np.pi / (2 * exponents))[:, None]
    turned = _LOGS + 1j * angle  # logarithm of z = w r
    z = np.exp(turned)
    powers, decay = np.exp(exponents[:, None] * turned), np.exp(1j * z)

    def integral(distance, factor):
        missing = 1 - np.exp(-0.5 * powers * (distance**-exponents)[:, None])
        return _STEP * np.sum(missing * factor, axis=1).imag

    if ndim != 2:
        return 2 / np.pi * integral(radius, decay * (1 if ndim == 1 else 1 - 1j * z))
    nodes, weights = _gauss_legendre(32)
    parts = np.sin(np.pi / 4 * (nodes + 1))
    return 0.5 * weights @ np.stack([integral(radius * part, decay * z) for part in parts])
