"""What do images of many shapes cost, each with a program of its own or in a few buckets?

``python -m experiments.shapes`` estimates the blur of pairs of random shapes one after the other,
in one process that keeps no programs on disk: once as they are, once with ``buckets=True``. It
prints programs, CPU seconds, the times of both in turn, and how far apart the estimates are.
"""

import argparse
import time
from typing import Any

import jax
import numpy as np

import gaussjax as gj
from experiments.shared.cropped_pairs import cropped_patches
from gaussjax.model.options import KernelName

SIGMAS = 0.7, 1.5, 3.0  # px
ROUNDS = 7
COMPILED = "/jax/core/compile/backend_compile_duration"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=50, help="number of shapes")
    parser.add_argument("--sides", type=int, nargs=2, default=(100, 300), help="px, least and most")
    parser.add_argument("--kernel", default="continuous")
    options = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    programs = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            programs.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    pairs, found = cut_pairs(options), {}
    for buckets in (False, True):
        programs.clear()
        began = time.process_time()
        found[buckets] = [estimate(pair, options.kernel, buckets) for pair in pairs]
        found[buckets, "cost"] = len(programs), time.process_time() - began
    report(found, [seconds(pair, options.kernel) for pair in pairs])


def cut_pairs(options: argparse.Namespace) -> list[tuple[np.ndarray, np.ndarray]]:
    """Corners of random shapes of patches of a random scene, with 1 % of noise in B; float32."""
    random, largest = np.random.default_rng(options.seed), max(options.sides)
    count = -(-options.count // len(SIGMAS))
    stacks = [cropped_patches(largest, count, sigma, random) for sigma in SIGMAS]
    shapes = random.integers(min(options.sides), largest + 1, (options.count, 2))
    pairs = []
    for number, (rows, columns) in enumerate(shapes):
        which, k = stacks[number % len(SIGMAS)], number // len(SIGMAS)
        pairs.append(tuple(np.ascontiguousarray(stack[k, :rows, :columns]) for stack in which))
    return pairs


def estimate(pair, kernel: KernelName, buckets: bool) -> Any:
    """The estimate, in NumPy's numbers."""
    return jax.device_get(gj.estimate_blur(*pair, kernel=kernel, buckets=buckets))


def seconds(pair, kernel: KernelName) -> list[float]:
    """Of an estimate by the own shape and in its bucket, CPU, medians of runs in turn."""
    rounds = []
    for _ in range(ROUNDS):
        times = [time.process_time()]
        for buckets in (False, True):
            estimate(pair, kernel, buckets)
            times.append(time.process_time())
        rounds.append(np.diff(times))
    return list(np.median(rounds, axis=0))


def report(found: dict, runs: list[list[float]]) -> None:
    """Print."""
    (many, own), (few, in_buckets) = found[False, "cost"], found[True, "cost"]
    saved = f"{own:.1f} s -> {in_buckets:.1f} s: {in_buckets / own:.2f}"
    print(f"programs {many} -> {few}; CPU {saved}")
    ratio, total = np.divide(*np.transpose(runs)[::-1]), np.sum(runs, axis=0)
    print(
        f"CPU of a run over own shapes: mean {ratio.mean():.2f}, {ratio.min():.2f} to"
        f" {ratio.max():.2f}; all runs {total[1] / total[0]:.2f}"
    )
    apart, bars, judged = [], [], 0
    for one, other in zip(found[False], found[True], strict=True):
        apart.append(abs(other.sigma - one.sigma) / one.sigma_standard_error)
        bars.append(abs(other.sigma_standard_error / one.sigma_standard_error - 1))
        same = one.status == other.status and one.adequacy.verdict == other.adequacy.verdict
        judged += same and one.adequacy.cause == other.adequacy.cause
    print(
        f"sigmas apart: median {np.median(apart):.1e}, at most {max(apart):.1e} error bars; error"
        f" bars: median {np.median(bars):.1e}, at most {max(bars):.1e} of themselves; status,"
        f" verdict and cause alike {judged} of {len(apart)}"
    )


if __name__ == "__main__":
    main()
