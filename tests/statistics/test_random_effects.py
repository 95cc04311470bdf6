import numpy as np
import pytest
import scipy.stats

from gaussjax.statistics.cluster_robust import cluster_robust
from gaussjax.statistics.random_effects import random_effects

ORIGIN = np.array([2.0])


def of_one(sigma, error, **options):
    return random_effects(np.asarray(sigma)[:, None], np.asarray(error)[:, None], ORIGIN, **options)


def effects(sigma, error):
    found = of_one(sigma, error)
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
    error = 10 ** rng.uniform(-5, -1, (80, draws))
    noise, between = rng.standard_normal((2, 80, draws))
    found = random_effects(2 + error * noise + spread * between, error, np.full(draws, 2.0))
    squares = found.scatter**2
    assert abs(np.mean(squares) - spread**2) < 4 * np.std(squares) / np.sqrt(draws)
    # Known to sqrt(1 / 2n), and not as the few best known pairs would have it.
    assert np.std(squares) < 2 * spread**2 * np.sqrt(2 / 80)


def test_one_pair_tells_no_scatter_and_equal_ones_have_none():
    alone = of_one([2.3], [0.1])
    assert alone.mean == 2.3
    for found in (alone.scatter, alone.heterogeneity, alone.p_value, alone.scatter_interval):
        assert np.isnan(found).all()
    assert np.isnan([*alone.mean_interval, *alone.prediction_interval()]).all()
    assert np.isnan(of_one([], []).mean_interval).all()
    assert effects(np.full(1000, 2.001), np.full(1000, 1e-4)) == (0, pytest.approx(0, abs=1e-6))
    assert effects([2.0, 2.0], [0.0, 0.0])[0] == 0


@pytest.mark.parametrize("spread", [0.05, 0.8])
@pytest.mark.parametrize("n", [2, 3, 12])
def test_it_is_the_meta_analysis_of_statsmodels(n, spread, rng):
    from statsmodels.stats.meta_analysis import combine_effects

    error = rng.uniform(0.1, 0.6, n)
    sigma = 2 + np.hypot(error, spread) * rng.standard_normal(n)
    found = of_one(sigma, error)
    expected = combine_effects(sigma, error**2, method_re="iterated", use_t=True, atol=1e-14)
    np.testing.assert_allclose(found.scatter.item() ** 2, expected.tau2, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.heterogeneity.item() * (n - 1), expected.q, rtol=1e-9)
    p_value = expected.test_homogeneity().pvalue
    np.testing.assert_allclose(found.p_value.item(), p_value, rtol=1e-9)
    np.testing.assert_allclose(found.mean.item(), expected.mean_effect_re, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 12])
def test_for_error_bars_alike_the_means_is_hartungs_and_knapps(n, rng):
    from statsmodels.stats.meta_analysis import combine_effects

    error = np.full(n, 0.3)
    sigma = 2 + 0.5 * rng.standard_normal(n)
    found = of_one(sigma, error)
    expected = combine_effects(sigma, error**2, method_re="iterated", use_t=True, atol=1e-14)
    error_of_mean = found.mean_standard_error.item()
    np.testing.assert_allclose(error_of_mean, expected.sd_eff_w_re_hksj, rtol=1e-9)
    np.testing.assert_allclose(found.mean_freedom, n - 1, rtol=1e-9)
    interval = np.ravel(found.mean_interval)
    np.testing.assert_allclose(interval, expected.conf_int(use_t=True)[3], rtol=1e-9)


def test_the_means_error_is_cr2_with_its_weights(rng):
    error = 10 ** rng.uniform(-1, 0, 5)
    sigma = 2 + 0.5 * rng.standard_normal(5)
    found = of_one(sigma, error)
    weights = 1 / (error**2 + found.scatter.item() ** 2)
    scores, slopes = weights * (found.mean.item() - sigma), weights[:, None, None]
    expected = cluster_robust(scores[:, None], slopes, 1 / slopes)
    square = found.mean_standard_error.item() ** 2
    np.testing.assert_allclose(square, expected.covariance.item(), rtol=1e-9)
    np.testing.assert_allclose(found.mean_freedom, expected.freedom, rtol=1e-9)


