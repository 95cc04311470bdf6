"""The verdict: what the fit leaves unexplained, told apart from noise."""

from io import BytesIO

import jax
import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from problems import cropped_photograph, photograph

import gaussjax as gj
from gaussjax.statistics.verdict import Verdict

SIZE = 160
NAMES = ("camera", "astronaut", "coffee")


def crop(image):
    return image[tuple(slice((n - SIZE) // 2, (n + SIZE) // 2) for n in image.shape)]


def eight_bits(image):
    return np.round(255 * np.clip(image, 0, 1)) / 255


def jpeg(image):
    buffer = BytesIO()
    Image.fromarray((255 * image).round().astype(np.uint8)).save(buffer, "JPEG", quality=20)
    return np.asarray(Image.open(buffer)) / 255.0


def disk(image):
    y, x = np.mgrid[-4:5, -4:5]
    inside = (x**2 + y**2 <= 16).astype(float)
    return scipy.ndimage.convolve(image, inside / inside.sum())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sigma", [0.7, 2.0, 6.0])
@pytest.mark.parametrize("spoil", ["nothing", "8 bits", "noise"])
def test_a_gaussian_blur_is_recognised(spoil, sigma, name, x64):
    reference, blurred = cropped_photograph(name, sigma, SIZE)
    if spoil == "8 bits":
        reference, blurred = eight_bits(reference), eight_bits(blurred)
    if spoil == "noise":
        blurred = blurred + 0.03 * np.random.default_rng(0).normal(size=blurred.shape)
    estimate = gj.estimate_blur(reference, blurred, kernel="sampled")
    assert estimate.adequacy.verdict == Verdict.EXPLAINED
    swapped = gj.estimate_blur(blurred, reference, kernel="sampled")
    if spoil != "noise":
        assert swapped.adequacy.verdict == Verdict.SHARPER


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "how", [jpeg, disk, lambda image: scipy.ndimage.median_filter(image, size=5)]
)
def test_what_is_no_gaussian_is_explained_poorly(how, name, x64):
    scene = photograph(name)
    estimate = gj.estimate_blur(crop(scene), crop(how(scene)))
    assert estimate.adequacy.verdict == Verdict.EXPLAINED_POORLY


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shift", [(0.0, 0.4), (1.0, -1.0), (3.0, 0.0)])
def test_a_shift_is_told_and_goes_away_when_fitted(shift, name, x64):
    scene = photograph(name)
    moved = scipy.ndimage.shift(scipy.ndimage.gaussian_filter(scene, 1.5), shift, order=5)
    plain = gj.estimate_blur(crop(scene), crop(moved))
    assert plain.adequacy.verdict == Verdict.MISALIGNED
    fitted = gj.estimate_blur(crop(scene), crop(moved), shift=True)
    assert fitted.adequacy.verdict == Verdict.EXPLAINED
    if np.abs(shift).max() < 1:
        np.testing.assert_allclose(plain.adequacy.displacement, shift, atol=0.1)
    np.testing.assert_allclose(fitted.adequacy.displacement, 0, atol=0.02)


def test_a_gain_is_not_taken_for_a_shift(x64):
    reference, blurred = cropped_photograph("moon", 2.0, SIZE)
    estimate = gj.estimate_blur(reference, 0.9 * blurred)
    assert estimate.adequacy.verdict == Verdict.EXPLAINED_POORLY
    both = gj.estimate_blur(reference, 0.9 * blurred, gain=True)
    assert both.adequacy.verdict == Verdict.EXPLAINED


def test_unmodelled_noise_in_a_is_told(x64):
    reference, blurred = cropped_photograph("camera", 0.7, SIZE)
    noise = 0.05 * np.random.default_rng(0).normal(size=(2, SIZE, SIZE))
    images = reference + noise[0], blurred + noise[1]
    assert gj.estimate_blur(*images).adequacy.verdict == Verdict.EXPLAINED_POORLY
    known = gj.estimate_blur(*images, kernel="sampled", noise_std=(0.05, 0.05))
    assert known.adequacy.verdict == Verdict.EXPLAINED
    np.testing.assert_allclose(known.adequacy.reduced_chi_square, 1, atol=0.05)
    too_small = gj.estimate_blur(*images, kernel="sampled", noise_std=(0.025, 0.025))
    np.testing.assert_allclose(too_small.adequacy.reduced_chi_square, 4, rtol=0.05)


def test_equal_images_and_flat_ones_do_not_tell(x64):
    reference, _ = cropped_photograph("camera", 1.0, SIZE)
    same = gj.estimate_blur(reference, reference)
    assert same.adequacy.verdict == Verdict.EXPLAINED
    flat = gj.estimate_blur(*np.ones((2, SIZE, SIZE)))
    assert flat.adequacy.verdict == Verdict.NOT_IDENTIFIABLE


def test_the_figures_are_what_they_say(x64):
    reference, blurred = cropped_photograph("camera", 2.0, 96)
    noise = 0.05 * np.random.default_rng(0).normal(size=blurred.shape)
    estimate = gj.estimate_blur(reference, blurred + noise, boundary="periodic")
    predicted = np.asarray(gj.blur(reference, estimate.params))
    residual = predicted - blurred - noise
    np.testing.assert_allclose(
        estimate.adequacy.unexplained, np.mean(residual**2) / np.var(blurred + noise), rtol=1e-9
    )
    change = np.mean((blurred + noise - reference) ** 2)
    np.testing.assert_allclose(
        estimate.adequacy.unexplained_change, np.mean(residual**2) / change, rtol=1e-9
    )
    pairs = np.mean(residual * np.roll(residual, -1, 0)) / np.mean(residual**2)
    np.testing.assert_allclose(estimate.adequacy.autocorrelation[0], pairs, rtol=1e-9)


def test_a_batch_has_a_sentence_each(x64):
    images = np.stack([cropped_photograph(name, 2.0, SIZE) for name in NAMES[:2]])
    batch = jax.vmap(gj.estimate_blur)(images[:, 0], images[:, 1])
    assert batch.adequacy.message == ["a Gaussian blur explains the pair"] * 2
    assert "verdict=" in str(batch.adequacy)
    assert "a Gaussian blur explains the pair" in str(gj.estimate_blur(*images[0]))


@pytest.mark.parametrize("name", NAMES)
def test_outliers_are_told_unless_the_loss_discounts_them(name, x64):
    reference, blurred = cropped_photograph(name, 2.0, SIZE)
    random = np.random.default_rng(0)
    hit = random.random(blurred.shape) < 0.02
    spoiled = np.where(hit, 1.0, blurred + 0.003 * random.normal(size=blurred.shape))
    plain = gj.estimate_blur(reference, spoiled, kernel="sampled")
    assert plain.adequacy.verdict == Verdict.EXPLAINED_POORLY
    robust = gj.estimate_blur(reference, spoiled, kernel="sampled", loss="absolute")
    assert robust.adequacy.verdict == Verdict.EXPLAINED


@pytest.mark.parametrize("loss", ["absolute", "huber"])
def test_a_robust_loss_does_not_discount_a_wrong_kernel(loss, x64):
    # A defocused lens misses every edge: too many pixels to be outliers.
    reference = photograph("camera")[100:260, 100:260]
    disk = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3
    blurred = scipy.ndimage.convolve(reference, disk / disk.sum())
    estimate = gj.estimate_blur(reference, blurred, kernel="sampled", loss=loss)
    assert estimate.adequacy.verdict == Verdict.EXPLAINED_POORLY
