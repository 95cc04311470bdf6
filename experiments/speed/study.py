"""What does an estimate cost? Time over the size of the image and of the batch, against two FFTs.

float32. The floor is the transform of both images by the quickest of SciPy (one worker and two) and
JAX. Everything is timed in turn, round after round, and medians are taken; what the first call
takes beyond them is compilation. Scenes are cropped, so that content leaks in. Medians differ from
process to process: several processes measure all of it, and the median over them is judged.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.cropped_pairs import cropped_pairs, cropped_patches
from experiments.shared.stopwatch import FLOORS, floors, on_device, seconds_in_turn
from experiments.speed.figure import plot
from experiments.speed.fresh_processes import afresh, cold_start, peak_memory, with_huge_pages
from experiments.speed.table import table
from experiments.speed.timed_fits import FITS, MAPPED, SEARCHES, SPECTRA, alone, passes, search
from gaussjax import estimate_blurs

SIGMA, PATCH_SIGMA = 2.0, 1.0  # px
MOST_MAPPED = 256  # pairs that `vmap` is given, too, beside `estimate_blurs`
LARGEST = {  # px per side, of what takes minutes beyond
    "estimate_blur, noise_std": 2048,
    "estimate_blur, full + gain + shift": 1024,
    **dict.fromkeys(SEARCHES, 1024),
}


def run(
    *,
    seed: int,
    sizes: Sequence[int] = (128, 256, 512, 1024, 2048, 4096),
    batches: Sequence[tuple[int, int]] = ((256, 64), (256, 32), (10_000, 32)),
    largest: Mapping[str, int] = LARGEST,
    rounds: int = 9,
    processes: int = 5,
    command: int = 512,
    starts: int = 9,
    memory: int = 4096,
    paged: Sequence[tuple[str, int]] = (("Gauss-Newton", 2048), ("estimate_blur, noise_std", 2048)),
) -> dict[str, Any]:
    """Seconds and errors by process, name, noise and size; of batches; of starts, and bytes."""
    return {
        "sigma": SIGMA,
        "sizes": sizes,
        "rounds": rounds,
        "processes": [
            afresh(one_process, sizes, largest, batches, rounds, seed)
            for _ in tqdm(range(processes), "processes", disable=None)
        ],
        "start": {
            "size": command,
            "seconds": cold_start(command, SIGMA, np.random.default_rng(seed), starts),
        },
        "memory": {"size": memory, "bytes": peak_memory(memory)},
        "pages": [
            {
                "fit": fit,
                "size": size,
                "seconds": with_huge_pages(fit, size, SIGMA, seed, rounds, processes),
            }
            for fit, size in paged
        ],
    }


def one_process(
    sizes: Sequence[int],
    largest: Mapping[str, int],
    batches: Sequence[tuple[int, int]],
    rounds: int,
    seed: int,
) -> dict[str, Any]:
    """What one process takes for single pairs and for batches; the same pairs in each."""
    random = np.random.default_rng(seed)
    return {
        "single": _singles(sizes, largest, rounds, random),
        "batches": [
            {"pairs": count, "size": size, **_batch(count, size, rounds, random)}
            for count, size in batches
        ],
    }


def _singles(
    sizes: Sequence[int], largest: Mapping[str, int], rounds: int, random: np.random.Generator
) -> dict[str, Any]:
    """Seconds by size, None beyond ``largest``: of floors by name, of the others by noise too."""
    names = {
        **{name: fit.noises for name, fit in FITS.items()},
        **dict.fromkeys(SEARCHES, ("1 % in B",)),
    }
    found: dict[str, Any] = {"floor": {name: [] for name in FLOORS}, "spectra": [], "passes": []}
    for part in ("seconds", "compile", "error"):
        found[part] = {n: {noise: [] for noise in noises} for n, noises in names.items()}
    for size in sizes:
        pairs = cropped_pairs(size, SIGMA, random)
        calls: dict[Any, Any] = dict(floors(pairs["no noise"]))
        calls["spectra"] = on_device(SPECTRA, *pairs["no noise"])
        calls["passes"] = on_device(passes, *pairs["no noise"], np.full((), SIGMA, "f4"))
        for name, noises in names.items():
            for noise in noises if size <= largest.get(name, size) else ():
                calls[name, noise] = (
                    on_device(FITS[name].fit, *pairs[noise])
                    if name in FITS
                    else partial(search, SEARCHES[name], pairs[noise])
                )
        first, times, results = seconds_in_turn(calls, rounds)
        for name in FLOORS:
            found["floor"][name].append(times[name])
        for name in ("spectra", "passes"):
            found[name].append(times[name])
        for name, noises in names.items():
            for noise in noises:
                key = name, noise
                error = None
                if key in results:
                    sigma = np.asarray(getattr(results[key], "sigma", results[key]))
                    error = float(np.max(np.abs(sigma / SIGMA - 1)))  # along the worse axis
                found["seconds"][name][noise].append(times.get(key))
                found["compile"][name][noise].append(first.get(key))
                found["error"][name][noise].append(error)
    return found


def _batch(count: int, size: int, rounds: int, random: np.random.Generator) -> dict[str, Any]:
    """Seconds of ``count`` pairs, the median error of those answered, and how many are not."""
    stacks = cropped_patches(size, count, PATCH_SIGMA, random)
    calls = {**floors(stacks), "estimate_blurs": on_device(estimate_blurs, *stacks)}
    if count <= MOST_MAPPED:
        calls["vmap"] = on_device(MAPPED, *stacks)
    _, times, results = seconds_in_turn(calls, rounds)
    sigma, status = (np.asarray(getattr(results["estimate_blurs"], n)) for n in ("sigma", "status"))
    analysis = jax.jit(estimate_blurs).lower(*stacks).compile().memory_analysis()
    return {
        "floor": {name: times[name] for name in FLOORS},
        "seconds": times["estimate_blurs"],
        "mapped": times.get("vmap"),
        "error": float(np.median(np.abs(sigma[status == 0] / PATCH_SIGMA - 1))),
        "refused": int(np.sum(status != 0)),
        "temporary_bytes": analysis and analysis.temp_size_in_bytes,
        "image_bytes": sum(stack.nbytes for stack in stacks),
    }


EXPERIMENT = common.Experiment(
    stem="speed",
    question="What does an estimate cost, against two FFTs?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "sizes": (64, 128),
        # What takes seconds to compile, and is a fit like the others.
        "largest": {
            "estimate_blur, full + gain + shift": 64,
            "Gauss-Newton": 64,
            "estimate_blur, noise_std": 64,
            **{alone(name): 0 for name in FITS},
        },
        "batches": ((4, 32),),
        "rounds": 1,
        "processes": 1,
        "command": 64,
        "starts": 1,
        "memory": 64,
        "paged": (("closed form", 64),),
    },
)
