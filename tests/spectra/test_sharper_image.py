"""Which image is the sharper one: where spectra of tapered frames do not tell it."""

import jax
import numpy as np
import pytest
import scipy.ndimage

from gaussjax.spectra.sharper_image import interior_variance

inside = jax.jit(interior_variance)


@pytest.mark.parametrize("shape", [(200,), (48, 60), (20, 24, 28)])
def test_the_variance_inside_of_a_frame_is_that_of_a_small_blur(shape, x64):
    random = np.random.default_rng(1)
    scene = scipy.ndimage.gaussian_filter(random.normal(size=[n + 60 for n in shape]), 10.0)
    cut = tuple(slice(30, -30) for _ in shape)
    blurred = 1.5 * scipy.ndimage.gaussian_filter(scene, 0.7)[cut] + 3
    known = np.ones(shape, bool)
    variance, error = inside(scene[cut], blurred, known)
    np.testing.assert_allclose(variance, 0.49, rtol=0.1)
    assert error < 0.1
    # Missing pixels are not looked at.
    hole = tuple(slice(8, 12) for _ in shape)
    known[hole], blurred[hole] = False, 100
    again, _ = inside(scene[cut], blurred, known)
    np.testing.assert_allclose(again, 0.49, rtol=0.15)


def test_what_tells_nothing_is_not_certain(dtype):
    images = [
        np.ones((64, 64)),
        np.zeros((10, 10)),
        np.sin(np.arange(64 * 64) / 90).reshape(64, 64),
    ]
    x = np.arange(64)
    images += [np.broadcast_to(np.sin(x / 6), (64, 64))]  # whose Laplacian is itself
    for image in images:
        image = image.astype(dtype)
        variance, error = inside(image, dtype(0.9) * image, np.ones(image.shape, bool))
        assert not np.isnan(variance)
        assert abs(variance) < 0.4 + 5 * error
