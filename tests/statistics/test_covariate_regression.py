import numpy as np
import pytest
import scipy.stats
from statsmodels.regression.linear_model import WLS

from gaussjax.statistics.covariate_regression import regress_on_covariates


@pytest.fixture
def pairs(rng):
    """Sigmas on a plane, their error bars, and two covariates far from zero."""
    table = {"epoch": rng.uniform(2000, 2010, 15), "airmass": rng.uniform(1, 2, 15)}
    errors = rng.uniform(0.05, 0.3, 15)
    scatter = np.hypot(errors, 0.2) * rng.standard_normal(15)
    return 2 + 0.1 * (table["epoch"] - 2005) + scatter, errors, table


def weighted_least_squares(values, errors, table, scatter):
    columns = np.stack([column - np.mean(column) for column in table.values()], axis=1)
    design = np.column_stack([np.ones(len(columns)), columns])
    weights = 1 / (errors**2 + scatter**2)
    return design, weights, WLS(values, design, weights).fit()


def test_it_is_weighted_least_squares_with_hc2_errors(pairs):
    found = regress_on_covariates(*pairs)
    _, _, fit = weighted_least_squares(*pairs, found.scatter.item())
    assert found.names == ("mean", "epoch", "airmass")
    np.testing.assert_allclose(found.coefficients, fit.params, rtol=1e-9)
    expected = fit.get_robustcov_results("HC2")
    np.testing.assert_allclose(found.covariance, expected.cov_params(), rtol=1e-7)
    np.testing.assert_allclose(found.standard_error, expected.bse, rtol=1e-7)
    # About the line Q is what chance makes it.
    np.testing.assert_allclose(np.sum(fit.wresid**2), 12, rtol=1e-7)


def test_the_degrees_of_freedom_are_satterthwaites(pairs):
    found = regress_on_covariates(*pairs)
    design, weights, _ = weighted_least_squares(*pairs, found.scatter.item())
    root = design * np.sqrt(weights)[:, None]
    bread = np.linalg.inv(root.T @ root)
    residual = np.eye(15) - root @ bread @ root.T
    for k in range(3):
        pull = (root @ bread)[:, k] / np.sqrt(np.diag(residual))
        products = residual * np.outer(pull, pull)
        expected = np.trace(products) ** 2 / np.sum(products**2)
        np.testing.assert_allclose(found.freedom[k], expected, rtol=1e-7)
    tails = 2 * scipy.stats.t.sf(np.abs(found.coefficients) / found.standard_error, found.freedom)
    np.testing.assert_allclose(found.p_value, tails, rtol=1e-9)
    reach = scipy.stats.t.ppf(0.975, found.freedom) * found.standard_error
    np.testing.assert_allclose(found.interval[1] - found.coefficients, reach, rtol=1e-9)


def test_what_the_covariate_explains_is_no_scatter(rng):
    epoch = np.arange(200.0)
    sigma = 2 + 0.01 * epoch + 0.1 * rng.standard_normal(200)
    found = regress_on_covariates(sigma, np.full(200, 0.1), {"epoch": epoch})
    assert found.scatter < 0.05
    assert found.scatter_p_value > 0.01
    assert found.explained > 0.98
    assert found.p_value[1] < 1e-10
    low, high = found.interval[:, 1]
    assert low < 0.01 < high
    unrelated = regress_on_covariates(sigma, np.full(200, 0.1), {"dice": rng.permutation(epoch)})
    assert unrelated.explained < 0.1
    assert unrelated.scatter > 0.4


def test_without_scatter_nothing_is_explained():
    found = regress_on_covariates(np.full(9, 2.0), np.full(9, 0.1), {"epoch": np.arange(9.0)})
    assert np.isnan(found.explained)
    assert found.coefficients[1] == pytest.approx(0, abs=1e-12)


def test_each_component_of_sigma_has_its_own(pairs):
    values, errors, table = pairs
    both = regress_on_covariates(
        np.stack([values, values**2], 1), np.stack([errors, 2 * errors], 1), table
    )
    second = regress_on_covariates(values**2, 2 * errors, table)
    for name in ("coefficients", "interval", "p_value", "covariance", "scatter", "explained"):
        np.testing.assert_allclose(getattr(both, name)[..., 1], getattr(second, name), rtol=1e-9)


def test_units_of_a_covariate_change_its_slope_alone(pairs):
    values, errors, table = pairs
    days = table | {"epoch": 365.25 * table["epoch"] + 1e6}
    found, other = (regress_on_covariates(values, errors, each) for each in (table, days))
    np.testing.assert_allclose(found.p_value, other.p_value, rtol=1e-6)
    np.testing.assert_allclose(found.coefficients / [1, 365.25, 1], other.coefficients, rtol=1e-6)


def test_processes_get_what_one_would(pairs):
    values, errors, table = pairs
    sums = []
    whole = regress_on_covariates(values, errors, table, lambda x: sums.append(x) or x)
    received = iter(sums)
    own = {name: column[:6] for name, column in table.items()}
    part = regress_on_covariates(values[:6], errors[:6], own, lambda _: next(received))
    np.testing.assert_array_equal(part.interval, whole.interval)
    assert part.num_pairs == whole.num_pairs == 15


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.full(15, 0.1), "must differ between the pairs; all alike: 'new'"),
        ([np.nan] * 2 + [1.0] * 13, "must be finite; not so of 15 pairs: 'new' of 2"),
        (np.arange(14), r"a value for each of the 15 pairs; got an array of shape \(14,\)"),
        (["night"] * 15, "'new' must be numbers; give a category as columns of 0 and 1"),
        (None, "must not follow from each other; these do: 'epoch', 'new'"),
    ],
)
def test_columns_that_cannot_be_are_named(pairs, column, message):
    values, errors, table = pairs
    column = 3 - 2 * table["epoch"] if column is None else column
    with pytest.raises(ValueError, match=message):
        regress_on_covariates(values, errors, table | {"new": column})


def test_too_few_pairs_are_counted(pairs):
    values, errors, table = pairs
    few = {name: column[:3] for name, column in table.items()}
    with pytest.raises(ValueError, match="2 covariates need at least 4 pairs"):
        regress_on_covariates(values[:3], errors[:3], few)
    with pytest.raises(ValueError, match="at least one"):
        regress_on_covariates(values, errors, {})


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say(draws, rng):
    covered = np.zeros(2)
    for _ in range(2 * draws):
        errors, epoch = 10 ** rng.uniform(-0.5, 0.5, 6), rng.standard_normal(6)
        values = 3 + 0.5 * epoch + np.hypot(errors, 1) * rng.standard_normal(6)
        found = regress_on_covariates(values, errors, {"epoch": epoch})
        truth = np.asarray([3 + 0.5 * found.centres[0], 0.5])
        covered += (found.interval[0] <= truth) & (truth <= found.interval[1])
    assert np.all(scipy.stats.binom(2 * draws, 0.93).cdf(covered) > 5e-4)
