"""A fine reference and a coarse image: scenes whose waves are summed, not transformed."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from coarse_pairs import coarse_pair

import gaussjax as gj


@pytest.mark.parametrize(
    ("ratio", "sigma", "tolerance"),
    [("4", 1, 1e-6), ("4", 2, 1e-6), ("4", 6, 1e-6), ("3/2", 2, 1e-6), ("3/2", 1, 1e-4)],
)
def test_blur_between_two_grids(ratio, sigma, tolerance, x64):
    fine, coarse = coarse_pair(sigma, ratio, 64)
    estimate = gj.estimate_blur(fine, coarse, sampling=float(Fraction(ratio)))
    assert estimate.status == 0
    assert estimate.adequacy.verdict == gj.Verdict.EXPLAINED
    np.testing.assert_allclose(estimate.sigma, sigma, rtol=tolerance)


def test_blur_of_samples(x64):
    fine, coarse = coarse_pair(2, 2, 64, pixel="point")
    estimate = gj.estimate_blur(fine, coarse, sampling=2, pixel="point")
    np.testing.assert_allclose(estimate.sigma, 2, rtol=1e-6)
    # Samples of a periodic scene: no more than rounding is lost, whatever the blur.
    blurred = gj.blur(fine, 0.8)[::2, ::2]
    options = {"sampling": 2, "pixel": "point", "centre": "first", "boundary": "periodic"}
    np.testing.assert_allclose(gj.estimate_blur(fine, blurred, **options).sigma, 0.8, rtol=1e-10)


def test_nuisances_between_two_grids(x64):
    true = {"shift": (2.3, -1.7), "gain": 0.8, "offset": 7.0}
    fine, coarse = coarse_pair((1.5, 3), (2, 3), 56, **true)
    options = {"family": "axis_aligned", "gain": True, "offset": True, "shift": True}
    estimate = gj.estimate_blur(fine, coarse, sampling=(2, 3), **options)
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.sigma, (1.5, 3), rtol=1e-5)
    for name, value in true.items():
        np.testing.assert_allclose(getattr(estimate.params, name), value, rtol=1e-4)


def test_missing_pixels_of_either_image(x64):
    fine, coarse = coarse_pair(1.5, 4, 64)
    known, known_coarse = np.ones(fine.shape, bool), np.ones(coarse.shape, bool)
    known[100:104, 121], known_coarse[10:14, 40] = False, False
    weights = np.random.default_rng(1).uniform(0.5, 2, coarse.shape)
    all_of_it = gj.estimate_blur(fine, coarse, sampling=4)
    fine, coarse = np.where(known, fine, np.nan), np.where(known_coarse, coarse, 1e4)
    mask = known, known_coarse
    found = gj.estimate_blur(fine, coarse, sampling=4, mask=mask, weights=weights)
    np.testing.assert_allclose(found.sigma, 1.5, rtol=1e-5)
    # Around a missing coarse pixel 4 sigma and half of its own width, up to whole ones: 2 to 3.5.
    assert 25 <= all_of_it.num_pixels - found.num_pixels - 4 <= 8 * 7


def test_robust_losses_between_two_grids(x64):
    fine, coarse = coarse_pair(1.5, 4, 56)
    coarse[::7, ::5] += 300
    found = gj.estimate_blur(fine, coarse, sampling=4, loss="huber")
    np.testing.assert_allclose(found.sigma, 1.5, rtol=2e-3)


def test_under_jit_vmap_and_grad(x64):
    pairs = [coarse_pair(sigma, 2, 40, seed=seed) for seed, sigma in enumerate((1, 2))]
    fine, coarse = (jnp.stack(images) for images in zip(*pairs, strict=True))
    estimate = partial(gj.estimate_blur, sampling=2)
    batch = jax.jit(jax.vmap(estimate))(fine, coarse)
    np.testing.assert_allclose(batch.sigma, (1, 2), rtol=1e-5)
    step = np.random.default_rng(2).normal(size=coarse[1].shape)

    def variance(images):
        return estimate(*images).params.variance[0]

    slope = jax.grad(variance)((fine[1], coarse[1]))
    moved = [variance((fine[1], coarse[1] + h * step)) for h in (1e-2, -1e-2)]
    np.testing.assert_allclose(np.sum(slope[1] * step), (moved[0] - moved[1]) / 2e-2, rtol=1e-4)


def test_a_sharper_coarse_image_ends_at_a_bound(x64):
    fine, _ = coarse_pair(0, 2, 40)
    coarse = gj.blur(fine, -1.0).reshape(40, 2, 40, 2).mean((1, 3))
    estimate = gj.estimate_blur(fine, coarse, sampling=2)
    assert estimate.status == gj.Status.SHARPER_THAN_PIXELS
    assert "sharper than the reference over its pixels" in estimate.message
    assert estimate.sigma < 0


def test_a_covariance_of_either_sign(x64):
    fine, _ = coarse_pair(0, 2, 64)
    params = gj.BlurParams(np.array([3.0, -1.5, 2.0]), family="full")
    coarse = gj.blur(fine, params).reshape(64, 2, 64, 2).mean((1, 3))
    estimate = gj.estimate_blur(fine, coarse, sampling=2, family="full", boundary="periodic")
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.params.variance, params.variance, rtol=1e-6)


def test_noise_gives_error_bars_and_no_doubt(x64, rng):
    fine, coarse = coarse_pair(2, 4, 64)
    noisy = coarse + 0.02 * np.std(coarse) * rng.normal(size=coarse.shape)
    estimate = gj.estimate_blur(fine, noisy, sampling=4)
    assert estimate.adequacy.verdict == gj.Verdict.EXPLAINED
    assert abs(estimate.sigma - 2) < 4 * estimate.sigma_standard_error
    derivative = [coarse_pair(s, 4, 64)[1][4:-4, 4:-4] for s in (2.01, 1.99)]
    bound = 0.02 * np.std(coarse) / np.linalg.norm((derivative[0] - derivative[1]) / 0.02)
    np.testing.assert_allclose(estimate.sigma_standard_error, bound, rtol=0.2)


def test_another_kernel_convention_on_the_fine_grid_is_named(x64, rng):
    fine, _ = coarse_pair(2, 4, 64)
    blurred = scipy.ndimage.gaussian_filter(fine, 0.45)
    coarse = blurred.reshape(64, 4, 64, 4).mean((1, 3))
    noisy = coarse + 0.002 * np.std(coarse) * rng.normal(size=coarse.shape)
    estimate = gj.estimate_blur(fine, noisy, sampling=4)
    assert estimate.adequacy.verdict == gj.Verdict.EXPLAINED_POORLY
    assert estimate.adequacy.cause == gj.Cause.CONVENTION
    low, high = estimate.interval()
    assert low < 0.45 < high


# Levels that are found and noise that correlates, each against its opposite: two programs of four.
@pytest.mark.parametrize(("levels", "smoothing"), [thorough("given", 0.0), ("estimate", 0.7)])
def test_noise_of_both_images(levels, smoothing, x64, rng):
    fine, coarse = coarse_pair(1, 4, 64)
    noise = 0.1 * np.std(fine), 0.05 * np.std(fine)

    def drawn(noise):
        noise = scipy.ndimage.gaussian_filter(noise, smoothing, mode="wrap")
        return noise / np.std(noise)

    pairs = [
        [
            image + level * drawn(rng.normal(size=image.shape))
            for image, level in zip(both, noise, strict=True)
        ]
        for both in [(fine, coarse)] * 6
    ]
    fines, coarses = (np.stack(images) for images in zip(*pairs, strict=True))
    options = {"sampling": 4, "noise_std": "estimate" if levels == "estimate" else noise}
    options["noise_correlation"] = (smoothing, smoothing) if smoothing else None
    estimate = jax.jit(jax.vmap(partial(gj.estimate_blur, **options)))(fines, coarses)
    assert np.all(estimate.status == 0)
    assert np.all(estimate.adequacy.verdict == gj.Verdict.EXPLAINED)
    # Noise of A taken for blur would be 1.3 error bars of each pair.
    error = np.mean(estimate.sigma_standard_error)
    assert abs(np.mean(estimate.sigma) - 1) < 3 * error / 6**0.5
    np.testing.assert_allclose(np.mean(estimate.noise_std, 0), noise, rtol=0.25)


def test_shapes_tell_whole_ratios_and_halves(x64):
    fine, coarse = coarse_pair(2, 4, 64)
    named = gj.estimate_blur(fine, coarse, sampling=4)
    assert gj.estimate_blur(fine, coarse).sigma == named.sigma
    # Fine pixels that make up no coarse one are left out.
    assert gj.estimate_blur(np.pad(fine, (0, 3)), coarse, sampling=4).sigma == named.sigma


IMAGES = np.zeros((64, 64)), np.zeros((32, 32))


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (IMAGES, {"sampling": 4}, ValueError, "does not fit the shapes.*128 x 128"),
        (IMAGES, {"sampling": 0}, ValueError, "above 0"),
        (IMAGES, {"sampling": -2}, ValueError, "above 0"),
        (IMAGES, {"sampling": 2.003}, ValueError, "ratio of whole numbers"),
        (IMAGES, {"sampling": (2, 2, 2)}, ValueError, "one for each of the 2 axes"),
        (IMAGES, {"sampling": "two"}, TypeError, "must be a number"),
        (IMAGES, {"sampling": np.nan}, ValueError, "finite"),
        (IMAGES, {"sampling": 2, "pixel": "box"}, ValueError, "area, point"),
        (IMAGES, {"sampling": 2, "centre": "last"}, ValueError, "area, first"),
        (IMAGES, {"sampling": 2, "centre": 9}, ValueError, "beyond the first fine ones"),
        (IMAGES, {"boundary": "reflect"}, ValueError, "'valid' or 'periodic'"),
        (IMAGES, {"bounds": (-2, -1)}, ValueError, "reach above 0"),
        (IMAGES, {"mask": np.ones((64, 64), bool)}, ValueError, r"mask of blurred.*\(32, 32\)"),
        (IMAGES, {"weights": np.ones((64, 64))}, ValueError, r"weights.*\(32, 32\)"),
        (IMAGES[::-1], {}, ValueError, "the image on the finer grid.*exchange"),
        (IMAGES[::-1], {"sampling": 0.5}, ValueError, "exchange the two"),
        ((IMAGES[0], np.zeros((33, 31))), {}, ValueError, "same shape"),
        ((IMAGES[0],) * 2, {"pixel": "point"}, ValueError, "go with sampling"),
        ((IMAGES[0], np.zeros(32)), {"sampling": 2}, ValueError, "same number of axes"),
        (IMAGES, {"sampling": 2, "precision": 0.1}, ValueError, "precision or sampling"),
    ],
)
def test_bad_input_is_told(images, options, error, message):
    with pytest.raises(error, match=message):
        gj.estimate_blur(*images, **options)
