"""Losses: the spectral and the image form against each other and against dense sums of squares."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

import gaussjax as gj
from gaussjax.model.options import KERNELS

SHAPES = [(21,), (22,), (12, 14), (12, 15), (13, 14), (13, 15), (6, 7, 8), (7, 8, 9)]
SCIPY_MODES = {"periodic": "wrap", "reflect": "reflect", "nearest": "nearest", "zero": "constant"}

image_loss = jax.jit(gj.image_loss, static_argnames=("kernel", "boundary"))


@partial(jax.jit, static_argnames="kernel")
def spectral_loss(params, reference, blurred, kernel="continuous"):
    return gj.loss(params, gj.pair_spectra(reference, blurred), kernel=kernel)


@pytest.mark.parametrize("shape", SHAPES)
def test_spectral_loss_is_image_loss_is_the_sum_of_squares(shape, dtype, tolerance, rng):
    reference, blurred = rng.normal(size=(2, *shape)) + 5
    model = scipy.ndimage.gaussian_filter(reference, 1.2, mode="wrap")
    dense = 0.5 * np.sum((model - blurred) ** 2)
    sigma, a, b = (x.astype(dtype) for x in (np.array(1.2), reference, blurred))
    in_images = image_loss(sigma, a, b, kernel="sampled", boundary="periodic")
    in_spectra = spectral_loss(sigma, a, b, kernel="sampled")
    assert in_images.dtype == in_spectra.dtype == dtype
    np.testing.assert_allclose(in_images, dense, rtol=tolerance)
    np.testing.assert_allclose(in_spectra, dense, rtol=tolerance)


@pytest.mark.parametrize("boundary", SCIPY_MODES)
def test_image_loss_is_scipys_sum_of_squares_over_the_frame(boundary, dtype, tolerance, rng):
    reference, blurred = rng.normal(size=(2, 24, 31)) + 5
    model = scipy.ndimage.gaussian_filter(reference, 1.7, mode=SCIPY_MODES[boundary])
    dense = 0.5 * np.sum((model - blurred) ** 2)
    images = reference.astype(dtype), blurred.astype(dtype)
    got = image_loss(np.asarray(1.7, dtype), *images, kernel="sampled", boundary=boundary)
    np.testing.assert_allclose(got, dense, rtol=tolerance)


def test_valid_loss_compares_only_what_the_kernel_cannot_reach(dtype, tolerance, rng):
    reference, blurred = rng.normal(size=(2, 24, 31)) + 5
    inside = (slice(7, -7), slice(7, -7))
    model = scipy.ndimage.gaussian_filter(reference, 1.7)
    dense = 0.5 * np.sum((model - blurred)[inside] ** 2)
    blurred[0, :] = 1e3
    blurred[:, -7:] = -1e3
    sigma, a, b = (x.astype(dtype) for x in (np.array(1.7), reference, blurred))
    np.testing.assert_allclose(image_loss(sigma, a, b, kernel="sampled"), dense, rtol=tolerance)
    too_wide = np.asarray(9.0, dtype)
    assert np.isnan(image_loss(too_wide, a, b, kernel="sampled"))


def test_nuisances_enter_both_losses(x64, rng):
    reference, blurred = rng.normal(size=(2, 13, 15)) + 5
    params = gj.BlurParams(np.array([1.3]), gain=np.array(0.7), shift=np.array([2.0, -1.0]))
    model = 0.7 * np.roll(gj.blur(reference, 1.3**0.5), (2, -1), (0, 1))
    dense = 0.5 * np.sum((model - blurred) ** 2)
    np.testing.assert_allclose(spectral_loss(params, reference, blurred), dense, rtol=1e-12)
    np.testing.assert_allclose(
        image_loss(params, reference, blurred, boundary="periodic"), dense, rtol=1e-12
    )
    offset = gj.BlurParams(np.array([1.3]), offset=np.array(2.0))
    dense = 0.5 * np.sum((np.asarray(gj.blur(reference, 1.3**0.5)) + 2 - blurred) ** 2)
    np.testing.assert_allclose(
        image_loss(offset, reference, blurred, boundary="periodic"), dense, rtol=1e-12
    )
    with pytest.raises(ValueError, match="offset"):
        spectral_loss(offset, reference, blurred)


def test_loss_of_summed_spectra_is_the_sum_of_losses(dtype, tolerance, rng):
    references, blurred = rng.normal(size=(2, 3, 13, 15)).astype(dtype)
    sigma = np.asarray(0.8, dtype)
    apart = sum(spectral_loss(sigma, a, b) for a, b in zip(references, blurred, strict=True))
    together = jax.jit(
        lambda a, b: gj.loss(sigma, gj.sum_spectra(jax.vmap(gj.pair_spectra)(a, b)))
    )(references, blurred)
    np.testing.assert_allclose(together, apart, rtol=tolerance)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_are_finite_differences(kernel, x64, rng):
    reference, blurred = rng.normal(size=(2, 18, 21))
    steps = 1e-5 * np.eye(2)
    variance = np.array([1.3, 2.1])

    def in_spectra(v):
        params = gj.BlurParams(v, family="axis_aligned")
        return spectral_loss(params, reference, blurred, kernel=kernel)

    def in_interior(v):
        params = gj.BlurParams(v, family="axis_aligned")
        return image_loss(params, reference, blurred, kernel=kernel)

    # The interior's loss is the same model behind an FFT: two kernels will do.
    both = kernel in ("continuous", "sampled")
    for function in (in_spectra, in_interior) if both else (in_spectra,):
        differences = [(function(variance + h) - function(variance - h)) / 2e-5 for h in steps]
        np.testing.assert_allclose(jax.grad(function)(variance), differences, rtol=1e-6)


def test_float32_loss_keeps_its_digits_near_a_perfect_fit(rng):
    # T^2 P - 2 T C + Q would have none left: the constant is 1e4 times the contrast.
    reference = 1e4 + rng.normal(size=(48, 64))
    blurred = 1e4 + scipy.ndimage.gaussian_filter(reference - 1e4, 2.0, mode="wrap")
    blurred = blurred + 0.01 * rng.normal(size=blurred.shape)
    with jax.enable_x64(True):
        exact = float(spectral_loss(np.array(2.0), reference - 1e4, blurred - 1e4))
    centred = (jnp.float32(x - 1e4) for x in (reference, blurred))
    np.testing.assert_allclose(spectral_loss(jnp.float32(2.0), *centred), exact, rtol=1e-3)
