"""Noise that exposures of one scene tell."""

import numpy as np
import pytest
import scipy.ndimage

from gaussjax import noise_of_repeats

SCENE = np.random.default_rng(9).normal(size=(128, 96)).cumsum(0)


def exposures(taps, count=4, seed=0, scene=SCENE):
    """Of a scene, with noise of standard deviation 2 that a filter has left along each axis."""
    noise = np.random.default_rng(seed).normal(size=(count, *scene.shape))
    for axis in range(1, noise.ndim):
        noise = scipy.ndimage.convolve1d(noise, taps, axis, mode="wrap")
    return scene + 2 * noise / np.linalg.norm(taps) ** scene.ndim


@pytest.mark.parametrize("taps", [[1, 1], [1, 1, 1], [0.2, 1, 1, 0.2]])
def test_level_and_correlation_of_filtered_noise(taps):
    std, found = noise_of_repeats(exposures(taps))
    along = np.correlate(taps, taps, "full") / np.dot(taps, taps)
    expected = np.outer(along, along)
    room = [(n - len(along)) // 2 for n in found.shape]
    assert min(room) >= 0
    # Of 3 * 128 * 96 px, whose neighbours tell the same to some extent.
    np.testing.assert_allclose(found, np.pad(expected, [(r, r) for r in room]), atol=0.04)
    np.testing.assert_allclose(std, 2, rtol=0.03)
    np.testing.assert_array_equal(found, np.flip(found))


def test_white_noise_and_levels_that_drift():
    stack = exposures([1.0]) + np.arange(4)[:, None, None]
    std, found = noise_of_repeats(stack)
    np.testing.assert_array_equal(found, [[1]])
    np.testing.assert_allclose(std, 2, rtol=0.02)


def test_the_level_of_noise_that_follows_the_signal_is_that_of_its_mean_variance():
    light = np.abs(SCENE) + 5
    std, _ = noise_of_repeats(np.random.default_rng(1).poisson(light, (4, *light.shape)))
    np.testing.assert_allclose(std, np.sqrt(light.mean()), rtol=0.02)


def test_of_signals_and_volumes():
    for shape in ((4000,), (24, 20, 22)):
        _, found = noise_of_repeats(exposures([1, 1], scene=np.zeros(shape)))
        middle = tuple(n // 2 for n in found.shape)
        assert found.ndim == len(shape)
        np.testing.assert_allclose(found[(*middle[:-1], middle[-1] + 1)], 0.5, atol=0.05)


@pytest.mark.parametrize(
    ("stack", "match"),
    [
        (SCENE[None], "at least two"),
        (np.zeros(5), "at least two"),
        (np.stack([SCENE, SCENE]), "all the same"),
        (np.stack([SCENE, SCENE + np.nan]), "NaN"),
    ],
)
def test_what_tells_no_noise_is_refused(stack, match):
    with pytest.raises(ValueError, match=f"exposures.*{match}"):
        noise_of_repeats(stack)
