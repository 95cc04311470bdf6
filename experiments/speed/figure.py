"""The cost of an estimate drawn over the size of the images: time, and time over two FFTs."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.shared.common import VERMILION
from experiments.shared.drawing import estimator_colour, name_lines, plain_ticks
from experiments.speed.bars import BARS, floors, ratios

# What is timed: its name in the figures, and its marker.
SHOWN = {
    "closed form": ("ratio, weighted", "o"),
    "Gauss-Newton": ("Gauss-Newton", "o"),
    "estimate_blur": ("estimate_blur", "o"),
    "estimate_blur, noise_std": ("estimate_blur, noise_std", "s"),
    "estimate_blur, full + gain + shift": ("estimate_blur, full + gain + shift", "^"),
    "OpenCV blur, bounded search": ("OpenCV blur, bounded search", "s"),
    "SciPy blur, bounded search": ("SciPy blur, bounded search", "o"),
}


def plot(numbers: dict[str, Any]) -> Figure:
    """Left: milliseconds with the floor. Right: ratios to it; dashed, what they may be.

    Medians of the processes; shaded, from the least to the most.
    """
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    time, ratio = figure.subplots(1, 2)
    sizes = np.array(numbers["sizes"])
    floor = floors(numbers)
    time.loglog(sizes, 1e3 * np.median(floor, axis=0), "o:", color=VERMILION)
    ratio.axhline(1, color=VERMILION, linewidth=1, linestyle=":")
    entries = [(1.0, "two FFTs", VERMILION)]
    for name, (shown, marker) in SHOWN.items():
        colour = estimator_colour(shown)
        found = ratios(numbers, name)
        timed = np.all(np.isfinite(found), axis=0)
        for axes, values in ((time, 1e3 * found * floor), (ratio, found)):
            least, middle, most = np.quantile(values[:, timed], (0, 0.5, 1), axis=0)
            axes.loglog(sizes[timed], middle, f"{marker}-", color=colour)
            axes.fill_between(sizes[timed], least, most, color=colour, alpha=0.25, linewidth=0)
        words = shown.replace(", ", ",\n")
        entries.append((middle[-1], words, colour))
        bar, where = BARS.get(name, (np.nan, ()))
        ratio.plot(where, [bar] * len(where), color=colour, linewidth=1, linestyle="--")
    for axes in (time, ratio):
        plain_ticks(axes, x=[size for size in sizes if size != 2048])
        axes.set_xlabel("size of the images (px)")
    time.set_ylabel("time (ms)")
    ratio.set_ylabel("time / that of two FFTs")
    ratio.text(0.02, 0.98, "dashed: asked for", transform=ratio.transAxes, va="top", fontsize=9)
    plain_ticks(ratio, y=(1, 3, 10, 30, 100, 300))
    name_lines(ratio, entries, gap=0.115)
    return figure
