"""The closed forms: exact without noise, weighted least squares with it."""

from functools import partial

import jax
import numpy as np
import pytest
from problems import natural_scene, periodic_blur, periodic_problems

import gaussjax as gj

# The narrowest |T| is 4e-7: below rounding the unweighted forms would divide by noise.
COVARIANCE = np.array([[1.5, 0.3], [0.3, 0.9]])
# The free kernel takes H = 0 where |a| is below its threshold, which costs it 3e-4 here.
fit_free_kernel = partial(gj.fit_free_kernel, threshold=1e-9)
NAMES = ["fit_frequency_ratio", "fit_pointwise_ratio", "fit_free_kernel"]
FITS = (gj.fit_frequency_ratio, gj.fit_pointwise_ratio, fit_free_kernel)


@pytest.fixture
def scene():
    return natural_scene((48, 63), seed=5)


@pytest.mark.parametrize("problem", periodic_problems(), ids=repr)
def test_closed_form_is_exact_without_noise(problem, x64):
    spectra = gj.pair_spectra(problem.reference, problem.blurred)
    estimate = gj.fit_frequency_ratio(spectra)
    rtol = 1e-10 if "units" not in problem.tags else 1e-9
    np.testing.assert_allclose(estimate.sigma, problem.sigma, rtol=rtol)
    assert estimate.status == 0


@pytest.mark.parametrize("fit", FITS, ids=NAMES)
def test_every_form_recovers_sigma(fit, scene, dtype):
    blurred = periodic_blur(scene, 1.21 * np.eye(2))
    spectra = gj.pair_spectra(scene.astype(dtype), blurred.astype(dtype))
    estimate = fit(spectra)
    rtol = 1e-9 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(estimate.sigma, 1.1, rtol=rtol)
    assert estimate.sigma.dtype == dtype


@pytest.mark.parametrize("fit", FITS[:2], ids=NAMES[:2])
@pytest.mark.parametrize("exponent", [-40, 26])
def test_the_unit_of_the_pixels_does_not_matter_in_single_precision(fit, exponent, scene):
    blurred = periodic_blur(scene, np.eye(2))
    estimates = []
    for unit in (1.0, 2.0**exponent):  # whose products round alike
        pair = (np.float32(unit) * image.astype(np.float32) for image in (scene, blurred))
        estimates.append(fit(gj.pair_spectra(*pair)))
    one, other = (e.sigma for e in estimates)
    np.testing.assert_allclose(one, 1, rtol=1e-3)
    np.testing.assert_allclose(other, one, rtol=1e-5)
    one, other = (e.sigma_standard_error for e in estimates)
    assert one > 0
    # Of a pair without noise it is rounding, whose own squares are tiny.
    np.testing.assert_allclose(other, one, rtol=1e-2)


@pytest.mark.parametrize("fit", FITS, ids=NAMES)
def test_every_form_recovers_each_family(fit, x64):
    scene = natural_scene((47, 63), seed=5)
    two = gj.pair_spectra(scene, periodic_blur(scene, np.diag([2.25, 1.0])))
    np.testing.assert_allclose(fit(two, family="axis_aligned").sigma, [1.5, 1], rtol=1e-6)
    full = fit(gj.pair_spectra(scene, periodic_blur(scene, COVARIANCE)), family="full")
    np.testing.assert_allclose(full.covariance_matrix, COVARIANCE, rtol=1e-6)
    principal = np.sqrt(np.linalg.eigvalsh(COVARIANCE)[::-1])
    np.testing.assert_allclose(full.sigma, principal, rtol=1e-6)


@pytest.mark.parametrize("fit", FITS[:2], ids=NAMES[:2])
def test_amplitude_is_fitted_beside_sigma(fit, scene, x64):
    spectra = gj.pair_spectra(scene, 0.7 * periodic_blur(scene, 2.25 * np.eye(2)))
    estimate = fit(spectra, amplitude=True)
    np.testing.assert_allclose(estimate.sigma, 1.5, rtol=1e-8)
    np.testing.assert_allclose(estimate.params.gain, 0.7, rtol=1e-8)
    assert estimate.standard_error.gain >= 0
    assert abs(float(fit(spectra).sigma) - 1.5) > 0.01


