"""Pairs that cannot be estimated end in a status; odd ones that can be, in an answer."""

import jax
import numpy as np
import pytest
import scipy.ndimage
from problems import cropped_photograph, cropped_scene

import gaussjax as gj
from gaussjax import Status


@pytest.fixture
def pair(dtype):
    return [image.astype(dtype) for image in cropped_scene(2.25 * np.eye(2))]


def test_equal_images_have_no_blur(pair):
    estimate = gj.estimate_blur(pair[0], pair[0])
    assert estimate.params.variance == 0
    assert estimate.status == Status.ESTIMATED
    sampled = gj.estimate_blur(pair[0], pair[0], kernel="sampled")
    assert sampled.status == Status.NOT_IDENTIFIABLE
    assert abs(sampled.sigma) < 0.15


def test_a_sharper_second_image_is_a_negative_sigma(pair):
    reference, blurred = pair
    estimate = gj.estimate_blur(blurred, reference)
    np.testing.assert_allclose(estimate.sigma, -1.5, rtol=1e-4)
    np.testing.assert_allclose(estimate.params.variance, -2.25, rtol=2e-4)
    assert estimate.status == Status.ESTIMATED


@pytest.mark.parametrize("level", [0.0, 7.5])
def test_flat_references_identify_nothing(level, pair):
    flat = np.full_like(pair[0], level)
    assert gj.estimate_blur(flat, pair[1]).status != Status.ESTIMATED
    assert gj.estimate_blur(flat, flat).status == Status.NOT_IDENTIFIABLE


def test_unrelated_images_are_not_taken_for_a_blurred_pair(pair, dtype):
    noise = np.random.default_rng(0).normal(size=(2, *pair[0].shape)).astype(dtype)
    assert gj.estimate_blur(*noise).status != Status.ESTIMATED


def test_a_frame_too_small_for_its_blur(dtype):
    scene = np.random.default_rng(0).normal(size=(400, 400))
    blurred = scipy.ndimage.gaussian_filter(scene, 20.0)
    inside = (slice(168, 232), slice(168, 240))
    pair = scene[inside].astype(dtype), blurred[inside].astype(dtype)
    assert gj.estimate_blur(*pair).status == Status.TOO_SMALL
    assert gj.estimate_blur(*pair, kernel="sampled").status == Status.TOO_SMALL


@pytest.mark.parametrize("shape", [(2,), (2, 64), (64, 3), (2, 30, 30)])
def test_a_frame_of_hardly_any_pixels(shape, rng):
    pair = rng.normal(size=(2, *shape)).astype(np.float32)
    assert gj.estimate_blur(*pair).status == Status.TOO_SMALL


def test_pixels_that_are_not_finite(pair):
    estimate = jax.jit(gj.estimate_blur)
    for bad in (np.nan, np.inf):
        for which in (0, 1):
            spoiled = [image.copy() for image in pair]
            spoiled[which][3, 4] = bad
            assert estimate(*spoiled).status == Status.NOT_FINITE
            with pytest.raises(ValueError, match=f"{('reference', 'blurred')[which]} has 1 NaN"):
                gj.estimate_blur(*spoiled)


def test_bounds_that_are_hit(pair):
    for bounds, end in [((0.0, 1.0), 1.0), ((2.0, 9.0), 2.0)]:
        estimate = gj.estimate_blur(*pair, bounds=bounds)
        np.testing.assert_allclose(estimate.sigma, end, rtol=1e-6)
        assert estimate.status == Status.AT_BOUND
    inside = gj.estimate_blur(*pair, bounds=(0.0, 9.0))
    np.testing.assert_allclose(inside.sigma, 1.5, rtol=1e-4)
    assert inside.status == Status.ESTIMATED


@pytest.mark.parametrize("sigma", [0.001, 0.05, 0.1, 0.14])
def test_sampled_blurs_below_what_sampling_shows(sigma, pair):
    blurred = scipy.ndimage.gaussian_filter(pair[0], sigma)
    estimate = gj.estimate_blur(pair[0], blurred, kernel="sampled")
    assert estimate.status == Status.NOT_IDENTIFIABLE


def test_noise_in_the_softer_image_does_not_hide_which_is_sharper(x64):
    reference, blurred = cropped_photograph("camera", 1.5, 128)
    noise = 0.012 * np.random.default_rng(0).normal(size=blurred.shape)
    estimate = gj.estimate_blur(blurred + noise, reference, kernel="sampled")
    assert abs(estimate.sigma + 1.5) < 4 * estimate.sigma_standard_error
