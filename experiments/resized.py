"""What do tools that reduce a picture do to it? Their blur, read across the two grids.

Photographs of 256 px, reduced by 2 and by 4. The small picture is B on a coarse grid, whose pixels
integrate over their area: a mean over blocks has no blur beside that. And a volume with a known
blur, of which pairs of slices are averaged.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import jax
import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from scipy import ndimage
from skimage import transform

from experiments.shared import common
from experiments.shared.common import GREY
from experiments.shared.drawing import SAID, said
from experiments.shared.photographs import PHOTOGRAPHS, middle, scene
from experiments.shared.synthetic import random_scene
from gaussjax import Status, Verdict, estimate_blur

FACTORS = (2, 4)
SIGMA, SIZE, MARGIN = 1.5, 48, 16  # fine px: of the volume's blur, its size, what is cut off


def _pillow(method: PIL.Image.Resampling, image: np.ndarray, factor: int) -> np.ndarray:
    size = tuple(n // factor for n in image.shape[::-1])
    small = PIL.Image.fromarray(image.astype(np.float32)).resize(size, method)
    return np.asarray(small, float)


def _opencv(method: int, image: np.ndarray, factor: int) -> np.ndarray:
    size = tuple(n // factor for n in image.shape[::-1])
    return cv2.resize(image, size, interpolation=method)


def _skimage(image: np.ndarray, factor: int) -> np.ndarray:
    shape = [n // factor for n in image.shape]
    return np.asarray(transform.resize(image, shape, anti_aliasing=True))


def _mean(image: np.ndarray, factor: int) -> np.ndarray:
    return transform.downscale_local_mean(image, (factor, factor))


TOOLS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "scikit-image, local mean": _mean,
    "OpenCV, INTER_AREA": partial(_opencv, cv2.INTER_AREA),
    "Pillow, BOX": partial(_pillow, PIL.Image.Resampling.BOX),
    "Pillow, HAMMING": partial(_pillow, PIL.Image.Resampling.HAMMING),
    "Pillow, BILINEAR": partial(_pillow, PIL.Image.Resampling.BILINEAR),
    "Pillow, BICUBIC": partial(_pillow, PIL.Image.Resampling.BICUBIC),
    "Pillow, LANCZOS": partial(_pillow, PIL.Image.Resampling.LANCZOS),
    "scikit-image, resize": _skimage,
    "OpenCV, INTER_LINEAR": partial(_opencv, cv2.INTER_LINEAR),
    "OpenCV, INTER_CUBIC": partial(_opencv, cv2.INTER_CUBIC),
}


def run(
    *, seed: int, photographs: tuple[str, ...] = PHOTOGRAPHS, tools: tuple[str, ...] = tuple(TOOLS)
) -> dict[str, Any]:
    """What is read of every photograph, by tool and factor, and of the volume."""
    answers = []
    for name in photographs:
        image = middle(scene(name))
        for factor in FACTORS:
            for tool in tools:
                found = estimate_blur(image, TOOLS[tool](image, factor), sampling=factor)
                answers.append({"tool": tool, "factor": factor, "subject": name, **_answer(found)})
    reference, blurred = volume(seed)
    found = estimate_blur(reference, blurred, sampling=(2, 1, 1))
    return {
        "answers": common.columns(answers),
        "volume": {"true_sigma": SIGMA, "shape": list(blurred.shape), **_answer(found)},
    }


def volume(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A volume, and its blur with slices of twice the thickness."""
    random = np.random.default_rng(seed)
    wide = np.asarray(random_scene(jax.random.key(seed), (SIZE + 2 * MARGIN,) * 3))
    blurred = ndimage.gaussian_filter(wide, SIGMA, truncate=8.0)
    inside = (slice(MARGIN, -MARGIN),) * 3
    slices = blurred[inside].reshape(SIZE // 2, 2, SIZE, SIZE).mean(axis=1)
    slices += 0.01 * np.std(slices) * random.standard_normal(slices.shape)
    return wide[inside], slices


def _answer(estimate) -> dict[str, Any]:
    found = jax.device_get(estimate)
    return {
        "sigma": float(found.sigma),
        "standard_error": float(np.hypot(found.sigma_standard_error, found.sigma_model_error)),
        "status": Status(int(found.status)).name,
        "verdict": Verdict(int(found.adequacy.verdict)).name,
    }


def chosen(answers: dict[str, Any], tool: str, factor: int) -> dict[str, np.ndarray]:
    """Of one tool and one factor."""
    here = (np.array(answers["tool"]) == tool) & (np.array(answers["factor"]) == factor)
    return {name: np.array(values)[here] for name, values in answers.items()}


def table(numbers: dict[str, Any]) -> str:
    """Range of sigma over the factor, and how many photographs the verdict trusts."""
    answers, lines = numbers["answers"], ["sigma / factor: least, median, largest; trusted"]
    for tool in dict.fromkeys(answers["tool"]):
        for factor in FACTORS:
            found = chosen(answers, tool, factor)
            scaled = np.array(found["sigma"], float) / factor
            trusted = int(np.sum(np.isin(said(found), ("explained", "sharper"))))
            low, mid, high = np.nanmin(scaled), np.nanmedian(scaled), np.nanmax(scaled)
            lines.append(
                f"{tool:<26}{factor}  {low:7.3f} {mid:7.3f} {high:7.3f}"
                f"   {trusted} of {len(scaled)}"
            )
    found = numbers["volume"]
    lines.append(
        f"slices of twice the thickness, true {found['true_sigma']} px:"
        f" {found['sigma']:.4f} +- {found['standard_error']:.4f}, {found['verdict'].lower()}"
    )
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """A row per tool, a dot per photograph, coloured by the verdict; a panel per factor."""
    answers = numbers["answers"]
    tools = list(dict.fromkeys(answers["tool"]))
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    panels = figure.subplots(1, len(FACTORS), sharey=True)
    for axes, factor in zip(panels, FACTORS, strict=True):
        for row, tool in enumerate(tools):
            found = chosen(answers, tool, factor)
            verdicts = said(found)
            place = row + np.linspace(-0.3, 0.3, len(verdicts))
            for name, (colour, marker) in SAID.items():
                here = verdicts == name
                axes.plot(found["sigma"][here] / factor, place[here], marker, color=colour, ms=3.5)
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set_yticks(range(len(tools)), tools)
        axes.set_ylim(len(tools) - 0.5, -0.5)
        axes.set_title(f"reduced by {factor}", loc="left")
        axes.set_xlabel("$\\sigma$ (coarse px)")
    used = [(name, *style) for name, style in SAID.items() if name in said(answers)]
    handles = [panels[0].plot([], [], m, color=c, label=name)[0] for name, c, m in used]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
    return figure


EXPERIMENT = common.Experiment(
    stem="resized",
    question="What do tools that reduce a picture do to it?",
    run=run,
    table=table,
    plot=plot,
    smoke={"photographs": PHOTOGRAPHS[:1], "tools": ("Pillow, BOX", "Pillow, BICUBIC")},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
