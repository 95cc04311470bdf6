"""A figure of the sigmas of many pairs and of their joint sigma."""

from typing import TYPE_CHECKING

import numpy as np

from gaussjax.dataset.result import DatasetEstimate
from gaussjax.report import style
from gaussjax.report.regression_panel import draw_regression
from gaussjax.report.transfer_panel import draw_transfer
from gaussjax.statistics.number_format import with_errors
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import TRUSTED, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_PANEL = (6.4, 3.8)  # inches
# What lies further from the median than so many times the quartile on its side is off the axis.
_QUARTILES = 5.0
_MOST_BINS = 80


def draw_sigmas(estimate: DatasetEstimate) -> "Figure":
    """Draw the histogram of the pairs' own sigmas, the joint sigma and the scatter about it.

    Only pairs with status 0 are shown; what lies beyond the axis is counted in the title. Below
    them, a row for every covariate of the regression, where there is one, and the transfer function
    that all pairs have in common. The figure has a panel per sigma; no window is opened.
    """
    joint, errors = map(np.atleast_1d, (estimate.sigma, estimate.sigma_standard_error))
    scatters = np.atleast_1d(estimate.scatter)
    names = () if estimate.regression is None else estimate.regression.names[1:]
    figure = style.new_figure(_PANEL[0] * len(joint), _PANEL[1] * (2 + len(names)))
    places = figure.add_gridspec(2 + len(names), len(joint))
    draw_transfer(figure.add_subplot(places[-1, :]), estimate.transfer)
    grid = [
        [figure.add_subplot(places[row, k]) for k in range(len(joint))]
        for row in range(1 + len(names))
    ]
    panels = grid[0]
    estimated = np.asarray(estimate.pairs.status) == Status.ESTIMATED
    sigmas = np.asarray(estimate.pairs.sigma, float).reshape(len(estimated), -1)[estimated]
    for k, axes in enumerate(panels):
        name = "\\sigma" if len(joint) == 1 else f"\\sigma_{k}"
        _panel(axes, sigmas[:, k], float(joint[k]), float(errors[k]), float(scatters[k]), name)
    panels[0].set_ylabel("pairs")
    for covariate, row in zip(names, grid[1:], strict=True):
        for k, axes in enumerate(row):
            _covariate_panel(axes, estimate, covariate, k)
    figure.suptitle(_title(estimate, int(np.count_nonzero(estimated))), fontsize=11)
    return figure


def _title(estimate: DatasetEstimate, num_estimated: int) -> str:
    text = f"pairs: {estimate.num_pairs}, {num_estimated} with a sigma of their own"
    if estimate.num_bad:
        text += f", {estimate.num_bad} left out"
    status, adequacy = Status(int(estimate.joint.status)), estimate.joint.adequacy
    assert adequacy is not None  # a joint fit has one
    said = [status.name] if status != Status.ESTIMATED else []
    verdict = Verdict(int(adequacy.verdict))
    if verdict not in TRUSTED:
        said += [verdict.name]
    words = ", ".join(said).lower().replace("_", " ")
    return f"{text}\n{words}" if words else text


def _covariate_panel(axes: "Axes", estimate: DatasetEstimate, name: str, component: int) -> None:
    used, pairs = estimate.in_regression, estimate.pairs
    own = (np.asarray(x, float)[used] for x in (pairs.sigma, pairs.standard_error))
    sigmas, errors = (x.reshape(len(x), -1)[:, component] for x in own)
    covariates = {each: column[used] for each, column in estimate.covariates.items()}
    assert estimate.regression is not None
    draw_regression(axes, estimate.regression, name, sigmas, errors, covariates, component)


def _panel(
    axes: "Axes", sigmas: np.ndarray, joint: float, error: float, scatter: float, name: str
) -> None:
    low, high = _range(sigmas, joint, error)
    shown = sigmas[(sigmas >= low) & (sigmas <= high)]
    bins = int(np.clip(2 * len(shown) ** (1 / 2.5), 8, _MOST_BINS))
    axes.hist(
        shown, bins=bins, range=(low, high), color=style.SKY_BLUE, edgecolor="white", linewidth=0.4
    )
    if np.isfinite(scatter) and scatter > 0:
        label = f"scatter between pairs, \u00b1 {scatter:.2g} px"
        band = {"color": style.ORANGE, "alpha": 0.2, "linewidth": 0}
        axes.axvspan(joint - scatter, joint + scatter, label=label, **band)
    if np.isfinite(joint):
        bar = with_errors(joint, error, sign="\u00b1")
        text = f"joint ${name}$ = {bar} px"
        axes.axvline(joint, color=style.VERMILION, linewidth=1.5, label=text)
        if np.isfinite(error):
            height = 0.96 * axes.get_ylim()[1]
            bar = {"color": style.VERMILION, "capsize": 4, "linewidth": 1.5, "zorder": 3}
            axes.errorbar([joint], [height], xerr=[error], fmt="none", **bar)
        axes.legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.02))
    axes.set_xlim(low, high)
    axes.set_xlabel(f"${name}$ of a pair (px)")
    axes.spines[["top", "right"]].set_visible(False)
    beyond = len(sigmas) - len(shown)
    if beyond:
        corner = {"xytext": (-4, -4), "textcoords": "offset points", "ha": "right", "va": "top"}
        axes.annotate(f"{beyond} beyond the axis", (1, 1), **corner, xycoords="axes fraction")


def _range(sigmas: np.ndarray, joint: float, error: float) -> tuple[float, float]:
    """The range of the axis: the bulk of the sigmas and the joint one with its error bar."""
    edges = []
    if sigmas.size:
        lower, middle, upper = np.percentile(sigmas, (25, 50, 75))
        near = (sigmas >= middle - _QUARTILES * (middle - lower)) & (
            sigmas <= middle + _QUARTILES * (upper - middle)
        )
        edges += [np.min(sigmas[near]), np.max(sigmas[near])]
    edges += [value for value in (joint - error, joint, joint + error) if np.isfinite(value)]
    low, high = (min(edges), max(edges)) if edges else (0.0, 1.0)
    room = max(0.15 * (high - low), 1e-3 * abs(high), 1e-6)
    return low - room, high + room
