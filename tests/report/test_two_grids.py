"""Reports of a pair whose softer image has larger pixels."""

from dataclasses import replace
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from problems import natural_scene

import gaussjax as gj
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.kernel_shapes import disk, gaussian

SIZE, EDGE, RATIO, SIGMA = 96, 24, 2, 1.6
GRID = CoarseGrid((Fraction(RATIO),) * 2, "area", (0.5, 0.5))


def means(image):
    return image.reshape(-1, RATIO, image.shape[1] // RATIO, RATIO).mean((1, 3))


def pair_of(transfer, noise=0.0):
    scene = natural_scene((SIZE + 2 * EDGE,) * 2, seed=1, slope=1.0)
    w = 2 * np.pi * np.fft.fftfreq(len(scene))
    blurred = np.fft.ifft2(np.fft.fft2(scene) * transfer(np.ix_(w, w))).real
    inside = (slice(EDGE, -EDGE),) * 2
    reference, coarse = scene[inside], means(blurred[inside])
    return reference, coarse + noise * np.random.default_rng(2).normal(size=coarse.shape)


def estimate_of(reference, coarse, sigma):
    """Made by hand: to fit one would take seconds to compile."""
    found = gj.fit_gauss_newton(gj.pair_spectra(means(reference), coarse))
    params = replace(found.params, variance=jnp.full(1, sigma**2))
    matrix = sigma**2 * jnp.eye(2)
    return replace(
        found, params=params, sigma=jnp.asarray(sigma), covariance_matrix=matrix, grid=GRID
    )


@pytest.mark.parametrize("noise_std", [None, (0.02, 0.01)])
def test_a_disk_is_told_from_a_gaussian(noise_std, x64):
    reference, coarse = pair_of(lambda w: disk(w, 3.0), 0.01)
    if noise_std:
        noise = np.random.default_rng(3).normal(size=reference.shape)
        reference = reference + noise_std[0] * noise
    options = {"sampling": RATIO, "noise_std": noise_std, "gain": True, "offset": True}
    estimate = estimate_of(reference, coarse, 1.5)
    found = gj.compare_kernels(reference, 1.2 * coarse + 3, estimate=estimate, **options)
    assert found.best.name == "disk"
    radius = next(each for each in found.kernels if each.convention == "continuous")
    assert radius.name == "disk"
    assert abs(radius.parameters[0] - 3) < 4 * radius.standard_errors[0] < 0.05
    assert not any("resize" in each.name for each in found.kernels)


def test_the_figure_shows_the_coarse_residual(x64):
    reference, coarse = pair_of(lambda w: gaussian(w, SIGMA**2))
    estimate = estimate_of(reference, coarse, SIGMA)
    profile = gj.transfer_profile(reference, coarse, estimate, num_bins=16)
    w = np.asarray(profile.frequency)
    np.testing.assert_allclose(profile.fitted, np.exp(-0.5 * (SIGMA * w) ** 2), atol=0.01)
    told = w < np.pi / RATIO
    np.testing.assert_allclose(profile.transfer[told], profile.fitted[told], atol=0.02)
    comparison = gj.FamilyComparison(aic=jnp.array([9.0, 0.0]), names=("none", "isotropic"))
    figure = gj.draw_report(reference, coarse, estimate, profile, comparison)
    axes = {axes.get_title(): axes for axes in figure.axes}
    assert axes["A, the reference"].images[0].get_array().shape == (SIZE, SIZE)
    residual = np.ma.filled(axes["Residual B \u2212 g * A"].images[0].get_array(), np.nan)
    margin = int(np.ceil((np.ceil(4 * SIGMA) + 1) / RATIO + 0.5))
    assert np.sum(np.isfinite(residual)) == (SIZE // RATIO - 2 * margin) ** 2
    assert np.nanmax(np.abs(residual)) < 1e-4 * np.std(coarse)


def test_families_of_signals(x64, rng):
    signal = rng.normal(size=400)
    w = 2 * np.pi * np.fft.rfftfreq(400)
    blurred = np.fft.irfft(np.fft.rfft(signal) * np.exp(-0.5 * (SIGMA * w) ** 2))
    coarse = blurred.reshape(-1, RATIO).mean(1) + 0.01 * rng.normal(size=200)
    found = gj.compare_families(signal, coarse, sampling=RATIO)
    assert found.best == "isotropic"
    assert found.aic[0] - found.aic[1] > 100
