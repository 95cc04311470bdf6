"""Measured costs beside their bars: what an estimate may take, in units of two FFTs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.stopwatch import quickest, slope
from experiments.timed_fits import alone

# Times the floor, by fit, and the sizes (px) that it holds for.
BARS = {
    "closed form": (1.3, (256, 512, 1024, 2048)),
    "Gauss-Newton": (1.5, (256, 512, 1024, 2048)),
    "estimate_blur": (4.0, (512, 1024, 2048)),
    "estimate_blur, noise_std": (12.0, (512, 1024, 2048)),
    "estimate_blur, full + gain + shift": (15.0, (1024,)),
}
EXACT = 2e-4  # error of estimate_blur without noise, in float32


@dataclass(frozen=True)
class Row:
    """One requirement: what was measured, the most that it may be, and the error of the timed fit.

    Attributes:
        what: is measured.
        measured: None where it was not.
        bar: the largest value that meets it.
        error: relative, of sigma; NaN where no estimate is at stake.
    """

    what: str
    measured: float | None
    bar: float
    error: float = np.nan

    @property
    def is_met(self) -> bool:
        return self.measured is not None and self.measured <= self.bar


def ratios(numbers: dict[str, Any], name: str) -> np.ndarray:
    """Time over the quickest floor by size, of the noise that takes longest; NaN: not timed.

    Of what was timed both jitted by its caller and as it is, by the quicker: one program spares
    calls, and two have smaller blocks of memory, which malloc keeps.
    """
    single = numbers["single"]
    forms = [single["seconds"][each] for each in (name, alone(name)) if each in single["seconds"]]
    times = [np.max(np.array(list(by_noise.values()), float), axis=0) for by_noise in forms]
    return np.min(times, axis=0) / quickest(single["floor"])


def rows(numbers: dict[str, Any]) -> list[Row]:
    """Every requirement with what was measured."""
    sizes, errors = numbers["sizes"], numbers["single"]["error"]
    found = []
    for name, (bar, where) in BARS.items():
        measured = ratios(numbers, name)
        for size in sorted(set(where) & set(sizes)):
            k = sizes.index(size)
            error = max(each[k] for each in errors[name].values())
            found.append(Row(f"{name}, {size} px", float(measured[k]), bar, error))
    clean = errors["estimate_blur"]["no noise"]
    tested = [clean[k] for k, size in enumerate(sizes) if size in BARS["estimate_blur"][1]]
    worst = max(tested or clean)
    found.append(Row("estimate_blur, error without noise", worst, EXACT, worst))
    small, *others = numbers["batches"]
    name = "batch of {pairs} pairs of {size} px"
    floor = min(small["floor"].values())
    found.append(Row(name.format(**small), small["seconds"] / floor, 4.0, small["error"]))
    if len(others) == 2:
        few, many = ({**each, "each": each["seconds"] / each["pairs"]} for each in others)
        text = f"{name.format(**many)}, per pair over {few['pairs']}"
        found.append(Row(text, many["each"] / few["each"], 1.0, many["error"]))
    times = np.max(list(numbers["single"]["seconds"]["estimate_blur"].values()), axis=0)
    text = f"estimate_blur, exponent over pixels, {sizes[0]} to {sizes[-1]} px"
    found.append(Row(text, slope(np.array(sizes, float) ** 2, times), 1.15))
    for run, seconds in start_ratios(numbers).items():
        found.append(Row(f"command, {numbers['start']['size']} px, {run}", seconds, 2.5))
    memory = numbers["memory"]["bytes"]
    measured = memory and memory["grown"] / memory["images"]
    text = f"peak memory over the images, Gauss-Newton, {numbers['memory']['size']} px"
    return [*found, Row(text, measured, 8.0)]


def start_ratios(numbers: dict[str, Any]) -> dict[str, float]:
    """Time of the command's first and later runs over that of one addition, medians."""
    medians = {name: float(np.median(v)) for name, v in numbers["start"]["seconds"].items()}
    base = medians.pop("one addition")
    return {name: value / base for name, value in medians.items()}


def paged(fit: dict[str, Any]) -> list[float]:
    """Milliseconds of a fit as usual and on huge pages of memory, medians."""
    return [1e3 * float(np.median(fit["seconds"][kind])) for kind in ("usual", "huge")]


def table(numbers: dict[str, Any]) -> str:
    """The bars; then milliseconds with ratios, seconds to compile, and the batches."""
    lines = [f"{'':60}{'bar':>8}{'measured':>10}{'':>10}{'error, %':>10}"]
    for row in rows(numbers):
        shown = "-" if row.measured is None else f"{row.measured:.3g}"
        error = "" if np.isnan(row.error) else f"{100 * row.error:.2g}"
        met = "met" if row.is_met else "not met"
        lines.append(f"{row.what:60}{row.bar:>8g}{shown:>10}{met:>10}{error:>10}")
    single = numbers["single"]
    head = "".join(f"{size:>16}" for size in numbers["sizes"])
    lines += ["", f"{'Milliseconds (over the quickest floor)':60}{head}"]
    for name, times in single["floor"].items():
        cells = "".join(f"{1e3 * value:>16.3g}" for value in times)
        lines.append(f"{f'two FFTs: {name}':60}{cells}")
    parts = {"spectra of both images": {"no fit": single["spectra"]}, **single["seconds"]}
    for name, by_noise in parts.items():
        for noise, times in by_noise.items():
            cells = [
                "-" if value is None else f"{1e3 * value:.3g} ({value / floor:.2g})"
                for value, floor in zip(times, quickest(single["floor"]), strict=True)
            ]
            lines.append(f"{f'{name}; {noise}':60}" + "".join(f"{cell:>16}" for cell in cells))
    lines += ["", "Seconds to compile"]
    for name, parts in single["compile"].items():
        first = next(iter(parts.values()))
        cells = "".join(f"{'-' if v is None else f'{v:.2g}':>16}" for v in first)
        lines.append(f"{name:60}{cells}")
    lines += ["", "Batches"]
    for each in numbers["batches"]:
        lines.append(
            f"{each['pairs']} pairs of {each['size']} px: {1e3 * each['seconds']:.3g} ms,"
            f" {each['seconds'] / min(each['floor'].values()):.2g} times the floor, of which"
            f" {each['transforms'] / min(each['floor'].values()):.2g} for transforms, median error"
            f" {100 * each['error']:.2g} %, {each['refused']} refused, temporary memory"
            f" {each['temporary_bytes'] / each['image_bytes']:.2g} times the images"
        )
    medians = {name: np.median(v) for name, v in numbers["start"]["seconds"].items()}
    lines += ["", "Start, s: " + ", ".join(f"{name} {v:.2f}" for name, v in medians.items())]
    lines += ["", "Milliseconds in a process of its own: as usual, on huge pages of memory"]
    for each in numbers["pages"]:
        usual, huge = paged(each)
        lines.append(f"{each['fit']}, {each['size']} px: {usual:.3g}, {huge:.3g}")
    return "\n".join(lines)
