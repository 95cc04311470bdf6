"""Cells of the comparison: the same blur and noise on every photograph, as stacks of pairs."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from experiments.shared.degradations import DEGRADATIONS
from experiments.shared.photographs import middle
from experiments.shared.scipy_reference import (
    cramer_rao_bound,
    gaussian_residual,
    least_misfit,
    mean_absolute,
    root_mean_square,
)

MEASURES = {"rms": root_mean_square, "mean_absolute": mean_absolute}


@dataclass(frozen=True)
class Cell:
    """Stacks of pairs, ``[n, height, width]``, and what is known about each pair, lists of n."""

    references: np.ndarray
    blurreds: np.ndarray
    facts: dict[str, list]


def known_cell(
    scenes: dict[str, np.ndarray], sigma: float, noise: float, random: np.random.Generator
) -> Cell:
    """Crops of scenes blurred by SciPy, and white noise of ``noise`` times the crop's std."""
    references = np.stack([middle(image) for image in scenes.values()])
    blurreds = [middle(ndimage.gaussian_filter(image, sigma)) for image in scenes.values()]
    levels = noise * references.std(axis=(1, 2))
    facts = {
        "photograph": list(scenes),
        "sigma": [sigma] * len(scenes),
        "noise": [noise] * len(scenes),
        "bound": [
            cramer_rao_bound(image, sigma, level, middle)
            for image, level in zip(scenes.values(), levels, strict=True)
        ],
    }
    white = random.standard_normal(references.shape)
    return Cell(references, np.stack(blurreds) + levels[:, None, None] * white, facts)


def unknown_cell(scenes: dict[str, np.ndarray], kind: str, *, upper: float, margin: int) -> Cell:
    """Crops of degraded scenes, and the least misfit that any Gaussian up to ``upper`` px has."""
    references = np.stack([middle(image) for image in scenes.values()])
    blurreds = np.stack([middle(DEGRADATIONS[kind](image)) for image in scenes.values()])
    facts = {
        "photograph": list(scenes),
        "kind": [kind] * len(scenes),
        "contrast": list(references.std(axis=(1, 2))),
    }
    pairs = list(zip(references, blurreds, strict=True))
    for name, measure in MEASURES.items():
        best = [least_misfit(measure, *pair, upper=upper, margin=margin) for pair in pairs]
        residuals = [
            gaussian_residual(*pair, sigma, margin) for pair, sigma in zip(pairs, best, strict=True)
        ]
        facts[f"least_{name}_sigma"] = best
        for other, value in MEASURES.items():
            facts[f"least_{name}_{other}"] = [value(residual) for residual in residuals]
    return Cell(references, blurreds, facts)


def merge(cells: list[Cell]) -> dict[str, list]:
    """The facts of all cells, one after the other."""
    return {key: [v for cell in cells for v in cell.facts[key]] for key in cells[0].facts}
