"""What only a process of its own can show: effect of its memory's layout, start-up time, peak."""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from experiments.shared.cropped_pairs import cropped_pairs
from experiments.shared.processes import run_python

ADDITION = "import jax; jax.jit(lambda x: x + 1)(1.0).block_until_ready()"
# Resident memory before the images exist, and its peak after the fit, compiler included. getrusage
# would give the peak of the parent process where that was larger.
PEAK = """
import json, re, sys
import jax, numpy as np
from gaussjax import fit_gauss_newton, pair_spectra
jax.block_until_ready(jax.jit(lambda x: x + 1)(np.float32(1)))
def kilobytes(name):
    return int(re.search(name + r":\\s*(\\d+) kB", open("/proc/self/status").read())[1])
before = kilobytes("VmRSS")
size = int(sys.argv[1])
a = np.random.default_rng(0).standard_normal((size, size), np.float32)
b = (a + np.roll(a, 1, 0) + np.roll(a, 1, 1) + np.roll(a, (1, 1), (0, 1))) / 4
images = a.nbytes + b.nbytes
a, b = jax.device_put(a), jax.device_put(b)
fit = jax.jit(lambda a, b: fit_gauss_newton(pair_spectra(a, b)))
analysis = fit.lower(a, b).compile().memory_analysis()
jax.block_until_ready(fit(a, b))
grown = 1024 * (kilobytes("VmHWM") - before)
print(json.dumps({"images": images, "grown": grown, "buffers":
    analysis.temp_size_in_bytes + analysis.argument_size_in_bytes
    + analysis.output_size_in_bytes}))
"""
# Median seconds of one fit, called again and again.
TIMED = """
import sys
import numpy as np
from experiments.shared.cropped_pairs import cropped_pairs
from experiments.shared.stopwatch import on_device, seconds_in_turn
from experiments.speed.timed_fits import FITS
name, sigma = sys.argv[1], float(sys.argv[2])
size, seed, rounds = map(int, sys.argv[3:])
fit = FITS[name]
pair = cropped_pairs(size, sigma, np.random.default_rng(seed))[fit.noises[-1]]
print(seconds_in_turn({name: on_device(fit.fit, *pair)}, rounds)[1][name])
"""
# With this, malloc of glibc 2.35 or newer asks for huge pages; not every system grants them.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def afresh(work: Callable, *arguments: Any) -> Any:
    """What a function returns in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def cold_start(size: int, sigma: float, random: np.random.Generator, rounds: int) -> dict:
    """Seconds, by round: JAX's own start, the command's first run, and one with its cache full."""
    found: dict[str, list[float]] = {"one addition": [], "first run": [], "later run": []}
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("a.png", "b.png")]
        for name, image in zip(names, cropped_pairs(size, sigma, random)["no noise"], strict=True):
            levels = np.clip(32768 + 6000 * image, 0, 65535)  # five standard deviations
            Image.fromarray(np.rint(levels).astype(np.uint16)).save(name)
        command = ["-m", "gaussjax", "estimate", *names]
        for number in range(rounds):
            cache = os.path.join(folder, f"cache-{number}")
            found["one addition"].append(_seconds(["-c", ADDITION], cache))
            found["first run"].append(_seconds(command, cache))
            found["later run"].append(_seconds(command, cache))
    return found


def peak_memory(size: int) -> dict[str, int] | None:
    """Bytes of a periodic fit; None where the system does not tell (it takes Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    done = run_python(["-c", PEAK, str(size)], {})
    return json.loads(done.stdout)


def with_huge_pages(
    name: str, size: int, sigma: float, seed: int, rounds: int, processes: int
) -> dict[str, list[float]]:
    """Seconds of a fit, by process: as usual, and in turn with it on huge pages of memory."""
    arguments = ["-c", TIMED, name, *map(str, (sigma, size, seed, rounds))]
    found: dict[str, list[float]] = {"usual": [], "huge": []}
    for _ in range(processes):
        for kind, variables in (("usual", {}), ("huge", HUGE_PAGES)):
            found[kind].append(float(run_python(arguments, variables).stdout))
    return found


def _seconds(arguments: list[str], cache: str) -> float:
    start = time.perf_counter()
    run_python(arguments, {"GAUSSJAX_CACHE": cache})
    return time.perf_counter() - start
