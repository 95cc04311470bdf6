"""The sandwich and its blocks, against sums written out."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import cropped_photograph

import gaussjax as gj
from gaussjax.model.window import Window
from gaussjax.statistics.covariance import block_counts, sandwich_covariance, wider_covariance


def block_totals(scores):
    window = Window(tuple(jnp.ones(n) for n in scores.shape), None)
    return window.block_totals(jnp.asarray(scores), block_counts(scores.shape))


@pytest.mark.parametrize("shape", [(300,), (64, 50), (12, 13, 14), (5, 7)])
def test_blocks_keep_every_pixel(shape, rng, x64):
    scores = rng.normal(size=shape)
    sums = block_totals(scores)
    np.testing.assert_allclose(jnp.sum(sums), np.sum(scores), rtol=1e-9)
    assert sums.size <= 300


def test_independent_scores_give_the_classical_form(rng, x64):
    sums = block_totals(rng.normal(size=(256, 256)))
    curvature = jnp.full((1, 1), 100.0)
    sandwich = sandwich_covariance(curvature, jnp.sum(sums**2)[None, None])
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
