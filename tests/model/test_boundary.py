"""Extension of a frame against numpy.pad, and which pixels may be compared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model import boundary as borders
from gaussjax.model.options import PADDED_BOUNDARIES
from gaussjax.model.window import Window, interior_window, taper

NUMPY_MODES = {"reflect": "symmetric", "nearest": "edge", "zero": "constant"}


@pytest.mark.parametrize("boundary", PADDED_BOUNDARIES)
@pytest.mark.parametrize(("shape", "pad"), [((11,), 3), ((6, 9), 4), ((5, 4), 13), ((3, 4, 5), 2)])
def test_extension_is_numpys_pad_with_a_fast_length(boundary, shape, pad, rng):
    image = rng.normal(size=shape).astype(np.float32)
    extended = np.asarray(jax.jit(borders.extend, static_argnums=(1, 2))(image, boundary, pad))
    assert extended.shape == borders.extended_shape(shape, pad)
    mode = NUMPY_MODES[boundary]
    expected = np.pad(image, pad, mode=mode)
    seen = extended[tuple(slice(0, n) for n in expected.shape)]
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(borders.crop(extended, shape, pad), image)


@pytest.mark.parametrize("boundary", PADDED_BOUNDARIES)
def test_a_box_of_an_extended_image_is_cut_out_of_numpys_pad(boundary, rng):
    image = rng.normal(size=(6, 9)).astype(np.float32)
    options = {"constant_values": 1.0} if boundary == "zero" else {}
    expected = np.pad(image, 30, mode=NUMPY_MODES[boundary], **options)
    for corner, shape in [((0, 0), (6, 9)), ((-7, 3), (11, 20)), ((-30, -30), (66, 69))]:
        box_of = jax.jit(borders.box_of, static_argnums=(2, 3, 4))
        box = box_of(image, jnp.asarray(corner, jnp.int32), shape, boundary, 1.0)
        first = [30 + c for c in corner]
        place = tuple(slice(f, f + n) for f, n in zip(first, shape, strict=True))
        np.testing.assert_array_equal(box, expected[place])


def test_embedding_adds_zeros_only(rng):
    image = rng.normal(size=(6, 9)).astype(np.float32)
    embedded = borders.embed(jnp.asarray(image), 4)
    np.testing.assert_array_equal(borders.crop(embedded, (6, 9), 4), image)
    assert jnp.sum(embedded != 0) == image.size
    assert borders.embed(image, 0) is image


def test_fast_length_is_the_least_product_of_2_3_5():
    products = sorted(2**i * 3**j * 5**k for i in range(12) for j in range(8) for k in range(6))
    for size in range(1, 700):
        assert borders.fast_length(size) == next(n for n in products if n >= size)


@pytest.mark.parametrize("pad", [0, 3])
def test_interior_window_counts_distance_from_the_frame(pad, dtype):
    shape, margins = (7, 10), (2, 3)
    window = jax.jit(lambda m: interior_window(shape, pad, m, dtype).values)(np.asarray(margins))
    expected = np.zeros(borders.extended_shape(shape, pad), dtype)
    expected[pad + 2 : pad + 5, pad + 3 : pad + 7] = 1
    np.testing.assert_array_equal(window, expected)
    assert window.dtype == dtype


def test_margins_wider_than_half_the_frame_leave_nothing():
    assert not np.any(interior_window((8, 8), 0, jnp.asarray((4, 1)), np.float32).values)


@pytest.mark.parametrize("shape", [(9,), (8, 9), (4, 5, 6)])
def test_taper_is_a_symmetric_hann_window(shape, dtype, tolerance):
    window = taper(shape, dtype).values
    assert window.shape == shape
    np.testing.assert_allclose(window, np.flip(window), atol=tolerance)
    axes = [0.5 * (1 - np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)) for n in shape]
    expected = axes[0]
    for values in axes[1:]:
        expected = np.multiply.outer(expected, values)
    np.testing.assert_allclose(window, expected, atol=tolerance)


@pytest.mark.parametrize("shape", [(7,), (6, 8), (4, 5, 6)])
@pytest.mark.parametrize("has_map", [False, True])
def test_totals_of_a_window_are_those_of_its_weights(shape, has_map, rng, x64):
    image, pixels = rng.random(shape), rng.random(shape)
    window = Window(tuple(rng.random(n) for n in shape), pixels if has_map else None)
    weighted = np.asarray(window.values) * image
    expected = [weighted.sum(), (weighted * image).sum()]
    totals = jax.jit(lambda x: window.totals([x, x**2]))(image)
    np.testing.assert_allclose(totals, expected, rtol=1e-12)
