"""The sandwich and its blocks, against sums written out."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import cropped_photograph

import gaussjax as gj
from gaussjax.uncertainty import block_sums, sandwich_covariance, wider_covariance


@pytest.mark.parametrize("shape", [(300,), (64, 50), (12, 13, 14), (5, 7)])
def test_blocks_keep_every_pixel(shape, rng, x64):
    fields = rng.normal(size=(2, *shape))
    sums = block_sums(jnp.asarray(fields))
    np.testing.assert_allclose(
        sums.reshape(2, -1).sum(axis=1), fields.reshape(2, -1).sum(axis=1), rtol=1e-9
    )
    assert sums[0].size <= 300


def test_independent_scores_give_the_classical_form(rng, x64):
    scores = rng.normal(size=(1, 256, 256))
    curvature = jnp.full((1, 1), 100.0)
    sandwich = sandwich_covariance(curvature, block_sums(jnp.asarray(scores)))
    np.testing.assert_allclose(sandwich, 256**2 / 100.0**2, rtol=0.3)
    classical = jnp.full((1, 1), 256**2 / 100.0**2)
    np.testing.assert_array_equal(wider_covariance(classical, sandwich), classical)
    np.testing.assert_array_equal(wider_covariance(classical / 9, sandwich), sandwich)


def test_correlated_noise_widens_the_error_bar_to_the_scatter(x64):
    reference, clean = cropped_photograph("camera", 2.0, 96)
    white = np.random.default_rng(0).normal(size=(60, *clean.shape))
    noise = 0.2 * scipy.ndimage.gaussian_filter(white, (0, 1.5, 1.5), mode="wrap")
    estimates = [gj.estimate_blur(reference, clean + n, kernel="sampled") for n in noise]
    scatter = np.std([e.sigma for e in estimates])
    bar = np.mean([e.sigma_standard_error for e in estimates])
    np.testing.assert_allclose(bar, scatter, rtol=0.3)
    independent = np.sqrt(estimates[0].noise_variance / estimates[0].num_pixels)
    assert independent > 0
