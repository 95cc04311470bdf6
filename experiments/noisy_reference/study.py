"""Noise in both images: five ways to treat the noise of the reference, by sigma and level.

Crops of photographs that ``scipy.ndimage.gaussian_filter`` blurred as a larger scene, with white
noise added to A and to B. A fit that assumes noise in B only takes the noise of A for detail that
the blur has removed, and so finds too wide a blur. A right answer is antisymmetric: exchanging the
images negates the variance.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from experiments.noisy_reference.figure import plot
from experiments.noisy_reference.table import table
from experiments.shared import common
from experiments.shared.estimators import hann_spectra
from experiments.shared.photographs import CROP, PHOTOGRAPHS, middle, scene
from gaussjax import BlurEstimate, estimate_blur
from gaussjax.spectra.frequency_ratio import weighted_ratio_fit

# Standard deviations of the noise in A and in B, over that of A.
NOISES = ((0.05, 0.025), (0.1, 0.05), (0.2, 0.1), (0.05, 0.002))


def front_door(reference, blurred, noise_std) -> BlurEstimate:
    """With the kernel convention of SciPy."""
    return estimate_blur(reference, blurred, kernel="sampled", noise_std=noise_std)


def first_ratio(reference, blurred, levels) -> BlurEstimate:
    """H1 = C / P: right where all the noise is in B."""
    return weighted_ratio_fit(hann_spectra(reference, blurred), False)


def second_ratio(reference, blurred, levels) -> BlurEstimate:
    """H2 = Q / C*, which is one over the H1 of the swapped pair: all the noise in A."""
    return weighted_ratio_fit(hann_spectra(reference, blurred), True)


# Each from A, B and their two levels of noise.
ESTIMATORS: dict[str, Callable[..., BlurEstimate]] = {
    "noise in B assumed": lambda a, b, levels: front_door(a, b, None),
    "noise of both given": lambda a, b, levels: front_door(a, b, (levels[0], levels[1])),
    "noise of both estimated": lambda a, b, levels: front_door(a, b, "estimate"),
    "H1, Hann window": first_ratio,
    "H2, Hann window": second_ratio,
}


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    sigmas: Sequence[float] = (0.7, 1.0, 2.0, 4.0),
    noises: Sequence[tuple[float, float]] = NOISES,
    draws: int = 8,
) -> dict[str, Any]:
    """All answers, each of shape [noise, sigma, photograph, draw]; lengths in px.

    "swapped" are the sigmas of the swapped pairs, of the first draw.
    """
    random = np.random.default_rng(seed)
    scenes = [scene(name) for name in photographs]
    pairs = [
        noisy_pair(image, sigma, noise, random)
        for noise in noises
        for sigma in sigmas
        for image in scenes
        for _ in range(draws)
    ]
    true = np.repeat(np.tile(sigmas, len(noises)), len(scenes) * draws)
    shape = (len(noises), len(sigmas), len(scenes), draws)
    return {
        "crop": CROP,
        "noises": noises,
        "sigmas": sigmas,
        "photographs": photographs,
        "draws": draws,
        "answers": {name: answer(name, pairs, true, shape) for name in ESTIMATORS},
    }


def noisy_pair(
    image: np.ndarray, sigma: float, noise: tuple[float, float], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A and B with their noise, and its two standard deviations."""
    reference, blurred = middle(image), middle(ndimage.gaussian_filter(image, sigma))
    levels = np.array(noise) * reference.std()
    white = random.standard_normal((2, *reference.shape))
    return reference + levels[0] * white[0], blurred + levels[1] * white[1], levels


def answer(name: str, pairs: list, true: np.ndarray, shape: tuple[int, ...]) -> dict[str, Any]:
    """One estimator's answers to all pairs, and its time per pair."""

    @jax.jit
    def estimate(reference, blurred, levels):
        found = ESTIMATORS[name](reference, blurred, levels)
        return found.sigma, found.sigma_standard_error, *found.interval(), found.status

    jax.block_until_ready(estimate(*pairs[0]))  # compiles
    start = time.perf_counter()
    found = [[float(value) for value in estimate(*p)] for p in tqdm(pairs, name, disable=None)]
    seconds = time.perf_counter() - start
    sigma, error, low, high, status = np.array(found).T
    # Of the first draw alone.
    swapped = [float(estimate(b, a, levels[::-1])[0]) for a, b, levels in pairs[:: shape[-1]]]
    return {
        "milliseconds_per_pair": 1e3 * seconds / len(pairs),
        "sigma": common.six_digits(sigma).reshape(shape),
        "swapped": common.six_digits(swapped).reshape(shape[:-1]),
        "standard_error": common.six_digits(error).reshape(shape),
        "covered": ((low <= true) & (true <= high)).astype(int).reshape(shape),
        "status": status.astype(int).reshape(shape),
    }


EXPERIMENT = common.Experiment(
    stem="noisy_reference",
    question="What does noise in the reference do, and which estimator corrects it?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "photographs": ("camera", "coffee"),
        "sigmas": (0.7, 2.0),
        "noises": ((0.2, 0.1),),
        "draws": 2,
    },
)
