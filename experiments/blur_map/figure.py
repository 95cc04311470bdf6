"""The maps of a varying blur as a figure: true and found for one photograph, errors for all."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.blur_map.varying_blur import FIELDS, NARROW, WIDE
from experiments.shared.common import BLUE, GREEN, GREY, ORANGE, VERMILION
from experiments.shared.drawing import floored_ticks, plain_ticks
from experiments.shared.photographs import middle, scene

LEAST = 1e-3  # %; smaller values are drawn there
# Few colours, so that the palette of the saved picture has room for those of the lines.
SIGMAS, GREYS = colormaps["viridis"].resampled(40), colormaps["gray"].resampled(40)

LINES = {
    "centre": ("found, against the true sigma at the centre", VERMILION, "o--"),
    "position": ("found, against that where the tile looks", BLUE, "s-"),
    "shrunk": ("shrunk, against that at the centre", GREEN, "^-"),
}


def plot(numbers: dict[str, Any]) -> Figure:
    """Above, a row for each field: the truth and the maps; below, the errors over the tile."""
    figure = Figure(figsize=(7, 6.8), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    above, below = parts
    panels = above.subplots(len(FIELDS), 4)
    shown = [_maps(row, numbers, field) for row, field in zip(panels, FIELDS, strict=True)]
    for axes, title in zip(panels[0], ("A, and where\ntiles look", "true", "found", "shrunk"),
                           strict=True):  # fmt: skip
        axes.set_title(title)
    bar = above.colorbar(shown[0], ax=panels, shrink=0.7, ticks=(1, 2, 3, 4))
    bar.set_label("$\\sigma$ (px)")
    _errors(below, numbers)
    return figure


def _maps(row: np.ndarray, numbers: dict[str, Any], field: str):
    size = numbers["crop"]
    example = numbers["example"]
    found = example["maps"][field]
    row[0].imshow(middle(scene(example["photograph"]), size), cmap=GREYS)
    y, x = np.moveaxis(np.array(found["positions"], float), -1, 0)
    row[0].plot(x, y, ".", color=ORANGE, markersize=3)
    row[0].set_ylabel(field)
    true = FIELDS[field](*np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    colours = {"cmap": SIGMAS, "vmin": NARROW, "vmax": WIDE}
    shown = row[1].imshow(true, **colours)
    ys, xs = (
        np.concatenate([[-0.5], (c[1:] + c[:-1]) / 2, [size - 0.5]])
        for c in map(np.array, found["centres"])
    )
    for axes, key in zip(row[2:], ("sigma", "shrunk"), strict=True):
        axes.set_facecolor(GREY)
        axes.pcolormesh(xs, ys, np.array(found[key], float), **colours)
    for axes in row:
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set(xticks=[], yticks=[], xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
        axes.set_aspect("equal")
    return shown


def _errors(figure, numbers: dict[str, Any]) -> None:
    """Mean |error| over the size of the tile; a panel for each field and noise."""
    noises, tiles = numbers["noises"], numbers["tiles"]
    cells = [(field, noise) for field in FIELDS for noise in noises]
    panels: list[Axes] = list(figure.subplots(1, len(cells), sharey=True, squeeze=False)[0])
    maps = {key: np.array(column) for key, column in numbers["maps"].items()}
    for axes, (field, noise) in zip(panels, cells, strict=True):
        axes.set(xscale="log", yscale="log", title=f"{field}, {100 * noise:g} % noise")
        axes.axhline(
            numbers["bar"], color=GREY, linestyle=":", label=f"published: {numbers['bar']:g} %"
        )
        here = (maps["field"] == field) & (maps["noise"] == noise)
        for way, (label, colour, style) in LINES.items():
            means = [
                np.mean(maps[f"{way}_mean"][here & (maps["tile"] == t)].astype(float))
                for t in tiles
            ]
            axes.plot(tiles, np.maximum(means, LEAST), style, color=colour, label=label)
        axes.set(xlabel="tile (px)", ylim=(LEAST / 2, 20))
        plain_ticks(axes, x=tiles)
    floored_ticks(panels[0], (LEAST, 0.01, 0.1, 1, 10))
    panels[0].set_ylabel("mean |error| of $\\sigma$ (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=10)
