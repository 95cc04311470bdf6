"""How near does every estimator come to the Cramer-Rao bound? Bias and scatter apart.

Crops of photographs that SciPy blurred as a larger scene, white noise in B, many draws of it. The
mean error over the draws is bias, which more light does not reduce; their standard deviation is the
scatter that noise causes. Both are in units of the bound for the pixels that the blur cannot reach
from outside.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.common import BLACK
from experiments.shared.drawing import (
    border_dashes,
    estimator_colour,
    name_lines,
    plain_ticks,
    widths,
)
from experiments.shared.estimators import Estimator, front_door, hann_spectra, on_spectra
from experiments.shared.photographs import CROP, PHOTOGRAPHS, middle, scene
from experiments.shared.scipy_reference import cramer_rao_bound
from gaussjax import (
    fit_free_kernel,
    fit_frequency_ratio,
    fit_gauss_newton,
    fit_pointwise_ratio,
)

SIGMA, NOISE = 2.0, 0.01  # where they are not varied
LEAST = 0.1  # bounds; smaller values are drawn there


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS[::2],
    noises: Sequence[float] = (0.001, 0.003, 0.01, 0.03, 0.1),
    sigmas: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0),
    draws: int = 24,
) -> dict[str, Any]:
    """Errors and bounds, px, in two series: over the noise and over sigma.

    Errors by estimator, [value, photograph, draw]; bounds [value, photograph].
    """
    random = np.random.default_rng(seed)
    scenes = [scene(name) for name in photographs]
    fits = estimators()
    cells = {
        "noise": [(SIGMA, noise) for noise in noises],
        "sigma": [(sigma, NOISE) for sigma in sigmas],
    }
    series = {}
    for name, values in (("noise", noises), ("sigma", sigmas)):
        bounds, errors = [], {fit: [] for fit in fits}
        for sigma, noise in tqdm(cells[name], name, disable=None):
            levels = [noise * middle(image).std() for image in scenes]
            pairs = zip(scenes, levels, strict=True)
            bounds.append([cramer_rao_bound(image, sigma, level, middle) for image, level in pairs])
            references = np.repeat([middle(image) for image in scenes], draws, axis=0)
            clean = [middle(ndimage.gaussian_filter(image, sigma)) for image in scenes]
            white = random.standard_normal(references.shape)
            white *= np.repeat(levels, draws)[:, None, None]
            blurreds = np.repeat(clean, draws, axis=0) + white
            for fit, estimate in fits.items():
                error = estimate(references, blurreds)[0] - sigma
                errors[fit].append(error.reshape(len(scenes), draws))
        series[name] = {"values": values, "bounds": bounds, "errors": errors}
    return {"crop": CROP, "photographs": photographs, "draws": draws, "series": series}


def estimators() -> dict[str, Estimator]:
    """By name, which begins with what is done about the edge of the frame.

    The iterative ones know that SciPy samples its kernel; the ratios take it as continuous.
    """
    return {
        "interior: estimate_blur": front_door(),
        "Hann: Gauss-Newton": on_spectra(fit_gauss_newton, hann_spectra, kernel="sampled"),
        "Hann: ratio, weighted": on_spectra(fit_frequency_ratio, hann_spectra),
        "periodic: Gauss-Newton": on_spectra(fit_gauss_newton, kernel="sampled"),
        "periodic: free kernel": on_spectra(fit_free_kernel),
        "periodic: ratio, pointwise": on_spectra(fit_pointwise_ratio),
    }


def chance(series: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Two standard errors of what ``bias_and_scatter`` gives, by value."""
    draws_of = np.array(series["errors"][name], float).shape[1:]
    _, scatter = bias_and_scatter(series, name)
    return 2 * scatter / np.sqrt(np.prod(draws_of)), 2 * scatter / np.sqrt(2 * np.prod(draws_of))


def bias_and_scatter(series: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """|mean| and standard deviation of the error over the draws, over the bound, by value.

    Root mean squares over the photographs; the noise of the mean is taken out of the bias.
    """
    errors = np.array(series["errors"][name], float)
    bounds = np.array(series["bounds"])
    variance = np.var(errors, axis=2, ddof=1) / bounds**2
    squared = np.mean(errors, axis=2) ** 2 / bounds**2 - variance / errors.shape[2]
    bias = np.sqrt(np.maximum(np.mean(squared, axis=1), 0))
    return bias, np.sqrt(np.mean(variance, axis=1))


def table(numbers: dict[str, Any]) -> str:
    """Bias and scatter over the bound, a block for each series."""
    draws, photographs = numbers["draws"], len(numbers["photographs"])
    lines = [
        f"{photographs} photographs, {numbers['crop']} px, {draws} draws. Bias | scatter of sigma,"
        " both over the Cramer-Rao bound;",
        f"scatter is known to {(2 * draws * photographs) ** -0.5:.0%}.",
    ]
    for name, series in numbers["series"].items():
        lines += ["", f"{name:28}" + "".join(f"{value:>18g}" for value in series["values"])]
        for fit in series["errors"]:
            cells = zip(*bias_and_scatter(series, fit), strict=True)
            shown = "".join(f"{bias:>10.2g} |{scatter:>6.2g}" for bias, scatter in cells)
            lines += [f"{fit:28}{shown}"]
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """Bias above, scatter below; over the noise on the left, over sigma on the right.

    Shaded to two standard errors.
    """
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey="row", height_ratios=(3, 2))
    for column, (name, series) in enumerate(numbers["series"].items()):
        values = np.array(series["values"]) * (100 if name == "noise" else 1)
        entries: list[list] = [[], []]
        for fit, width in zip(series["errors"], widths(len(series["errors"])), strict=True):
            colour = estimator_colour(fit)
            style = {"ls": border_dashes(fit), "lw": width, "color": colour}
            known = zip(bias_and_scatter(series, fit), chance(series, fit), strict=True)
            for row, (ratio, error) in enumerate(known):
                shown = np.maximum(ratio, LEAST)
                ends = np.maximum([ratio - error, ratio + error], LEAST)
                panels[row, column].fill_between(values, *ends, color=colour, alpha=0.2, lw=0)
                panels[row, column].loglog(values, shown, "o", **style)
                entries[row].append((shown[-1], fit.replace(": ", ":\n"), colour))
        for axes in panels[:, column]:
            axes.axhline(1, color=BLACK, linewidth=1, linestyle=":")
            plain_ticks(axes, x=values)
        panels[0, column].set_ylim(LEAST / 1.5, 3e4)
        panels[1, column].set_ylim(0.3, 30)
        if column:
            name_lines(panels[0, 1], entries[0], gap=0.14)
    panels[0, 0].set(title="$\\sigma$ = 2 px", ylabel="bias of $\\sigma$ /\nCramer-Rao bound")
    panels[0, 1].set_title("1 % noise")
    panels[1, 0].set(xlabel="noise in B (%)", ylabel="scatter of $\\sigma$ /\nCramer-Rao bound")
    panels[1, 1].set_xlabel("$\\sigma$ (px)")
    ticks = (0.1, 1, 10, 100, 1000, 1e4)
    plain_ticks(panels[1, 0], y=(0.3, 1, 3, 10, 30))
    panels[0, 0].set_yticks(ticks, ["$\\leq$0.1", "1", "10", "100", "1000", "10 000"])
    return figure


EXPERIMENT = common.Experiment(
    stem="cramer_rao",
    question="How near does every estimator come to the Cramer-Rao bound?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "photographs": ("camera", "coffee"),
        "noises": (0.01,),
        "sigmas": (1.0, 4.0),
        "draws": 3,
    },
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
