"""The generalised Gaussian: its transfer function, derivatives and tail against closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import natural_scene, periodic_blur

import gaussjax as gj
from gaussjax.model.generalised_gaussian import tail_mass
from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel, prediction_margins

SHAPES = [(41,), (24, 31), (7, 9, 11)]


def generalised(scale, exponent, dtype=np.float64):
    u = np.asarray([scale**exponent], dtype)
    return gj.BlurParams(u, exponent=np.asarray(exponent, dtype), family="generalised")


def radius(shape):
    axes = [2 * np.pi * np.fft.fftfreq(n) for n in shape[:-1]]
    grid = np.meshgrid(*axes, 2 * np.pi * np.fft.rfftfreq(shape[-1]), indexing="ij")
    return np.sqrt(sum(w**2 for w in grid))


@pytest.mark.parametrize("shape", SHAPES)
def test_transfer_function(shape, dtype, tolerance):
    for exponent in (1.0, 5 / 3, 3.0):
        params = generalised(1.7, exponent, dtype)
        got = gj.transfer_function(params, shape)
        assert got.dtype == dtype
        expected = np.exp(-0.5 * (1.7 * radius(shape)) ** exponent)
        np.testing.assert_allclose(got, expected, atol=tolerance)
        np.testing.assert_allclose(params.sigma(len(shape)), 1.7, rtol=tolerance)


def test_a_gaussian_is_that_of_exponent_two(x64):
    scene = natural_scene((30, 41))
    got = gj.blur(scene, generalised(1.3, 2.0))
    np.testing.assert_allclose(got, periodic_blur(scene, 1.3**2 * np.eye(2)), atol=1e-12)


def test_the_inverse_undoes_it(x64):
    scene, params = natural_scene((30, 41)), generalised(0.8, 1.5)
    np.testing.assert_allclose(gj.blur(gj.blur(scene, params), params.inverse()), scene, atol=1e-10)
    assert params.inverse().sigma(2) == -params.sigma(2)


@pytest.mark.parametrize("scale", [0.0, 0.5, 4.0])
def test_derivatives_are_finite_and_right(scale, x64):
    shape = (16, 19)
    model = BlurModel("generalised", Kernel(), 0, shape, gain=True, offset=True, shift=True)
    vector = np.array([scale**1.4, 0.9, 0.2, 1.4, 0.3, -0.2])
    response, slopes = jax.jit(lambda v: model.responses(v, shape))(vector)
    alone = jax.jit(lambda v: model.response(v, shape))
    np.testing.assert_allclose(response, alone(vector), atol=1e-13)
    backwards = jax.jit(jax.jacrev(lambda v: jnp.sum(jnp.abs(model.response(v, shape)) ** 2)))
    assert np.all(np.isfinite(backwards(vector)))
    for k, slope in enumerate(slopes):
        h = 1e-5 * np.eye(len(vector))[k]
        change = alone(vector + h) - alone(vector - h)
        np.testing.assert_allclose(slope, change / 2e-5, atol=1e-8)


def test_the_tail_of_the_lorentzian(x64):
    # T = exp(-s |w| / 2): along an axis a Cauchy density of half width s / 2.
    x = 20.0
    exact = 1 - 2 / math.pi * math.atan(2 * x)
    np.testing.assert_allclose(tail_mass(jnp.asarray(1.0), jnp.asarray(x)), exact, rtol=1e-3)
    assert abs(tail_mass(jnp.asarray(2.0), jnp.asarray(x))) < 1e-15


@pytest.mark.parametrize("exponent", [1.6, 2.5])
def test_the_tail_by_a_transform(exponent, x64):
    # The line spread function: what is beyond 12 s of either side, on a period of 4096 s.
    n, step = 2**17, 1 / 32
    w = 2 * np.pi * np.fft.rfftfreq(n, step)
    line = np.fft.irfft(np.exp(-0.5 * w**exponent), n)
    x = step * np.minimum(np.arange(n), n - np.arange(n))
    beyond = np.sum(line[x > 12])
    got = tail_mass(jnp.asarray(exponent), jnp.asarray(12.0))
    np.testing.assert_allclose(got, beyond, rtol=0.1)


def test_margins_follow_the_tail(x64):
    def margin(exponent, size):
        largest = (3 * size // 8,)
        return float(prediction_margins(generalised(2.0, exponent), Kernel(), largest)[0])

    assert margin(2.0, 512) == 9  # of the Gaussian: 4 sigma and a pixel
    assert 9 < margin(1.99, 512) < margin(1.9, 512) < 256
    assert margin(1.0, 512) == 512 // 8  # its tail of 6e-5 begins at 10,000 px
    assert margin(1.0, 64) == 9


def test_what_has_no_meaning_is_refused(rng):
    image = rng.normal(size=(16, 16))
    params = generalised(1.5, 1.5, np.float32)
    with pytest.raises(ValueError, match="kernel must be 'continuous', got 'sampled'"):
        gj.transfer_function(params, (16, 16), kernel="sampled")
    with pytest.raises(ValueError, match="'valid' or 'periodic', got 'reflect'"):
        gj.blur(image, params, boundary="reflect")
    with pytest.raises(ValueError, match="'valid' or 'periodic', got 'zero'"):
        gj.image_loss(params, image, image, boundary="zero")
    with pytest.raises(ValueError, match=r"exponent must be a number"):
        gj.blur(image, gj.BlurParams(np.ones(1, np.float32), family="generalised"))
    with pytest.raises(ValueError, match=r"exponent must be a number"):
        gj.blur(image, gj.BlurParams(np.ones(1, np.float32), exponent=np.float32(2)))


@pytest.mark.parametrize("fit", [gj.fit_frequency_ratio, gj.fit_gauss_newton])
def test_fits_to_spectra_are_of_gaussians(fit, rng):
    spectra = gj.pair_spectra(*rng.normal(size=(2, 16, 16)).astype(np.float32))
    with pytest.raises(ValueError, match="fitted by estimate_blur"):
        fit(spectra, family="generalised")
