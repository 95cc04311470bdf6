"""Folding against dense float64 algebra, and against integrals of band-limited functions."""

from fractions import Fraction
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.folding import CoarseGrid, fold, tile
from gaussjax.model.fourier import forward_transform, inverse_transform

RATIOS = [Fraction(2), Fraction(3), Fraction(5, 2), Fraction(4, 3)]


def dense(ratio, pixel, first, size):
    """Rows of the operator along an axis: integrals of the waves that fine pixels integrate."""
    fine = int(ratio * size)
    r, n, places = float(ratio), np.arange(fine), first + float(ratio) * np.arange(size)
    matrix = np.full((size, fine), 1 / fine)
    for q in range(1, (fine + 1) // 2):
        w = 2 * np.pi * q / fine
        width = np.sinc(r * w / 2 / np.pi) / np.sinc(w / 2 / np.pi) if pixel == "area" else 1
        matrix += 2 / fine * width * np.cos(w * (places[:, None] - n[None]))
    if fine % 2 == 0 and ratio.denominator == 1:
        width = np.sin(r * np.pi / 2) / r if pixel == "area" else 1
        matrix += width * np.cos(np.pi * places)[:, None] * np.cos(np.pi * n)[None] / fine
    return matrix


def on_image(grid, shape):
    """The operator as the package applies it, from a fine image to a coarse one."""

    @jax.jit
    def operator(image):
        spectrum = forward_transform(image, len(shape))
        spectrum = grid.apply(grid.transfer(shape, image.dtype), spectrum)
        return inverse_transform(fold(grid, spectrum, shape), shape)

    return operator


@pytest.mark.parametrize("pixel", ["area", "point"])
@pytest.mark.parametrize("first", [None, 0.3])
@pytest.mark.parametrize("ratio", RATIOS)
def test_folding_is_the_dense_operator(ratio, pixel, first, x64, rng):
    first = float(ratio - 1) / 2 if first is None else first
    sizes = 4 * ratio.denominator, 3 * ratio.denominator
    two, one = (ratio, ratio), (ratio, Fraction(1))
    for shape, ratios in ((sizes[:1], two[:1]), (sizes, two), (sizes[::-1], one)):
        firsts = tuple(first if r != 1 else 0.0 for r in ratios)
        grid = CoarseGrid(ratios, pixel, firsts)
        image = rng.normal(size=grid.fine_shape(shape))
        expected = image
        for axis, size in enumerate(shape):
            matrix = dense(ratios[axis], pixel, firsts[axis], size)
            expected = np.moveaxis(np.tensordot(matrix, expected, (1, axis)), 0, axis)
        np.testing.assert_allclose(on_image(grid, shape)(image), expected, atol=1e-12)
        if grid.is_local:
            np.testing.assert_allclose(jax.jit(grid.sampled)(image), expected, atol=1e-12)


@pytest.mark.parametrize("pixel", ["area", "point"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_tiling_is_the_adjoint_of_folding(ratio, pixel, x64, rng):
    shape = (2 * ratio.denominator, 5 * ratio.denominator)
    grid = CoarseGrid((ratio,) * 2, pixel, (0.4, 1.1))
    image, coarse = rng.normal(size=grid.fine_shape(shape)), rng.normal(size=shape)

    @jax.jit
    def transformed(image, coarse):
        fine = grid.apply(grid.transfer(shape, float), forward_transform(image, 2))
        folded = inverse_transform(fold(grid, fine, shape), shape)
        return fine, folded, tile(grid, forward_transform(coarse, 2), shape)

    fine, folded, tiled = transformed(image, coarse)
    direct = np.sum(coarse * folded)
    by_tiles = 2 / coarse.size * np.sum(np.real(np.conj(tiled) * fine))
    np.testing.assert_allclose(by_tiles, direct, rtol=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
def test_noise_of_the_fine_image_has_the_folded_power(ratio, x64):
    shape = (2 * ratio.denominator, 3 * ratio.denominator)
    grid = CoarseGrid((ratio,) * 2, "area", (0.25, 0.5))
    fine = grid.fine_shape(shape)
    columns = jax.jit(jax.vmap(on_image(grid, shape)))(np.eye(np.prod(fine)).reshape(-1, *fine))
    matrix = np.asarray(columns).reshape(len(columns), -1).T
    covariance = (matrix @ matrix.T)[:, 0].reshape(shape)

    @jax.jit
    def folded():
        power = reduce(jnp.multiply, grid.noise_gain(shape, float))
        return inverse_transform(fold(grid, power, shape), shape)

    np.testing.assert_allclose(folded(), covariance, atol=1e-12)
