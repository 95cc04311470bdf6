"""Spectra as seen through a window, axis by axis and altogether, and sums over them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.fourier import along_axis
from gaussjax.model.window import Window, interior_window
from gaussjax.statistics.noise import excess_scatter, leaked, leaked_product


@pytest.mark.parametrize("shape", [(30,), (16, 21), (8, 9, 10)])
def test_products_smear_axis_by_axis(shape, dtype, tolerance):
    ndim = len(shape)
    ramps = jnp.full(ndim, 2.5, dtype)
    window = interior_window(shape, 0, jnp.ones(ndim, int), dtype, ramps)
    factors = [jnp.exp(-3 * jnp.sin(jnp.pi * jnp.arange(n, dtype=dtype) / n) ** 2) for n in shape]
    factors[-1] = factors[-1][: shape[-1] // 2 + 1]
    product = jnp.ones((1,) * ndim, dtype)
    for axis, factor in enumerate(factors):
        product = product * along_axis(factor, axis, ndim)
    expected = jax.jit(leaked)(product[None], window.values)[0]
    found = jax.jit(leaked_product)(factors, window.profiles)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    # A window without edges smears nothing.
    ones = tuple(jnp.ones(n, dtype) for n in shape)
    np.testing.assert_allclose(jax.jit(leaked_product)(factors, ones), product, atol=tolerance)


def test_sums_of_a_window_are_those_of_its_values(dtype, tolerance, rng):
    shape = (12, 17)
    margins, ramps = jnp.asarray([2, 3]), jnp.asarray([3.0, 1.5], dtype)
    plain = interior_window(shape, 0, margins, dtype, ramps)
    mapped = Window(plain.profiles, jnp.asarray(rng.uniform(size=shape) > 0.3, dtype))
    for window in (plain, mapped):
        assert window.shape == shape
        assert window.num_pixels == np.sum(np.asarray(window.values) > 0)
        for power in (1, 2, 4):
            expected = np.sum(np.asarray(window.values, float) ** power)
            np.testing.assert_allclose(window.sum(power), expected, rtol=tolerance)


@pytest.mark.parametrize("noise", [(0.3, 0.2), (1e-9, 1e-3), (0.5, 1e-7)])
def test_excess_of_a_real_response_is_that_of_a_complex_one(noise, x64, rng):
    response = jnp.asarray(rng.uniform(0.1, 1, (9, 6)))
    slopes = jnp.asarray(rng.normal(size=(3, 9, 6)))
    weights = jnp.asarray(rng.uniform(1, 2, (1, 6)))
    noise = jnp.asarray(noise)
    found = excess_scatter(response, slopes, noise, weights)
    # The general form is a difference of sums no larger than this; v_B may leave little of it.
    scale = jnp.max(jnp.sum(weights[None] * (slopes / response[None]) ** 2, axis=(1, 2)))
    general = excess_scatter(response + 0j, slopes + 0j, noise, weights)
    np.testing.assert_allclose(found, general, rtol=1e-12, atol=1e-14 * scale)
