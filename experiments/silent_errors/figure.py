"""The sweep as a figure: what became of every kind, how often it was covered, and power curves."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.shared.common import BLACK, BLUE, GREY, ORANGE, SKY, VERMILION
from experiments.silent_errors.judge import Said
from experiments.silent_errors.table import (
    confusion,
    coverage,
    groups,
    in_group,
    is_honest,
    power,
    wilson,
)

COLOURS = {
    (False, Said.TRUSTED): (BLUE, "right, trusted"),
    (False, Said.DOUBTED): (SKY, "right, doubted"),
    (False, Said.REFUSED): ("#BFDFF2", "right, refused"),
    (True, Said.REFUSED): ("#D9D9D9", "wrong, refused"),
    (True, Said.DOUBTED): (ORANGE, "wrong, doubted"),
    (True, Said.TRUSTED): (VERMILION, "wrong and trusted"),
}
ROW = 0.135  # inches
SMALL = 6.5  # points


def plot(numbers: dict[str, Any]) -> Figure:
    """A column for each group: shares of answers and coverage by kind. Below, the departures."""
    columns = groups(numbers)
    rows = max(len(in_group(numbers, group)) for group in columns)
    departures = numbers["departures"]
    tall = max(ROW * rows, 1.5)
    figure = Figure(figsize=(7, tall + 2.9), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(tall + 0.6, 2.3), squeeze=False)[:, 0]
    panels = above.subplots(1, 2 * len(columns), width_ratios=(3, 2) * len(columns), squeeze=False)
    for column, group in enumerate(columns):
        bars, shares = panels[0, 2 * column : 2 * column + 2]
        _draw_group(bars, shares, in_group(numbers, group), rows)
        bars.set_title(f"{group} pairs", loc="left")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    above.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8)
    curves = below.subplots(1, len(departures), sharey=True, squeeze=False)[0]
    for axes, (name, departure) in zip(curves, departures.items(), strict=True):
        _draw_power(axes, departure)
        axes.set_title(name)
    curves[0].set_ylabel("answers (%)")
    handles, labels = curves[0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _draw_group(bars: Axes, shares: Axes, kinds: dict[str, dict[str, list]], rows: int) -> None:
    """Bars of the shares of answers, and dots with their range for the coverage."""
    names = list(kinds)
    counts = {name: confusion(answers) for name, answers in kinds.items()}
    left = np.zeros(len(names))
    for cell, (colour, label) in COLOURS.items():
        widths = np.array([100 * counts[name][cell] / sum(counts[name].values()) for name in names])
        bars.barh(names, widths, left=left, color=colour, label=label, height=0.8)
        left += widths
    for row, answers in enumerate(kinds.values()):
        share, low, high = (100 * value for value in coverage(answers))
        if np.isfinite(share):
            shares.plot([low, high], [row, row], color=GREY, linewidth=1)
            shares.plot(share, row, "o", color=BLACK, markersize=2, clip_on=False)
    shares.axvline(95, color=BLACK, linewidth=0.8)
    for axes in (bars, shares):
        # As many rows in either column, so that their bars are as high.
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.tick_params(labelsize=SMALL, length=2)
        axes.grid(visible=False, axis="y")
    bars.tick_params(axis="y", length=0, pad=1)
    bars.set_xlabel("answers (%)", fontsize=8)
    shares.set_yticks([])
    shares.set_xticks((0, 50, 95))
    shares.set_xlabel("covered (%)", fontsize=8)


def _draw_power(axes: Axes, departure: dict[str, Any]) -> None:
    """Shares of answers over the strength, one step for each."""
    found = power(departure)
    steps = np.arange(len(departure["strengths"]))
    bands = [wilson(np.sum(kept), len(kept)) for kept in map(is_honest, departure["answers"])]
    low, high = 100 * np.array(bands).T
    axes.fill_between(steps, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(steps, found["doubted or covered, %"], "o-", color=BLUE, label="doubted or covered")
    axes.plot(steps, found["doubted, %"], "s--", color=ORANGE, label="doubted")
    axes.set_xticks(
        steps, [f"{strength:g}".lstrip("0") or "0" for strength in departure["strengths"]]
    )
    axes.tick_params(labelsize=8)
    axes.set_ylim(-4, 104)
    axes.set_xlabel(departure["unit"], fontsize=8)
