"""The measured transfer function: photographs, a blur that is no Gaussian, noise, error bars."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.special
from problems import cropped_photograph, natural_scene, photograph
from skimage.morphology import disk

import gaussjax as gj

MTF50 = np.sqrt(2 * np.log(2)) / (2 * np.pi)  # times 1 / sigma


def gaussian(sigma, profile):
    return np.exp(-0.5 * (sigma * np.asarray(profile.frequency)) ** 2)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_gaussian_blurs_of_cropped_photographs(sigma, dtype):
    for name in ("camera", "coffee"):
        pair = [image.astype(dtype) for image in cropped_photograph(name, sigma)]
        profile = gj.transfer_profile(*pair, gj.estimate_blur(*pair, kernel="sampled"))
        assert profile.transfer.dtype == dtype
        assert profile.transfer.shape == (32,)
        np.testing.assert_allclose(profile.transfer, gaussian(sigma, profile), atol=0.006)
        np.testing.assert_allclose(profile.fitted, profile.transfer, atol=1e-4)
        np.testing.assert_allclose(profile.mtf50, MTF50 / sigma, rtol=0.01)


def test_it_does_not_lean_on_the_estimate(x64):
    pair = cropped_photograph("camera", 2.0)
    estimate = gj.estimate_blur(*pair, kernel="sampled")
    params = replace(estimate.params, variance=1.2 * estimate.params.variance)
    right = gj.transfer_profile(*pair, estimate)
    wrong = gj.transfer_profile(*pair, replace(estimate, params=params))
    assert np.max(np.abs(wrong.fitted - right.fitted)) > 0.05
    np.testing.assert_allclose(wrong.transfer, right.transfer, atol=1e-3)
    np.testing.assert_allclose(wrong.mtf50, right.mtf50, rtol=1e-3)


def test_a_defocused_lens_shows_its_lobes(x64):
    kernel = disk(3) / disk(3).sum()
    scene = photograph("gravel")
    inside = (slice(100, 356),) * 2
    pair = scene[inside], scipy.ndimage.convolve(scene, kernel)[inside]
    profile = gj.transfer_profile(*pair, gj.estimate_blur(*pair))
    padded = np.zeros((256, 256))
    padded[:7, :7] = kernel
    spectrum = np.fft.fft2(np.roll(padded, (-3, -3), (0, 1))).real
    w = 2 * np.pi * np.fft.fftfreq(256)
    radius = np.hypot(w[:, None], w[None, :])
    rings = np.clip((radius * 32 / np.pi).astype(int), 0, 32)
    truth = np.array([spectrum[rings == k].mean() for k in range(32)])
    assert np.min(truth) < -0.12
    np.testing.assert_allclose(profile.transfer, truth, atol=0.01)
    assert np.max(np.abs(profile.fitted - truth)) > 0.1


def test_gain_offset_and_shift_are_taken_out(x64):
    scene = natural_scene((129, 129), seed=4)
    params = gj.BlurParams(
        jnp.array([2.25]), jnp.array(0.7), jnp.array(3.0), jnp.array([1.3, -0.6])
    )
    pair = [image[8:-9, 8:-9] for image in (scene, gj.blur(scene, params))]
    estimate = gj.estimate_blur(*pair, gain=True, offset=True, shift=True)
    profile = gj.transfer_profile(*pair, estimate, num_bins=16)
    np.testing.assert_allclose(profile.transfer, profile.fitted, atol=1e-3)
    # Of a pair with another shift and gain than the estimate's, H1 shows both.
    still = replace(estimate.params, gain=jnp.array(0.35), shift=jnp.array([1.3, 0.4]))
    profile = gj.transfer_profile(*pair, replace(estimate, params=still), num_bins=16)
    expected = 2 * profile.fitted * scipy.special.j0(profile.frequency)
    np.testing.assert_allclose(profile.transfer[1:], expected[1:], atol=0.1)


def test_a_sharper_image_is_measured_by_way_of_the_blur(x64):
    reference, blurred = cropped_photograph("camera", 1.0)
    forward = gj.transfer_profile(reference, blurred, gj.estimate_blur(reference, blurred))
    backward = gj.transfer_profile(blurred, reference, gj.estimate_blur(blurred, reference))
    np.testing.assert_allclose(backward.transfer, 1 / forward.inverse_noise_transfer, rtol=1e-5)
    np.testing.assert_allclose(backward.inverse_noise_transfer, 1 / forward.transfer, rtol=1e-5)
    assert np.isnan(backward.mtf50)


def quick_estimate(reference, blurred, noise_std=(0.0, 1.0)):
    """Of a periodic pair; quick to compile."""
    estimate = gj.fit_frequency_ratio(gj.pair_spectra(reference, blurred))
    return replace(estimate, noise_std=jnp.asarray(noise_std))


def noisy(rng, noise_std):
    scene = natural_scene((192, 192), seed=1, slope=0.5)
    blurred = scipy.ndimage.gaussian_filter(scene, 1.0, mode="wrap")
    return tuple(image + noise_std * rng.normal(size=scene.shape) for image in (scene, blurred))


def test_noise_that_is_known_to_be_in_the_reference_does_not_lower_it(x64, rng):
    pair = noisy(rng, 0.3)
    told = quick_estimate(*pair, (0.3, 0.3))
    untold = quick_estimate(*pair)
    right, low = (gj.transfer_profile(*pair, e, num_bins=16) for e in (told, untold))
    band = slice(1, 8)  # where there is signal left
    error = (right.transfer - gaussian(1.0, right)) / right.standard_error
    assert np.max(np.abs(error[band])) < 4
    assert np.mean(right.transfer[band] / gaussian(1.0, right)[band]) == pytest.approx(1, abs=0.01)
    assert np.mean(low.transfer[band] / gaussian(1.0, low)[band]) < 0.97
    assert np.all(right.coherence <= 1)
    # Noise in B lifts H2 alone.
    assert right.inverse_noise_transfer[10] > 2 * right.fitted[10]


def test_the_error_bar_is_the_scatter(x64, rng):
    profiles = []
    for _ in range(30):
        pair = noisy(rng, 0.1)
        estimate = quick_estimate(*pair, (0.1, 0.1))
        profiles.append(gj.transfer_profile(*pair, estimate, num_bins=16))
    scatter = np.std([p.transfer for p in profiles], axis=0)
    claimed = np.mean([p.standard_error for p in profiles], axis=0)
    assert 0.75 < np.median(scatter / claimed) < 1.15
    assert np.all(scatter < 1.6 * claimed)


def test_missing_pixels(x64):
    reference, blurred = (np.array(image) for image in cropped_photograph("camera", 2.0))
    clean = gj.transfer_profile(reference, blurred, gj.estimate_blur(reference, blurred))
    mask_reference, mask_blurred = np.ones((2, *reference.shape), bool)
    mask_reference[70:73, 40:42] = mask_blurred[20:50, 90:120] = False
    reference[~mask_reference], blurred[~mask_blurred] = np.nan, 1e9
    mask = mask_reference, mask_blurred
    estimate = gj.estimate_blur(reference, blurred, mask=mask)
    profile = gj.transfer_profile(reference, blurred, estimate, mask=mask)
    # Behind the hole is as much of a scene as in a smaller photograph.
    np.testing.assert_allclose(profile.transfer, clean.transfer, atol=0.01)
    with pytest.raises(ValueError, match="NaN"):
        gj.transfer_profile(reference, blurred, estimate)


def by_hand(frequency, transfer):
    values = [jnp.asarray(values, float) for values in (frequency, transfer)]
    return gj.TransferProfile(*values, *[values[1]] * 4)


def test_mtf50_is_the_first_crossing():
    two_pi = 2 * np.pi
    profile = by_hand(two_pi * np.array([0.1, 0.2, 0.3, 0.4]), [0.9, 0.6, 0.2, 0.55])
    assert profile.mtf50 == pytest.approx(0.225)
    # A blur so wide that the first bin is below, and bins that hold nothing.
    assert by_hand([two_pi * 0.1, 1.0], [0.25, 0.0]).mtf50 == pytest.approx(0.1 * 2 / 3)
    assert by_hand(two_pi * np.array([0.1, 0.2, 0.3]), [0.8, np.nan, 0.4]).mtf50 == (
        pytest.approx(0.25)
    )
    assert np.isnan(by_hand([0.5, 1.0], [0.9, 0.8]).mtf50)


def test_volumes(x64):
    scene = natural_scene((24, 22, 26), seed=6, slope=0.5)
    blurred = scipy.ndimage.gaussian_filter(scene, 1.0, mode="wrap")
    profile = gj.transfer_profile(scene, blurred, quick_estimate(scene, blurred), num_bins=6)
    np.testing.assert_allclose(profile.transfer, gaussian(1.0, profile), atol=0.03)


def test_a_flat_signal_has_none(x64):
    scene, flat = natural_scene((64,)), np.ones(64)
    profile = gj.transfer_profile(flat, flat, quick_estimate(scene, scene), num_bins=100)
    assert profile.frequency.shape == (32,)
    assert np.all(np.isfinite(profile.frequency))
    assert np.all(np.isnan(profile.transfer))
    assert np.isnan(profile.mtf50)


def test_what_it_refuses(x64):
    scene = natural_scene((32, 33))
    estimate = quick_estimate(scene, scene)
    with pytest.raises(ValueError, match="num_bins"):
        gj.transfer_profile(scene, scene, estimate, num_bins=0)
    with pytest.raises(ValueError, match="2 axes"):
        gj.transfer_profile(scene[0], scene[0], estimate)
    with pytest.raises(ValueError, match="outside of jit"):
        jax.jit(gj.transfer_profile)(scene, scene, estimate)
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), estimate)
    with pytest.raises(ValueError, match="one reference, one blurred image"):
        gj.transfer_profile(scene, scene, batch)
