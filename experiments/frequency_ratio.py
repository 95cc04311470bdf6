"""Does the frequency ratio work in practice? The debate under the question's second answer.

Three ways to use it: the pointwise ratio of the transforms, the cross-spectral ratio with weights,
and a free kernel to which a Gaussian is fitted; against least squares on the same spectra, and on
the interior. Photographs under a continuous Gaussian, as the ratio takes it: periodic, so that the
border plays no part, over noise, sigma and saturation; and cropped, with and without a window.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.drawing import (
    border_dashes,
    estimator_colour,
    floored_ticks,
    name_lines,
    plain_ticks,
    widths,
)
from experiments.shared.estimators import hann_spectra, on_spectra, one_by_one
from experiments.shared.photographs import CROP, PHOTOGRAPHS, middle, scene
from experiments.shared.scipy_reference import continuous_blur
from gaussjax import (
    estimate_blur,
    fit_free_kernel,
    fit_frequency_ratio,
    fit_gauss_newton,
    fit_pointwise_ratio,
)

SIGMA, NOISE = 2.0, 0.01  # where they are not varied
FITS: dict[str, Callable] = {
    "ratio, pointwise": fit_pointwise_ratio,
    "free kernel": fit_free_kernel,
    "ratio, weighted": fit_frequency_ratio,
    "Gauss-Newton": fit_gauss_newton,
}
INTERIOR, HANN = "estimate_blur", ", Hann"
# What is varied, and its label.
PANELS = {
    "noise": "noise in B (%)",
    "sigma": "$\\sigma$ (px)",
    "saturation": "clipped pixels (%)",
    "cropped": "$\\sigma$ (px)",
}
TITLES = {
    "noise": "Periodic, $\\sigma$ = 2 px",
    "sigma": "Periodic, 1 % noise",
    "saturation": "Periodic, 1 % noise, saturated",
    "cropped": "Cropped, 1 % noise",
}


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    noises: Sequence[float] = (0.0, 1e-4, 1e-3, 0.01, 0.05, 0.2),
    sigmas: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0),
    fractions: Sequence[float] = (0.0, 0.001, 0.01, 0.03, 0.1),
    draws: int = 4,
) -> dict[str, Any]:
    """Sigma (px) by panel and estimator, each [value, photograph and draw]."""
    random = np.random.default_rng(seed)
    varied = {"noise": noises, "sigma": sigmas, "saturation": fractions, "cropped": sigmas}
    fits = estimators()
    panels = {}
    for panel, values in varied.items():
        usable = {k: fit for k, fit in fits.items() if panel == "cropped" or not k.endswith(HANN)}
        answers: dict[str, list] = {name: [] for name in usable}
        for value in tqdm(values, panel, disable=None):
            pairs = [
                make_pair(scene(name), panel, value, random)
                for name in photographs
                for _ in range(draws)
            ]
            stacks = [np.stack(images) for images in zip(*pairs, strict=True)]
            for name, fit in usable.items():
                answers[name].append(fit(*stacks)[0])
        true = [value if PANELS[panel] == PANELS["sigma"] else SIGMA for value in values]
        panels[panel] = {"values": values, "true": true, "answers": answers}
    return {"crop": CROP, "photographs": photographs, "draws": draws, "panels": panels}


def make_pair(
    image: np.ndarray, panel: str, value: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A and B with one quantity varied; the crop is blurred, in "cropped" the whole photograph."""
    sigma = value if PANELS[panel] == PANELS["sigma"] else SIGMA
    noise = value if panel == "noise" else NOISE
    reference = middle(image)
    blurred = (
        middle(continuous_blur(image, sigma))
        if panel == "cropped"
        else continuous_blur(reference, sigma)
    )
    blurred = blurred + noise * reference.std() * random.standard_normal(reference.shape)
    if panel == "saturation":
        white = np.quantile(reference, 1 - value)
        reference, blurred = np.minimum(reference, white), np.minimum(blurred, white)
    return reference, blurred


def estimators() -> dict[str, Callable]:
    """By name; names that end in ``HANN`` are of Hann-windowed spectra."""
    found = {name: on_spectra(fit) for name, fit in FITS.items()}
    windowed = {name + HANN: on_spectra(fit, hann_spectra) for name, fit in FITS.items()}
    return {**found, INTERIOR: one_by_one(estimate_blur), **windowed}


def errors(panel: dict[str, Any], name: str, quantile: float | np.ndarray = 0.5) -> np.ndarray:
    """Median |error| at every value, %, or other quantiles of the pairs."""
    sigma = np.array(panel["answers"][name], float)
    true = np.array(panel["true"])[:, None]
    return 100 * np.nanquantile(np.abs(sigma / true - 1), quantile, axis=1)


def table(numbers: dict[str, Any]) -> str:
    """A block for each panel."""
    pairs = len(numbers["photographs"]) * numbers["draws"]
    lines = [
        f"Continuous Gaussian blur of photographs, {numbers['crop']} px, {pairs} pairs a cell.",
        "Median |error| of sigma, %.",
    ]
    for name, panel in numbers["panels"].items():
        lines += ["", f"{name:24}" + "".join(f"{value:>10g}" for value in panel["values"])]
        for fit in panel["answers"]:
            lines += [f"{fit:24}" + "".join(f"{e:>10.2g}" for e in errors(panel, fit))]
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """A panel for each quantity that is varied; dashed with a Hann window.

    Shaded: the middle half of the pairs.
    """
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    axes = dict(zip(PANELS, figure.subplots(2, 2, sharey=True).flat, strict=True))
    for name, panel in numbers["panels"].items():
        values = np.array(panel["values"]) * (1 if PANELS[name] == PANELS["sigma"] else 100)
        entries = []
        wide = dict(zip((*FITS, INTERIOR), widths(len(FITS) + 1), strict=True))
        for fit in panel["answers"]:
            colour = estimator_colour(fit)
            quartiles = errors(panel, fit, np.array([0.25, 0.5, 0.75]))
            least, shown, most = np.clip(quartiles, 1e-3, 200)
            style = {"ls": border_dashes(fit), "lw": wide[fit.removesuffix(HANN)], "color": colour}
            axes[name].plot(values, shown, "o", **style)
            axes[name].fill_between(values, least, most, color=colour, alpha=0.12, linewidth=0)
            entries.append((shown[-1], fit, colour))
        positive = values[values > 0]
        if name in ("noise", "saturation"):
            axes[name].set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
        else:
            axes[name].set_xscale("log")
        plain_ticks(axes[name], x=values)
        axes[name].set(title=TITLES[name], xlabel=PANELS[name])
        axes[name].set_yscale("log")
        axes[name].set_ylim(1e-3, 300)
        if name == "sigma":
            name_lines(axes[name], entries)
    place = {"transform": axes["cropped"].transAxes, "ha": "right", "fontsize": 9}
    axes["cropped"].text(0.98, 0.02, "dashed: Hann window", **place)
    for left in (axes["noise"], axes["saturation"]):
        left.set_ylabel("median |error| of $\\sigma$ (%)")
        floored_ticks(left, (1e-3, 0.01, 0.1, 1, 10, 100))
    return figure


EXPERIMENT = common.Experiment(
    stem="frequency_ratio",
    question="Does the frequency ratio work in practice?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "photographs": ("camera", "coffee"),
        "noises": (0.0, 0.05),
        "sigmas": (1.0, 4.0),
        "fractions": (0.0, 0.05),
        "draws": 1,
    },
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
