"""Measured costs as text: beside their bars, in milliseconds, and to compile."""

from typing import Any

import numpy as np

from experiments.speed.bars import batch_ratios, by_process, floors, of_single_pairs, rows


def seconds_to_compile(numbers: dict[str, Any], name: str) -> np.ndarray:
    """Medians by size, of the first noise only: the second runs the same program."""
    first = next(iter(numbers["processes"][0]["single"]["compile"][name]))
    return np.median(of_single_pairs(numbers, "compile", name, first), axis=0)


def paged(fit: dict[str, Any]) -> list[float]:
    """Milliseconds of a fit as usual and on huge pages of memory, medians."""
    return [1e3 * float(np.median(fit["seconds"][kind])) for kind in ("usual", "huge")]


def table(numbers: dict[str, Any]) -> str:
    """The bars; then milliseconds with ratios, seconds to compile, and the batches."""
    lines = [f"{'':60}{'bar':>8}{'measured':>10}{'':>10}{'error, %':>10}{'of processes':>16}"]
    for row in rows(numbers):
        shown = f"{np.median(row.measured):.3g}" if len(row.measured) else "-"
        error = "" if np.isnan(row.error) else f"{100 * row.error:.2g}"
        met = "met" if row.is_met else "not met"
        spread = ""
        if len(row.measured) > 1:
            spread = f"{np.min(row.measured):.3g} to {np.max(row.measured):.3g}"
        lines.append(f"{row.what:60}{row.bar:>8g}{shown:>10}{met:>10}{error:>10}{spread:>16}")
    single = numbers["processes"][0]["single"]
    head = "".join(f"{size:>16}" for size in numbers["sizes"])
    lines += ["", f"{'Milliseconds (over the quickest floor), medians':60}{head}"]
    for name in single["floor"]:
        seconds = np.median(of_single_pairs(numbers, "floor", name), axis=0)
        lines.append(
            f"{f'two FFTs: {name}':60}" + "".join(f"{1e3 * value:>16.3g}" for value in seconds)
        )
    timed: dict[str, tuple[str, ...]] = {
        "spectra of both images; no fit": ("spectra",),
        "spectra, log |H| and the misfit summed once; no fit": ("passes",),
    }
    for name, noises in single["seconds"].items():
        timed |= {f"{name}; {noise}": ("seconds", name, noise) for noise in noises}
    for what, path in timed.items():
        times = of_single_pairs(numbers, *path)
        medians = (np.median(each, axis=0) for each in (times, times / floors(numbers)))
        cells = [
            "-" if np.isnan(seconds) else f"{1e3 * seconds:.3g} ({ratio:.2g})"
            for seconds, ratio in zip(*medians, strict=True)
        ]
        lines.append(f"{what:60}" + "".join(f"{cell:>16}" for cell in cells))
    lines += ["", "Seconds to compile"]
    for name in single["compile"]:
        medians = seconds_to_compile(numbers, name)
        cells = "".join(f"{'-' if np.isnan(v) else f'{v:.2g}':>16}" for v in medians)
        lines.append(f"{name:60}{cells}")
    lines += ["", "Batches"]
    for index, each in enumerate(numbers["processes"][0]["batches"]):
        seconds = np.median(by_process(numbers, lambda one, k=index: one["batches"][k]["seconds"]))
        mapped = np.median(batch_ratios(numbers, "mapped", index))
        lines.append(
            f"{each['pairs']} pairs of {each['size']} px: {1e3 * seconds:.3g} ms,"
            f" {np.median(batch_ratios(numbers, 'seconds', index)):.2g} times the floor"
            f"{'' if np.isnan(mapped) else f' (by vmap {mapped:.2g})'}, median error"
            f" {100 * each['error']:.2g} %, {each['refused']} refused, temporary memory"
            f" {each['temporary_bytes'] / each['image_bytes']:.2g} times the images"
        )
    starts = {name: np.median(v) for name, v in numbers["start"]["seconds"].items()}
    lines += ["", "Start, s: " + ", ".join(f"{name} {v:.2f}" for name, v in starts.items())]
    lines += ["", "Milliseconds in a process of its own: as usual, on huge pages of memory"]
    for each in numbers["pages"]:
        usual, huge = paged(each)
        lines.append(f"{each['fit']}, {each['size']} px: {usual:.3g}, {huge:.3g}")
    return "\n".join(lines)
