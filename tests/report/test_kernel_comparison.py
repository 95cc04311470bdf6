"""Kernels are recognised where they made the pair, and a Gaussian stays one."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from problems import natural_scene

import gaussjax as gj

SIZE, EDGE = 96, 20


def pair_of(make, seed=1, noise=0.01):
    scene = natural_scene((SIZE + 2 * EDGE,) * 2, seed=seed, slope=1.0)
    inside = (slice(EDGE, -EDGE),) * 2
    reference, blurred = scene[inside], make(scene)[inside]
    noise = noise * reference.std() * np.random.default_rng(seed).normal(size=blurred.shape)
    return reference, blurred + noise


def disk(scene, radius=3):
    n = np.arange(-radius, radius + 1)
    taps = (np.hypot(*np.ix_(n, n)) <= radius).astype(float)
    return scipy.ndimage.convolve(scene, taps / taps.sum())


def test_a_disk_is_no_gaussian(x64):
    found = gj.compare_kernels(*pair_of(disk))
    assert found.tied == ("disk",)
    assert found.best.convention == "whole pixels"
    assert found.best.parameters == pytest.approx([3])
    assert found.best.rms == pytest.approx(math.sqrt(np.mean(disk_squares())), rel=1e-6)
    assert found.message.startswith("a disk of radius 3 px explains the pair better than a Gauss")
    lines = str(found).splitlines()
    assert lines[1].startswith("= disk")
    assert len(lines) == 1 + len({each.name for each in found.kernels})
    # Of a pair without noise the numbers are long; they stay apart from what follows.
    far = [replace(each, excess=2.4723933e12, excess_error=5.4e6) for each in found.kernels]
    assert all("5.4e+06 " in line for line in str(replace(found, kernels=far)).splitlines()[1:])


def disk_squares():
    n = np.arange(-3, 4)
    y, x = np.meshgrid(n, n, indexing="ij")
    return (0.5 * (x**2 + y**2))[x**2 + y**2 <= 9]


def test_conventions_of_a_wide_gaussian_are_one_class(x64):
    found = gj.compare_kernels(*pair_of(lambda s: scipy.ndimage.gaussian_filter(s, 2.0)))
    assert found.best.name == "Gaussian"
    assert {"continuous", "sampled"} <= set(found.conventions)
    assert found.message.endswith("cannot be told apart")
    assert {"full", "Moffat"} & set(found.tied)
    sampled = next(each for each in found.kernels if each.convention == "sampled")
    assert abs(sampled.parameters[0] - 2) < 4 * sampled.standard_errors[0] < 0.02


def test_the_sharper_image_goes_first_and_a_reduction_is_no_kernel(x64):
    scene = natural_scene((108, 108), seed=3, slope=1.0)
    small = Image.fromarray(scene.astype(np.float32)).resize((36, 36), Image.Resampling.BICUBIC)
    blurred = np.asarray(small.resize((108, 108), Image.Resampling.BICUBIC), float)
    blurred += 0.01 * scene.std() * np.random.default_rng(0).normal(size=scene.shape)
    inside = (slice(7, -5), slice(4, -8))
    found = gj.compare_kernels(blurred[inside], scene[inside])
    assert found.is_swapped
    assert found.tied == ("bicubic resize",)
    assert found.best.parameters == pytest.approx([3])
    assert found.best.convention == "antialiased"


def test_noise_of_the_reference_is_subtracted(x64):
    reference, blurred = pair_of(lambda s: scipy.ndimage.gaussian_filter(s, 1.5))
    std = 0.2 * reference.std()
    noisy = reference + std * np.random.default_rng(7).normal(size=reference.shape)
    plain = gj.compare_kernels(noisy, blurred)
    known = gj.compare_kernels(noisy, blurred, noise_std=(std, 0.01 * reference.std()))

    def sigma(comparison):
        return next(k.parameters[0] for k in comparison.kernels if k.convention == "continuous")

    assert abs(sigma(known) - 1.5) < 0.5 * abs(sigma(plain) - 1.5)


def test_masked_pixels_are_not_compared(x64):
    reference, blurred = pair_of(disk)
    estimate = gj.estimate_blur(reference, blurred)
    mask = np.ones((SIZE, SIZE), bool)
    mask[40:50, 40:50] = False
    whole = gj.compare_kernels(reference, blurred, estimate=estimate)
    spoilt = np.where(mask, blurred, np.nan)
    found = gj.compare_kernels(reference, spoilt, mask=mask, estimate=estimate)
    assert found.best.name == "disk"
    assert found.num_pixels == whole.num_pixels - 100


def test_equal_images_need_no_blur(x64):
    reference, _ = pair_of(disk)
    found = gj.compare_kernels(reference, reference)
    assert found.best.name == "none"
    assert found.message.startswith("the pair shows no blur")


def test_unrelated_images_have_no_kernel(x64, rng):
    found = gj.compare_kernels(*rng.normal(size=(2, SIZE, SIZE)))
    assert not found.is_related
    assert found.message == "no kernel that was tried explains the pair better than a constant"


def test_signals(x64):
    scene = natural_scene((500,), seed=2, slope=0.5)
    soft = scipy.ndimage.uniform_filter1d(scene, 7)
    soft += 0.01 * scene.std() * np.random.default_rng(1).normal(size=500)
    found = gj.compare_kernels(scene, soft)
    assert found.best.name == "box"
    assert found.best.parameters[0] == pytest.approx(7, abs=0.05)
    assert found.num_pixels == 500 - 2 * found.margin[0]


def test_bad_input(x64):
    image = np.ones((SIZE, SIZE))
    with pytest.raises(ValueError, match="constant"):
        gj.compare_kernels(image, image)
    with pytest.raises(ValueError, match="same shape"):
        gj.compare_kernels(image, image[1:])
