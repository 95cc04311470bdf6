"""Compare the estimators on real photographs, with a known blur and with none that is Gaussian.

Known: crops of a larger scene that ``scipy.ndimage.gaussian_filter`` blurred, so that content leaks
in over the edge, with white noise in B. Unknown: B is made in other ways, and the misfit that the
fitted Gaussian leaves between A and B is compared with the least that any Gaussian leaves.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from experiments.compare_estimators.cells import Cell, known_cell, merge, unknown_cell
from experiments.compare_estimators.figure import plot
from experiments.compare_estimators.table import table
from experiments.shared import common
from experiments.shared.degradations import DEGRADATIONS
from experiments.shared.estimators import Estimator, Setting, front_door, scipy_fit, spectral_fits
from experiments.shared.photographs import CROP, PHOTOGRAPHS, scene
from experiments.shared.scipy_reference import gaussian_residual, mean_absolute, root_mean_square

SETTING = Setting(truncate=4.0, initial=1.0, upper=12.0)
# px from the edge, beyond which no blur up to the upper bound sees what is outside the frame.
COMMON_MARGIN = int(SETTING.truncate * SETTING.upper + 0.5)


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    sigmas: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0),
    noises: Sequence[float] = (0.0, 0.01, 0.05),
    degradations: Sequence[str] = tuple(DEGRADATIONS),
    draws: int = 2,
) -> dict[str, Any]:
    """All estimates of all pairs, as lists; lengths in px, noise relative to the image's std."""
    scenes = {name: scene(name) for name in photographs}
    random = np.random.default_rng(seed)
    known = [
        known_cell(scenes, sigma, noise, random)
        for sigma in sigmas
        for noise in noises
        for _ in range(draws if noise else 1)
    ]
    unknown = [
        unknown_cell(scenes, kind, upper=SETTING.upper, margin=COMMON_MARGIN)
        for kind in tqdm(degradations, "best Gaussians by search", disable=None)
    ]
    compared = estimators()
    return {
        "crop": CROP,
        "margin": COMMON_MARGIN,
        "setting": vars(SETTING),
        "known": merge(known),
        "unknown": merge(unknown),
        "answers": {name: answer(name, compared[name], known, unknown) for name in compared},
    }


def estimators() -> dict[str, Estimator]:
    """What is compared; the name begins with what is done about the edge of the frame."""
    return {
        "interior: estimate_blur": front_door(),
        "interior: same in float32": front_door("float32"),
        "interior: SciPy": scipy_fit(SETTING, interior_only=True),
        "reflect: SciPy": scipy_fit(SETTING),
        **spectral_fits(SETTING),
    }


def answer(
    name: str, estimator: Estimator, known: list[Cell], unknown: list[Cell]
) -> dict[str, Any]:
    """One estimator's answers to all cells, and its time per pair of known blur."""
    estimator(known[0].references, known[0].blurreds)  # compiles
    start = time.perf_counter()
    found = [estimator(cell.references, cell.blurreds) for cell in tqdm(known, name, disable=None)]
    seconds = time.perf_counter() - start
    fitted = [estimator(cell.references, cell.blurreds) for cell in unknown]
    residuals = [
        gaussian_residual(reference, blurred, sigma, COMMON_MARGIN)
        for cell, (sigmas, _) in zip(unknown, fitted, strict=True)
        for reference, blurred, sigma in zip(cell.references, cell.blurreds, sigmas, strict=True)
    ]
    return {
        "milliseconds_per_pair": 1e3 * seconds / sum(len(cell.references) for cell in known),
        "known_sigma": np.concatenate([sigma for sigma, _ in found]),
        "known_status": np.concatenate([status for _, status in found]),
        "unknown_sigma": np.concatenate([sigma for sigma, _ in fitted]),
        "unknown_status": np.concatenate([status for _, status in fitted]),
        "unknown_rms": [root_mean_square(residual) for residual in residuals],
        "unknown_mean_absolute": [mean_absolute(residual) for residual in residuals],
    }


EXPERIMENT = common.Experiment(
    stem="compare_estimators",
    question="Which estimator is right on real photographs, and which is near the bound?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "photographs": ("camera",),
        "sigmas": (1.0, 4.0),
        "noises": (0.0, 0.01),
        "degradations": ("disk 3", "JPEG 20"),
        "draws": 1,
    },
)