def test_the_ends_of_the_scatters_interval_are_quantiles_of_chi_square(rng):
    error = rng.uniform(0.1, 0.3, 9)
    sigma = 2 + 0.5 * rng.standard_normal(9)
    low, high = np.ravel(of_one(sigma, error).scatter_interval)
    for end, level in ((low, 0.975), (high, 0.025)):
        expected = scipy.stats.chi2.ppf(level, 8)
        np.testing.assert_allclose(chi_square(sigma, error, end), expected, rtol=1e-7)


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_without_noise_the_next_pair_is_predicted_as_from_a_normal_sample(n, level, rng):
    sigma = 2 + rng.standard_normal(n)
    low, high = of_one(sigma, np.full(n, 1e-7)).prediction_interval(level)
    reach = scipy.stats.t.ppf(0.5 + 0.5 * level, n - 1) * sigma.std(ddof=1) * np.sqrt(1 + 1 / n)
    ends = sigma.mean() - reach, sigma.mean() + reach
    np.testing.assert_allclose((low.item(), high.item()), ends, rtol=1e-5)


def test_of_many_pairs_with_one_sigma_the_next_differs_by_its_noise(rng):
    sigma = 2 + 0.1 * rng.standard_normal(40_000)
    found = of_one(sigma, np.full(40_000, 0.1))
    low, high = found.prediction_interval(standard_error=0.1)
    np.testing.assert_allclose((high - low) / 2, 1.96 * 0.1, rtol=0.01)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 95"):
        found.prediction_interval(95)


def test_every_figure_is_continuous_where_the_scatter_begins():
    error = np.full(6, 0.1)
    shape = np.asarray([-1.5, -0.7, -0.1, 0.2, 0.8, 1.3])
    at_one = 0.1 / np.std(shape, ddof=1)  # heterogeneity 1
    below, above = (of_one(2 + factor * at_one * shape, error) for factor in (1 - 1e-9, 1 + 1e-9))
    for name in ("p_value", "scatter_interval", "mean", "mean_standard_error", "mean_interval"):
        np.testing.assert_allclose(getattr(below, name), getattr(above, name), rtol=1e-7)
    np.testing.assert_allclose(below.prediction_interval(), above.prediction_interval(), rtol=1e-5)
    assert below.scatter == 0 < above.scatter < 1e-4


def test_processes_get_what_one_would(rng):
    error = rng.uniform(0.1, 0.3, 9)
    sigma = 2 + 0.5 * rng.standard_normal(9)
    sums = []
    whole = of_one(sigma, error, total=lambda x: sums.append(x) or x)
    received = iter(sums)
    half = of_one(sigma[:4], error[:4], total=lambda _: next(received))
    for name in ("scatter", "p_value", "scatter_interval", "mean_interval"):
        np.testing.assert_array_equal(getattr(half, name), getattr(whole, name))


@pytest.mark.slow
@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_intervals_cover_the_truth_as_often_as_they_say(n, alike, draws, rng):
    size = 20 * draws
    error = np.ones((n, size)) if alike else 10 ** rng.uniform(-0.5, 0.5, (n, size))
    for spread in (0.0, 1.0, 10.0):
        sigma = spread * rng.standard_normal((n, size)) + error * rng.standard_normal((n, size))
        found = random_effects(sigma, error, np.zeros(size))
        following = spread * rng.standard_normal(size)
        covered = {
            "mean": (found.mean_interval, 0),
            "scatter": (found.scatter_interval, spread),
            "next": (found.prediction_interval(), following),
        }
        for name, ((low, high), truth) in covered.items():
            share = np.mean((low <= truth) & (truth <= high))
            assert share > 0.93 - 4 * np.sqrt(0.05 / size), (name, spread, share)
