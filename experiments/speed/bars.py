"""What an estimate may cost, in units of two FFTs, and the measured cost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

import numpy as np

from experiments.shared.stopwatch import quickest, slope
from experiments.speed.timed_fits import FITS, alone

# Times the floor, by fit, and the sizes (px) that it holds for.
BARS = {
    "closed form": (1.3, (256, 512, 1024, 2048)),
    "Gauss-Newton": (1.5, (256, 512, 1024, 2048)),
    "estimate_blur": (4.0, (512, 1024, 2048)),
    "estimate_blur, noise_std": (12.0, (512, 1024, 2048)),
    "estimate_blur, full + gain + shift": (15.0, (1024,)),
}
# The bars are the same whether the caller jits a fit or not.
BARS |= {alone(name): BARS[name] for name in FITS if alone(name) in FITS}
EXACT = 2e-4  # error of estimate_blur without noise, in float32


@dataclass(frozen=True)
class Row:
    """One requirement: what was measured, the most that it may be, and the error of the timed fit.

    Attributes:
        what: name of what is measured.
        measured: in each process; empty where it was not. The median counts.
        bar: the largest value that meets it.
        error: relative, of sigma; NaN where no estimate is at stake.
    """

    what: str
    measured: Sequence[float] | np.ndarray
    bar: float
    error: float = np.nan

    @property
    def is_met(self) -> bool:
        return len(self.measured) > 0 and float(np.median(self.measured)) <= self.bar


def by_process(numbers: dict[str, Any], pick: Callable[[dict[str, Any]], Any]) -> np.ndarray:
    """What ``pick`` takes from the numbers of each process; NaN where nothing was timed."""
    return np.array([pick(each) for each in numbers["processes"]], float)


def of_single_pairs(numbers: dict[str, Any], *path: str) -> np.ndarray:
    """The times at a path below "single", ``[process, size]``."""
    return by_process(numbers, lambda one: reduce(getitem, path, one["single"]))


def floors(numbers: dict[str, Any]) -> np.ndarray:
    """Seconds of the quickest two FFTs, ``[process, size]``."""
    return by_process(numbers, lambda one: quickest(one["single"]["floor"]))


def ratios(numbers: dict[str, Any], name: str) -> np.ndarray:
    """Time over the quickest floor, ``[process, size]``, of the noise that takes longest."""
    noises = numbers["processes"][0]["single"]["seconds"][name]
    times = [of_single_pairs(numbers, "seconds", name, noise) for noise in noises]
    return np.max(times, axis=0) / floors(numbers)


def rows(numbers: dict[str, Any]) -> list[Row]:
    """Every requirement with what was measured."""
    sizes = numbers["sizes"]
    # Every process fits the same pairs.
    errors = numbers["processes"][0]["single"]["error"]
    found = []
    for name, (bar, where) in BARS.items():
        measured = ratios(numbers, name)
        for size in sorted(set(where) & set(sizes)):
            k = sizes.index(size)
            error = max(each[k] for each in errors[name].values())
            found.append(Row(f"{name}, {size} px", measured[:, k], bar, error))
    clean = errors["estimate_blur"]["no noise"]
    tested = [clean[k] for k, size in enumerate(sizes) if size in BARS["estimate_blur"][1]]
    worst = max(tested or clean)
    found.append(Row("estimate_blur, error without noise", [worst], EXACT, worst))
    small, *others = numbers["processes"][0]["batches"]
    text = "batch of {pairs} pairs of {size} px"
    found.append(Row(text.format(**small), batch_ratios(numbers, "seconds"), 4.0, small["error"]))
    if len(others) == 2:
        few, many = others
        each = by_process(numbers, lambda one: [b["seconds"] / b["pairs"] for b in one["batches"]])
        text = f"{text.format(**many)}, per pair over {few['pairs']}"
        found.append(Row(text, each[:, 2] / each[:, 1], 1.0, many["error"]))
    pixels = np.array(sizes, float) ** 2
    exponents = by_process(
        numbers,
        lambda one: slope(
            pixels, np.max(list(one["single"]["seconds"]["estimate_blur"].values()), axis=0)
        ),
    )
    text = f"estimate_blur, exponent over pixels, {sizes[0]} to {sizes[-1]} px"
    found.append(Row(text, exponents, 1.15))
    for run, ratio in start_ratios(numbers).items():
        found.append(Row(f"command, {numbers['start']['size']} px, {run}", [ratio], 2.5))
    memory = numbers["memory"]["bytes"]
    text = f"peak memory over the images, Gauss-Newton, {numbers['memory']['size']} px"
    return [*found, Row(text, [memory["grown"] / memory["images"]] if memory else [], 8.0)]


def batch_ratios(numbers: dict[str, Any], part: str, index: int = 0) -> np.ndarray:
    """The "seconds" of a batch, or those "mapped" by ``vmap``, over its floor, by process."""

    def of_one(process: dict[str, Any]) -> float:
        batch = process["batches"][index]
        seconds = math.nan if batch[part] is None else batch[part]
        return seconds / min(batch["floor"].values())

    return by_process(numbers, of_one)


def start_ratios(numbers: dict[str, Any]) -> dict[str, float]:
    """Time of the command's first and later runs over that of one addition, medians."""
    medians = {name: float(np.median(v)) for name, v in numbers["start"]["seconds"].items()}
    base = medians.pop("one addition")
    return {name: value / base for name, value in medians.items()}
