"""Bounds on noise levels are of the pixels that are compared, wherever the noise is."""

import jax
import numpy as np

from gaussjax.model.window import Window
from gaussjax.pair.noise_ceiling import finest_detail as finest_detail_eagerly

SIZE = 128
finest_detail = jax.jit(finest_detail_eagerly)


def test_it_is_the_mean_variance_of_uneven_noise_in_the_window(rng, x64):
    rise = np.sin(np.pi * (np.arange(SIZE) + 0.5) / SIZE)
    window = Window((rise, np.roll(rise, 30)), None)
    strength = np.linspace(0.1, 2, SIZE)
    scene = 50 * np.outer(np.sin(np.arange(SIZE) / 9), np.cos(np.arange(SIZE) / 7))
    noise = strength * rng.normal(size=(SIZE, SIZE))
    weights = np.asarray(window.values) ** 2
    expected = np.sum(weights * strength**2) / np.sum(weights)
    np.testing.assert_allclose(finest_detail(scene + noise, window), expected, rtol=0.1)


def test_a_signal_shorter_than_the_differences_has_some(x64):
    assert np.isfinite(finest_detail(np.array([1.0, 3.0]), Window((np.ones(2),), None)))
