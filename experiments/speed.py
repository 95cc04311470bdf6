"""What does an estimate cost? Time over the size of the image and of the batch, against two FFTs.

float32. The floor is the transform of both images by the quickest of SciPy (one worker and two) and
JAX; below it only reading the images is left. Everything is timed in turn, round after round, after
a first call whose extra time is compilation; medians.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from matplotlib.figure import Figure
from scipy import ndimage, optimize
from tqdm import tqdm

from experiments import common
from experiments.common import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from experiments.drawing import name_lines, plain_ticks
from experiments.scipy_reference import continuous_blur
from gaussjax import estimate_blur, fit_frequency_ratio, fit_gauss_newton, pair_spectra
from gaussjax.synthetic import random_scene

SIGMA, NOISE, UPPER, MARGIN = 2.0, 0.01, 5.0, 20  # px, of the contrast, px, px
FLOORS = ("SciPy, 1 worker", "SciPy, 2 workers", "JAX")
NOISE_STD = (0.02, 0.01)
# On numpy arrays of float32.
LIBRARIES: dict[str, Callable] = {
    "OpenCV blur, bounded search": lambda image, sigma: cv2.GaussianBlur(image, (0, 0), sigma),
    "SciPy blur, bounded search": ndimage.gaussian_filter,
}
ESTIMATES: dict[str, Callable] = {
    "fit_frequency_ratio": lambda a, b: fit_frequency_ratio(pair_spectra(a, b)).sigma,
    "fit_gauss_newton": lambda a, b: fit_gauss_newton(pair_spectra(a, b)).sigma,
    "estimate_blur": lambda a, b: estimate_blur(a, b).sigma,
    "estimate_blur, full + nuisances": lambda a, b: (
        estimate_blur(a, b, family="full", gain=True, offset=True, shift=True).sigma
    ),
    "estimate_blur, noise_std": lambda a, b: estimate_blur(a, b, noise_std=NOISE_STD).sigma,
}
COLOURS = dict(
    zip(
        (*ESTIMATES, *LIBRARIES),
        (GREEN, PURPLE, BLUE, SKY, ORANGE, GREY, VERMILION),
        strict=True,
    )
)
BATCHED = ("fit_gauss_newton", "estimate_blur")


def run(
    *,
    seed: int,
    sizes: Sequence[int] = (128, 256, 512, 1024, 2048),
    largest_search: int = 1024,
    batches: Sequence[int] = (1, 4, 16, 64, 256),
    patch: int = 64,
    rounds: int = 9,
) -> dict[str, Any]:
    """Milliseconds by name and size, of a pair; by name and batch size, of ``patch`` px a pair."""
    random = np.random.default_rng(seed)
    single: dict[str, dict] = {"floor": {}, "estimate": {}, "compile": {}}
    for size in tqdm(sizes, "sizes", disable=None):
        pair = make_pair(size, random)
        calls = {**floors(pair), **{name: compiled(fit, pair) for name, fit in ESTIMATES.items()}}
        if size <= largest_search:
            calls |= {name: search(blur, pair) for name, blur in LIBRARIES.items()}
        first, times = time_in_turn(calls, rounds)
        for name in calls:
            kind = "floor" if name in FLOORS else "estimate"
            single[kind].setdefault(name, []).append(times[name])
            if name in ESTIMATES:
                single["compile"].setdefault(name, []).append(first[name] - times[name])
    batch: dict[str, dict] = {"floor": {}, "estimate": {}}
    for count in tqdm(batches, "batches", disable=None):
        pairs = [make_pair(patch, random) for _ in range(count)]
        stacks = np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs])
        calls = {
            **floors(stacks),
            **{name: compiled(jax.vmap(ESTIMATES[name]), stacks) for name in BATCHED},
        }
        _, times = time_in_turn(calls, rounds)
        for name in calls:
            kind = "floor" if name in FLOORS else "estimate"
            batch[kind].setdefault(name, []).append(times[name])
    return {
        "sizes": sizes,
        "single": single,
        "batches": batches,
        "patch": patch,
        "batch": batch,
        "rounds": rounds,
    }


def make_pair(size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random scene with the spectrum of photographs, blurred, with noise in B; float32."""
    key = jax.random.key(int(random.integers(2**31)))
    reference = np.asarray(random_scene(key, (size, size)), float)
    noise = NOISE * random.standard_normal(reference.shape)
    blurred = continuous_blur(reference, SIGMA) + noise
    return reference.astype(np.float32), blurred.astype(np.float32)


