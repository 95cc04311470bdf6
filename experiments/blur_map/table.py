"""The maps of a varying blur in numbers: mean errors by field, noise and size of the tile."""

from typing import Any

import numpy as np

from experiments.blur_map.varying_blur import FIELDS

WAYS = ("centre", "position", "shrunk")


def table(numbers: dict[str, Any]) -> str:
    """Mean over the photographs of the mean and of the median |error|."""
    maps = {key: np.array(column) for key, column in numbers["maps"].items()}
    worst = max(numbers["interpolation"].values())
    lines = [
        f"{len(numbers['photographs'])} photographs, crops of {numbers['crop']} px, step half a"
        f" tile. The blur is interpolated between {numbers['levels']} levels: rms error"
        f" {worst:.1g} % of the contrast at most.",
        "|Error| in %, mean (median) over the tiles, mean over the photographs; bar"
        f" {numbers['bar']} %.",
        "Tiles across the step are left out but from 'everywhere'. pull: rms error over its bar.",
    ]
    for field in FIELDS:
        for noise in numbers["noises"]:
            lines += ["", f"{field}, {100 * noise:g} % noise"]
            head = "".join(f"{way:>18}{'everywhere':>11}{'pull':>7}" for way in WAYS)
            lines.append(f"{'tile':>5}{'refused':>12}{head}")
            for tile in numbers["tiles"]:
                here = (maps["field"] == field) & (maps["noise"] == noise) & (maps["tile"] == tile)
                counts = f"{maps['refused'][here].sum()} of {maps['count'][here].sum()}"
                cells = "".join(_cell(maps, way, here) for way in WAYS)
                lines.append(f"{tile:>5}{counts:>12}{cells}")
    return "\n".join(lines)


def _cell(maps: dict[str, np.ndarray], way: str, here: np.ndarray) -> str:
    mean, median, everywhere, pull = (
        np.mean(maps[f"{way}_{key}"][here].astype(float))
        for key in ("mean", "median", "everywhere", "pull")
    )
    return f"{f'{mean:.2f} ({median:.2f})':>18}{everywhere:>11.2f}{pull:>7.2f}"
