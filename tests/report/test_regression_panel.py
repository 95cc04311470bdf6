import numpy as np
import pytest

from gaussjax.report.regression_panel import draw_regression
from gaussjax.report.style import new_figure
from gaussjax.statistics.covariate_regression import regress_on_covariates


def drawn(count, rng):
    """Axes of one of two covariates, one of which does nothing; errors of 0.1."""
    table = {"epoch": rng.uniform(2000, 2010, count), "dice": rng.uniform(1, 6, count)}
    errors = np.full(count, 0.1)
    sigmas = 0.2 * (table["epoch"] - 1990) + 0.05 * table["dice"]
    fit = regress_on_covariates(sigmas + errors * rng.standard_normal(count), errors, table)
    axes = new_figure(4, 3).subplots()
    draw_regression(axes, fit, "epoch", sigmas, errors, table)
    return axes, fit, table


@pytest.mark.parametrize("count", [20, 1000])
def test_points_and_line_agree_with_the_regression(count, rng):
    axes, fit, table = drawn(count, rng)
    points, line = axes.lines[0], axes.lines[-1]
    np.testing.assert_array_equal(points.get_xdata(), table["epoch"])
    # What the other covariate does is taken away: no noise was drawn.
    steps = np.polyfit(points.get_xdata(), points.get_ydata(), 1)
    assert steps[0] == pytest.approx(0.2, abs=0.01)
    slopes = np.diff(line.get_ydata()) / np.diff(line.get_xdata())
    np.testing.assert_allclose(slopes, fit.coefficients[1], rtol=1e-6)
    assert axes.get_xlabel() == "epoch"
    assert "others at their mean" in axes.get_ylabel()
    told, _, error, *_ = axes.get_legend().get_texts()[0].get_text().split()
    assert float(told) == pytest.approx(fit.coefficients[1], abs=0.05 * float(error))


def test_the_band_is_the_interval_of_the_mean_at_the_centre(rng):
    _, fit, _ = drawn(20, rng)
    low, value, high = fit.line("epoch", [fit.centres[0], fit.centres[0] + 1])[..., 0]
    assert value[0] == pytest.approx(fit.coefficients[0])
    assert value[1] - value[0] == pytest.approx(fit.coefficients[1])
    # Student's with no more degrees of freedom than the mean has.
    assert high[0] - low[0] >= fit.interval[1, 0] - fit.interval[0, 0]
    assert high[1] - low[1] > high[0] - low[0]
