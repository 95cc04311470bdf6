"""Synthetic scenes and pairs have the statistics they promise."""

import jax
import numpy as np
import pytest
from problems import periodic_blur

from gaussjax.model import synthetic
from gaussjax.model.synthetic import blurred_pair

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


def test_pairs_are_cut_after_blurring(x64):
    scene = np.asarray(random_scene(jax.random.key(1), (41, 45)))
    reference, blurred = blurred_pair(scene, 1.5, crop=6)
    np.testing.assert_array_equal(reference, scene[6:-6, 6:-6])
    np.testing.assert_allclose(blurred, periodic_blur(scene, 2.25 * np.eye(2))[6:-6, 6:-6])


def test_noise_is_white_and_only_in_the_blurred_image(x64):
    scene = random_scene(jax.random.key(1), (128, 128))
    options = {"key": jax.random.key(3), "noise_std": 0.2}
    reference, noisy = blurred_pair(scene, 1.5, **options)
    noise = np.asarray(noisy - blurred_pair(scene, 1.5)[1])
    np.testing.assert_array_equal(reference, scene)
    np.testing.assert_allclose(noise.std(), 0.2, rtol=0.02)
    neighbours = np.mean(noise[1:] * noise[:-1]) / 0.04
    assert abs(neighbours) < 4 / 128


def test_noise_needs_a_key():
    with pytest.raises(ValueError, match=r"key=jax\.random\.key"):
        blurred_pair(np.ones((4, 5)), 1.0, noise_std=0.1)