def floors(pair: tuple[np.ndarray, np.ndarray]) -> dict[str, Callable[[], Any]]:
    """The transforms of both images, by every library."""
    both = np.stack(pair)
    on_device = jnp.asarray(both)
    transform = jax.jit(jnp.fft.rfft2)
    return {
        FLOORS[0]: lambda: scipy.fft.rfft2(both, workers=1),
        FLOORS[1]: lambda: scipy.fft.rfft2(both, workers=2),
        FLOORS[2]: lambda: transform(on_device),
    }


def compiled(fit: Callable, pair: tuple[np.ndarray, np.ndarray]) -> Callable[[], Any]:
    """A call of the jitted ``fit`` on images that are on the device already."""
    on_device = tuple(jnp.asarray(image) for image in pair)
    function = jax.jit(fit)
    return lambda: function(*on_device)


def search(blur: Callable, pair: tuple[np.ndarray, np.ndarray]) -> Callable[[], float]:
    """What one writes without this package: Brent's bounded search on the interior."""
    reference, blurred = pair
    inside = (slice(MARGIN, -MARGIN),) * 2

    def misfit(sigma: float) -> float:
        return float(np.sum((blur(reference, sigma) - blurred)[inside] ** 2))

    return lambda: optimize.minimize_scalar(misfit, bounds=(0.1, UPPER), method="bounded").x


def time_in_turn(calls: dict[str, Callable], rounds: int) -> tuple[dict, dict]:
    """Milliseconds of the first call, and medians of those that follow, each in turn."""

    def milliseconds(call) -> float:
        start = time.perf_counter()
        jax.block_until_ready(call())
        return 1e3 * (time.perf_counter() - start)

    first = {name: milliseconds(call) for name, call in calls.items()}
    times = [{name: milliseconds(call) for name, call in calls.items()} for _ in range(rounds)]
    return first, {name: float(np.median([each[name] for each in times])) for name in calls}


def ratios(part: dict[str, dict], name: str) -> np.ndarray:
    """Time over that of the quickest floor, by size."""
    found = np.array(part["estimate"][name])
    return found / np.min([times[: len(found)] for times in part["floor"].values()], axis=0)


def table(numbers: dict[str, Any]) -> str:
    """Milliseconds and ratios to the floor; then the batches."""
    parts = [
        ("single", f"One pair, px; medians of {numbers['rounds']}", numbers["sizes"]),
        ("batch", f"Batches of {numbers['patch']} px, pairs", numbers["batches"]),
    ]
    lines = ["Milliseconds, and in brackets the ratio to the quickest of the floors."]
    for key, title, columns in parts:
        part = numbers[key]
        lines += ["", f"{title:38}" + "".join(f"{column:>16}" for column in columns)]
        for name, times in part["floor"].items():
            cells = "".join(f"{value:>16.3g}" for value in times)
            lines.append(f"{f'two FFTs: {name}':38}{cells}")
        for name, times in part["estimate"].items():
            cells = zip(times, ratios(part, name), strict=True)
            shown = "".join(f"{f'{ms:.3g} ({ratio:.2g})':>16}" for ms, ratio in cells)
            lines.append(f"{name:38}{shown}")
    lines += ["", "Seconds to compile"]
    for name, times in numbers["single"]["compile"].items():
        lines.append(f"{name:38}" + "".join(f"{1e-3 * value:>16.2g}" for value in times))
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """Ratios to the floor, over the size of a pair and over the size of a batch."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    titles = ("One pair", f"Batches of {numbers['patch']} x {numbers['patch']} px")
    columns = ("sizes", "batches")
    labels = ("size of the images (px)", "pairs in the batch")
    for panel, key, title, column, label in zip(
        axes, ("single", "batch"), titles, columns, labels, strict=True
    ):
        entries = []
        for name in numbers[key]["estimate"]:
            shown = ratios(numbers[key], name)
            panel.loglog(numbers[column][: len(shown)], shown, "o-", color=COLOURS[name])
            entries.append((shown[-1], name.replace(", ", ",\n"), COLOURS[name]))
        panel.set(title=title, xlabel=label)
        panel.axhline(1, color=BLACK, linewidth=1, linestyle=":")
        plain_ticks(panel, x=numbers[column], y=(1, 3, 10, 30, 100, 300))
        figure.draw_without_rendering()
        name_lines(panel, entries, gap=0.13)
    axes[0].set_ylabel("time / that of two FFTs")
    return figure


EXPERIMENT = common.Experiment(
    stem="speed",
    question="What does an estimate cost, against two FFTs?",
    run=run,
    table=table,
    plot=plot,
    smoke={"sizes": (64, 128), "largest_search": 64, "batches": (1, 4), "patch": 32, "rounds": 1},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
