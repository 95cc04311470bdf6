"""The error bar of sigma, against the scatter of estimates."""

import numpy as np
import scipy.ndimage
from problems import cropped_photograph

import gaussjax as gj


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
