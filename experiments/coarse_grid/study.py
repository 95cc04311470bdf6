"""How well is sigma found between a fine reference and a coarse image, and at what cost?

Without noise: the error of sigma over ratios, blurs and scenes. With noise in the coarse image and
a gain, an offset and a shift beside the blur: scatter of sigma and shift over their Cramer-Rao
bounds, and how often intervals hold the truth. Against what is done today: the coarse image
enlarged by a cubic spline. And the time, against a pair on one grid.
"""

import time
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import jax
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from experiments.coarse_grid.figure import plot
from experiments.coarse_grid.scenes import GAIN, OFFSET, SHIFT, Waves, bounds
from experiments.coarse_grid.table import table
from experiments.shared import common
from gaussjax import BlurEstimate, Verdict, estimate_blur
from gaussjax.model.options import Pixel

RATIOS = ("2", "3", "4", "8", "3/2", "5/2")
SIGMAS = (0.7, 1.0, 2.0, 4.0, 8.0)
LEAST_OF_SAMPLES = 2.0  # fine px: samples of a narrower blur ring at the edges
SIZE = 88  # coarse px


def run(
    *,
    seed: int,
    ratios: Sequence[str] = RATIOS,
    sigmas: Sequence[float] = SIGMAS,
    scenes: Sequence[str] = ("random", "camera", "gravel"),
    noises: Sequence[float] = (0.01, 0.05),
    noisy_sigmas: Sequence[float] = (1.0, 4.0),
    pixels: Sequence[Pixel] = ("area", "point"),
    draws: int = 24,
    timed: Sequence[int] = (512,),
) -> dict[str, Any]:
    """Rows of every part, as columns."""
    exact, noisy, enlarged = [], [], []
    for text in tqdm(ratios, "ratios", disable=None):
        ratio = Fraction(text)
        # A ratio has the same draws whichever others there are.
        random = np.random.default_rng([seed, ratio.numerator, ratio.denominator])
        seen = {name: Waves.of(name, ratio, SIZE, random) for name in scenes}
        for pixel in pixels:
            estimate = jax.jit(partial(estimate_blur, sampling=float(ratio), pixel=pixel))
            for name, waves in seen.items():
                for sigma in sigmas:
                    if fits(ratio, sigma) and (pixel == "area" or sigma >= LEAST_OF_SAMPLES):
                        found = estimate(waves.fine, waves.coarse(sigma, pixel))
                        row = {"ratio": text, "pixel": pixel, "scene": name, "true": sigma}
                        exact.append(
                            row | {"sigma": float(found.sigma), "status": int(found.status)}
                        )
        for sigma in noisy_sigmas:
            for level in noises if fits(ratio, sigma) else ():
                row = {"ratio": text, "true": sigma, "noise": level}
                noisy.append(row | noisy_cell(seen[scenes[0]], sigma, level, draws, random))
        if ratio == 4:
            enlarged = [
                {"scene": name, "true": sigma} | enlarged_cell(waves, sigma, random)
                for name, waves in seen.items()
                for sigma in sigmas
                if fits(ratio, sigma)
            ]
    parts = {"exact": exact, "noisy": noisy, "enlarged": enlarged}
    found = {name: common.columns(rows) if rows else {} for name, rows in parts.items()}
    return {"size": SIZE, "draws": draws, **found, "cost": [cost(size, seed) for size in timed]}


def fits(ratio: Fraction, sigma: float) -> bool:
    """Half of the coarse image is left to compare."""
    return 4 * sigma + 3 < 0.22 * SIZE * ratio


