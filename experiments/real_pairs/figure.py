"""Pairs as they come as a figure: a line per attempt, a dot per photograph, drawn by verdict."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.real_pairs.table import attempts, chosen
from experiments.shared.common import BLACK
from experiments.shared.drawing import SAID, said


def plot(numbers: dict[str, Any]) -> Figure:
    """Above errors of a known sigma; below sigma where none is true, and the gain by L1."""
    known, processed = numbers["known"], numbers["processed"]
    lines = attempts(known)
    kinds = list(dict.fromkeys(processed["kind"]))
    figure = Figure(figsize=(7, 7.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(len(lines) + 1, len(kinds) + 2))
    error = figure.add_subplot(grid[0, :])
    sigma = figure.add_subplot(grid[1, 0])
    gain = figure.add_subplot(grid[1, 1], sharey=sigma)
    for row, (kind, attempt) in enumerate(lines):
        found = chosen(known, kind, attempt)
        percent = 100 / found["true"]
        _dots(error, row, percent * (found["sigma"] - found["true"]), found, percent)
    for row, kind in enumerate(kinds):
        plain, absolute = (chosen(processed, kind, name) for name in ("plain", "absolute"))
        _dots(sigma, row, plain["sigma"], plain, 1.0)
        smaller = 1 - absolute["mean_absolute"] / plain["mean_absolute"]
        _dots(gain, row, 100 * smaller, plain)
    error.axvline(0, color=BLACK, linewidth=1)
    gain.axvline(0, color=BLACK, linewidth=1)
    labels = [f"{kind}:  {way}" if way == "plain" else way for kind, way in lines]
    _rows(error, labels, [row for row, (_, way) in enumerate(lines) if way == "plain"])
    for axes in (gain, sigma):
        _rows(axes, kinds, list(range(len(kinds))))
    gain.tick_params(labelleft=False)
    error.set_xscale("symlog", linthresh=0.1, linscale=0.7)
    error.set_xticks(*_ticks((-10, -1, -0.1, 0, 0.1, 1, 10, 100)))
    error.set_title("Known blur", loc="left")
    error.set_xlabel("error of $\\sigma$, with its error bar (%)")
    gain.set_xscale("symlog", linthresh=0.1, linscale=0.7)
    gain.set_xticks(*_ticks((-0.1, 0, 0.1, 1, 10)))
    gain.margins(x=0.1)
    for axes in (error, gain):
        axes.minorticks_off()
    gain.set_xlabel("by how much an absolute loss\nlowers mean $|g*A - B|$ (%)")
    sigma.set_title("No true $\\sigma$", loc="left")
    sigma.set_xlim(left=0)
    sigma.set_xlabel("fitted $\\sigma$ (px)")
    everything = np.concatenate([said(each) for each in (known, processed)])
    used = {name: style for name, style in SAID.items() if name in everything}
    for name, (colour, marker) in used.items():
        error.plot([], [], marker, color=colour, label=name)
    title = "A dot per photograph; what the estimate says of itself:"
    figure.legend(loc="outside upper center", ncols=len(used), title=title)
    return figure


def _dots(axes: Axes, row: int, values, found: dict[str, np.ndarray], scale=None) -> None:
    """A dot per photograph, one below the other; with ``scale`` the standard error in its unit."""
    offsets = row + np.linspace(-0.32, 0.32, len(values)) if len(values) > 1 else np.array([row])
    answers = said(found)
    for name, (colour, marker) in SAID.items():
        here = answers == name
        bars = None if scale is None else (scale * found["standard_error"])[here]
        style = {"color": colour, "markersize": 3, "elinewidth": 0.8}
        axes.errorbar(values[here], offsets[here], xerr=bars, fmt=marker, **style)


def _rows(axes: Axes, labels: list[str], firsts: list[int]) -> None:
    """Names of the lines from the top, with a rule above each of ``firsts``."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    for row in firsts[1:]:
        axes.axhline(row - 0.5, color="#DDDDDD", linewidth=0.8)


def _ticks(values: tuple[float, ...]) -> tuple[tuple[float, ...], list[str]]:
    return values, [f"{value:g}".replace("-", "\N{MINUS SIGN}") for value in values]
