"""What blur does a network make? The question's own case, followed over training.

A convolutional autoencoder learns photographs; B is its output for others. At every stage one sigma
is fitted to all outputs, by least squares and by least absolute values (as the question asked), and
one to every photograph. The misfit that each estimator's Gaussian leaves between A and B is
compared with the least that any Gaussian leaves. And tiles of the photographs, as a data set, tell
how much of the outputs' power is a blur at all: one filter of A, or what differs between tiles.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from experiments.shared import autoencoder, common
from experiments.shared.common import BLACK, BLUE, VERMILION
from experiments.shared.drawing import (
    border_dashes,
    estimator_colour,
    floored_ticks,
    name_lines,
    plain_ticks,
)
from experiments.shared.estimators import Estimator, front_door, hann_spectra, on_spectra
from experiments.shared.photographs import CROP, PHOTOGRAPHS, interior_mask, middle, scene
from experiments.shared.scipy_reference import (
    gaussian_residual,
    least_misfit,
    mean_absolute,
    refined_minimum,
    root_mean_square,
)
from gaussjax import fit_dataset, fit_frequency_ratio, fit_gauss_newton, sum_spectra

MARGIN = 24  # px, farther than any blur found here reaches
UPPER = 5.0  # px
# Losses of estimate_blur: of one colour.
LOSSES = {"interior: absolute": "o-", "interior: squared": "s:"}
TILE = 64  # px
# Shares of the outputs' power, by their names in the result and in the figure.
SHARES = {"linear": "one filter", "distortion": "distortion", "noise": "white noise"}
JOINT = {"absolute": (BLUE, "-"), "squared": (BLUE, ":"), "spectra": (BLACK, "--")}


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    steps: int = 1600,
    at: Sequence[int] = (25, 50, 100, 200, 400, 800, 1600),
) -> dict[str, Any]:
    """Joint sigmas and those of every estimator, px, and the mean |g*A - B|, by stage."""
    seen, unseen = photographs[::2], photographs[1::2]
    references = np.stack([middle(scene(name)) for name in unseen])
    fits = estimators()
    stages: dict[str, list] = {key: [] for key in ("psnr", "unchanged", "least")}
    joint: dict[str, list] = {name: [] for name in JOINT}
    answers: dict[str, dict[str, list]] = {
        name: {"sigma": [], "status": [], "mean_absolute": []} for name in fits
    }
    power: dict[str, list] = {key: [] for key in ("shares", "errors", "aside")}
    network = autoencoder.snapshots([scene(name) for name in seen], seed=seed, steps=steps, at=at)
    for _, parameters in tqdm(network, "stages", total=len(at), disable=None):
        outputs = np.asarray(autoencoder.reconstruct(parameters, jnp.asarray(references)), float)
        pairs = list(zip(references, outputs, strict=True))
        stages["psnr"].append([autoencoder.peak_signal_to_noise(*pair) for pair in pairs])
        stages["unchanged"].append(_misfits(pairs, [0.0] * len(pairs)))
        least = [least_misfit(mean_absolute, *p, upper=UPPER, margin=MARGIN) for p in pairs]
        stages["least"].append(_misfits(pairs, least))
        joint["absolute"].append(joint_sigma(pairs, mean_absolute))
        joint["squared"].append(joint_sigma(pairs, root_mean_square))
        together = sum_spectra(jax.vmap(hann_spectra)(*map(jnp.asarray, (references, outputs))))
        joint["spectra"].append(float(fit_gauss_newton(together, kernel="sampled").sigma))
        tiles = fit_dataset(tiled(references, outputs), kernel="sampled", offset=True)
        transfer = tiles.transfer
        power["shares"].append({name: float(getattr(transfer.shares, name)) for name in SHARES})
        power["errors"].append({n: float(getattr(transfer.share_errors, n)) for n in SHARES})
        power["aside"].append(tiles.num_aside)
        for name, fit in fits.items():
            sigma, status = fit(references, outputs)
            answers[name]["sigma"].append(sigma)
            answers[name]["status"].append(status)
            answers[name]["mean_absolute"].append(_misfits(pairs, sigma))
    return {
        "crop": CROP,
        "margin": MARGIN,
        "seen": seen,
        "unseen": unseen,
        "steps": at,
        **stages,
        "joint": joint,
        "power": {"tiles": len(tiled(references, references)), **power},
        "answers": answers,
    }


def estimators() -> dict[str, Estimator]:
    """By name, which begins with what is done about the edge of the frame."""
    mask = interior_mask(MARGIN)
    return {
        "interior: absolute": front_door(loss="absolute", mask=mask),
        "interior: squared": front_door(mask=mask),
        "Hann: Gauss-Newton": on_spectra(fit_gauss_newton, hann_spectra),
        "Hann: ratio, weighted": on_spectra(fit_frequency_ratio, hann_spectra),
        "periodic: Gauss-Newton": on_spectra(fit_gauss_newton),
        "periodic: ratio, weighted": on_spectra(fit_frequency_ratio),
    }


def tiled(references: np.ndarray, outputs: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of tiles of the photographs and of what the network makes of them."""
    starts = [range(0, n - TILE + 1, TILE) for n in references.shape[1:]]
    return [
        (a[y : y + TILE, x : x + TILE], b[y : y + TILE, x : x + TILE])
        for a, b in zip(references, outputs, strict=True)
        for y in starts[0]
        for x in starts[1]
    ]


