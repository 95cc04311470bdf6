"""One sigma from many pairs: what does each further pair gain, and how should they be joined?

The question's asker had one sigma to find from very many images. Patches of photographs under the
same periodic blur with strong noise: the joint fit of their summed spectra, the mean and the median
of single fits, and the asker's own way, Adam over mini-batches.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.common import BLACK, GREEN, ORANGE, SKY, VERMILION
from experiments.shared.drawing import name_lines, plain_ticks, rms_band, widths
from experiments.shared.photographs import PHOTOGRAPHS, random_square, scene
from experiments.shared.scipy_reference import continuous_blur
from gaussjax import Spectra, fit_gauss_newton, loss, pair_spectra, sum_spectra

SIGMA, NOISE, SIZE = 1.0, 0.5, 64  # px; of the mean contrast; px
BATCH, RATE = 16, 0.05
COLOURS = {
    "joint fit": BLACK,
    "mean of single fits": VERMILION,
    "median of single fits": ORANGE,
    "weighted mean of them": GREEN,
    "Adam, 1 epoch": SKY,
    "Adam, 10 epochs": SKY,
    "Adam, 100 epochs": SKY,
}
DASHES = {"Adam, 1 epoch": ":", "Adam, 10 epochs": "--"}


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    counts: Sequence[int] = (16, 32, 64, 128, 256, 512),
    repeats: int = 16,
) -> dict[str, Any]:
    """Sigma (px) by way, [count, repeat]; the bound [count]; milliseconds for the largest count."""
    random = np.random.default_rng(seed)
    scenes = [scene(name) for name in photographs]
    ways = joinings()
    answers: dict[str, list] = {name: [[] for _ in counts] for name in ways}
    milliseconds: dict[str, list] = {name: [] for name in ways}
    bounds = np.zeros((repeats, len(counts)))
    for repeat in tqdm(range(repeats), "repeats", disable=None):
        references, blurreds, information = patches(scenes, max(counts), random)
        spectra = jax.vmap(pair_spectra)(references, blurreds)
        bounds[repeat] = [np.sum(information[:count]) ** -0.5 for count in counts]
        for name, join in ways.items():
            for index, count in enumerate(counts):
                some = jax.tree.map(lambda leaf, count=count: leaf[:count], spectra)
                start = time.perf_counter()
                answers[name][index].append(float(join(some)))
                if count == max(counts):
                    milliseconds[name].append(1e3 * (time.perf_counter() - start))
    return {
        "sigma": SIGMA,
        "noise": NOISE,
        "size": SIZE,
        "counts": counts,
        "repeats": repeats,
        "bounds": np.sqrt(np.mean(bounds**2, axis=0)),
        "answers": answers,
        # The first one compiles.
        "milliseconds": {
            name: np.median(times[1:] or times) for name, times in milliseconds.items()
        },
    }


def patches(
    scenes: Sequence[np.ndarray], count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random patches, their blurred and noisy versions, and Fisher information of sigma, 1/px^2."""
    level = NOISE * np.mean([image.std() for image in scenes])
    chosen = [scenes[index] for index in random.integers(len(scenes), size=count)]
    references = [image[random_square(image, SIZE, random)] for image in chosen]
    step = 1e-3
    blurred, above, below = (
        np.stack([continuous_blur(patch, sigma) for patch in references])
        for sigma in (SIGMA, SIGMA + step, SIGMA - step)
    )
    information = np.sum(((above - below) / (2 * step)) ** 2, axis=(1, 2)) / level**2
    return (
        np.stack(references),
        blurred + level * random.standard_normal(blurred.shape),
        information,
    )


def joinings() -> dict[str, Callable[[Spectra], jax.Array]]:
    """Functions from the stacked spectra of many pairs to one sigma."""

    @jax.jit
    def joint(spectra):
        return fit_gauss_newton(sum_spectra(spectra)).sigma

    @jax.jit
    def singles(spectra):
        found = jax.vmap(fit_gauss_newton)(spectra)
        return found.sigma, found.sigma_standard_error

    def weighted(spectra):
        sigma, error = singles(spectra)
        return jnp.nansum(sigma / error**2) / jnp.nansum(1 / error**2)

    return {
        "joint fit": joint,
        "mean of single fits": lambda spectra: jnp.mean(singles(spectra)[0]),
        "median of single fits": lambda spectra: jnp.median(singles(spectra)[0]),
        "weighted mean of them": weighted,
        "Adam, 1 epoch": partial(adam, epochs=1),
        "Adam, 10 epochs": partial(adam, epochs=10),
        "Adam, 100 epochs": partial(adam, epochs=100),
    }


