"""The periodic part of an image: what it leaves out is harmonic, and its blur does not ring."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import natural_scene, periodic_blur, smooth_part

from gaussjax.model.periodic_part import periodic_part

SHAPES = [(40,), (41,), (18, 21), (15, 16), (9, 8, 7), (8, 9, 10)]


@jax.jit
def seamless_part(image):
    return jnp.fft.irfftn(periodic_part(jnp.fft.rfftn(image), image), image.shape)


def periodic(image):
    return np.asarray(seamless_part(image))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_that_of_the_whole_plane(shape, rng, dtype, tolerance):
    image = rng.normal(size=shape).astype(dtype)
    expected = image - smooth_part(image.astype(float))
    np.testing.assert_allclose(periodic(image), expected, atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES[1::2], ids=str)
def test_what_it_leaves_out_is_harmonic(shape, rng, x64):
    image = rng.normal(size=shape) + np.linspace(0, 3, shape[-1])
    smooth = image - periodic(image)
    inside = (slice(1, -1),) * len(shape)
    # Each pixel is the mean of its neighbours; at the edge it is not.
    laplacian = scipy.ndimage.laplace(smooth, mode="wrap")
    np.testing.assert_allclose(laplacian[inside], 0, atol=1e-12)
    assert np.max(np.abs(laplacian)) > 0.1
    np.testing.assert_allclose(np.mean(smooth), 0, atol=1e-12)


@pytest.mark.parametrize("shape", [(30,), (12, 15)], ids=str)
def test_a_periodic_image_that_does_not_jump_stays(shape, x64):
    image = np.ones(shape)
    for axis, size in enumerate(shape):
        wave = np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
        image = image * np.expand_dims(wave, [a for a in range(len(shape)) if a != axis])
    np.testing.assert_allclose(periodic(image), image, atol=1e-14)


@pytest.mark.parametrize(
    ("scene_shape", "crop_shape"),
    [((701,), (255,)), ((201, 205), (80, 77)), ((65, 67, 69), (36, 35, 38))],
    ids=["1-D", "2-D", "3-D"],
)
@pytest.mark.parametrize("sigma", [0.4, 0.6, 0.8])
def test_its_blur_does_not_ring(sigma, scene_shape, crop_shape, x64):
    # Smooth, so that it is the jump at the edge that rings, not the roughness along the edge. Odd,
    # so that the blur of the scene is unambiguous at the Nyquist frequency.
    scene = natural_scene(scene_shape, seed=5, slope=3.0)
    cut = tuple(slice(14, 14 + n) for n in crop_shape)
    covariance = sigma**2 * np.eye(scene.ndim)
    truth, crop = periodic_blur(scene, covariance)[cut], scene[cut]
    part = periodic(crop)
    seamless = periodic_blur(part, covariance) + crop - part
    inside = (slice(8, -8),) * scene.ndim
    rings = np.std((periodic_blur(crop, covariance) - truth)[inside])
    assert rings > 1e-5
    assert np.std((seamless - truth)[inside]) < 0.1 * rings
