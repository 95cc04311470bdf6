"""The seed protocol as small multiples: true and estimated sigma by experiment."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.seed_protocol.table import LEAST_SIGMA, judge
from experiments.shared.common import BLUE, GREY, VERMILION

COLUMNS = 5  # one estimator more than three rows of four
MOST = 1000.0  # px; an error beyond says no more than that


def plot(numbers: dict[str, Any]) -> Figure:
    """True and estimated sigma by experiment, one panel an estimator."""
    names = list(numbers["answers"])
    true = np.array(numbers["sigma"])
    top = 1.2 * true.max()
    index = np.arange(1, len(true) + 1)
    figure = Figure(figsize=(7, 5.2), layout="constrained")
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
        axes.set_title("\n".join([*name.split(": "), _error(verdict["rmse_wide"])]), fontsize=8.5)
        axes.set_ylim(-0.07 * top, 1.06 * top)
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    for axes in panels.flat[len(names) - COLUMNS : len(names)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel(f"experiment (RMSE: of true $\\sigma \\geq$ {LEAST_SIGMA:g} px)", fontsize=11)
    figure.supylabel("$\\sigma$ (px)", fontsize=11)
    # In the place of the panels that are not there.
    spare = panels.flat[min(len(names), panels.size - 1)]
    spare.set_visible(True)
    spare.set_axis_off()
    handles, labels = panels.flat[0].get_legend_handles_labels()
    legend = spare.legend(handles, labels, loc="center left", bbox_to_anchor=(0, 0.5))
    legend.set_in_layout(False)
    return figure


def _error(rmse: float) -> str:
    return f"RMSE > {MOST:g} px" if rmse > MOST else f"RMSE {rmse:.2g} px"
