"""Blurring and the transfer function: SciPy as the oracle, and the physics of a Gaussian."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import periodic_blur, seed_blur

import gaussjax as gj
from gaussjax.model.options import KERNELS

SCIPY_MODES = {
    "periodic": "wrap",
    "reflect": "reflect",
    "nearest": "nearest",
    "zero": "constant",
}
SHAPES = [(41,), (24, 30), (24, 31), (25, 30), (9, 10, 11)]
COVARIANCE = np.array([[4.0, 1.1], [1.1, 1.5]])
ROTATED = gj.BlurParams(np.array([4.0, 1.1, 1.5]), family="full")


@partial(jax.jit, static_argnames=("image_shape", "kernel"))
def transfer(params, image_shape=(24, 31), kernel="continuous"):
    return gj.transfer_function(params, image_shape, kernel=kernel)


def assert_scipys(image, sigma, boundary, dtype, atol):
    got = gj.blur(image.astype(dtype), sigma, kernel="sampled", boundary=boundary)
    assert got.dtype == dtype
    expected = scipy.ndimage.gaussian_filter(image, sigma, mode=SCIPY_MODES[boundary])
    np.testing.assert_allclose(got, expected, atol=atol)


@pytest.mark.parametrize("boundary", SCIPY_MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_blur_is_scipys_gaussian_filter(boundary, shape, x64, rng):
    image = rng.normal(size=shape) + 3
    for sigma in (0.4, 1.7):
        assert_scipys(image, sigma, boundary, np.float64, 1e-13)


@pytest.mark.parametrize("boundary", SCIPY_MODES)
def test_blur_is_scipys_gaussian_filter_when_wider_than_the_image(boundary, dtype, tolerance, rng):
    assert_scipys(rng.normal(size=(24, 31)) + 3, 11.0, boundary, dtype, tolerance)


def test_truncation(dtype, tolerance, rng):
    image = rng.normal(size=(24, 31))
    got = gj.blur(image.astype(dtype), 1.7, kernel="sampled", truncate=3.0)
    expected = scipy.ndimage.gaussian_filter(image, 1.7, mode="wrap", truncate=3.0)
    np.testing.assert_allclose(got, expected, atol=tolerance)


def test_one_sigma_per_axis(dtype, tolerance, rng):
    image = rng.normal(size=(24, 31))
    got = gj.blur(image.astype(dtype), jnp.asarray([0.6, 2.5], dtype), kernel="sampled")
    expected = scipy.ndimage.gaussian_filter(image, (0.6, 2.5), mode="wrap")
    np.testing.assert_allclose(got, expected, atol=tolerance)


def test_fixed_radius_and_radius_rule(dtype, tolerance, rng):
    image = rng.normal(size=(24, 31))
    options = {"kernel": "sampled", "boundary": "nearest"}
    fixed = gj.blur(image.astype(dtype), 1.3, radius=3, **options)
    expected = scipy.ndimage.gaussian_filter(image, 1.3, radius=3, mode="nearest")
    np.testing.assert_allclose(fixed, expected, atol=tolerance)
    ruled = gj.blur(image.astype(dtype), 1.3, radius=lambda s: jnp.ceil(5 * s), **options)
    np.testing.assert_allclose(ruled, seed_blur(image, 1.3, radius=7), atol=tolerance)


@pytest.mark.parametrize("shape", [(24, 31), (7, 9, 11)])
def test_continuous_blur_is_the_fourier_multiplier(shape, dtype, tolerance, rng):
    image = rng.normal(size=shape)
    sigma = np.linspace(1.0, 2.0, len(shape))
    got = gj.blur(image.astype(dtype), jnp.asarray(sigma, dtype))
    np.testing.assert_allclose(got, periodic_blur(image, np.diag(sigma**2)), atol=tolerance)


def test_rotated_gaussian_is_the_dense_quadratic_form(dtype, tolerance, rng):
    image = rng.normal(size=(25, 31))
    got = gj.blur(image.astype(dtype), ROTATED)
    np.testing.assert_allclose(got, periodic_blur(image, COVARIANCE), atol=tolerance)


def test_rotated_sampled_gaussian_is_a_dense_convolution(dtype, tolerance, rng):
    image = rng.normal(size=(40, 41))
    radii = [int(4 * np.sqrt(v) + 0.5) for v in np.diag(COVARIANCE)]
    n = np.stack(np.mgrid[tuple(slice(-r, r + 1) for r in radii)])
    weights = np.exp(-0.5 * np.einsum("iyx,ij,jyx->yx", n, np.linalg.inv(COVARIANCE), n))
    expected = scipy.ndimage.convolve(image, weights / weights.sum(), mode="wrap")
    got = gj.blur(image.astype(dtype), ROTATED, kernel="sampled")
    np.testing.assert_allclose(got, expected, atol=tolerance)


@pytest.mark.parametrize("kernel", ["continuous", "discrete", "sampled"])
def test_families_contain_each_other(kernel, dtype, tolerance):
    isotropic = transfer(np.asarray(1.4, dtype), kernel=kernel)
    assert isotropic.dtype == dtype
    full = gj.BlurParams(np.asarray([1.96, 0, 1.96], dtype), family="full")
    for params in (np.asarray([1.4, 1.4], dtype), full):
        np.testing.assert_allclose(transfer(params, kernel=kernel), isotropic, atol=tolerance)


@pytest.mark.parametrize("kernel", ["continuous", "discrete"])
def test_variances_add(kernel, dtype, tolerance, rng):
    image = rng.normal(size=(24, 31)).astype(dtype)
    twice = gj.blur(gj.blur(image, 3.0, kernel=kernel), 4.0, kernel=kernel)
    np.testing.assert_allclose(twice, gj.blur(image, 5.0, kernel=kernel), atol=tolerance)
    undone = gj.blur(gj.blur(image, 1.0, kernel=kernel), -1.0, kernel=kernel)
    np.testing.assert_allclose(undone, image, atol=100 * tolerance)


@pytest.mark.parametrize("kernel", KERNELS)
def test_transfer_is_one_at_zero_frequency_and_inverts_with_the_sign(kernel, dtype, tolerance):
    for sigma in (0.4, 1.6):
        forward = np.asarray(transfer(np.asarray(sigma, dtype), kernel=kernel))
        backward = np.asarray(transfer(np.asarray(-sigma, dtype), kernel=kernel))
        np.testing.assert_allclose(forward[0, 0], 1, rtol=tolerance)
        assert (np.abs(forward) < 1.001).all()
        # At 1.6 px the highest frequencies are damped to 1e-11, where float32 keeps no digit.
        visible = np.abs(forward) > 1e-3
        np.testing.assert_allclose((forward * backward)[visible], 1, rtol=100 * tolerance)
    none = transfer(np.asarray(0.0, dtype), kernel=kernel)
    np.testing.assert_allclose(none, 1, rtol=tolerance)


@pytest.mark.parametrize("kernel", KERNELS)
def test_symmetries(kernel, dtype, tolerance, rng):
    image = rng.normal(size=(24, 31)).astype(dtype)
    sigma = np.asarray([0.7, 1.9], dtype)
    blurred = np.asarray(gj.blur(image, sigma, kernel=kernel))
    np.testing.assert_allclose(np.mean(blurred), np.mean(image), atol=tolerance)
    for changed, expected in [
        (gj.blur(image.T, sigma[::-1], kernel=kernel).T, blurred),
        (gj.blur(image[::-1, ::-1], sigma, kernel=kernel)[::-1, ::-1], blurred),
        (
            gj.blur(np.roll(image, (5, -3), (0, 1)), sigma, kernel=kernel),
            np.roll(blurred, (5, -3), (0, 1)),
        ),
    ]:
        np.testing.assert_allclose(changed, expected, atol=tolerance)


def test_transposing_a_rotated_gaussian_swaps_its_axes(dtype, tolerance, rng):
    image = rng.normal(size=(25, 31)).astype(dtype)
    swapped = gj.BlurParams(ROTATED.variance[::-1], family="full")
    np.testing.assert_allclose(gj.blur(image.T, swapped).T, gj.blur(image, ROTATED), atol=tolerance)


def test_gain_offset_and_shift(dtype, tolerance, rng):
    image = rng.normal(size=(25, 31)).astype(dtype)
    params = gj.BlurParams(
        variance=jnp.asarray([2.0], dtype),
        gain=jnp.asarray(1.7, dtype),
        offset=jnp.asarray(-4.0, dtype),
        shift=jnp.asarray([3.0, -2.0], dtype),
    )
    plain = gj.blur(image, gj.BlurParams(params.variance))
    expected = 1.7 * np.roll(plain, (3, -2), (0, 1)) - 4
    np.testing.assert_allclose(gj.blur(image, params), expected, atol=10 * tolerance)


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_a_shift_by_part_of_a_pixel_is_the_same_along_every_axis(shape, dtype, tolerance, rng):
    # The Nyquist frequency of an even axis has no sign of its own.
    image = rng.normal(size=shape).astype(dtype)
    shift = np.array([0.4, -1.3, 0.7], dtype)[: len(shape)]
    there = gj.BlurParams(np.full(1, 0.1, dtype), shift=shift)
    turned = gj.BlurParams(np.full(1, 0.1, dtype), shift=shift[::-1])
    expected = gj.blur(image, there)
    np.testing.assert_allclose(gj.blur(image.T, turned).T, expected, atol=tolerance)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradient_is_the_finite_difference(kernel, x64, rng):
    image = rng.normal(size=(16, 17))

    @jax.jit
    def cubes(variance):
        params = gj.BlurParams(variance, family="axis_aligned")
        return jnp.sum(gj.blur(image, params, kernel=kernel, boundary="reflect") ** 3)

    variance = np.array([1.3, 2.4])
    steps = 1e-5 * np.eye(2)
    differences = [(cubes(variance + h) - cubes(variance - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(jax.grad(cubes)(variance), differences, rtol=1e-7)


def test_blur_wider_than_the_extension_is_nan_when_sigma_is_traced(dtype, rng):
    image = rng.normal(size=(24, 31)).astype(dtype)
    traced = jax.jit(lambda sigma: gj.blur(image, sigma, kernel="sampled", boundary="reflect"))
    np.testing.assert_allclose(
        traced(1.5), gj.blur(image, 1.5, kernel="sampled", boundary="reflect"), atol=1e-5
    )
    assert np.isnan(traced(20.0)).all()
    assert np.isfinite(gj.blur(image, 20.0, kernel="sampled", boundary="reflect")).all()
