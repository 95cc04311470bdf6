"""The comparison as a figure: a row per estimator, a bar per pair, a dot for their summary."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.compare_estimators.table import errors_over_bound, excess_rms, relative_errors, rms
from experiments.shared.common import BLACK, GREY, ORANGE, PURPLE, SKY
from experiments.shared.drawing import estimator_colour

# What is done about the edge, with which the names of the estimators begin.
BORDERS = ("interior", "reflect", "Hann window", "periodic")
KINDS = (("o", ORANGE), ("s", PURPLE), ("^", SKY), ("D", GREY))


def plot(numbers: dict[str, Any]) -> Figure:
    """Three panels: error without noise, error over the bound with noise, unknown blur."""
    names = list(numbers["answers"])
    colours = [estimator_colour(name) for name in names]
    noise = np.array(numbers["known"]["noise"])
    levels = " and ".join(f"{100 * level:g} %" for level in sorted(set(noise)) if level)
    figure = Figure(figsize=(7, 5.2), layout="constrained")
    clean, noisy, unknown = figure.subplots(1, 3, sharey=True)
    for row, (name, colour) in enumerate(zip(names, colours, strict=True)):
        error = 100 * np.abs(relative_errors(numbers, name))[noise == 0]
        _strip(clean, row, error, np.nanmedian(error), 1e-14, colour)
        over_bound = np.abs(errors_over_bound(numbers, name))[noise > 0]
        _strip(noisy, row, over_bound, rms(over_bound), 1e-2, colour)
    clean.set(title="Without noise", xlabel="|error of $\\sigma$| (%)\ndot: median")
    noisy.set(title=f"Noise {levels}", xlabel="|error of $\\sigma$| /\nCramer-Rao bound\ndot: rms")
    noisy.axvline(1, color=BLACK, linewidth=1, linestyle="--")
    _unknown(unknown, numbers)
    _scale(clean, (1e-14, 1e-7, 1))
    _scale(noisy, (1e-2, 1, 1e2, 1e4))
    _scale(unknown, (1e-3, 1, 1e3))
    clean.set_yticks(range(len(names)), [name.split(": ")[1] for name in names])
    for label, colour in zip(clean.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
    clean.invert_yaxis()
    for border in BORDERS:
        # Where the panel is empty.
        row = next(row for row, name in enumerate(names) if name.startswith(border))
        for axes in (clean, noisy, unknown):
            axes.axhline(row - 0.5, color=GREY, linewidth=0.8)
        where, side = (0.98, "right") if border == "interior" else (0.02, "left")
        place = {"transform": clean.get_yaxis_transform(), "ha": side, "va": "center"}
        clean.text(where, row, border, color=BLACK, fontweight="bold", **place)
    handles, labels = unknown.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=len(labels))
    return figure


def _strip(axes: Axes, row: int, values, summary: float, floor: float, colour: str) -> None:
    """A bar a value and a dot for their summary; what is below ``floor`` is drawn there."""
    values = np.maximum(values, floor)
    axes.plot(values, np.full(len(values), row), "|", color=colour, alpha=0.5, markersize=7)
    dot = {"color": colour, "markersize": 8, "markeredgecolor": "white"}
    axes.plot(max(summary, floor), row, "o", **dot)


def _unknown(axes: Axes, numbers: dict[str, Any]) -> None:
    kind = np.array(numbers["unknown"]["kind"])
    excess = np.array([100 * excess_rms(numbers, name) for name in numbers["answers"]])
    # Shapes beside each other where their values agree.
    kinds = list(dict.fromkeys(kind))
    for (marker, colour), each in zip(KINDS, kinds, strict=False):
        rows = np.arange(len(excess)) + 0.2 * (kinds.index(each) - 0.5 * (len(kinds) - 1))
        values = np.maximum(np.nanmedian(excess[:, kind == each], axis=1), 1e-3)
        axes.plot(values, rows, marker, color=colour, label=each, markersize=5)
    axes.set(
        title="B not Gaussian",
        xlabel="rms(g*A \u2212 B) beyond\nthe best Gaussian's (%)\ndot: median",
    )


def _scale(axes: Axes, ticks: tuple[float, ...]) -> None:
    """A logarithmic axis whose first tick stands for all that is smaller."""
    powers = ["1" if tick == 1 else f"$10^{{{np.log10(tick):.0f}}}$" for tick in ticks]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"$\\leq${powers[0]}", *powers[1:]])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
