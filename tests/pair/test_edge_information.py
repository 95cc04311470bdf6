"""What the frame's edge rings is told from what the scene says."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import natural_scene

import gaussjax as gj
from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.departure_fields import by_variances
from gaussjax.pair.edge_information import EdgeInformation, edge_information, largest_ratio

SHAPES = [(60,), (20, 24), (9, 10, 11)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_are_those_of_smooth_slopes_inside(shape, rng, x64):
    fields, weights = rng.normal(size=(3, *shape)), rng.uniform(size=shape)
    differences = rng.normal(size=(2, *shape))
    inside = np.zeros(shape)
    inside[tuple(slice(2, n - 3) for n in shape)] = 1
    of_box = list(fields), weights, inside, list(differences)
    found = jax.jit(edge_information)(*of_box).information
    smooth, local = fields, np.concatenate([differences, fields[2:]])
    for axis in range(1, fields.ndim):
        smooth = scipy.ndimage.convolve1d(smooth, [0.25, 0.5, 0.25], axis=axis)
    for each, images, window in zip(
        found, (fields, smooth, local), (weights, weights * inside, weights), strict=True
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
    sums = jax.jit(edge_information)(fields, np.ones_like(inside), inside, fields).information
    errors = [np.diag(np.linalg.inv(each)) for each in np.asarray(sums, float)]
    assert np.max(errors[1] / errors[0]) == pytest.approx(largest_ratio(2), rel=0.1)
    assert largest_ratio(1) < largest_ratio(2) < largest_ratio(3)


def model_of(family, ndim):
    options = {"gain": True, "offset": False, "shift": False}
    return BlurModel(family, Kernel("continuous"), 10, (20,) * ndim, **options)


def test_a_singular_inside_tells_nothing(dtype):
    whole, inside = np.diag([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, 1.0]])

    @jax.jit
    def is_all(inside, local):
        sums = jnp.asarray([whole, inside, local], dtype)
        return EdgeInformation(sums).is_all(model_of("isotropic", 2), jnp.ones((), dtype))

    with jax.debug_nans(True):
        for singular in (inside, np.zeros((2, 2))):
            assert is_all(singular, whole)
            assert is_all(whole, singular)
        assert not is_all(0.1 * whole, 0.2 * whole)
        # No scene has its information at a higher frequency than the highest.
        assert is_all(whole, 0.16 * whole)


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_differences_lack_of_a_wave_what_they_should(family, ndim, x64):
    # At w the derivative by a variance along an axis is w^2 / 2 times the image.
    w = np.array([0.3, 1.9, math.pi])[:ndim]
    places = np.meshgrid(*[np.arange(9)] * ndim, indexing="ij")
    image = np.cos(sum(x * each for x, each in zip(places, w, strict=True)))
    inner = image[(slice(2, -2),) * ndim]
    found = jax.jit(partial(by_variances, model_of(family, ndim)))(image)
    along = [-0.5 * (2 - 2 * np.cos(each)) * inner for each in w]
    expected = {"isotropic": [sum(along)], "axis_aligned": along}.get(family)
    if expected is None:
        diagonal = np.cumsum([0, *range(ndim, 1, -1)])
        found, expected = [found[k] for k in diagonal], along
    np.testing.assert_allclose(found, expected, atol=1e-12)


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
