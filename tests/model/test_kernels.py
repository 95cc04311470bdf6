"""Kernel conventions: taps, radii and moments; SciPy's distributions as oracles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from gaussjax.model import kernels
from gaussjax.model.kernels import Kernel

REACH = 40
taps = jax.jit(kernels.taps, static_argnums=(0, 2))
second_moment = jax.jit(kernels.second_moment, static_argnums=(0, 2))
nominal_variance = jax.jit(kernels.nominal_variance, static_argnums=(0, 2))


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.3, 6.0])
def test_sampled_taps_are_the_gaussian_at_integers(sigma, dtype, tolerance):
    n = np.arange(REACH + 1)
    expected = np.exp(-(n**2) / (2 * sigma**2)) * (n <= int(4 * sigma + 0.5))
    expected /= expected[0] + 2 * expected[1:].sum()
    got = taps(Kernel("sampled"), jnp.asarray(sigma**2, dtype), REACH)
    np.testing.assert_allclose(got, expected, atol=tolerance)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.3, 6.0])
def test_integrated_taps_are_the_mass_on_each_pixel(sigma, dtype, tolerance):
    n = np.arange(REACH + 1)
    expected = np.diff(scipy.stats.norm.cdf(np.arange(REACH + 2) - 0.5, scale=sigma))
    expected[1:] = scipy.stats.norm.sf(n[1:] - 0.5, scale=sigma) - scipy.stats.norm.sf(
        n[1:] + 0.5, scale=sigma
    )
    got = taps(Kernel("integrated"), jnp.asarray(sigma**2, dtype), REACH)
    # Beyond 6 sigma 2e-9 of the mass are left out.
    np.testing.assert_allclose(got, expected, atol=tolerance + 2e-9)
    np.testing.assert_allclose(got[0] + 2 * np.sum(got[1:]), 1, rtol=tolerance)


def test_discrete_transfer_is_that_of_bessel_taps(dtype, tolerance):
    variance, size = 3.7, 90
    index = jnp.arange(size // 2 + 1)
    got = kernels.axis_transfer(Kernel("discrete"), jnp.asarray(variance, dtype), index, size, 0)
    n = np.arange(-60, 61)
    weights = scipy.special.ive(np.abs(n), variance)
    expected = np.cos(2 * np.pi * np.outer(index, n) / size) @ weights
    np.testing.assert_allclose(got, expected, atol=tolerance)


@pytest.mark.parametrize("truncate", [3.0, 4.0, 5.0])
def test_radius_is_rounded_as_in_scipy(truncate):
    sigma = np.linspace(0.05, 8, 160).round(3)
    support = Kernel("sampled", truncate).support_at(jnp.asarray(sigma, jnp.float32))
    np.testing.assert_array_equal(support, (truncate * sigma + 0.5).astype(int))


@pytest.mark.parametrize("sigma", [0.125, 0.375, 1.625, 5.125, 6.875])
def test_radius_at_a_jump_survives_a_round_trip_through_the_variance(sigma, dtype):
    # 4 sigma + 0.5 is an integer here: the next tap must not be lost to rounding.
    variance = np.square(np.asarray(sigma, dtype)) * (1 - 2 * np.finfo(dtype).eps)
    assert Kernel("sampled").support_at(jnp.sqrt(jnp.asarray(variance))) == 4 * sigma + 0.5


def test_radius_can_be_fixed_or_a_function():
    sigma = jnp.asarray(1.3, jnp.float32)
    assert Kernel("sampled", radius=7).support_at(sigma) == 7
    assert Kernel("sampled", radius=lambda s: jnp.ceil(5 * s)).support_at(sigma) == 7
    assert Kernel("sampled", radius=7).reach(100.0) == 7


@pytest.mark.parametrize("name", ["sampled", "integrated"])
def test_support_beyond_reach_is_nan_not_a_silent_truncation(name):
    assert np.isnan(taps(Kernel(name), jnp.asarray(9.0), 3)).all()
    assert np.isfinite(taps(Kernel(name), jnp.asarray(9.0), 30)).all()


def test_sampling_makes_a_narrow_kernel_narrower(dtype):
    kernel = Kernel("sampled", radius=10)
    nominal = np.asarray([0.3, 0.4, 0.5, 0.6, 0.7], dtype)
    true = [float(second_moment(kernel, sigma**2, REACH)) ** 0.5 for sigma in nominal]
    np.testing.assert_allclose(true, [0.088, 0.284, 0.464, 0.593, 0.699], atol=5e-4)


def test_pixel_integration_adds_a_twelfth(dtype):
    # The variance of a unit box; exact up to exponentially small terms for wide Gaussians.
    got = second_moment(Kernel("integrated"), jnp.asarray(4.0, dtype), REACH)
    np.testing.assert_allclose(got, 4 + 1 / 12, rtol=1e-6)


@pytest.mark.parametrize("name", ["sampled", "integrated"])
@pytest.mark.parametrize("variance", [0.05, 0.7, 20.0, -3.0])
def test_nominal_variance_inverts_the_second_moment(name, variance, dtype):
    kernel = Kernel(name, radius=30 if name == "sampled" else None)
    moment = second_moment(kernel, jnp.asarray(variance, dtype), REACH)
    assert np.sign(moment) == np.sign(variance)
    got = nominal_variance(kernel, moment, REACH)
    np.testing.assert_allclose(got, variance, rtol=1e-3)


def test_margin_covers_the_kernel():
    for sigma in (0.3, 1.0, 4.7):
        exact = Kernel("sampled")
        assert exact.margin_at(jnp.asarray(sigma)) == exact.support_at(jnp.asarray(sigma))
        for name in ("continuous", "integrated", "discrete"):
            margin = float(Kernel(name).margin_at(jnp.asarray(sigma)))
            assert scipy.stats.norm.sf(margin, scale=sigma) < 4e-5
            assert margin <= 4 * sigma + 2
