"""Splines over frequency: what they reproduce, their sums, and the band of their products."""

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
    terms = spline.terms(jnp.float64)
    coefficients = jnp.asarray(rng.normal(size=(1, spline.size)))
    field = jnp.asarray(rng.normal(size=radius(shape).shape))
    combined = spline.combine(terms, coefficients)
    np.testing.assert_allclose(
        np.sum(combined * field), np.sum(coefficients * spline.sums(terms, field)), rtol=1e-12
    )
    np.testing.assert_allclose(spline.combine(terms, 0 * coefficients + 1), 1, rtol=1e-12)


def test_rows_are_the_curve_and_its_slope(x64, rng):
    spline = TransferSpline((64,), 8)
    row = jnp.asarray(rng.normal(size=spline.size))
    knots = jnp.asarray(radius((64,)) * 8 / np.pi)
    values, slopes = spline_rows(knots, spline.size)
    np.testing.assert_allclose(
        values @ row, spline.combine(spline.terms(jnp.float64), row[None]), atol=1e-12
    )
    step = 1e-6
    more, less = (spline_rows(knots + s, spline.size)[0] for s in (step, -step))
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
    found = spline.matrix(jnp.asarray(responses.reshape(-1, 7, orders, spline.size)))
    np.testing.assert_allclose(found, band.reshape(found.shape))


def test_a_part_of_the_terms_is_that_part_of_all(x64, rng):
    spline = TransferSpline((12, 14), 4, axis=1)
    terms = spline.terms(jnp.float64)
    coefficients = jnp.asarray(rng.normal(size=(6, spline.size)))
    field = jnp.asarray(rng.normal(size=(12, 8)))
    parts = [spline.combine(spline.term(terms, k), coefficients[k]) for k in range(6)]
    np.testing.assert_allclose(sum(parts), spline.combine(terms, coefficients), atol=1e-12)
    sums = spline.sums(terms, field)
    np.testing.assert_allclose(np.sum(coefficients * sums), np.sum(field * sum(parts)), rtol=1e-12)
    for k in range(6):
        group = slice(0, 3) if k < 3 else slice(3, 6)
        np.testing.assert_array_equal(spline.sums(spline.group(terms, k), field), sums[group])


def test_along_an_axis_the_first_term_is_the_axis_alone(x64, rng):
    spline = TransferSpline((20, 26), 5, axis=1)
    terms = spline.terms(jnp.float64)
    first = jnp.asarray(rng.normal(size=spline.size))
    coefficients = jnp.stack([first, *jnp.asarray(rng.normal(size=(5, spline.size)))])
    along = spline.combine(terms, coefficients)[0, 1:]
    knots = jnp.arange(1, 14) * (2 / 26 * 5)
    np.testing.assert_allclose(along, spline_rows(knots, spline.size)[0] @ first, atol=1e-12)