def noisy_cell(
    waves: Waves, sigma: float, level: float, draws: int, random: np.random.Generator
) -> dict[str, Any]:
    """Errors of many draws over their bounds: root mean squares, coverage and doubts."""
    options = {"gain": True, "offset": True, "shift": True}
    estimate = partial(estimate_blur, waves.fine, sampling=float(waves.ratio), **options)
    clean = waves.coarse(sigma, "area", SHIFT, GAIN, OFFSET)
    level = level * float(np.std(clean))
    stack = clean + level * random.standard_normal((draws, *clean.shape))
    found = jax.device_get(jax.jit(partial(jax.lax.map, estimate))(stack))
    # As many pixels per axis are compared as the root of all.
    margin = int((SIZE - found.num_pixels[0] ** 0.5) / 2)
    bound = bounds(waves, sigma, level, margin)
    low, high = found.interval()
    errors = np.column_stack([found.sigma - sigma, found.params.shift - np.array(SHIFT)])
    deviations = 1.96 * found.standard_error.shift
    return {
        "bound": bound,
        "rms": np.sqrt(np.mean(errors**2, axis=0)) / bound,
        "cover": np.mean((low <= sigma) & (sigma <= high)),
        "shift_cover": np.mean(np.abs(errors[:, 1:]) <= deviations),
        "explained": np.mean(found.adequacy.verdict == Verdict.EXPLAINED),
        "estimated": np.mean(found.status == 0),
    }


def enlarged_cell(waves: Waves, sigma: float, random: np.random.Generator) -> dict[str, Any]:
    """What the coarse image says once it was enlarged, with 1 % noise; as users do it today."""
    fine, coarse = waves.fine, waves.coarse(sigma)
    coarse = coarse + 0.01 * np.std(coarse) * random.standard_normal(coarse.shape)
    ratio = float(waves.ratio)
    by_hand = np.asarray(ndimage.zoom(coarse, ratio, order=3, mode="nearest", grid_mode=True))
    one_grid, two_grids = estimate_blur(fine, by_hand), estimate_blur(fine, coarse, sampling=ratio)
    assert one_grid.adequacy is not None
    return {"by_hand": float(one_grid.sigma), "two_grids": float(two_grids.sigma)} | {
        "doubted": int(one_grid.adequacy.verdict) != Verdict.EXPLAINED,
        "bars_off": bars_off(one_grid, sigma),
    }


def bars_off(found: BlurEstimate, sigma: float) -> float:
    """Error in half widths of the interval over 1.96: error bars of noise and model."""
    low, high = found.interval()
    side = high - found.sigma if found.sigma < sigma else found.sigma - low
    return abs(float(found.sigma) - sigma) / float(side / 1.96)


def cost(size: int, seed: int) -> dict[str, Any]:
    """CPU seconds of an estimate on two grids and on one of the fine size, in turn."""
    waves = Waves.of("random", Fraction(4), size // 4, np.random.default_rng(seed))
    fine, coarse = np.float32(waves.fine), np.float32(waves.coarse(2.0))
    blurred = np.float32(Waves(waves.spectrum, Fraction(1), size).coarse(2.0))
    options = {
        "sigma": {},
        "sigma, gain, offset, shift": {"gain": True, "offset": True, "shift": True},
    }
    found = {}
    for name, extra in options.items():
        calls = {
            "two": partial(estimate_blur, fine, coarse, sampling=4, **extra),
            "one": partial(estimate_blur, fine, blurred, **extra),
        }
        times: dict[str, list[float]] = {key: [] for key in calls}
        for _ in range(8):
            for key, call in calls.items():
                start = time.process_time()
                jax.block_until_ready(call().sigma)
                times[key].append(time.process_time() - start)
        # The first call compiles.
        found[name] = {key: float(np.median(each[1:])) for key, each in times.items()}
    return {"size": size, "seconds": found}


EXPERIMENT = common.Experiment(
    stem="coarse_grid",
    question="A on a fine grid, B on a coarse one: how well is sigma found?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "ratios": ("4",),
        "sigmas": (2.0,),
        "scenes": ("random",),
        "noises": (0.01,),
        "noisy_sigmas": (2.0,),
        "pixels": ("area",),
        "draws": 4,
        "timed": (),
    },
)
