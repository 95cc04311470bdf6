"""The study of noise in both images as a figure: error, coverage and antisymmetry over sigma."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.noisy_reference.table import summarise
from experiments.shared.common import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION
from experiments.shared.drawing import floored_ticks

LINES = (
    (VERMILION, "o", "--"),
    (BLUE, "s", "-"),
    (GREEN, "^", ":"),
    (ORANGE, "v", "-."),
    (PURPLE, "D", "-."),
)
# H1 there and H2 back are the same sum: the one that is drawn first is the larger.
SIZES = (4, 4, 4, 4, 7)
LEAST_SWAP = 1e-3  # %; smaller values are drawn there


def plot(numbers: dict[str, Any]) -> Figure:
    """A column for each level of noise: rms error, coverage, and what exchanging the pair does.

    Shaded: where 95 % of the dots of a right interval are, by chance.
    """
    sigmas, noises = numbers["sigmas"], numbers["noises"]
    pairs = len(numbers["photographs"]) * numbers["draws"]
    chance = 2 * np.sqrt(95 * 5 / pairs)
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    panels = figure.subplots(3, len(noises), sharex=True, sharey="row", squeeze=False)
    for order, (name, (colour, marker, dashes), size) in enumerate(
        zip(numbers["answers"], LINES, SIZES, strict=True)
    ):
        summary = summarise(numbers, name)
        style = {"color": colour, "marker": marker, "linestyle": dashes, "label": name}
        style |= {"markersize": size, "zorder": 2.5 - 0.1 * order}
        style |= {"markerfacecolor": "none"} if size > 4 else {}
        for column, (above, below, last) in enumerate(panels.T):
            above.loglog(sigmas, summary["rms"][column], **style)
            below.plot(sigmas, summary["covered"][column], **style)
            last.loglog(sigmas, np.maximum(summary["swap"][column], LEAST_SWAP), **style)
    for (above, below, _), noise in zip(panels.T, noises, strict=True):
        above.set_title(f"{100 * noise[0]:g} % in A,\n{100 * noise[1]:g} % in B")
        below.axhline(95, color=BLACK, linewidth=1)
        below.axhspan(95 - chance, min(95 + chance, 100), color=BLACK, alpha=0.1, linewidth=0)
    first, below, last = panels[:, 0]
    _, top = first.get_ylim()
    ticks = [tick for tick in (0.01, 0.1, 1, 10, 100) if tick < top]
    first.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    first.set_ylabel("rms error\nof $\\sigma$ (%)")
    below.set(
        ylim=(-4, 104), yticks=(0, 25, 50, 75, 95), ylabel="covered by the\n95 % interval (%)"
    )
    last.set_ylabel("|variance A to B\n+ B to A| (%)")
    floored_ticks(last, (1e-3, 0.01, 0.1, 1, 10, 100))
    below.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
    below.set_xlim(np.min(sigmas) / 1.2, np.max(sigmas) * 1.2)
    for axes in panels.flat:
        axes.minorticks_off()
    figure.supxlabel("true $\\sigma$ (px)", fontsize=11)
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, columnspacing=1.2)
    return figure
