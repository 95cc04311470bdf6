"""What does the first call cost? Kernels and seconds of compilation, and whole cold processes.

Prints a table: ``python -m experiments.compilation``. Every path is compiled in a process of its
own, so that no tracing of another helps it. A kernel is what the CPU's runtime starts by itself: a
fusion, a transform, a product of matrices, a sum. Cold processes import, estimate once and end, in
turn with one that compiles an addition.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable

import jax
import numpy as np

from experiments.shared.cropped_pairs import cropped_pairs
from experiments.shared.processes import run_python
from gaussjax import estimate_blur, fit_frequency_ratio, fit_gauss_newton, pair_spectra

SIGMA, SIZE = 2.0, 256
OPTIONS: dict[str, dict] = {
    "default": {},
    "noise given": {"noise_std": (0.1, 0.1)},
    "noise estimated": {"noise_std": "estimate"},
    "full + gain + shift": {"family": "full", "gain": True, "shift": True},
    "sampled kernel": {"kernel": "sampled"},
}
PATHS: dict[str, Callable] = {
    name: lambda a, b, options=options: estimate_blur(a, b, **options)
    for name, options in OPTIONS.items()
}
PATHS["closed form"] = lambda a, b: fit_frequency_ratio(pair_spectra(a, b))
PATHS["Gauss-Newton"] = lambda a, b: fit_gauss_newton(pair_spectra(a, b))

KERNELS = "fusion|fft|dot|custom-call|reduce|reduce-window|sort|scatter|gather|transpose"
ADDITION = "import jax; jax.jit(lambda x: x + 1)(1.0).block_until_ready()"
ESTIMATE = """
import sys
import numpy as np
import gaussjax
if len(sys.argv) > 3:
    import jax
    jax.config.update("jax_compilation_cache_dir", sys.argv[3])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
a, b = np.load(sys.argv[1])
np.asarray(gaussjax.estimate_blur(a, b, **eval(sys.argv[2])).sigma)
"""


def kernels(program: str) -> Counter[str]:
    """Numbers of kernels by kind in the text of a compiled program."""
    found: Counter[str] = Counter()
    inside = ""
    for line in program.splitlines():
        if begin := re.match(r"(?:ENTRY )?%?([\w.\-]+) .*\{$", line):
            inside = begin[1]
        elif "fused" not in inside and (kind := re.search(rf"= .*? ({KERNELS})\(", line)):
            found[kind[1]] += 1
    return found


def compiled_once(path: str, size: int) -> dict:
    """Kernels of a path's program, and CPU seconds to trace, lower and compile it."""
    a, b = _pair(size)
    program = jax.jit(PATHS[path])
    times = [time.process_time()]
    stage = program
    for step in (lambda x: x.trace(a, b), lambda x: x.lower(), lambda x: x.compile()):
        stage = step(stage)
        times.append(time.process_time())
    found = kernels(stage.as_text())
    trace, lower, compilation = np.diff(times)
    return {
        "path": path,
        "fusions": found["fusion"],
        "kernels": found.total(),
        "trace": trace,
        "lower": lower,
        "compile": compilation,
    }


def cold_processes(size: int, rounds: int) -> dict[str, float]:
    """Wall time of one estimate in a new process over that of an addition, medians of rounds."""
    with tempfile.TemporaryDirectory() as folder:
        pair, cache = f"{folder}/pair.npy", f"{folder}/programs"
        np.save(pair, _pair(size))
        runs = {"addition": ["-c", ADDITION]}
        for name, options in OPTIONS.items():
            runs[name] = ["-c", ESTIMATE, pair, repr(options)]
        runs["default, kept programs"] = [*runs["default"], cache]
        _seconds(runs["default, kept programs"])
        seconds = {name: [] for name in runs}
        for _ in range(rounds):
            for name, arguments in runs.items():
                seconds[name].append(_seconds(arguments))
    medians = {name: float(np.median(each)) for name, each in seconds.items()}
    base = medians.pop("addition")
    return {name: each / base for name, each in medians.items()}


def _seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    run_python(arguments, {"XLA_FLAGS": ""})
    return time.perf_counter() - start


def _pair(size: int) -> tuple[np.ndarray, np.ndarray]:
    pair = cropped_pairs(size, SIGMA, np.random.default_rng(0))["1 % in B"]
    return pair[0].astype(np.float32), pair[1].astype(np.float32)


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=SIZE, help="px per side (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="cold processes (%(default)s)")
    parser.add_argument("--path", choices=PATHS, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.path:
        print(json.dumps(compiled_once(chosen.path, chosen.size)))
        return
    print(f"{'path':20} fusions kernels  trace  lower  compile (CPU seconds)")
    for path in PATHS:
        command = ["-m", "experiments.compilation", "--path", path, "--size", str(chosen.size)]
        row = json.loads(run_python(command, {}).stdout)
        print(
            "{path:20} {fusions:7} {kernels:7} {trace:6.2f} {lower:6.2f} {compile:8.2f}".format(
                **row
            )
        )
    for name, ratio in cold_processes(chosen.size, chosen.rounds).items():
        print(f"cold process, {name}: {ratio:.2f} times one that compiles an addition")


if __name__ == "__main__":
    sys.exit(main())
