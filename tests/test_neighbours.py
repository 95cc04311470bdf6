"""Bands of rows tell what all pixels would."""

import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.neighbours import displacement_left, neighbour_correlations, sampled


@pytest.mark.parametrize(
    ("shape", "bands"), [((300,), 1), ((64, 80), 1), ((600, 700), 23), ((2100, 1800), 16)]
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


def test_correlations_of_bands_are_those_of_the_image(rng, x64):
    white = rng.normal(size=(700, 640))
    image = jnp.asarray(white + 0.4 * np.roll(white, 1, 0) + 0.2 * np.roll(white, 1, 1))
    bands = sampled(image)
    found, errors = neighbour_correlations(bands, jnp.ones_like(bands))
    variance = 1 + 0.4**2 + 0.2**2
    np.testing.assert_allclose(found, [0.4 / variance, 0.2 / variance], atol=5 * max(errors))
    np.testing.assert_allclose(errors, bands.size**-0.5, rtol=0.5)


@pytest.mark.parametrize("shape", [(64, 64), (600, 500)])
def test_the_displacement_that_is_left(shape, rng, x64):
    y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    predicted = sampled(jnp.asarray(np.sin(0.11 * y) + np.cos(0.07 * x) * np.sin(0.05 * y)))
    moved = sampled(
        jnp.asarray(
            np.sin(0.11 * (y + 0.03)) + np.cos(0.07 * (x - 0.02)) * np.sin(0.05 * (y + 0.03))
        )
    )
    noise = 1e-4 * rng.normal(size=predicted.shape)
    residual = 0.9 * moved + 0.2 - predicted + noise
    found, errors = displacement_left(predicted, jnp.ones_like(predicted), residual)
    # To first order, of the image that is there: the gain counts.
    np.testing.assert_allclose(found, [0.9 * 0.03, -0.9 * 0.02], rtol=0.02, atol=5 * max(errors))
    assert np.all(errors < 1e-3)