def test_swapping_the_images_negates_the_variance(scene, x64):
    spectra = gj.pair_spectra(scene, periodic_blur(scene, np.eye(2)))
    forward, backward = (gj.fit_frequency_ratio(s) for s in (spectra, spectra.swapped()))
    np.testing.assert_allclose(forward.sigma, 1, rtol=1e-10)
    np.testing.assert_allclose(backward.params.variance, -forward.params.variance, rtol=1e-9)


@pytest.mark.parametrize("fit", FITS, ids=NAMES)
def test_error_bar_is_the_scatter_under_noise(fit, scene, x64, rng):
    # Faint noise and a slight blur: there the unweighted forms are linear too.
    draws, noise_std = 200, 1e-5
    blurred = periodic_blur(scene, 0.25 * np.eye(2))
    noisy = blurred + noise_std * rng.normal(size=(draws, *scene.shape))
    estimates = jax.jit(jax.vmap(lambda b: fit(gj.pair_spectra(scene, b))))(noisy)
    scatter = np.std(estimates.sigma)
    # The scatter of 200 draws is itself uncertain by 5 %.
    np.testing.assert_allclose(np.mean(estimates.sigma_standard_error), scatter, rtol=0.2)
    np.testing.assert_allclose(np.mean(estimates.noise_variance), noise_std**2, rtol=0.02)


def test_weights_beat_the_pointwise_ratio_under_noise(scene, x64, rng):
    # The debate under the frequency ratio: with noise, division without weights ruins the fit.
    blurred = periodic_blur(scene, 4 * np.eye(2))
    noisy = blurred + 0.01 * rng.normal(size=(50, *scene.shape))
    weighted, pointwise = (
        jax.jit(jax.vmap(lambda b, fit=fit: fit(gj.pair_spectra(scene, b)).sigma))(noisy)
        for fit in FITS[:2]
    )
    assert np.sqrt(np.mean((weighted - 2) ** 2)) < 0.02
    assert np.sqrt(np.mean((pointwise - 2) ** 2)) > 0.2


@pytest.mark.parametrize("fit", FITS, ids=NAMES)
def test_options_are_checked(fit):
    spectra = gj.pair_spectra(np.ones((4, 5)), np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"family must be one of .*; got 'round'"):
        fit(spectra, family="round")


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_swapping_the_images_negates_the_ratio(family, noise, scene, rng, dtype):
    covariance = {"isotropic": np.eye(2), "axis_aligned": np.diag([1.5, 0.9]), "full": COVARIANCE}
    blurred = 1.3 * periodic_blur(scene, covariance[family])
    blurred = blurred + noise * np.std(blurred) * rng.normal(size=blurred.shape)
    pair = [image.astype(dtype) for image in (scene, blurred)]
    fit = partial(gj.fit_frequency_ratio, family=family, amplitude=True)
    there, back = (fit(gj.pair_spectra(*images)) for images in (pair, pair[::-1]))
    # Without noise the rounds that find the weights end alike; with it, near one another.
    rtol = 1e-8 if dtype is np.float64 and not noise else 1e-3
    np.testing.assert_allclose(back.params.variance, -there.params.variance, rtol=rtol)
    np.testing.assert_allclose(back.params.gain, 1 / there.params.gain, rtol=rtol)
    assert there.status == back.status == 0
    if noise:
        errors = back.standard_error.variance, there.standard_error.variance
        np.testing.assert_allclose(*errors, rtol=1e-3)


def test_noise_where_the_reference_has_nothing_is_not_taken_for_sharpness(scene, rng, x64):
    blurred = periodic_blur(scene, 0.36 * np.eye(2))
    blurred = blurred + 0.6 * np.std(blurred) * rng.normal(size=blurred.shape)
    estimate = gj.fit_frequency_ratio(gj.pair_spectra(scene, blurred))
    assert abs(estimate.sigma - 0.6) < 4 * estimate.sigma_standard_error
