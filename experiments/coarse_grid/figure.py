"""The study as a figure."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.coarse_grid.table import worst
from experiments.shared.common import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from experiments.shared.drawing import plain_ticks

COLOURS = (BLUE, GREEN, ORANGE, PURPLE, VERMILION, SKY)
LEAST = 1e-12  # smaller errors are drawn there


def plot(numbers: dict[str, Any]) -> Figure:
    """Errors without noise on the left, scatter over the bounds on the right."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    exact, noisy = numbers["exact"], numbers["noisy"]
    sigmas, ratios = sorted(set(exact["true"])), list(dict.fromkeys(exact["ratio"]))
    for ratio, colour in zip(ratios, COLOURS, strict=False):
        for pixel, style in (("area", "o-"), ("point", "s:")):
            errors = [worst(exact, ratio, pixel, sigma) for sigma in sigmas]
            label = ratio if pixel == "area" else None
            left.loglog(sigmas, np.maximum(errors, LEAST), style, color=colour, label=label)
        rows = [k for k, each in enumerate(noisy["ratio"]) if each == ratio]
        for offset, what in enumerate(("sigma", "shift", "shift")):
            values = [noisy["rms"][k][offset] for k in rows]
            marker = "o" if what == "sigma" else "x"
            right.plot([ratio] * len(rows), values, marker, color=colour)
    left.set(xlabel="$\\sigma$ (px of A)", ylabel="largest relative error of $\\sigma$")
    left.set_title("Without noise: area (solid), samples (dotted)", fontsize=9)
    left.legend(title="px of A per px of B", ncols=2, fontsize=8, title_fontsize=8)
    plain_ticks(left, x=sigmas)
    right.axhline(1, color=BLACK, linestyle=":", linewidth=1)
    right.set(xlabel="px of A per px of B", ylabel="rms error / Cramer-Rao bound", ylim=(0, 2))
    right.set_title("1 and 5 % noise: $\\sigma$ (o), shift (x)", fontsize=9)
    return figure
