"""Akaike's criterion over the families: against sums by hand, and on pairs of a known family."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import cropped_scene, natural_scene

import gaussjax as gj

NOISE_STD = 0.03
COVARIANCES = {
    "none": np.zeros((2, 2)),
    "isotropic": 2.25 * np.eye(2),
    "axis_aligned": np.diag([3.0, 2.0]),
    "full": np.array([[3.0, 0.8], [0.8, 2.0]]),
}
PARAMETERS = {"none": 0, "isotropic": 1, "axis_aligned": 2, "full": 3}


def noisy_pair(family, seed=0):
    reference, blurred = cropped_scene(COVARIANCES[family])
    return reference, blurred + NOISE_STD * np.random.default_rng(seed).normal(size=blurred.shape)


@pytest.mark.parametrize("family", COVARIANCES)
def test_the_family_that_made_the_pair(family, x64):
    comparison = gj.compare_families(*noisy_pair(family))
    assert comparison.names == tuple(COVARIANCES)
    for name, aic in zip(comparison.names, comparison.aic, strict=True):
        excess = aic - min(comparison.aic)
        # Parameters that are not needed gain a chi-square of as many degrees of freedom.
        lacking = PARAMETERS[name] < PARAMETERS[family]
        assert excess > 50 if lacking else excess < 10, name
    assert PARAMETERS[comparison.best] >= PARAMETERS[family]


def test_swapped_images_ask_for_the_same_family(x64):
    pair = cropped_scene(COVARIANCES["axis_aligned"])
    comparison = gj.compare_families(*pair[::-1])
    assert comparison.best in ("axis_aligned", "full")
    assert comparison.aic[1] > min(comparison.aic) + 50


def signals(noise_std=0.02, seed=5):
    rng = np.random.default_rng(seed)
    scene = natural_scene((400,), seed=2, slope=0.5)
    blurred = scipy.ndimage.gaussian_filter(scene, 1.5, mode="wrap")
    return scene[20:-20], (blurred + noise_std * rng.normal(size=400))[20:-20]


def test_aic_is_that_of_the_residuals_by_hand(x64):
    reference, blurred = signals()
    estimate = gj.estimate_blur(reference, blurred, kernel="sampled")
    margin = int(4 * estimate.sigma + 0.5)
    inside = slice(margin, -margin)
    predicted = scipy.ndimage.gaussian_filter(reference, float(estimate.sigma))
    squares = [np.sum((image - blurred)[inside] ** 2) for image in (reference, predicted)]
    n = len(reference[inside])
    expected = n * np.log(np.array(squares) / n) + np.array([0, 2])
    comparison = gj.compare_families(reference, blurred, kernel="sampled")
    assert comparison.names == ("none", "isotropic")
    np.testing.assert_allclose(comparison.aic, expected, rtol=1e-9)


def test_with_known_noise_it_is_chi_square(x64, rng):
    reference, blurred = signals(noise_std=0.1)
    reference = reference + 0.2 * rng.normal(size=reference.shape)
    none, isotropic = gj.compare_families(reference, blurred, noise_std=(0.2, 0.1)).aic
    # The window of coloured noise counts the pixels of its ramps in part.
    n = len(reference) - 2 * 7 - 10
    assert abs(isotropic - 2 - n) < 4 * np.sqrt(2 * n)
    assert none > isotropic + 500
    # Only known levels tell that: the same pair with doubled levels.
    doubled = gj.compare_families(reference, blurred, noise_std=(0.4, 0.2)).aic
    np.testing.assert_allclose(doubled[1] - 2, (isotropic - 2) / 4, rtol=1e-3)
    estimated = gj.compare_families(reference, blurred, noise_std="estimate")
    assert estimated.best == "isotropic"
    assert abs(estimated.aic[1] - 2 - n) < 0.2 * n


def test_nuisances_are_fitted_in_every_family(x64):
    reference, blurred = signals()
    changed = 3 + 0.5 * np.roll(blurred, 2)
    options = {"gain": True, "offset": True, "shift": True}
    none, isotropic = gj.compare_families(reference, changed, **options).aic
    assert none > isotropic + 100
    # Without a blur the same three parameters explain the pair to the last bit of noise.
    noise = 0.01 * np.random.default_rng(1).normal(size=reference.shape)
    unblurred = gj.compare_families(reference, 3 + 0.5 * np.roll(reference, 2) + noise, **options)
    assert unblurred.aic[0] - unblurred.aic[1] < 5
    assert np.exp((unblurred.aic[0] - 6) / (len(reference) - 6)) < 1.5e-4


def test_weights_of_zero_are_a_mask(x64):
    reference, blurred = signals()
    blurred[100:110] = 50.0
    known = np.ones(blurred.shape, bool)
    known[100:110] = False
    masked, weighted, spoiled = (
        gj.compare_families(reference, image, kernel="sampled", **options)
        for image, options in (
            (np.where(known, blurred, np.nan), {"mask": known}),
            (blurred, {"weights": 1.0 * known}),
            (blurred, {}),
        )
    )
    np.testing.assert_allclose(masked.aic, weighted.aic, rtol=1e-6)
    assert spoiled.aic[1] > masked.aic[1] + 1000


def test_weights_and_best(x64):
    comparison = gj.FamilyComparison(aic=jnp.array([7.0, 3.0, 5.0]), names=("a", "b", "c"))
    expected = np.exp(-0.5 * np.array([4.0, 0.0, 2.0]))
    np.testing.assert_allclose(comparison.weights, expected / expected.sum())
    assert comparison.best == "b"
    lines = str(comparison).splitlines()
    assert lines[0].split()[:3] == ["a", "AIC", "+4"]
    # A family that could not be fitted is out; all are if the images hold nothing.
    failed = gj.FamilyComparison(aic=jnp.array([7.0, jnp.nan, 5.0]), names=("a", "b", "c"))
    assert failed.best == "c"
    assert np.nansum(failed.weights) == pytest.approx(1)


def test_integrated_kernels_have_no_full_covariance(x64):
    pair = noisy_pair("axis_aligned")
    comparison = gj.compare_families(*pair, kernel="integrated")
    assert comparison.names == ("none", "isotropic", "axis_aligned")
    assert comparison.best == "axis_aligned"
