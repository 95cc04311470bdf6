"""Tests of a residual's spectrum: their level, and what they see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.fourier import half_plane_weights
from gaussjax.statistics.departures import LEVEL
from gaussjax.statistics.noise_weighted_sums import NoiseSpectrum
from gaussjax.statistics.spectral_departures import (
    band_sums,
    level_departure,
    spectral_departures,
)

SHAPE, DRAWS = (64, 64), 1500


def spectrum_of(noise):
    """D behind a blur of one px, with its derivative by the variance."""
    w = np.fft.fftfreq(SHAPE[0])[:, None], np.fft.rfftfreq(SHAPE[1])[None]
    square = 4 * np.pi**2 * (w[0] ** 2 + w[1] ** 2)
    gain = jnp.asarray(np.exp(-square))
    own = noise[1] + noise[0] * gain
    return NoiseSpectrum.leaked(gain, -(square * gain)[None], own, jnp.asarray(noise))


def powers(factor=1.0):
    """Powers of white noise over its mean: exponential but on lines that are their own mirror."""
    white = np.random.default_rng(1).normal(size=(DRAWS, *SHAPE))
    return factor * np.abs(np.fft.rfft2(white)) ** 2 / np.prod(SHAPE)


@pytest.mark.parametrize("how", ["bands", "levels"])
def test_their_level(how, x64):
    spectrum = spectrum_of((0.04, 0.01))

    def p_value(power):
        if how == "levels":
            noise, inverse = jnp.asarray((0.04, 0.01)), jnp.ones((1, 1))
            found = level_departure(power, spectrum, noise, inverse, SHAPE, 1.0)
        else:
            sums = band_sums(power, spectrum.trust, spectrum.slopes, SHAPE, 1.0)
            found = spectral_departures(sums, jnp.ones((1, 1)), None)
        return jnp.min(found.p_values)

    p_values = np.asarray(jax.lax.map(jax.jit(p_value), jnp.asarray(powers())))
    # Of so many draws, within three standard errors of the proportion.
    assert np.mean(p_values < LEVEL) < LEVEL + 3 * np.sqrt(LEVEL / DRAWS)
    assert np.mean(p_values < 0.2) > 0.1


def test_an_excess_in_a_band_moves_the_blur_as_the_estimating_equation_says(x64):
    spectrum, weights = spectrum_of((0.04, 0.01)), half_plane_weights(SHAPE, jnp.float64)
    w = np.pi * np.hypot(2 * np.fft.fftfreq(64)[:, None], 2 * np.fft.rfftfreq(64)[None])
    inside = (w > np.pi / 8) & (w < np.pi / 4)
    power = np.where(inside, 1.5, 1.0)
    score = 0.5 * spectrum.slopes / spectrum.density[None]
    sums = band_sums(power, spectrum.trust, score, SHAPE, 1.0)
    found = spectral_departures(sums, jnp.full((1, 1), 3.0), None)
    k = int(np.argmax(found.z_scores))
    assert found.p_values[k] < LEVEL
    added = np.sum((weights * inside * spectrum.trust) * np.asarray(score[0]))
    # The mean over all bands takes a part of the excess.
    np.testing.assert_allclose(found.effects[0, k], 3 * 0.5 * added, rtol=0.1)
