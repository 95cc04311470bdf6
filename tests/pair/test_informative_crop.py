"""The crop of a large frame that a fit starts from, and fits of frames that have one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import natural_scene

import gaussjax as gj
from gaussjax.pair.informative_crop import most_informative_crop


@pytest.mark.parametrize("corner", [(10, 20), (500, 30), (400, 700)])
def test_the_most_informative_crop_holds_what_has_changed(corner):
    difference = np.zeros((640, 900), np.float32)
    difference[corner[0] : corner[0] + 60, corner[1] : corner[1] + 60] = 1
    crop = jax.jit(most_informative_crop)(np.zeros_like(difference), difference)
    assert crop.shape == (256, 320)  # a quarter of the bucket of 1280 px
    assert crop.of(jnp.asarray(difference)).shape == crop.shape
    assert jnp.sum(crop.of(jnp.asarray(difference))) == 60**2


@pytest.mark.parametrize("shape", [(300,), (64, 300), (500, 520), (20, 21, 22)])
def test_a_small_frame_is_its_own_crop(shape):
    image = jnp.arange(float(np.prod(shape))).reshape(shape)
    crop = most_informative_crop(image, image)
    np.testing.assert_array_equal(crop.of(image), image)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 25.0])
@pytest.mark.parametrize("dtype", [np.float32, thorough(np.float64)], indirect=True)
def test_large_frames_are_exact_too(sigma, dtype):
    scene = natural_scene((1000, 900), seed=3)
    blurred = scipy.ndimage.gaussian_filter(scene, sigma, mode="wrap")
    inside = (slice(150, 850), slice(150, 750))
    pair = scene[inside].astype(dtype), blurred[inside].astype(dtype)
    estimate = gj.estimate_blur(*pair, kernel="sampled")
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.sigma, sigma, rtol=2e-4 if dtype == np.float32 else 1e-9)


def test_stars_in_a_corner(rng):
    # Nearly everywhere there is nothing but noise in B.
    stars = np.zeros((700, 600))
    stars[rng.integers(20, 150, 25), rng.integers(450, 580, 25)] = rng.uniform(50, 500, 25)
    reference = scipy.ndimage.gaussian_filter(stars, 1.2)
    blurred = scipy.ndimage.gaussian_filter(reference, 2.0) + 0.01 * rng.normal(size=stars.shape)
    pair = reference.astype(np.float32), blurred.astype(np.float32)
    estimate = gj.estimate_blur(*pair, kernel="sampled")
    assert estimate.status == 0
    low, high = estimate.interval(0.9999)
    assert low < 2.0 < high
    assert estimate.sigma_standard_error < 1e-3