def joint_sigma(pairs: Sequence[tuple[np.ndarray, np.ndarray]], measure: Callable) -> float:
    """The one sigma, px, of the least ``measure`` over the pixels of all pairs, by search."""

    def misfit(sigma: float) -> float:
        return measure(np.stack([gaussian_residual(*pair, sigma, MARGIN) for pair in pairs]))

    return refined_minimum(misfit, np.linspace(0, UPPER, 26))[0]


def _misfits(pairs, sigmas) -> list[float]:
    """Mean |g*A - B| over the standard deviation of A."""
    return [
        mean_absolute(gaussian_residual(a, b, sigma, MARGIN)) / a.std()
        for (a, b), sigma in zip(pairs, sigmas, strict=True)
    ]


def excess(numbers: dict[str, Any], name: str) -> np.ndarray:
    """Median over the photographs by which mean |g*A - B| exceeds the least, %, by stage."""
    found = np.array(numbers["answers"][name]["mean_absolute"], float)
    return 100 * np.median(found / np.array(numbers["least"]) - 1, axis=1)


def table(numbers: dict[str, Any]) -> str:
    """A column for each stage."""
    least, unchanged = np.array(numbers["least"]), np.array(numbers["unchanged"])
    rows = {
        "PSNR, dB": np.median(numbers["psnr"], axis=1),
        "joint sigma, absolute, px": numbers["joint"]["absolute"],
        "joint sigma, squared, px": numbers["joint"]["squared"],
        "joint sigma, Hann spectra, px": numbers["joint"]["spectra"],
        "least mean |g*A - B|, % of std": 100 * np.median(least, axis=1),
        "the same over mean |A - B|, %": 100 * np.median(least / unchanged, axis=1),
        "tiles set aside": numbers["power"]["aside"],
    }
    for name, label in SHARES.items():
        rows[f"power: {label}, %"] = [100 * each[name] for each in numbers["power"]["shares"]]
    lines = [
        f"{len(numbers['seen'])} photographs to learn from, {len(numbers['unseen'])} to try;"
        " medians over these.",
        "",
        f"{'training steps':32}" + "".join(f"{step:>9}" for step in numbers["steps"]),
        *(f"{name:32}" + "".join(f"{value:>9.3g}" for value in row) for name, row in rows.items()),
        "",
        "By how much mean |g*A - B| exceeds the least of all Gaussians, %",
    ]
    for name in numbers["answers"]:
        cells = "".join(f"{value:>9.2g}" for value in excess(numbers, name))
        lines.append(f"{name:32}{cells}")
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """Left the blur over training, then how near the estimators come to the best, then shares."""
    steps = np.array(numbers["steps"])
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    blur, misfit, power = figure.subplots(1, 3)
    each = numbers["answers"]["interior: absolute"]
    answered = np.where(np.array(each["status"]) == 0, np.array(each["sigma"], float), np.nan)
    blur.plot(steps, answered, ".", color=BLUE, alpha=0.5)
    for name, (colour, dashes) in JOINT.items():
        blur.plot(steps, numbers["joint"][name], dashes, color=colour, label=name)
    blur.set(xscale="log", xlabel="training steps", ylabel="$\\sigma$ (px)", yscale="log")
    blur.legend(title="one $\\sigma$ for all (dot: each)")
    entries = []
    for name in numbers["answers"]:
        shown = np.maximum(excess(numbers, name), 1e-3)
        colour = BLUE if name in LOSSES else estimator_colour(name)
        misfit.loglog(steps, shown, LOSSES.get(name, f"o{border_dashes(name)}"), color=colour)
        entries.append((shown[-1], name.replace(": ", ":\n"), colour))
    misfit.set(xlabel="training steps", ylabel="mean $|g*A - B|$ beyond the least (%)")
    plain_ticks(blur, x=steps[::2], y=(0.5, 0.7, 1, 1.5, 2, 3))
    plain_ticks(misfit, x=steps[::2])
    floored_ticks(misfit, (1e-3, 0.01, 0.1, 1, 10, 100))
    name_lines(misfit, entries, gap=0.14)
    _plot_power(power, steps, numbers["power"])
    return figure


def _plot_power(axes: Axes, steps: np.ndarray, power: dict[str, Any]) -> None:
    """Shares of the power of the outputs, with two standard errors."""
    colours = (BLUE, VERMILION, BLACK)
    for (name, label), colour in zip(SHARES.items(), colours, strict=True):
        shares, errors = ([100 * each[name] for each in power[key]] for key in ("shares", "errors"))
        bars = {"yerr": 2 * np.array(errors), "capsize": 2, "color": colour}
        axes.errorbar(steps, shares, fmt="o-", markersize=3, label=label, **bars)
    axes.set(xscale="log", ylim=(0, 105), xlabel="training steps")
    axes.set_ylabel("share of the outputs' power (%)")
    axes.legend(loc="center right")
    plain_ticks(axes, x=steps[::2])


EXPERIMENT = common.Experiment(
    stem="training",
    question="What blur does a network make, and which Gaussian is nearest to it?",
    run=run,
    table=table,
    plot=plot,
    smoke={"photographs": ("camera", "coffee"), "steps": 40, "at": (20, 40)},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
