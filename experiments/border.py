"""What to do about the border? The error of every treatment, on crops of photographs.

SciPy blurred the larger scene, so that content leaks into the crop from outside. Each treatment
fits the same sampled Gaussian by least squares; they differ in what they assume beyond the edge and
in which pixels they compare.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.common import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from experiments.shared.drawing import name_lines, plain_ticks, widths
from experiments.shared.estimators import Estimator, front_door, hann_spectra, on_spectra
from experiments.shared.photographs import CROP, PHOTOGRAPHS, middle, scene
from gaussjax import fit_gauss_newton
from gaussjax.model.options import BOUNDARIES

HANN, FLOAT32 = "Hann window", "valid, float32"
COLOURS = dict(
    zip(
        (*BOUNDARIES, HANN, FLOAT32),
        (BLUE, VERMILION, ORANGE, PURPLE, BLACK, GREEN, GREY),
        strict=True,
    )
)
LEAST, MOST = 1e-12, 100.0  # %; values beyond are drawn there


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    sigmas: Sequence[float] = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0),
    noises: Sequence[float] = (0.0, 0.01),
) -> dict[str, Any]:
    """Sigma (px) by treatment, each [noise, sigma, photograph]."""
    random = np.random.default_rng(seed)
    scenes = [scene(name) for name in photographs]
    references = np.stack([middle(image) for image in scenes])
    contrast = references.std(axis=(1, 2))[:, None, None]
    shape = (len(noises), len(sigmas), len(photographs))
    blurreds = [
        np.stack([middle(ndimage.gaussian_filter(image, sigma)) for image in scenes])
        + noise * contrast * random.standard_normal(references.shape)
        for noise in noises
        for sigma in sigmas
    ]
    answers = {
        name: np.reshape([fit(references, stack)[0] for stack in blurreds], shape)
        for name, fit in tqdm(treatments().items(), "treatments", disable=None)
    }
    return {
        "crop": CROP,
        "photographs": photographs,
        "sigmas": sigmas,
        "noises": noises,
        "answers": answers,
    }


def treatments() -> dict[str, Estimator]:
    """By name: the boundaries of ``estimate_blur``, a window, and the default in float32."""
    found = {name: front_door(boundary=name) for name in BOUNDARIES}
    windowed = on_spectra(fit_gauss_newton, hann_spectra, kernel="sampled")
    return {**found, HANN: windowed, FLOAT32: front_door("float32")}


def errors(numbers: dict[str, Any], name: str) -> np.ndarray:
    """Relative |error|, [noise, sigma, photograph]."""
    true = np.array(numbers["sigmas"])[None, :, None]
    return np.abs(np.array(numbers["answers"][name], float) / true - 1)


def table(numbers: dict[str, Any]) -> str:
    """Median and largest error over the photographs."""
    lines = [f"{len(numbers['photographs'])} photographs, {numbers['crop']} px, cropped."]
    for row, noise in enumerate(numbers["noises"]):
        lines += ["", f"noise {noise:g}, |error| in %: median (largest) over the photographs"]
        lines += [f"{'sigma, px':16}" + "".join(f"{s:>18g}" for s in numbers["sigmas"])]
        for name in numbers["answers"]:
            percent = 100 * errors(numbers, name)[row]
            cells = (f"{np.median(p):.2g} ({np.max(p):.2g})" for p in percent)
            lines += [f"{name:16}" + "".join(f"{cell:>18}" for cell in cells)]
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """The error on the worst of the photographs, over sigma; a panel for each noise."""
    noises, sigmas = numbers["noises"], numbers["sigmas"]
    figure = Figure(figsize=(7, 4), layout="constrained")
    panels = figure.subplots(1, len(noises), squeeze=False)[0]
    for row, (axes, noise) in enumerate(zip(panels, noises, strict=True)):
        entries = []
        axes.set(xscale="log", yscale="log", ylim=(LEAST / 2, 2 * MOST))
        for name, width in zip(numbers["answers"], widths(len(COLOURS)), strict=True):
            worst = np.clip(100 * np.max(errors(numbers, name)[row], axis=1), LEAST, MOST)
            axes.plot(sigmas, worst, "o-", lw=width, color=COLOURS[name])
            entries.append((worst[-1], name, COLOURS[name]))
        axes.set(title=f"{100 * noise:g} % noise" if noise else "Without noise")
        axes.set_xlabel("$\\sigma$ (px)")
        plain_ticks(axes, x=(0.5, 1, 2, 4, 8))
        if axes is panels[-1]:
            name_lines(axes, entries)
    ticks = (LEAST, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1, MOST)
    powers = [f"$10^{{{np.log10(tick):.0f}}}$" for tick in ticks[1:-2]]
    for axes in panels:
        axes.set_yticks(ticks, ["$\\leq10^{-12}$", *powers, "1", "$\\geq$100"])
    panels[0].set_ylabel("largest |error| of $\\sigma$ (%)")
    return figure


EXPERIMENT = common.Experiment(
    stem="border",
    question="What to do about the border?",
    run=run,
    table=table,
    plot=plot,
    smoke={"photographs": ("camera", "coffee"), "sigmas": (1.0, 4.0)},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
