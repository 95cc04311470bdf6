"""The FFT convention and its weights, against dense Fourier matrices."""

import jax
import numpy as np
import pytest

from gaussjax.model import fourier as grid

# As programs: one operation at a time, each would be compiled for every shape.
forward_transform = jax.jit(grid.forward_transform, static_argnums=1)
inverse_transform = jax.jit(grid.inverse_transform, static_argnums=1)
inverse_transforms = jax.jit(grid.inverse_transforms, static_argnums=1)

SHAPES = [(7,), (8,), (6, 8), (6, 7), (5, 8), (5, 7), (4, 3, 6), (3, 4, 5)]


def dense_transform(image):
    """Full complex transform by one Fourier matrix per axis, without an FFT."""
    for axis, n in enumerate(image.shape):
        k = np.arange(n)
        matrix = np.exp(-2j * np.pi * np.outer(k, k) / n)
        image = np.moveaxis(np.tensordot(matrix, image, axes=(1, axis)), 0, axis)
    return image


@pytest.mark.parametrize("shape", SHAPES)
def test_transform_is_the_dense_fourier_matrix_and_inverts(shape, dtype, tolerance, rng):
    image = rng.normal(size=shape).astype(dtype)
    spectrum = forward_transform(image, len(shape))
    assert spectrum.shape == grid.spectrum_shape(shape)
    half = dense_transform(image.astype(np.float64))[..., : shape[-1] // 2 + 1]
    np.testing.assert_allclose(spectrum, half, atol=tolerance * np.abs(half).max())
    np.testing.assert_allclose(
        inverse_transform(spectrum, shape), image, atol=tolerance * np.abs(image).max()
    )


def test_leading_axes_are_a_stack(dtype, rng):
    images = rng.normal(size=(3, 6, 7)).astype(dtype)
    stacked = forward_transform(images, 2)
    one = forward_transform(images[1], 2)
    np.testing.assert_allclose(stacked[1], one, rtol=1e-5)
    assert inverse_transform(stacked, (6, 7)).shape == (3, 6, 7)


@pytest.mark.parametrize("shape", SHAPES)
def test_half_plane_weights_are_parsevals(shape, dtype, tolerance, rng):
    x, y = rng.normal(size=(2, *shape)).astype(dtype)
    a, b = (forward_transform(image, len(shape)) for image in (x, y))
    weights = grid.half_plane_weights(shape, dtype)
    assert weights.dtype == dtype
    product = np.sum(weights * np.real(np.conj(a) * b))
    np.testing.assert_allclose(product, np.sum(x * y), atol=tolerance * np.sum(np.abs(x * y)))


@pytest.mark.parametrize("shape", SHAPES)
def test_frequencies_are_those_of_a_plane_wave(shape, dtype):
    # The spectrum of cos(w . k) peaks where angular_frequencies says w.
    frequencies = grid.angular_frequencies(shape, dtype)
    wanted = [2 * np.pi * (1 if axis else -1) / n for axis, n in enumerate(shape)]
    if len(shape) == 1:
        wanted = [2 * np.pi / shape[0]]
    positions = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    wave = np.cos(sum(w * k for w, k in zip(wanted, positions, strict=True))).astype(dtype)
    power = np.abs(forward_transform(wave, len(shape)))
    peak = np.unravel_index(np.argmax(power), power.shape)
    found = [np.broadcast_to(np.asarray(f), power.shape)[peak] for f in frequencies]
    sign = np.sign(found[-1] * wanted[-1])
    np.testing.assert_allclose(np.asarray(found) * sign, wanted, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_indices_are_numpys_up_to_the_sign_of_nyquist(shape):
    for axis, (n, index) in enumerate(zip(shape, grid.frequency_indices(shape), strict=True)):
        is_last = axis == len(shape) - 1
        expected = np.fft.rfftfreq(n, 1 / n) if is_last else np.fft.fftfreq(n, 1 / n)
        np.testing.assert_array_equal(np.abs(index), np.abs(expected))
        np.testing.assert_array_equal(np.mod(index, n), np.mod(expected, n))


@pytest.mark.parametrize("shape", SHAPES)
def test_transforms_side_by_side_are_those_one_by_one(shape, dtype, rng):
    images = rng.normal(size=(3, *shape)).astype(dtype)
    spectra = [forward_transform(image, len(shape)) for image in images]
    found = inverse_transforms(spectra, shape)
    for image, spectrum in zip(found, spectra, strict=True):
        np.testing.assert_array_equal(image, inverse_transform(spectrum, shape))
    # The plane of a NaN in the last does not reach into an index that does not exist.
    spectra[-1] = np.full_like(spectra[-1], np.nan)
    second = inverse_transforms(spectra, shape)[1]
    np.testing.assert_array_equal(second, inverse_transform(spectra[1], shape))
