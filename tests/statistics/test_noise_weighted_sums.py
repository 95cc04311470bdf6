"""Spectra as seen through a window, axis by axis and altogether, and sums over them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.fourier import along_axis, half_plane_weights
from gaussjax.model.window import Window, interior_window
from gaussjax.statistics.noise_weighted_sums import (
    excess_scatter,
    leaked,
    leaked_product,
    reference_noise,
    spectral_factors,
)


@partial(jax.jit, static_argnums=0)
def window_within(shape, margins, ramps):
    return interior_window(shape, 0, margins, ramps.dtype, ramps)


@pytest.mark.parametrize("shape", [(30,), (16, 21), (8, 9, 10)])
def test_products_smear_axis_by_axis(shape, dtype, tolerance):
    ndim = len(shape)
    window = window_within(shape, np.ones(ndim, int), np.full(ndim, 2.5, dtype))
    factors = [np.exp(-3 * np.sin(np.pi * np.arange(n) / n) ** 2).astype(dtype) for n in shape]
    factors[-1] = factors[-1][: shape[-1] // 2 + 1]
    product = np.ones((1,) * ndim, dtype)
    for axis, factor in enumerate(factors):
        product = product * along_axis(factor, axis, ndim)
    expected = jax.jit(lambda spectra: leaked(spectra, window.values))(product[None])[0]
    found = jax.jit(leaked_product)(factors, window.profiles)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    # A window without edges smears nothing.
    ones = tuple(np.ones(n, dtype) for n in shape)
    np.testing.assert_allclose(jax.jit(leaked_product)(factors, ones), product, atol=tolerance)


def test_sums_of_a_window_are_those_of_its_values(dtype, tolerance, rng):
    shape = (12, 17)
    plain = window_within(shape, np.asarray([2, 3]), np.asarray([3.0, 1.5], dtype))
    mapped = Window(plain.profiles, jnp.asarray(rng.uniform(size=shape) > 0.3, dtype))
    for window in (plain, mapped):
        assert window.shape == shape
        assert window.num_pixels == np.sum(np.asarray(window.values) > 0)
        for power in (1, 2, 4):
            expected = np.sum(np.asarray(window.values, float) ** power)
            np.testing.assert_allclose(window.sum(power), expected, rtol=tolerance)


factors_of = jax.jit(spectral_factors, static_argnums=4)


@pytest.mark.parametrize("excess", [1.0, 6.0])
def test_scores_vary_as_their_frequencies_do(excess, x64):
    # A field at low frequencies, where the noise is stronger than thought.
    shape, draws = (40, 40), 60
    random = np.random.default_rng(4)
    radius = np.hypot(np.fft.fftfreq(40)[:, None], np.fft.rfftfreq(40)[None])
    root = np.sqrt(half_plane_weights(shape, jnp.float64))
    factors, scores = [], []
    slope = np.fft.rfft2(random.normal(size=shape)) * (radius < 0.2) * root
    for _ in range(draws):
        noise = np.fft.rfft2(random.normal(size=shape)) * root
        noise = noise * np.where(radius < 0.2, np.sqrt(excess), 1)
        strength = np.sum(np.abs(noise) ** 2)
        found = factors_of(noise, slope[None], np.ones_like(radius), strength, shape, 1.0)
        # Over the mean power, as a fit sees it.
        factors.append(float(found[0]) * strength / 1600)
        scores.append(np.sum(np.real(np.conj(slope) * noise)))
    observed = np.mean(np.square(scores)) / np.sum(np.abs(slope) ** 2)
    np.testing.assert_allclose(np.mean(factors), observed, rtol=4 * np.sqrt(2 / draws))
    np.testing.assert_allclose(np.mean(factors), excess, rtol=0.1)


@pytest.mark.parametrize("noise", [(0.3, 0.2), (1e-9, 1e-3), (0.5, 1e-7)])
def test_excess_of_a_real_response_is_that_of_a_complex_one(noise, x64, rng):
    response, slopes = rng.uniform(0.1, 1, (9, 6)), rng.normal(size=(3, 9, 6))
    weights, noise, scatter = rng.uniform(1, 2, (1, 6)), np.array(noise), jax.jit(excess_scatter)
    found = scatter(response, slopes, noise, weights)
    # The general form is a difference of sums no larger than this; v_B may leave little of it.
    scale = np.max(np.sum(weights * (slopes / response) ** 2, axis=(1, 2)))
    general = scatter(response + 0j, slopes + 0j, noise, weights)
    np.testing.assert_allclose(found, general, rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("slow", [0.0, 1e3])
def test_slow_misfits_are_no_noise_of_a(slow, rng, x64):
    # White noise in B of variance 1, in A of variance 2, and light of a few cycles over the frame.
    shape, levels = (96, 96), (2.0, 1.0)
    w = [2 * np.pi * np.fft.fftfreq(n) for n in shape]
    squares = w[0][:, None] ** 2 + (w[1] ** 2)[None]
    response = np.exp(-0.5 * squares)
    in_a, in_b, light = (np.fft.fft2(rng.normal(size=shape)) for _ in range(3))
    spectrum = levels[0] ** 0.5 * response * in_a + levels[1] ** 0.5 * in_b
    spectrum = spectrum + slow**0.5 * np.exp(-0.5 * squares * 8**2) * light
    half = (slice(None), slice(shape[1] // 2 + 1))
    power, gain = (jnp.asarray(x[half]) for x in (np.abs(spectrum) ** 2, response**2))
    count = jnp.asarray(float(np.prod(shape)))
    found = jax.jit(reference_noise, static_argnums=3)(power, gain, [gain], shape, count)
    mean = np.mean(np.abs(spectrum) ** 2) / np.prod(shape)
    if not slow:
        np.testing.assert_allclose(found.part * mean, levels[0], atol=4 * found.error * mean)
    else:
        assert found.part * mean > 6 * levels[0]
    # At most all that is seen where the blur stops a part of it.
    assert levels[0] < found.most * mean < 3 * sum(levels)
