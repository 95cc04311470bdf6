"""The exponent's errors and test, and the widths that follow from scale and exponent."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from problems import natural_scene

import gaussjax as gj
from gaussjax.statistics.gaussianity import Gaussianity, gaussianity, scale_errors
from gaussjax.statistics.kernel_widths import fwhm_per_sigma, width_error


def of(exponent, error, model_error=0.0):
    return Gaussianity(*map(np.float64, (exponent, error, model_error, 0.0)))


def test_the_test_of_a_gaussian():
    for exponent in (1.97, 2.0, 2.04):
        expected = 2 * scipy.stats.norm.sf(abs(exponent - 2) / 0.02)
        np.testing.assert_allclose(of(exponent, 0.02).p_value, expected, rtol=1e-12)
        traced = jax.jit(lambda found: found.p_value)(of(exponent, 0.02))
        np.testing.assert_allclose(traced, expected, rtol=1e-4)
    assert np.isnan(of(2.0, 0.0).p_value)


def test_the_interval_covers_noise_and_model():
    low, high = of(1.8, 0.03, 0.04).interval(0.95)
    np.testing.assert_allclose((low, high), 1.8 + np.array([-1, 1]) * 1.959964 * 0.05, rtol=1e-6)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        of(1.8, 0.03).interval(1.5)


def test_sentences():
    assert "as of a Gaussian" in str(of(2.01, 0.02))
    assert "no Gaussian" in str(of(1.8, 0.02))
    assert "within noise and model error" in str(of(1.8, 0.02, 0.2))


@pytest.mark.parametrize("swapped", [False, True])
def test_errors_of_the_scale_are_those_of_many_draws(swapped, x64, rng):
    u, p = (-1 if swapped else 1) * 3.0**1.5, 1.5
    covariance = np.array([[0.02, 0.001], [0.001, 4e-4]])
    params = gj.BlurParams(jnp.asarray([u]), exponent=jnp.asarray(p), family="generalised")
    error, correlation = scale_errors(params, jnp.asarray(covariance))
    draws = rng.multivariate_normal((u, p), covariance, size=200_000)
    square = np.sign(u) * np.abs(draws[:, 0]) ** (2 / draws[:, 1])
    np.testing.assert_allclose(error, np.std(square), rtol=0.02)
    expected = np.corrcoef(square, draws[:, 1])[0, 1]
    np.testing.assert_allclose(correlation, expected, atol=0.02)
    found = gaussianity(params, jnp.asarray(covariance), None)
    assert found.standard_error == 0.02
    # The full width at half maximum, too.
    sigma = np.sign(square) * np.sqrt(np.abs(square))
    widths = [sigma[k] * fwhm_per_sigma(draws[k, 1], 2)[0] for k in range(4000)]
    got = width_error(np.mean(sigma), np.std(sigma), *fwhm_per_sigma(np.float64(p), 2), found)
    np.testing.assert_allclose(got, np.std(widths), rtol=0.06)


def check_mtf50_error(found):
    """By derivatives of the closed form, and the covariance of s and p."""
    g = found.gaussianity

    def frequency(s, p):
        return math.log(4) ** (1 / p) / (2 * math.pi * s)

    slopes = np.array(jax.grad(frequency, (0, 1))(found.sigma, g.exponent))
    errors = np.array([found.sigma_standard_error, g.standard_error])
    mixed = np.outer(errors, errors) * np.array([[1, g.correlation], [g.correlation, 1]])
    expected = np.sqrt(slopes @ mixed @ slopes)
    np.testing.assert_allclose(found.mtf50_standard_error, expected, rtol=1e-6)


def test_an_estimate_reports_its_widths(x64):
    scene = natural_scene((75, 63))
    params = gj.BlurParams(np.array([1.5]), exponent=np.array(1.0), family="generalised")
    pair = scene, gj.blur(scene, params)
    found = gj.estimate_blur(*pair, family="generalised", boundary="periodic")
    # A Moffat function of beta 1.5 and the core radius s / 2.
    np.testing.assert_allclose(found.fwhm, 1.5 * math.sqrt(2 ** (2 / 3) - 1), rtol=1e-4)
    np.testing.assert_allclose(found.mtf50, math.log(4) / (2 * math.pi * 1.5), rtol=1e-4)
    check_mtf50_error(found)
    np.testing.assert_allclose(found.energy_radius(0.5), 0.75 * math.sqrt(3), rtol=1e-4)
    text = str(found)
    rows = {line[:10].strip(): line[10:] for line in text.splitlines()}
    for name, value in (("scale s", 1.5), ("exponent", 1.0), ("energy", 0.75 * math.sqrt(3))):
        number = rows[name].removeprefix("50% within ").split()[0]
        assert float(number) == pytest.approx(value, rel=1e-4)
    assert "no Gaussian" in text
    assert "a generalised Gaussian blur explains the pair" in text
    gaussian = gj.estimate_blur(scene, gj.blur(scene, 1.5), boundary="periodic")
    assert gaussian.exponent is None
    half = 1.5 * math.sqrt(2 * math.log(2))
    np.testing.assert_allclose(gaussian.energy_radius(0.5), half, rtol=1e-4)
    with pytest.raises(ValueError, match="fraction must be between 0 and 1"):
        gaussian.energy_radius(1)
