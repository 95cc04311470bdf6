import numpy as np
import pytest

from gaussjax.statistics.random_effects import random_effects

ORIGIN = np.array([2.0])


def effects(sigma, error):
    found = random_effects(np.asarray(sigma)[:, None], np.asarray(error)[:, None], ORIGIN)
    return found.scatter.item(), found.heterogeneity.item()


def chi_square(sigma, error, scatter):
    weights = 1 / (error**2 + scatter**2)
    mean = np.sum(weights * sigma) / np.sum(weights)
    return np.sum(weights * (sigma - mean) ** 2)


@pytest.mark.parametrize("spread", [0, 0.3])
def test_the_scatter_makes_chi_square_what_chance_makes_it(rng, spread):
    error = rng.uniform(0.05, 0.2, 40)
    sigma = 2.1 + error * rng.standard_normal(40) + spread * rng.standard_normal(40)
    scatter, heterogeneity = effects(sigma, error)
    np.testing.assert_allclose(heterogeneity, chi_square(sigma, error, 0) / 39, rtol=1e-10)
    assert (scatter > 0) == (heterogeneity > 1)
    if scatter:
        np.testing.assert_allclose(chi_square(sigma, error, scatter), 39, rtol=1e-6)


def test_the_scatter_is_right_when_few_pairs_are_known_best(rng):
    spread, draws = 0.3, 300
    found = []
    for _ in range(draws):
        error = 10 ** rng.uniform(-5, -1, 80)
        noise, between = rng.standard_normal((2, 80))
        found.append(effects(2 + error * noise + spread * between, error)[0] ** 2)
    assert abs(np.mean(found) - spread**2) < 4 * np.std(found) / np.sqrt(draws)
    # Known to sqrt(1 / 2n), and not as the few best known pairs would have it.
    assert np.std(found) < 2 * spread**2 * np.sqrt(2 / 80)


def test_one_pair_tells_no_scatter_and_equal_ones_have_none():
    assert np.isnan(effects([2.0], [0.1])).all()
    assert effects(np.full(1000, 2.001), np.full(1000, 1e-4)) == (0, pytest.approx(0, abs=1e-6))
    assert effects([2.0, 2.0], [0.0, 0.0])[0] == 0
