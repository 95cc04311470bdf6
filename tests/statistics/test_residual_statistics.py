"""Bands of rows tell what all pixels would, and parts of a frame add up."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.statistics.residual_statistics import gather, sampled


@pytest.mark.parametrize(
    ("shape", "bands"), [((300,), 1), ((64, 80), 1), ((600, 400), 18), ((2100, 1800), 16)]
)
def test_bands_are_rows_of_the_image(shape, bands):
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = np.asarray(sampled(jnp.asarray(image)))
    assert len(found) == bands
    rows = found.reshape(-1, *shape[1:])
    assert np.isin(rows, image).all()
    if bands == 1:
        np.testing.assert_array_equal(found[0], image)
    else:
        # Neighbours in a band are neighbours in the image, from the first rows to the last.
        assert np.all(np.diff(found, axis=1) == shape[1])
        assert found[0].max() < image[shape[0] // bands].max()
        assert found[-1].min() > image[-2 * shape[0] // bands].min()


@partial(jax.jit, static_argnames=("parts", "periodic"))
def residual_statistics(
    residual, predicted=None, difference=None, window=None, parts=1, periodic=False
):
    """Of a white residual, unless the case is about something else."""
    residual = jnp.asarray(residual)
    window = jnp.ones_like(residual) if window is None else jnp.asarray(window)
    predicted = residual if predicted is None else jnp.asarray(predicted)
    difference = residual if difference is None else jnp.asarray(difference)
    whitened = window * residual
    return gather(difference, window, predicted, residual, whitened, parts, periodic=periodic)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_correlations_of_bands_are_those_of_the_image(missing, rng, x64):
    white = rng.normal(size=(700, 640))
    image = white + 0.4 * np.roll(white, 1, 0) + 0.2 * np.roll(white, 1, 1)
    window = (rng.random(white.shape) >= missing).astype(float)
    found = residual_statistics(image, window=window)
    correlations, errors = found.correlations
    variance = 1 + 0.4**2 + 0.2**2
    np.testing.assert_allclose(correlations, [0.4 / variance, 0.2 / variance], atol=5 * max(errors))
    np.testing.assert_allclose(errors, found.count**-0.5 / (1 - missing) ** 0.5, rtol=0.3)
    np.testing.assert_allclose(found.kurtosis, 3, rtol=0.1)


@pytest.mark.parametrize("shape", [(200,), (64, 70), (600, 500), (20, 21, 22)])
def test_contrast_and_change_are_sums_of_squares(shape, rng, x64):
    predicted, residual, difference = rng.normal(size=(3, *shape))
    window = rng.random(shape)
    found = residual_statistics(residual, predicted + 5, difference, window)
    # Per pixel, as a large frame is not looked at altogether.
    expected = np.average((predicted - residual) ** 2, weights=window)
    np.testing.assert_allclose(found.contrast / found.weight, expected, rtol=0.2)
    expected = np.average(difference**2, weights=window)
    np.testing.assert_allclose(found.change / found.weight, expected, rtol=0.2)
    np.testing.assert_allclose(found.weight / found.count, np.mean(window), rtol=0.1)


@pytest.mark.parametrize("shape", [(2,), (50,), (2, 9), (20, 30), (4, 5, 6)])
def test_every_pixel_of_a_small_periodic_frame_counts(shape, rng, x64):
    predicted, residual, difference = rng.normal(size=(3, *shape))
    window = rng.random(shape) + (rng.random(shape) < 0.8) - 0.5
    window = np.maximum(window, 0)
    found = residual_statistics(residual, predicted, difference, window, periodic=True)
    total = np.sum(window)
    np.testing.assert_allclose(found.weight, total, rtol=1e-12)
    assert found.count == np.sum(window > 0)
    blurred = predicted - residual
    expected = np.sum(window * (blurred - np.sum(window * blurred) / total) ** 2)
    np.testing.assert_allclose(found.contrast, expected, rtol=1e-9)
    np.testing.assert_allclose(found.change, np.sum(window * difference**2), rtol=1e-12)
    for axis in range(len(shape)):
        slope = (np.roll(predicted, -1, axis) - np.roll(predicted, 1, axis)) / 2
        np.testing.assert_allclose(
            found.products[axis, -1], np.sum(window * slope * residual), rtol=1e-9, atol=1e-12
        )
        whitened = window * residual
        both = [np.sum(whitened * np.roll(whitened, -1, axis))]
        known = np.where(window > 0, 1, 0)
        both += [np.sum(whitened**2 * (np.roll(known, 1, axis) + np.roll(known, -1, axis))) / 2]
        np.testing.assert_allclose(found.neighbours[axis, :2], both, rtol=1e-9, atol=1e-12)


def test_of_other_frames_pixels_without_neighbours_are_left_out(rng, x64):
    predicted, residual, difference = rng.normal(size=(3, 20, 30))
    found = residual_statistics(residual, predicted, difference)
    assert found.count == 18 * 28
    expected = np.sum(difference[1:-1, 1:-1] ** 2)
    np.testing.assert_allclose(found.change, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (600, 500)])
def test_the_displacement_that_is_left(shape, rng, x64):
    y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    predicted = np.sin(0.11 * y) + np.cos(0.07 * x) * np.sin(0.05 * y)
    y, x = y + 0.03, x - 0.02
    moved = np.sin(0.11 * y) + np.cos(0.07 * x) * np.sin(0.05 * y)
    noise = 1e-4 * rng.normal(size=shape)
    residual = 0.9 * moved + 0.2 - predicted + noise
    # Nothing beyond the edge counts.
    window = np.pad(np.ones([n - 4 for n in shape]), 2)
    statistics = residual_statistics(residual, predicted, window=window)
    left = statistics.regression()
    found, errors = left.displacement, left.displacement_error
    # To first order, of the image that is there: the gain counts.
    np.testing.assert_allclose(found, [0.9 * 0.03, -0.9 * 0.02], rtol=0.02, atol=5 * max(errors))
    assert np.all(errors < 1e-3)
    # B is the prediction less the residual.
    np.testing.assert_allclose(left.gain, 2 - 0.9, atol=5 * left.gain_error + 2e-3)


def test_parts_add_up(rng, x64):
    predicted, residual = rng.normal(size=(2, 800, 600))
    halves = [
        residual_statistics(residual[rows], predicted[rows], parts=2)
        for rows in (slice(0, 400), slice(400, 800))
    ]
    both = jax.tree.map(jnp.add, *halves)
    whole = residual_statistics(residual, predicted)
    np.testing.assert_allclose(both.count, whole.count, rtol=0.1)
    for (found, error), (expected, _) in (
        (both.correlations, whole.correlations),
        (both.regression()[:2], whole.regression()[:2]),
    ):
        np.testing.assert_allclose(found, expected, atol=6 * max(error))
