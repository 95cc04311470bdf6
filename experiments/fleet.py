"""What does one blur from very many pairs cost, against decoding and two FFTs a pair?

Photographs of 256 x 256 px as 8-bit PNG, blurred and then cropped. The floor decodes both files in
threads and transforms both images, in batches, and does nothing else. Files repeat (as hard links),
so that a folder of many pairs needs little room. Everything is float32 and timed in turn; medians.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.common import BLUE, GREY
from experiments.shared.pair_folders import FOLDERS, link_pairs, write_pairs
from experiments.shared.processes import run_python
from gaussjax import fit_dataset, open_pairs
from gaussjax.dataset.pair_sums import PairEquations, PairEvidence
from gaussjax.dataset.pooled_transfer import TransferSums
from gaussjax.dataset.state import JointSums
from gaussjax.statistics.cause import Cause

SIGMA, BATCH = 2.0, 64  # px; pairs
BARS = {"cost": 1.3, "memory": 0.05, "drift": 1e-6}
FLEETS = (10**4, 10**6, 10**9)  # pairs
# Peak of the resident memory, bytes, after the joint fit of two folders.
MANY = """
import re, sys
from gaussjax import fit_dataset, open_pairs
fit_dataset(open_pairs(*sys.argv[1:]))
print(1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]))
"""


def run(
    *,
    seed: int,
    size: int = 256,
    distinct: int = 500,
    count: int = 5000,
    rounds: int = 3,
    counts: tuple[int, int] = (1000, 20_000),
    additions: int = 10**6,
) -> dict[str, Any]:
    """Seconds by round, of the clock and of all cores; bytes by number of pairs; drift; answers."""
    random = np.random.default_rng(seed)
    with jax.enable_x64(False), tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "distinct"
        write_pairs(files, distinct, size, SIGMA, random)
        link_pairs(Path(folder) / "many", files, count)
        spoilt = Path(folder) / "many" / FOLDERS[1] / f"{count // 2:06d}.png"
        spoilt.unlink()
        spoilt.write_text("no image")
        where = Path(folder) / "many"
        calls: dict[str, Callable[[], Any]] = {
            "decode": lambda: decode(where, transform=False),
            "decode and two FFTs": lambda: decode(where, transform=True),
            "fit_dataset": lambda: fit_dataset(open_pairs(*(where / n for n in FOLDERS))),
        }
        # Compiles before anything is timed.
        fit_dataset(open_pairs(*(files / name for name in FOLDERS)))
        decode(files, transform=True)
        clock, cores, many = in_turn(calls, rounds)
        # SciPy's sampled kernel; rounding to whole numbers is noise of this size in both images.
        pairs = open_pairs(*(files / name for name in FOLDERS))
        found = fit_dataset(pairs, kernel="sampled", noise_std=(12**-0.5,) * 2)
        small = Path(folder) / "small"
        write_pairs(small, min(distinct, counts[0]), 64, SIGMA, random)
        memory = {n: memory_of_many_pairs(small, Path(folder) / f"n{n}", n) for n in counts}
    return {
        "sigma": SIGMA,
        "size": size,
        "count": count,
        "clock": clock,
        "cores": cores,
        "memory": memory,
        "drift": drift(additions, random),
        "additions": additions,
        "answer": {
            "sigma": found.sigma.item(),
            "standard_error": found.sigma_standard_error.item(),
            "scatter": found.scatter.item(),
            "heterogeneity": found.heterogeneity.item(),
            "pairs": found.num_pairs,
            "left_out": [pair.name for pair in many.bad],
        },
        "reduction_bytes": sum(x.nbytes for x in some_sums((size, size), random).arrays().values()),
    }


def decode(folder: Path, *, transform: bool) -> int:
    """The floor: both files of every pair to float32, in threads, and both transforms."""
    names = [sorted((folder / name).iterdir()) for name in FOLDERS]
    transformed = jax.jit(jnp.fft.rfft2)
    under_way = None
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(pool.map(_decoded, *names)):
            if transform:
                begun = transformed(batch)
                jax.block_until_ready(under_way)
                under_way = begun
    jax.block_until_ready(under_way)
    return len(names[0])


def _decoded(*files: Path) -> list[np.ndarray]:
    try:
        return [np.asarray(PIL.Image.open(file), np.float32) for file in files]
    except PIL.UnidentifiedImageError:
        return []


def _batches(pairs: Iterator[list[np.ndarray]]) -> Iterator[np.ndarray]:
    """Stacks of both images of 64 pairs each; the last one is filled up with its own images."""
    images: list[np.ndarray] = []
    for pair in pairs:
        images += pair
        if len(images) == 2 * BATCH:
            yield np.stack(images)
            images = []
    if images:
        yield np.stack((images * 2 * BATCH)[: 2 * BATCH])


def in_turn(calls: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict, dict, Any]:
    """Seconds by the clock and of all cores, by call and round, and what the last call returned."""
    clock: dict[str, list[float]] = {name: [] for name in calls}
    cores: dict[str, list[float]] = {name: [] for name in calls}
    found = None
    for _ in tqdm(range(rounds), "rounds", disable=None):
        for name, call in calls.items():
            start, busy = time.perf_counter(), time.process_time()
            found = call()
            clock[name].append(time.perf_counter() - start)
            cores[name].append(time.process_time() - busy)
    return clock, cores, found


def memory_of_many_pairs(source: Path, folder: Path, count: int) -> int:
    """Peak bytes of a process that fits ``count`` pairs, in turn those of ``source``; Linux."""
    link_pairs(folder, source, count)
    # Compiling takes more memory than a program from a cache, which the first run may fill.
    variables = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    found = run_python(["-c", MANY, *(str(folder / name) for name in FOLDERS)], variables)
    return int(found.stdout)


def some_sums(shape: tuple[int, int], random: np.random.Generator) -> JointSums:
    """Sums of an imagined batch: random numbers of float32 in the layout of real sums."""

    def drawn(*size: int) -> np.ndarray:
        return random.uniform(0.5, 1.5, size).astype(np.float32).astype(float)

    numbers: list = [drawn(), drawn(1), drawn(1, 1), drawn()]
    numbers += [drawn() for _ in range(4)]
    evidence = PairEvidence(
        *(drawn(1, 1), drawn(1), drawn(2)),
        *(drawn(3), drawn(3), drawn(1, 3), drawn(3), drawn()),  # pyright: ignore[reportArgumentType]
        trials=(6,) * 3,
        causes=(Cause.GAIN, Cause.OFFSET, Cause.KERNEL),
    )
    coefficients = {shape: drawn(1, shape[0], shape[1] // 2 + 1)}
    return JointSums(coefficients, PairEquations(*numbers), evidence, TransferSums.none(1))


def drift(additions: int, random: np.random.Generator) -> dict[str, float]:
    """Relative error of the sum of so many batches: as it is kept, and in float32.

    A thousand different batches are repeated, so that the exact sum is known.
    """
    few = [some_sums((4, 4), random) for _ in range(min(1000, additions))]
    total = few[0]
    single = np.float32(few[0].equations.squares)
    for number in tqdm(range(1, additions), "additions", disable=None):
        total = total + few[number % len(few)]
        single += np.float32(few[number % len(few)].equations.squares)
    times = additions // len(few)
    exact = times * sum(sums.equations.squares for sums in few)
    coefficients = times * sum(sums.coefficients[4, 4] for sums in few)
    kept = max(
        abs(total.equations.squares / exact - 1),
        np.max(np.abs(total.coefficients[4, 4] / coefficients - 1)),
    )
    return {"as kept": float(kept), "float32": float(abs(single / exact - 1))}


def rate(numbers: dict[str, Any]) -> float:
    """Pairs per second of the joint fit."""
    return numbers["count"] / float(np.median(numbers["clock"]["fit_dataset"]))


def ratios(numbers: dict[str, Any]) -> dict[str, float]:
    """What ``BARS`` limit, and the same ratio of the time of all cores."""
    floor, fitted = "decode and two FFTs", "fit_dataset"
    few, many = sorted(numbers["memory"], key=int)
    return {
        "clock": float(np.median(np.divide(numbers["clock"][fitted], numbers["clock"][floor]))),
        "cores": float(np.median(np.divide(numbers["cores"][fitted], numbers["cores"][floor]))),
        "memory": numbers["memory"][many] / numbers["memory"][few] - 1,
        "drift": numbers["drift"]["as kept"],
    }


def table(numbers: dict[str, Any]) -> str:
    """Times, memory and drift beside their bars, and what a fleet takes."""
    found, answer = ratios(numbers), numbers["answer"]
    lines = [
        f"{numbers['count']} pairs of {numbers['size']} px, sigma {numbers['sigma']:g} px;"
        f" left out: {', '.join(answer['left_out'])}",
        f"by {answer['pairs']} different ones: {answer['sigma']:.6f} +-"
        f" {answer['standard_error']:.1g} px, {answer['scatter']:.1g} px between them",
        "",
        f"{'':24}{'pairs/s':>10}{'ms of all cores per pair':>28}",
    ]
    for name, seconds in numbers["clock"].items():
        busy = 1e3 * np.median(numbers["cores"][name]) / numbers["count"]
        lines.append(f"{name:24}{numbers['count'] / np.median(seconds):>10.0f}{busy:>28.2f}")
    lines += [
        "",
        f"over decoding and two FFTs, by the clock   {found['clock']:.2f}  (bar {BARS['cost']:g})",
        f"the same, of all cores                     {found['cores']:.2f}",
        f"memory, {' to '.join(sorted(numbers['memory'], key=int))} pairs"
        f"                 {100 * found['memory']:+.1f} %  (bar {100 * BARS['memory']:g} %)",
        f"drift of {numbers['additions']} additions               {found['drift']:.1g}"
        f"  (bar {BARS['drift']:g}; float32: {numbers['drift']['float32']:.1g})",
        f"bytes per reduction over processes         {numbers['reduction_bytes']}",
        "",
        f"{'pairs':>14}{'hours on one such node':>26}{'on 100':>10}",
    ]
    for fleet in FLEETS:
        hours = fleet / rate(numbers) / 3600
        lines.append(f"{fleet:>14.0e}{hours:>26.2g}{hours / 100:>10.2g}")
    return "\n".join(lines)


LIGHT = "#B8B8B8"  # what an estimate is measured against is grey


def plot(numbers: dict[str, Any]) -> Figure:
    """Time per pair by what is done; memory over the number of pairs."""
    figure = Figure(figsize=(7, 2.9), layout="constrained")
    times, memory = figure.subplots(1, 2, width_ratios=(3, 2))
    names = list(numbers["clock"])
    for place, (name, colour) in enumerate(zip(names, (GREY, LIGHT, BLUE), strict=True)):
        per_pair = 1e3 * np.array(numbers["clock"][name]) / numbers["count"]
        times.barh(place, np.median(per_pair), color=colour, height=0.6)
        times.plot(per_pair, np.full(len(per_pair), place), "k|", ms=10)
    times.set_yticks(range(len(names)), names)
    times.invert_yaxis()
    times.grid(axis="y", visible=False)
    times.set(xlabel="time per pair (ms)")
    counts = sorted(map(int, numbers["memory"]))
    sizes = [numbers["memory"].get(str(n), numbers["memory"].get(n)) / 2**20 for n in counts]
    memory.barh(range(len(counts)), sizes, color=BLUE, height=0.6)
    memory.set_yticks(range(len(counts)), [f"{n:,} pairs" for n in counts])
    memory.invert_yaxis()
    memory.grid(axis="y", visible=False)
    memory.set(xlabel="peak memory (MiB)")
    return figure


EXPERIMENT = common.Experiment(
    stem="fleet",
    question="What does one blur from very many pairs cost, against decoding and two FFTs?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "size": 64,
        "distinct": 16,
        "count": 48,
        "rounds": 1,
        "counts": (16, 32),
        "additions": 1000,
    },
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
