"""Blurs in physical units: what pixels of a known size make of sigma, its error and covariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.kernels import as_kernel
from gaussjax.model.params import BlurParams
from gaussjax.statistics.derived_quantities import make_estimate


def estimate(variance, family, errors, ndim=2):
    """An estimate of a blur alone, with independent errors of its variances."""
    scalar = jnp.asarray(0.0)
    return make_estimate(
        BlurParams(jnp.asarray(variance), family=family),
        ndim=ndim,
        covariance=jnp.diag(jnp.asarray(errors) ** 2),
        loss=scalar,
        noise_variance=scalar,
        num_pixels=jnp.int32(9),
        num_steps=jnp.int32(1),
        kernel=as_kernel("continuous"),
        problems={},
    )


def test_square_pixels_scale_all_lengths():
    found = estimate([4.0], "isotropic", [0.004])
    blur = found.in_units(0.05, "arcsec")
    np.testing.assert_allclose(blur.sigma, 0.1, rtol=1e-6)
    np.testing.assert_allclose(blur.sigma_standard_error, 0.05 * 0.001, rtol=0.01)
    np.testing.assert_allclose(blur.fwhm, 0.05 * found.fwhm, rtol=1e-6)
    np.testing.assert_allclose(blur.covariance_matrix, 0.01 * np.eye(2), rtol=1e-6)
    np.testing.assert_allclose(blur.b_factor, 8 * np.pi**2 * 0.01, rtol=1e-6)
    relative = blur.b_factor_standard_error / blur.b_factor
    np.testing.assert_allclose(relative, 2 * blur.sigma_standard_error / blur.sigma, rtol=1e-6)
    assert str(blur) == "sigma     0.100000 +- 0.000050 arcsec\nFWHM      0.23548 +- 0.00012 arcsec"


def test_b_is_that_of_the_transfer_function():
    blur = estimate([4.0], "isotropic", [0.004]).in_units(0.5)
    s = np.linspace(0, 1, 7)  # cycles per unit
    transfer = np.exp(-0.5 * 4.0 * (2 * np.pi * 0.5 * s) ** 2)
    np.testing.assert_allclose(np.exp(-float(blur.b_factor) * s**2 / 4), transfer, rtol=1e-5)


def test_voxels_make_an_isotropic_blur_anisotropic():
    blur = estimate([4.0], "isotropic", [0.004], ndim=3).in_units((2, 2, 4), "mm")
    np.testing.assert_allclose(blur.sigma, [4, 4, 8], rtol=1e-6)
    np.testing.assert_allclose(blur.sigma_standard_error, [0.002, 0.002, 0.004], rtol=0.01)
    np.testing.assert_allclose(blur.covariance_matrix, np.diag([16, 16, 64]), rtol=1e-6)
    each = estimate([4.0, 9.0], "axis_aligned", [0.04, 0.06]).in_units((3, 2))
    np.testing.assert_allclose(each.sigma, [6, 6], rtol=1e-6)


@pytest.mark.parametrize("size", [2.0, (1.0, 3.0)])
def test_principal_sigmas_are_those_of_the_stretched_covariance(size):
    found = estimate([3.0, 0.8, 2.0], "full", [1e-3, 2e-3, 3e-3])
    blur = jax.device_get(found).in_units(size)
    stretch = np.diag(np.broadcast_to(size, 2))
    expected = stretch @ found.covariance_matrix @ stretch
    np.testing.assert_allclose(blur.covariance_matrix, expected, rtol=1e-6)
    values = np.linalg.eigvalsh(expected)
    np.testing.assert_allclose(blur.sigma, np.sqrt(values[::-1]), rtol=1e-5)


def test_errors_of_stretched_principal_sigmas_are_an_upper_bound():
    errors = np.array([1e-3, 2e-3, 3e-3])
    blur = estimate([3.0, 0.8, 2.0], "full", errors).in_units((1.0, 3.0))

    def sigmas(yy, yx, xx):
        return np.sqrt(np.linalg.eigvalsh([[yy, 3 * yx], [3 * yx, 9 * xx]]))[::-1]

    corners = errors * np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    moved = [np.abs(sigmas(*np.add(corner, [3, 0.8, 2])) - sigmas(3, 0.8, 2)) for corner in corners]
    np.testing.assert_allclose(np.max(moved, axis=0), blur.sigma_standard_error, rtol=0.01)


def test_batches_are_scaled_as_singles():
    single = estimate([4.0], "isotropic", [0.004])
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), single)
    np.testing.assert_allclose(batch.in_units(3).sigma, [6, 6], rtol=1e-6)
    assert batch.in_units((1, 3)).sigma.shape == (2, 2)


@pytest.mark.parametrize(
    ("size", "error", "reason"),
    [
        ("0.5", TypeError, "pixel_size must be a number or one for each"),
        (None, TypeError, "pixel_size must be a number or one for each"),
        (0.0, ValueError, "positive, from"),
        (np.nan, ValueError, "positive, from"),
        (1e-320, ValueError, "positive, from"),  # its square is 0
        (1e300, ValueError, "positive, from"),
        ((1, 2, 3), ValueError, "one for each of the 2 axes"),
        ([[1.0, 2.0]], ValueError, "one for each of the 2 axes"),
    ],
)
def test_sizes_that_are_none(size, error, reason):
    with pytest.raises(error, match=reason):
        estimate([4.0], "isotropic", [0.004]).in_units(size)
