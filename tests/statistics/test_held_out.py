"""Held-out squares: against fits made without each block; and what a difference's error means."""

import math

import numpy as np
import pytest

from gaussjax.statistics.held_out import HeldOut, bartlett_sum, block_sums, excess, held_out, holm


def test_held_out_squares_are_those_of_fits_without_the_block(rng):
    fields, target = rng.normal(size=(3, 12, 12)), rng.normal(size=(12, 12))
    window = rng.random((12, 12))
    design, weights = fields.reshape(3, -1).T, window.ravel()

    def fitted(w):
        return np.linalg.lstsq(np.sqrt(w)[:, None] * design, np.sqrt(w) * target.ravel())[0]

    residual = target - (design @ fitted(weights)).reshape(12, 12)
    rows = np.concatenate([residual[None], fields])
    found = held_out(rows, np.zeros((4, 4)), window, 4).squares
    for i in range(3):
        for j in range(3):
            block = np.zeros((12, 12), bool)
            block[4 * i : 4 * i + 4, 4 * j : 4 * j + 4] = True
            left = target.ravel() - design @ fitted(np.where(block.ravel(), 0, weights))
            expected = np.sum((weights * left**2)[block.ravel()])
            assert found[i, j] == pytest.approx(expected, rel=1e-6)


def test_a_fit_of_nothing_leaves_its_squares(rng):
    rows = rng.normal(size=(1, 10, 7))
    found = held_out(rows, np.full((1, 1), 0.1), np.ones((10, 7)), 4)
    expected = block_sums(rows[0] ** 2, 4) - 0.1 * block_sums(np.ones((10, 7)), 4)
    np.testing.assert_allclose(found.squares, expected)
    assert found.squares.shape == (3, 2)
    assert found.num_parameters == 0


def test_bartlett_sum_of_correlated_blocks(rng):
    white = rng.normal(size=(400, 13, 13))
    smooth = white[:, 1:, :] + white[:, :-1, :]
    found = np.mean([bartlett_sum(field, 0.5) for field in smooth])
    actual = np.var(smooth.sum(axis=(1, 2)))
    # Bartlett's weights take half of the correlation with neighbours: 1.5 of 2.
    assert 0.65 * actual < found < 0.85 * actual
    assert np.mean([bartlett_sum(f, 0.5) for f in white]) == pytest.approx(169, rel=0.05)


def test_the_error_of_an_excess_covers_it(rng):
    """A fit that misses content which is strong in a corner only, against the truth."""
    missed = np.zeros((64, 64))
    missed[:32, :32] = 0.3 * rng.normal(size=(32, 32))
    deviates = []
    for _ in range(300):
        noise = rng.normal(size=(64, 64))
        best = HeldOut(block_sums(noise**2, 8), noise, 0)
        other = HeldOut(block_sums((noise + missed) ** 2, 8), noise + missed, 0)
        (difference,), (error,) = excess([other], best, 8, 1.0)
        deviates.append((difference - np.sum(missed**2)) / error)
    assert np.std(deviates) == pytest.approx(1, abs=0.15)


def test_holm_by_hand():
    deviates = [0.0, 3.0, 2.0]
    tails = [0.5 * math.erfc(z / math.sqrt(2)) for z in deviates]
    np.testing.assert_allclose(holm(deviates), [tails[0], 3 * tails[1], 2 * tails[2]])
    np.testing.assert_allclose(holm([2.0, 2.0]), [2 * tails[2]] * 2)
