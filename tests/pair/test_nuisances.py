"""Gain, offset and shift, fitted with the blur and undone by a swap of the images."""

import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import natural_scene, photograph

import gaussjax as gj
from gaussjax.statistics.verdict import Verdict

GAIN, OFFSET, SHIFT = 0.8, 10 / 255, (1.3, -2.6)
ALL = {"gain": True, "offset": True, "shift": True}


def displaced_pair(name, sigma=2.0, size=160, noise=0.01, shift=SHIFT):
    scene = photograph(name)
    moved = scipy.ndimage.shift(scipy.ndimage.gaussian_filter(scene, sigma), shift, order=5)
    inside = tuple(slice((n - size) // 2, (n + size) // 2) for n in scene.shape)
    reference, blurred = scene[inside], GAIN * moved[inside] + OFFSET
    rng = np.random.default_rng(0)
    return reference, blurred + noise * reference.std() * rng.normal(size=blurred.shape)


@pytest.mark.parametrize("family", ["isotropic", thorough("full")])
@pytest.mark.parametrize("name", ["camera", "astronaut", "moon"])
def test_all_of_them_on_photographs(name, family, x64):
    estimate = gj.estimate_blur(*displaced_pair(name), kernel="sampled", family=family, **ALL)
    assert estimate.status == 0
    assert estimate.adequacy.verdict == Verdict.EXPLAINED
    np.testing.assert_allclose(estimate.sigma, 2, rtol=3e-3)
    np.testing.assert_allclose(estimate.params.shift, SHIFT, atol=0.01)
    np.testing.assert_allclose(estimate.params.gain, GAIN, rtol=2e-3)
    np.testing.assert_allclose(estimate.params.offset, OFFSET, atol=1e-3)


def test_a_swap_inverts_them(x64):
    reference, blurred = displaced_pair("camera", noise=0)
    there = gj.estimate_blur(reference, blurred, kernel="sampled", **ALL)
    back = gj.estimate_blur(blurred, reference, kernel="sampled", **ALL)
    np.testing.assert_allclose(back.sigma, -there.sigma, rtol=1e-3)
    np.testing.assert_allclose(back.params.shift, -there.params.shift, atol=1e-3)
    np.testing.assert_allclose(back.params.gain, 1 / there.params.gain, rtol=1e-3)
    expected = -there.params.offset / there.params.gain
    np.testing.assert_allclose(back.params.offset, expected, atol=1e-4)


def test_float32_too():
    images = (image.astype(np.float32) for image in displaced_pair("camera"))
    estimate = gj.estimate_blur(*images, kernel="sampled", **ALL)
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.sigma, 2, rtol=3e-3)
    np.testing.assert_allclose(estimate.params.shift, SHIFT, atol=0.01)


@pytest.mark.parametrize("shift", [(0, 0), (9, -14), (-20.5, 3.25)])
def test_shifts_of_many_pixels_are_found(shift, x64):
    estimate = gj.estimate_blur(*displaced_pair("astronaut", shift=shift), kernel="sampled", **ALL)
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.params.shift, shift, atol=0.01)
    np.testing.assert_allclose(estimate.sigma, 2, rtol=5e-3)


def test_a_gain_alone_keeps_the_zero_level(x64):
    reference, blurred = displaced_pair("camera", noise=0, shift=(0, 0))
    alone = gj.estimate_blur(reference, blurred - OFFSET, kernel="sampled", gain=True)
    np.testing.assert_allclose(alone.params.gain, GAIN, rtol=1e-5)
    np.testing.assert_allclose(alone.sigma, 2, rtol=1e-5)
    assert alone.params.offset is None


def test_the_unit_of_the_images_does_not_matter(x64):
    reference, blurred = displaced_pair("camera")
    one, other = (
        gj.estimate_blur(scale * reference + zero, scale * blurred + zero, kernel="sampled", **ALL)
        for scale, zero in ((1, 0), (1e4, 7e5))
    )
    np.testing.assert_allclose(other.sigma, one.sigma, rtol=1e-6)
    np.testing.assert_allclose(other.params.gain, one.params.gain, rtol=1e-7)
    expected = 1e4 * one.params.offset + 7e5 * (1 - one.params.gain)
    np.testing.assert_allclose(other.params.offset, expected, rtol=1e-6)
    errors = one.standard_error, other.standard_error
    np.testing.assert_allclose(errors[1].shift, errors[0].shift, rtol=1e-4)


def test_error_bars_are_the_scatter(x64):
    draws = 40
    reference, clean = displaced_pair("camera", noise=0)
    noise = 0.02 * np.random.default_rng(3).normal(size=(draws, *clean.shape))
    estimates = [gj.estimate_blur(reference, clean + n, kernel="sampled", **ALL) for n in noise]
    assert not any(e.status for e in estimates)
    for name in ("variance", "gain", "offset", "shift"):
        values = np.stack([getattr(e.params, name) for e in estimates]).reshape(draws, -1)
        bars = np.stack([getattr(e.standard_error, name) for e in estimates]).reshape(draws, -1)
        np.testing.assert_allclose(values.std(axis=0), bars.mean(axis=0), rtol=0.3)


def test_a_shift_by_part_of_a_pixel_is_not_taken_for_blur():
    # What lies at the Nyquist frequency of an even axis moves neither way: with the phase of one
    # sign it would be noise in the prediction, which reads as more blur.
    waves = [2 * np.pi * np.fft.fftfreq(161).reshape(shape) for shape in ((-1, 1), (1, -1))]
    filtered = np.exp(-0.5 * 0.45**2 * sum(w**2 for w in waves) + 1j * (0.4 * waves[0] - waves[1]))
    inside, errors = (slice(48, 112),) * 2, []
    for seed in range(8):
        scene = natural_scene((161, 161), seed, slope=0.8)
        blurred = np.fft.ifftn(np.fft.fftn(scene) * filtered).real
        images = (image[inside].astype(np.float32) for image in (scene, blurred))
        errors.append(gj.estimate_blur(*images, shift=True).sigma / 0.45 - 1)
    assert abs(np.mean(errors)) < 2e-3
