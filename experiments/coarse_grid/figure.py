"""The study as a figure."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.coarse_grid.table import worst
from experiments.shared.common import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from experiments.shared.drawing import plain_ticks

COLOURS = (BLUE, GREEN, ORANGE, PURPLE, VERMILION, SKY)
LEAST = 1e-10  # %; smaller errors are drawn there


def plot(numbers: dict[str, Any]) -> Figure:
    """Errors without noise on the left, scatter over the bounds on the right.

    Shaded: where 95 % of the dots are, if the errors are as small as the bound.
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    exact, noisy = numbers["exact"], numbers["noisy"]
    sigmas, ratios = sorted(set(exact["true"])), list(dict.fromkeys(exact["ratio"]))
    for ratio, colour in zip(ratios, COLOURS, strict=False):
        for pixel, style in (("area", "o-"), ("point", "s:")):
            errors = [100 * worst(exact, ratio, pixel, sigma) for sigma in sigmas]
            label = ratio if pixel == "area" else None
            left.loglog(sigmas, np.maximum(errors, LEAST), style, color=colour, label=label)
        rows = [k for k, each in enumerate(noisy["ratio"]) if each == ratio]
        for offset, what in enumerate(("sigma", "shift", "shift")):
            values = [noisy["rms"][k][offset] for k in rows]
            marker = "o" if what == "sigma" else "x"
            right.plot([ratio] * len(rows), values, marker, color=colour)
    left.set(xlabel="$\\sigma$ (px of A)", ylabel="largest |error| of $\\sigma$ (%)")
    left.set_title("Without noise: area (solid), samples (dotted)", fontsize=9)
    ticks = 10.0 ** np.arange(-10, 0, 2)
    left.set_yticks(ticks, ["$\\leq 10^{-10}$", *(f"$10^{{{k}}}$" for k in range(-8, 0, 2))])
    left.legend(title="px of A per px of B", ncols=2, fontsize=8, title_fontsize=8)
    plain_ticks(left, x=sigmas)
    chance = 2 / np.sqrt(2 * numbers["draws"])
    right.axhspan(1 - chance, 1 + chance, color=GREY, alpha=0.15, linewidth=0)
    right.axhline(1, color=BLACK, linestyle=":", linewidth=1)
    right.set(xlabel="px of A per px of B", ylabel="rms error / Cramer-Rao bound", ylim=(0.5, 1.6))
    right.set_title("1 and 5 % noise: $\\sigma$ (o), shift (x)", fontsize=9)
    return figure
