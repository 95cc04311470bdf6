"""The experiment of the answer that proposed nonlinear least squares, for every estimator.

200 x 200 px of uniform noise, sigma uniform in (0.001, 25) px, a sampled kernel of radius
ceil(5 sigma), the edge pixels repeated beyond the frame, 50 experiments, iterative fits started at
the upper bound. Below sigma 0.15 px a sampled kernel is a delta to within rounding: there "not
identifiable" is a right answer, counted on its own.

Source: https://dsp.stackexchange.com/questions/49121
"""

import time
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from experiments.seed_protocol.figure import plot
from experiments.seed_protocol.table import table
from experiments.shared import common
from experiments.shared.estimators import Estimator, Setting, front_door, scipy_fit, spectral_fits

SIZE = 200  # px
LEAST, MOST = 0.001, 25.0  # px
SETTING = Setting(truncate=5.0, initial=MOST, upper=MOST)
BATCH = 5  # experiments that a fit mapped by vmap takes at once


def seed_radius(sigma):
    """The radius in px that the answer's code takes, where SciPy's rounds 5 sigma."""
    return jnp.ceil(5 * sigma)


def run(*, seed: int, count: int = 50) -> dict[str, Any]:
    """All estimates of all experiments, px, in the order of the experiments."""
    random = np.random.default_rng(seed)
    references = random.random((count, SIZE, SIZE))
    sigmas = random.uniform(LEAST, MOST, count)
    blurreds = np.stack(
        [
            ndimage.gaussian_filter(image, sigma, mode="nearest", radius=int(np.ceil(5 * sigma)))
            for image, sigma in zip(references, sigmas, strict=True)
        ]
    )
    batches = [slice(first, first + BATCH) for first in range(0, count, BATCH)]
    answers = {}
    for name, estimator in estimators().items():
        estimator(references[:BATCH], blurreds[:BATCH])  # compiles
        start = time.perf_counter()
        found = [estimator(references[b], blurreds[b]) for b in tqdm(batches, name, disable=None)]
        answers[name] = {
            "milliseconds_per_pair": 1e3 * (time.perf_counter() - start) / count,
            "sigma": np.concatenate([sigma for sigma, _ in found]),
            "status": np.concatenate([status for _, status in found]),
        }
    return {"size": SIZE, "sigma": sigmas, "answers": answers}


def estimators() -> dict[str, Estimator]:
    """What is compared; the name begins with what is done about the edge of the frame."""
    # Mapped over a batch, a padded frame is extended for wide blurs only where bounds ask for it.
    options = {
        "boundary": "nearest",
        "initial": SETTING.initial,
        "bounds": (0, SETTING.upper),
    }
    return {
        "nearest: estimate_blur": front_door(radius=seed_radius, **options),
        "nearest: same, SciPy's radius": front_door(truncate=SETTING.truncate, **options),
        "nearest: SciPy": scipy_fit(SETTING, mode="nearest"),
        "interior: estimate_blur": front_door(radius=seed_radius, initial=SETTING.initial),
        **spectral_fits(SETTING),
    }


EXPERIMENT = common.Experiment(
    stem="seed_protocol",
    question="How do the estimators fare in the fifty experiments of the first answer?",
    run=run,
    table=table,
    plot=plot,
    smoke={"count": 2},
)
