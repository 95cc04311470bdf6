"""What tools do with "sigma": against the tools, or against their recursion written out."""

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from gaussjax.model import approximate_gaussians
from gaussjax.model.kernel_shapes import from_even_taps

W = np.linspace(0, math.pi, 33)


def variance(transfer):
    """Second moment from the curvature at zero frequency."""
    h = 1e-3
    return float(2 * (1 - transfer(np.array([h]))[0]) / h**2)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.0, 3.7])
def test_pillow_and_gblur_have_the_variance_that_is_asked_for(sigma):
    for transfer in (approximate_gaussians.pillow_transfer, approximate_gaussians.gblur_transfer):
        assert variance(lambda w, f=transfer: f(w, sigma)) == pytest.approx(sigma**2, rel=1e-4)


@pytest.mark.parametrize("sigma", [0.8, 2.0, 3.7])
def test_pillow_itself(sigma, rng):
    image = rng.integers(0, 2, (96, 96)).astype(np.uint8) * 255
    found = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)), float)
    w = [2 * np.pi * np.fft.fftfreq(96), 2 * np.pi * np.fft.rfftfreq(96)]
    transfer = np.multiply.outer(
        *(approximate_gaussians.pillow_transfer(each, sigma) for each in w)
    )
    expected = np.fft.irfft2(transfer * np.fft.rfft2(image))
    inside = (slice(20, -20),) * 2
    # Grey levels: Pillow rounds after every pass.
    assert np.abs(found - expected)[inside].max() < 2.5
    assert np.std(expected[inside]) > 7


@pytest.mark.parametrize(("sigma", "window"), [(2.0, 4), (2.5, 5), (3.0, 6), (5.0, 9)])
def test_skia_is_three_boxes(sigma, window):
    assert approximate_gaussians.skia_window(sigma) == window
    last = window + 1 if window % 2 == 0 else window
    taps = np.convolve(np.convolve(np.ones(window), np.ones(window)), np.ones(last))
    middle = len(taps) // 2
    expected = from_even_taps(W, taps[middle:])
    np.testing.assert_allclose(approximate_gaussians.skia_transfer(W, window), expected, atol=1e-9)
    n = np.arange(len(taps)) - middle
    assert approximate_gaussians.skia_variance(window) == pytest.approx(
        np.sum(taps * n**2) / taps.sum()
    )
    assert approximate_gaussians.skia_window(approximate_gaussians.skia_sigma(window)) == window


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_gblur_is_a_recursion_to_and_fro(sigma):
    decay = 1 + (1 - math.sqrt(1 + 2 * sigma**2)) / sigma**2
    signal = np.zeros(401)
    signal[200] = 1
    for _ in range(2):
        for n in range(1, len(signal)):
            signal[n] += decay * signal[n - 1]
        signal = signal[::-1]
    found = from_even_taps(W, signal[200:])
    np.testing.assert_allclose(found, approximate_gaussians.gblur_transfer(W, sigma), atol=1e-9)
