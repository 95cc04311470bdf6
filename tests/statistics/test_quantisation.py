"""Steps of grey levels: known of integers, seen in floating-point images."""

import jax.numpy as jnp
import numpy as np
import pytest
from problems import photograph

from gaussjax.statistics.quantisation import as_integers, quantisation_steps, rounding_noise


def steps(reference, blurred=None):
    return np.asarray(quantisation_steps(reference, reference if blurred is None else blurred))


@pytest.fixture
def counts(rng):
    return rng.integers(0, 256, (60, 50))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32])
def test_integers_have_steps_of_one(kind, counts):
    np.testing.assert_array_equal(steps(counts.astype(kind)), [1, 1])
    # Even those that hold a single level.
    np.testing.assert_array_equal(steps(np.full((8, 8), 3, kind)), [1, 1])


def test_booleans_are_drawn_not_rounded(counts):
    binary = counts > 127
    np.testing.assert_array_equal(steps(binary), [0, 0])
    np.testing.assert_array_equal(steps(binary, counts), [0, 1])


def test_whole_numbers_and_scaled_bytes_are_seen(counts, dtype):
    tolerance = {"rtol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(steps(counts.astype(dtype)), [1, 1], **tolerance)
    scaled = (counts / 255).astype(dtype)
    np.testing.assert_allclose(steps(scaled), [1 / 255, 1 / 255], **tolerance)
    np.testing.assert_allclose(steps(jnp.asarray(scaled)), [1 / 255, 1 / 255], **tolerance)
    np.testing.assert_allclose(steps(counts, scaled), [1, 1 / 255], **tolerance)
    np.testing.assert_allclose(steps(scaled, counts.astype(np.uint8)), [1 / 255, 1], **tolerance)


def test_each_image_is_looked_at_by_itself(counts, rng, dtype):
    smooth = rng.random(counts.shape).astype(dtype)
    np.testing.assert_array_equal(steps(smooth), [0, 0])
    np.testing.assert_array_equal(steps(255 * smooth, counts.astype(dtype)), [0, 1])


@pytest.mark.parametrize("shape", [(300,), (300, 200), (9, 4000), (20, 21, 22)])
def test_every_shape_is_looked_at(shape, rng, dtype):
    image = rng.integers(0, 65536, shape).astype(dtype)
    np.testing.assert_array_equal(steps(image), [1, 1])
    # Rounded after noise, or not at all.
    np.testing.assert_array_equal(steps(image + dtype(0.37) * (image % 2)), [0, 0])


def test_whole_numbers_become_integers(counts, rng):
    found = as_integers(counts.astype(float), counts.astype(np.float32))
    assert all(image.dtype == np.int32 for image in found)
    np.testing.assert_array_equal(found, [counts, counts])
    signalling = np.where(counts > 9, counts.astype(float).view(np.uint64), 0x7FF0000000000001)
    others = rng.random(counts.shape), np.where(counts > 9, counts, np.nan), counts % 4.0
    for other in (*others, signalling.view(float)):
        pair = counts.astype(float), other.astype(float)
        assert all(after is before for after, before in zip(as_integers(*pair), pair, strict=True))


def test_missing_pixels_are_passed_over(counts, dtype):
    image = counts.astype(dtype)
    image[3:9, 4:30], image[20, 20] = np.nan, np.inf
    np.testing.assert_array_equal(steps(image), [1, 1])


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 7.0, 100.0])
def test_a_constant_image_tells_no_step(level, dtype):
    np.testing.assert_array_equal(steps(np.full((20, 20), level, dtype)), [0, 0])


def test_a_few_levels_are_drawn_not_rounded(rng, dtype):
    pattern = rng.integers(0, 15, (40, 40)).astype(dtype)
    np.testing.assert_array_equal(steps(pattern / 255), [0, 0])
    # Whole numbers may be bytes that were scaled and saturated.
    assert np.all(steps(pattern) <= 1.01 / 255)


@pytest.mark.parametrize("levels", [1, 255])
def test_rounding_is_noise_of_a_twelfth(levels, x64):
    # Of a photograph in other units, whose own bytes are no multiples of the step.
    scene = photograph("camera") * levels * 17.3 / levels
    error = np.round(scene * levels) / levels - scene
    noise = rounding_noise(jnp.asarray(1 / levels))
    np.testing.assert_allclose(noise, 1 / levels**2 / 12, rtol=1e-12)
    # The square of a uniform number has the relative variance 4 / 5; bytes repeat.
    np.testing.assert_allclose(np.mean(error**2), noise, rtol=0.05)
