"""Sigmas of pairs against a covariate, with the line of a regression; one panel of a figure."""

from typing import TYPE_CHECKING

import numpy as np

from gaussjax.report import style
from gaussjax.statistics.covariate_regression import CovariateRegression
from gaussjax.statistics.number_format import with_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BARS = 300  # error bars; of more pairs only the points are drawn
_POINTS = 100  # along the line


def draw_regression(
    axes: "Axes",
    regression: CovariateRegression,
    name: str,
    sigmas: np.ndarray,
    errors: np.ndarray,
    covariates: dict[str, np.ndarray],
    component: int = 0,
) -> None:
    """Draw one covariate: points, the line, and where it lies at 95 %.

    Of several covariates the others are set to their means: what the regression says that they do
    is subtracted from the points. ``sigmas`` and ``errors`` of the pairs are ``[n]``, px; of a
    sigma with several components they and the line are of one ``component``.
    """
    fit, place = regression, regression.names.index(name)
    flat = fit.coefficients.reshape(len(fit.names), -1)[:, component]
    adjusted = np.asarray(sigmas, float)
    for k, other in enumerate(fit.names[1:], 1):
        if k != place:
            adjusted = adjusted - flat[k] * (covariates[other] - fit.centres[k - 1])
    x = covariates[name]
    if len(x) <= _MOST_BARS:
        bars = {"fmt": "o", "markersize": 3, "linewidth": 0.8, "color": style.BLUE}
        axes.errorbar(x, adjusted, yerr=errors, **bars)
    else:
        dots = {"markersize": 2, "alpha": 0.3, "color": style.BLUE, "rasterized": True}
        axes.plot(x, adjusted, ".", **dots)
    along = np.linspace(np.min(x), np.max(x), _POINTS)
    low, line, high = fit.line(name, along)[..., component]
    slope, error = (
        each.reshape(len(fit.names), -1)[place, component]
        for each in (fit.coefficients, fit.standard_error)
    )
    p_value = fit.p_value.reshape(len(fit.names), -1)[place, component]
    bar = with_errors(slope, error, sign="\u00b1")
    text = f"{bar} px per unit, p = {p_value:.2g}"
    axes.plot(along, line, color=style.VERMILION, linewidth=1.5, label=text)
    axes.fill_between(along, low, high, color=style.VERMILION, alpha=0.2, linewidth=0)
    axes.set_xlabel(name)
    others = ", others at their mean" if len(fit.names) > 2 else ""
    axes.set_ylabel(f"$\\sigma$ of a pair (px){others}")
    style.tidy_curves(axes)
    style.add_legend_above(axes, 1)
