"""Sums that are made together are those made one by one, under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.numerics.reductions import block_sums, row_sums
from gaussjax.spectra.separable_sums import frequency_product, polynomial_product, polynomial_sums


@pytest.mark.parametrize("count", [1, 4, 30])
@pytest.mark.parametrize("shape", [(5, 7), (3, 1, 4), (2, 6, 5, 3)])
def test_row_sums(shape, count, rng, dtype, tolerance):
    values = [jnp.asarray(x, dtype) for x in rng.normal(size=(count, *shape))]
    found = row_sums(values)
    assert len(found) == count
    for total, each in zip(found, values, strict=True):
        assert total.dtype == dtype
        expected = np.sum(np.reshape(each, (*shape[:2], -1)), axis=2)
        np.testing.assert_allclose(total, expected, rtol=tolerance, atol=tolerance)


def test_their_derivatives_and_batches(rng, x64):
    images = jnp.asarray(rng.normal(size=(3, 2, 6, 5)))

    def together(image):
        return sum(jnp.sum(x**2) for x in row_sums([image, jnp.sin(image)]))

    def one_by_one(image):
        return sum(jnp.sum(jnp.sum(x, axis=2) ** 2) for x in (image, jnp.sin(image)))

    for transformed in (jax.grad, jax.hessian):
        found, expected = (
            jax.jit(jax.vmap(transformed(way)))(images) for way in (together, one_by_one)
        )
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(12,), (8, 9), (5, 6, 7)])
def test_moments_of_the_half_plane_are_those_of_the_plane(shape, rng, x64):
    image = rng.normal(size=shape)
    power = np.abs(np.fft.fftn(image)) ** 2
    half = np.abs(np.fft.rfftn(image)) ** 2
    w = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in shape), indexing="ij")
    # Even: an odd power of the frequency has one sign at Nyquist, which is its own mirror.
    ndim = len(shape)
    first = frequency_product(0, 0, ndim, 3.0) | {(0,) * ndim: 0.5}
    last = frequency_product(ndim - 1, ndim - 1, ndim, -1.0)
    polynomials = [first, last, polynomial_product(first, last)]
    found = jax.jit(lambda half: polynomial_sums(half, polynomials, shape))(half)
    values = [3 * w[0] ** 2 + 0.5, -(w[-1] ** 2)]
    values.append(values[0] * values[1])
    expected = [np.sum(power * value) / power.size for value in values]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("shape", "length"), [((6,), 3), ((6, 8), 2), ((8, 4, 12), 4)])
def test_blocks_add_up_boxes_of_neighbours(shape, length, rng, x64):
    images = rng.random((3, *shape))
    counts = [size // length for size in shape]
    found = np.asarray(block_sums(list(jnp.asarray(images)), length)).reshape(3, *counts)
    for block in np.ndindex(*counts):
        box = tuple(slice(i * length, (i + 1) * length) for i in block)
        expected = images[:, *box].reshape(3, -1).sum(axis=1)
        np.testing.assert_allclose(found[:, *block], expected, rtol=1e-12)
