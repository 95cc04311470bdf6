"""Synthetic scenes have the statistics they promise."""

import jax
import numpy as np
import pytest

from experiments.shared import synthetic

random_scene = jax.jit(synthetic.random_scene, static_argnums=1, static_argnames="slope")


@pytest.mark.parametrize("shape", [(401,), (64, 65), (20, 21, 22)])
def test_scenes_are_standardised_and_reproducible(shape, dtype, tolerance):
    scene = random_scene(jax.random.key(1), shape)
    assert scene.shape == shape
    assert scene.dtype == dtype
    np.testing.assert_allclose(np.mean(scene), 0, atol=tolerance)
    np.testing.assert_allclose(np.std(scene), 1, rtol=tolerance)
    np.testing.assert_array_equal(scene, random_scene(jax.random.key(1), shape))
    assert np.std(scene - random_scene(jax.random.key(2), shape)) > 0.1


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_power_falls_with_the_promised_slope(slope):
    scene = random_scene(jax.random.key(1), (128, 128), slope=slope)
    power = np.abs(np.fft.fft2(scene)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    inside = (radius > 0.02) & (radius < 0.5)
    fitted = np.polyfit(np.log(radius[inside]), np.log(power[inside]), 1)[0]
    np.testing.assert_allclose(fitted, -2 * slope, atol=0.1)
