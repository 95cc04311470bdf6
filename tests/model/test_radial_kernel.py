"""Widths of generalised Gaussians against closed forms and a transform of their own."""

import math

import numpy as np
import pytest
import scipy.stats

from gaussjax.model.radial_kernel import energy_series, fwhm_series, log_width


def width(series, exponent):
    return math.exp(log_width(series, np.float64(exponent))[0])


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_gaussians(ndim):
    np.testing.assert_allclose(width(fwhm_series(ndim), 2), math.sqrt(8 * math.log(2)), rtol=1e-6)
    for fraction in (0.5, 0.8):
        expected = scipy.stats.chi.ppf(fraction, ndim)
        np.testing.assert_allclose(width(energy_series(ndim, fraction), 2), expected, rtol=1e-5)


def test_moffat_functions():
    # T = exp(-a w) with a = 1/2: (1 + (r / a)^2)^(-(d + 1) / 2), a Moffat function.
    for ndim in (1, 2, 3):
        expected = math.sqrt(2 ** (2 / (ndim + 1)) - 1)
        np.testing.assert_allclose(width(fwhm_series(ndim), 1), expected, rtol=1e-6)
    for fraction in (0.5, 0.8):
        line = 0.5 * math.tan(0.5 * math.pi * fraction)
        plane = 0.5 * math.sqrt((1 - fraction) ** -2 - 1)
        np.testing.assert_allclose(width(energy_series(1, fraction), 1), line, rtol=1e-5)
        np.testing.assert_allclose(width(energy_series(2, fraction), 1), plane, rtol=1e-5)
        # In space: 2 / pi (atan q - q / (1 + q^2)) of the mass within q a.
        q = width(energy_series(3, fraction), 1) / 0.5
        inside = 2 / math.pi * (math.atan(q) - q / (1 + q**2))
        np.testing.assert_allclose(inside, fraction, rtol=1e-5)


@pytest.mark.parametrize("exponent", [1.4, 5 / 3, 2.6])
def test_other_exponents_by_a_transform(exponent):
    n, step = 1024, 0.15
    w = 2 * np.pi * np.fft.fftfreq(n, step)
    kernel = np.fft.ifft2(np.exp(-0.5 * np.hypot(*np.meshgrid(w, w)) ** exponent)).real
    x = step * np.minimum(np.arange(n), n - np.arange(n))
    radius = np.hypot(*np.meshgrid(x, x))
    half = 0.5 * width(fwhm_series(2), exponent)
    line = kernel[0, : n // 2] / kernel[0, 0]
    np.testing.assert_allclose(np.interp(half, x[: n // 2], line), 0.5, atol=2e-3)
    for fraction in (0.5, 0.8):
        # Pixels at the rim of the disk count in part; the period of 150 s holds all but 2e-3.
        part = 0.5 + (width(energy_series(2, fraction), exponent) - radius) / step
        inside = np.sum(kernel * np.clip(part, 0, 1))
        np.testing.assert_allclose(inside, fraction, atol=4e-3)


def test_slopes():
    series = fwhm_series(2)
    for exponent in (1.1, 2.0, 2.9):
        ends = [log_width(series, np.float64(exponent + h))[0] for h in (-1e-4, 1e-4)]
        slope = log_width(series, np.float64(exponent))[1]
        np.testing.assert_allclose(slope, np.diff(ends)[0] / 2e-4, rtol=1e-5)
