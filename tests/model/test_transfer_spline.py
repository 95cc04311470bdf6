"""Splines over frequency: what they reproduce, their sums, and the band of their products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.transfer_spline import TransferSpline, spline_rows


def radius(shape):
    w = [2 * np.pi * np.fft.fftfreq(n) for n in shape[:-1]]
    w.append(2 * np.pi * np.fft.rfftfreq(shape[-1]))
    return np.sqrt(sum(g**2 for g in np.meshgrid(*w, indexing="ij")))


@pytest.mark.parametrize("shape", [(40,), (24, 31), (10, 12, 9)])
def test_sums_are_the_transpose_of_combinations(shape, x64, rng):
    spline = TransferSpline(shape, 6)
    coefficients, field = rng.normal(size=(1, spline.size)), rng.normal(size=radius(shape).shape)

    @jax.jit
    def both(coefficients, field):
        terms = spline.terms(jnp.float64)
        return spline.combine(terms, coefficients), spline.sums(terms, field)

    combined, sums = both(coefficients, field)
    np.testing.assert_allclose(np.sum(combined * field), np.sum(coefficients * sums), rtol=1e-12)
    np.testing.assert_allclose(both(0 * coefficients + 1, field)[0], 1, rtol=1e-12)


def test_rows_are_the_curve_and_its_slope(x64, rng):
    spline = TransferSpline((64,), 8)
    row = rng.normal(size=spline.size)
    knots = radius((64,)) * 8 / np.pi
    rows = jax.jit(lambda knots: spline_rows(knots, spline.size))
    curve = jax.jit(lambda row: spline.combine(spline.terms(jnp.float64), row[None]))
    values, slopes = map(np.asarray, rows(knots))
    np.testing.assert_allclose(values @ row, curve(row), atol=1e-12)
    step = 1e-6
    more, less = (rows(knots + s)[0] for s in (step, -step))
    np.testing.assert_allclose(slopes, (more - less) / (2 * step), atol=1e-6)
    assert abs(float(slopes[0] @ row)) < 1e-12  # even in frequency


@pytest.mark.parametrize("axis", [None, 0])
def test_a_band_is_found_from_seven_products_of_every_term(axis, x64, rng):
    spline = TransferSpline((16, 16), 5, axis)
    groups, orders = (1, 1) if axis is None else (2, 3)
    index = np.arange(spline.size)
    near = np.abs(index[:, None] - index[None]) < 4
    shape = groups, orders, spline.size
    band = rng.normal(size=shape + shape) * near[:, None, None, :]
    # Terms over different coordinates have no frequency in common.
    band *= np.eye(groups)[:, None, None, :, None, None]
    combs = spline.combs()
    assert combs.shape == (7, spline.size)
    responses = np.einsum("gqlgpk,ck->gpcql", band, combs)
    found = jax.jit(spline.matrix)(responses.reshape(-1, 7, orders, spline.size))
    np.testing.assert_allclose(found, band.reshape(found.shape))


def test_a_part_of_the_terms_is_that_part_of_all(x64, rng):
    spline = TransferSpline((12, 14), 4, axis=1)
    coefficients, field = rng.normal(size=(6, spline.size)), rng.normal(size=(12, 8))

    @jax.jit
    def whole(coefficients, field):
        terms = spline.terms(jnp.float64)
        return spline.combine(terms, coefficients), spline.sums(terms, field)

    @jax.jit
    @jax.vmap
    def part(k, row):
        terms = spline.terms(jnp.float64)
        combined = spline.combine(spline.term(terms, k), row)
        return combined, spline.sums(spline.group(terms, k), field)

    combined, sums = whole(coefficients, field)
    parts, of_groups = part(np.arange(6, dtype=np.int32), coefficients)
    np.testing.assert_allclose(np.sum(parts, 0), combined, atol=1e-12)
    np.testing.assert_allclose(np.sum(coefficients * sums), np.sum(field * combined), rtol=1e-12)
    for k in range(6):
        np.testing.assert_allclose(of_groups[k], sums[3 * (k // 3) :][:3], rtol=1e-12)


def test_along_an_axis_the_first_term_is_the_axis_alone(x64, rng):
    spline = TransferSpline((20, 26), 5, axis=1)
    coefficients = rng.normal(size=(6, spline.size))
    plane = jax.jit(lambda rows: spline.combine(spline.terms(jnp.float64), rows))(coefficients)
    knots = np.arange(1, 14) * (2 / 26 * 5)
    rows, _ = jax.jit(lambda knots: spline_rows(knots, spline.size))(knots)
    np.testing.assert_allclose(plane[0, 1:], np.asarray(rows) @ coefficients[0], atol=1e-12)
