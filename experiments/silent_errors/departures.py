"""Departures from what the estimator assumes, each at several strengths: does it notice?

Frames of 192 x 176 px, 1 % noise in B; no options. The truth is the sigma without the departure.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.silent_errors.blurs import gaussian, shifted
from experiments.silent_errors.pairs import Pair, Random, between, frame, noisy, whole_scene
from experiments.silent_errors.scenes import photograph

SHAPE = (192, 176)
NOISE = 0.01  # in B, of the contrast
SIGMAS = (1.0, 3.0)  # px
FAR = 2.5  # sigma of a halo over that of its core


@dataclass(frozen=True)
class Departure:
    """One way to depart, and how far.

    Attributes:
        unit: of the strengths.
        strengths: from none to one that nobody should miss.
        make: A and B without noise, as whole scenes, from (generator, scene, sigma, strength).
    """

    unit: str
    strengths: tuple[float, ...]
    make: Callable[[Random, np.ndarray, float, float], tuple[np.ndarray, np.ndarray]]

    def pair(self, random: Random, strength: float) -> Pair:
        scene, sigma = whole_scene(random, SHAPE, photograph), between(random, *SIGMAS)
        level = NOISE * frame(scene)[0].std()
        reference, blurred = frame(*self.make(random, scene, sigma, strength))
        return Pair(reference, noisy(random, blurred, level), sigma).in_single_precision()


def halo(random: Random, scene: np.ndarray, sigma: float, percent: float):
    share = percent / 100
    return scene, (1 - share) * gaussian(scene, sigma) + share * gaussian(scene, FAR * sigma)


def shift(random: Random, scene: np.ndarray, sigma: float, length: float):
    angle = random.uniform(0, 2 * np.pi)
    return scene, shifted(gaussian(scene, sigma), (length * np.sin(angle), length * np.cos(angle)))


def offset(random: Random, scene: np.ndarray, sigma: float, percent: float):
    return scene, gaussian(scene, sigma) + percent / 100 * frame(scene)[0].std()


def noise_in_reference(random: Random, scene: np.ndarray, sigma: float, percent: float):
    level = percent / 100 * frame(scene)[0].std()
    return noisy(random, scene, level), gaussian(scene, sigma)


DEPARTURES = {
    "halo": Departure("% of the light", (0, 0.3, 1, 3, 10), halo),
    "shift": Departure("px", (0, 0.01, 0.03, 0.1, 0.3, 1), shift),
    "offset": Departure("% of the contrast", (0, 0.3, 1, 3, 10, 30), offset),
    "noise in A": Departure("% of the contrast", (0, 1, 3, 10, 30), noise_in_reference),
}