@partial(jax.jit, static_argnames="epochs")
def adam(spectra: Spectra, *, epochs: int) -> jax.Array:
    """Adam on log sigma over mini-batches in order, from 2 px, with a rate that falls to zero."""
    count = spectra.reference_power.shape[0]
    batches = jax.tree.map(
        lambda leaf: leaf.reshape(count // BATCH, BATCH, *leaf.shape[1:]), spectra
    )
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, epochs * (count // BATCH)))

    def objective(logarithm, batch):
        pooled = sum_spectra(batch)
        return loss(jnp.exp(logarithm), pooled) / loss(0.0, pooled)

    def step(carry, batch):
        x, state = carry
        updates, state = optimizer.update(jax.grad(objective)(x, batch), state)
        return (optax.apply_updates(x, updates), state), None

    def epoch(carry, _):
        return jax.lax.scan(step, carry, batches)

    x = jnp.log(jnp.asarray(2.0, spectra.reference_power.dtype))
    (x, _), _ = jax.lax.scan(epoch, (x, optimizer.init(x)), None, length=epochs)
    return jnp.exp(jnp.asarray(x))


def errors(numbers: dict[str, Any], name: str) -> np.ndarray:
    """Errors in % of sigma, [count, repeat]."""
    return 100 * (np.array(numbers["answers"][name], float) / numbers["sigma"] - 1)


def bias_and_rms(numbers: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and root mean square of the error over the repeats, % of sigma, by count."""
    found = errors(numbers, name)
    return np.nanmean(found, axis=1), rms_band(found)[1]


def table(numbers: dict[str, Any]) -> str:
    """Bias and rms by count."""
    lines = [
        f"Patches of {numbers['size']} px, sigma {numbers['sigma']:g} px, noise"
        f" {numbers['noise']:.0%} of the mean contrast, {numbers['repeats']} repeats.",
        "Bias | rms of sigma in %, and milliseconds for the largest number of pairs.",
        "",
        f"{'pairs':24}" + "".join(f"{count:>18}" for count in numbers["counts"]) + f"{'ms':>9}",
    ]
    for name in numbers["answers"]:
        cells = zip(*bias_and_rms(numbers, name), strict=True)
        shown = "".join(f"{bias:>10.2g} |{rms:>6.2g}" for bias, rms in cells)
        lines.append(f"{name:24}{shown}{numbers['milliseconds'][name]:>9.3g}")
    bounds = 100 * np.array(numbers["bounds"]) / numbers["sigma"]
    lines.append(f"{'Cramer-Rao bound':24}" + "".join(f"{'|':>12}{b:>6.2g}" for b in bounds))
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """The rms error over the number of pairs, shaded to two standard errors, and the bound."""
    counts = numbers["counts"]
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    entries = []
    for (name, colour), width in zip(COLOURS.items(), widths(len(COLOURS)), strict=True):
        least, rms, most = rms_band(errors(numbers, name))
        axes.fill_between(counts, least, most, color=colour, alpha=0.15, linewidth=0)
        axes.loglog(counts, rms, "o", ls=DASHES.get(name, "-"), lw=width, color=colour)
        entries.append((rms[-1], name, colour))
    bounds = 100 * np.array(numbers["bounds"]) / numbers["sigma"]
    axes.loglog(counts, bounds, ":", color=BLACK)
    entries.append((bounds[-1], "Cramer-Rao bound (dotted)", BLACK))
    axes.set(xlabel="pairs", ylabel="rms error of $\\sigma$ (%)")
    plain_ticks(axes, x=counts, y=[y for y in (0.1, 1, 10, 100) if y < axes.get_ylim()[1]])
    name_lines(axes, entries)
    return figure


EXPERIMENT = common.Experiment(
    stem="many_pairs",
    question="What does each further pair gain, and how should pairs be joined?",
    run=run,
    table=table,
    plot=plot,
    smoke={"photographs": ("camera", "coffee"), "counts": (16, 64), "repeats": 2},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
