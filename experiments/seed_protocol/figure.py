"""The seed protocol as small multiples: true and estimated sigma by experiment."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.seed_protocol.table import LEAST_SIGMA, judge
from experiments.shared.common import BLUE, GREY, VERMILION

COLUMNS = 4


def plot(numbers: dict[str, Any]) -> Figure:
    """True and estimated sigma by experiment, one panel an estimator."""
    names = list(numbers["answers"])
    true = np.array(numbers["sigma"])
    top = 1.2 * true.max()
    index = np.arange(1, len(true) + 1)
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    panels = figure.subplots(-(-len(names) // COLUMNS), COLUMNS, sharex=True, sharey=True)
    for axes, name in zip(panels.flat, names, strict=False):
        verdict = judge(numbers, name)
        sigma = np.array(numbers["answers"][name]["sigma"], float)
        beyond = np.abs(sigma) > top
        answered = ~verdict["refused"] & ~verdict["delta"]
        axes.plot(index, true, "o", color=GREY, markerfacecolor="none", markersize=6, label="true")
        for chosen, marker, colour, label in (
            (answered & ~beyond, ".", BLUE, "estimate"),
            (answered & beyond, "^", BLUE, "beyond the axis"),
            (verdict["refused"] & ~beyond, "x", VERMILION, "refused by status"),
            (verdict["refused"] & beyond, "^", VERMILION, "beyond, refused"),
            (verdict["delta"], "s", BLUE, "not identifiable"),
        ):
            shown = np.clip(sigma[chosen], -top, top)
            axes.plot(index[chosen], shown, marker, color=colour, label=label)
        lines = [*name.split(": "), f"RMSE {verdict['rmse_wide']:.2g} px"]
        axes.set_title("\n".join(lines), fontsize=10)
        axes.set_ylim(-0.07 * top, 1.06 * top)
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    for axes in panels.flat[len(names) - COLUMNS : len(names)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel(f"experiment   (RMSE: of $\\sigma \\geq$ {LEAST_SIGMA:g} px)", fontsize=11)
    figure.supylabel("$\\sigma$ (px)", fontsize=11)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure
