"""What the frame's edge rings is told from what the scene says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import natural_scene

import gaussjax as gj
from gaussjax.pair.edge_information import EdgeInformation, edge_information, largest_ratio

SHAPES = [(60,), (20, 24), (9, 10, 11)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_are_those_of_smooth_slopes_inside(shape, rng, x64):
    fields, weights = rng.normal(size=(3, *shape)), rng.uniform(size=shape)
    inside = np.zeros(shape)
    inside[tuple(slice(2, n - 3) for n in shape)] = 1
    found = jax.jit(edge_information)(list(fields), weights, inside).information
    smooth = fields
    for axis in range(1, fields.ndim):
        smooth = scipy.ndimage.convolve1d(smooth, [0.25, 0.5, 0.25], axis=axis)
    for each, images, window in zip(
        found, (fields, smooth), (weights, weights * inside), strict=True
    ):
        rows = images.reshape(3, -1)
        expected = (window.ravel() * rows) @ rows.T / np.sum(window)
        np.testing.assert_allclose(each, expected, rtol=1e-12)


def test_the_largest_ratio_is_that_of_white_noise(rng):
    # Slopes of a full covariance at no blur are second differences without their discretisation.
    size = 512
    frequencies = 2 * np.pi * np.fft.fftfreq(size)
    transform = np.fft.fft2(rng.normal(size=(size, size)))
    y, x = np.meshgrid(frequencies, frequencies, indexing="ij")
    fields = [np.fft.ifft2(transform * w).real for w in (0.5 * y * y, 0.5 * x * x, x * y)]
    inside = np.zeros((size, size))
    inside[4:-4, 4:-4] = 1
    sums = jax.jit(edge_information)(fields, np.ones_like(inside), inside).information
    errors = [np.diag(np.linalg.inv(each)) for each in np.asarray(sums, float)]
    assert np.max(errors[1] / errors[0]) == pytest.approx(largest_ratio(2), rel=0.1)
    assert largest_ratio(1) < largest_ratio(2) < largest_ratio(3)


def test_a_singular_inside_tells_nothing(dtype):
    whole, inside = np.diag([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, 1.0]])
    is_all = jax.jit(lambda x: EdgeInformation(x).is_all(1, 2))
    with jax.debug_nans(True):
        assert is_all(jnp.asarray([whole, inside], dtype))
        assert is_all(jnp.asarray([whole, np.zeros((2, 2))], dtype))
        assert not is_all(jnp.asarray([whole, 0.1 * whole], dtype))


def wave(random):
    """Of one wavelength of 5 to 30 px, on 64 px and more around them."""
    y, x = np.mgrid[:144, :144]
    angle, wavelength = random.uniform(0, np.pi), random.uniform(5, 30)
    return np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength)


def texture(random):
    return natural_scene((144, 144), seed=int(random.integers(1000)), slope=0.0)


@pytest.mark.parametrize(("scene", "is_told"), [(wave, False), (texture, True)])
def test_a_gain_explains_all_that_a_blur_does_to_one_wave(scene, is_told):
    random, pairs = np.random.default_rng(3), []
    for sigma in np.geomspace(0.4, 4, 40):
        whole = scene(random)
        whole = whole / whole.std()
        soft = 1.3 * scipy.ndimage.gaussian_filter(whole, sigma, truncate=6)
        pair = np.stack([whole, soft])[:, 40:-40, 40:-40]
        pair[1] += 10 ** random.uniform(-4, -2) * random.normal(size=(64, 64))
        pairs.append(pair.astype(np.float32))
    sharp, soft = np.moveaxis(np.asarray(pairs), 1, 0)
    estimate = jax.jit(jax.vmap(lambda a, b: gj.estimate_blur(a, b, gain=True, offset=True)))
    status = estimate(sharp, soft).status
    told = np.mean(status == gj.Status.ESTIMATED)
    assert told == 1 if is_told else told < 0.1
