"""Pairs that no Gaussian made: other kernel shapes, filters, blurs that vary over the frame.

The truth is the Gaussian that comes nearest without noise, one or, where no single one was asked
for, that of every axis.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from experiments.shared.degradations import bicubic
from experiments.silent_errors.blurs import (
    best_gaussian,
    convolved,
    gaussian,
    radii,
    rotated_gaussian,
    shifted,
)
from experiments.silent_errors.pairs import (
    LARGE,
    MEDIUM,
    PAD,
    Kind,
    Pair,
    Random,
    between,
    frame,
    noisy,
    whole_scene,
)

REACH = 20  # px of the kernels that are written down
WIDEST = 8.0  # px, of the nearest Gaussian

Filter = Callable[[Random, np.ndarray], np.ndarray]


def nearest(random: Random, make: Filter) -> Pair:
    """What a filter makes of a scene, with 0.1 to 3 % noise."""
    scene = whole_scene(random, (MEDIUM, LARGE)[random.integers(2)])
    soft = make(random, scene)
    reference, blurred = frame(scene, soft)
    level = between(random, 1e-3, 0.03) * reference.std()
    truth = best_gaussian(scene, soft, PAD, upper=WIDEST)
    return Pair(reference, noisy(random, blurred, level), truth)


def disk(random: Random, scene: np.ndarray) -> np.ndarray:
    """A defocused lens; its rim is as wide as a pixel."""
    return convolved(scene, np.clip(random.uniform(1, 4.5) + 0.5 - radii(REACH), 0, 1))


def moffat(random: Random, scene: np.ndarray) -> np.ndarray:
    """The long exposure of a star through air."""
    width, exponent = random.uniform(1, 2.5), random.uniform(2.2, 5)
    return convolved(scene, (1 + (radii(REACH) / width) ** 2 / exponent) ** -exponent)


def exponential(random: Random, scene: np.ndarray) -> np.ndarray:
    """A kernel with a cusp and long wings."""
    return convolved(scene, np.exp(-radii(REACH) / random.uniform(0.5, 2)))


def boxes(random: Random, scene: np.ndarray) -> np.ndarray:
    """Three running means along each axis in place of a Gaussian, as Pillow has it."""
    radius = 0.5 * (np.sqrt(4 * random.uniform(0.8, 3) ** 2 + 1) - 1)
    box = np.clip(radius + 1 - np.abs(np.arange(-REACH, REACH + 1)), 0, 1)
    for axis in (0, 1):
        for _ in range(3):
            scene = ndimage.convolve1d(scene, box / box.sum(), axis=axis)
    return scene


def halo(random: Random, scene: np.ndarray) -> np.ndarray:
    """A share of the light is scattered three times as far."""
    sigma, share = between(random, 0.8, 2.5), between(random, 0.01, 0.1)
    return (1 - share) * gaussian(scene, sigma) + share * gaussian(scene, 3 * sigma)


def ghost(random: Random, scene: np.ndarray) -> np.ndarray:
    """A weaker second image beside the first."""
    soft, share = gaussian(scene, between(random, 0.8, 3)), between(random, 0.01, 0.2)
    return (1 - share) * soft + share * shifted(soft, random.uniform(-8, 8, 2))


def motion(random: Random, scene: np.ndarray) -> np.ndarray:
    """A straight line of 2 to 9 px, and a narrow Gaussian."""
    angle, half = random.uniform(0, np.pi), random.uniform(1, 4.5)
    places = np.linspace(-half, half, 31)[:, None, None]
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    distance = (y - places * np.sin(angle)) ** 2 + (x - places * np.cos(angle)) ** 2
    return convolved(scene, np.exp(-0.5 * distance / 0.7**2).sum(axis=0))


def elongated(random: Random, scene: np.ndarray) -> np.ndarray:
    """A Gaussian of two widths, read as round."""
    major = between(random, 0.8, 4)
    return rotated_gaussian(
        scene, (major, random.uniform(0.4, 0.95) * major), random.uniform(0, np.pi)
    )


def varying(random: Random, scene: np.ndarray) -> np.ndarray:
    """A Gaussian whose sigma grows along one axis of the frame by up to two times."""
    sigmas = between(random, 0.8, 2.5) * np.geomspace(1, between(random, 1.05, 2), 6)
    stack = np.stack([gaussian(scene, sigma) for sigma in sigmas])
    rows, _ = scene.shape
    place = np.clip((np.arange(rows) - PAD) / (rows - 2 * PAD), 0, 1) * 5
    share = np.maximum(1 - np.abs(place - np.arange(6)[:, None]), 0)
    return np.einsum("kr,krc->rc", share, stack)


def median(random: Random, scene: np.ndarray) -> np.ndarray:
    return ndimage.median_filter(scene, size=int(random.choice([3, 5])))


def enlarged(random: Random, scene: np.ndarray) -> np.ndarray:
    """Reduced and enlarged again."""
    return bicubic(scene, int(random.choice([2, 4])))


def unsharp(random: Random, scene: np.ndarray) -> np.ndarray:
    """A mask of 1 to 2 px sharpens B, more or less than it was blurred."""
    soft = gaussian(scene, between(random, 0.4, 1.5))
    amount = random.uniform(0.3, 1.5)
    return soft + amount * (soft - gaussian(soft, random.uniform(1, 2)))


def along_one_axis(random: Random, scene: np.ndarray) -> np.ndarray:
    """Blurred along its rows alone."""
    return gaussian(scene, (0.0, between(random, 0.8, 3)))


FILTERS: dict[str, Filter] = {
    "disk": disk,
    "Moffat": moffat,
    "exponential": exponential,
    "three boxes": boxes,
    "halo": halo,
    "ghost": ghost,
    "motion": motion,
    "elongated": elongated,
    "varying": varying,
    "median": median,
    "bicubic": enlarged,
    "unsharp mask": unsharp,
    "one axis": along_one_axis,
}


def one_axis_full(random: Random) -> Pair:
    """Blurred along its rows alone, read as an ellipse in SciPy's convention."""
    scene, sigma = whole_scene(random, LARGE), between(random, 0.8, 4)
    reference, clean = frame(scene, gaussian(scene, (0.0, sigma), "sampled"))
    level = between(random, 1e-4, 0.01) * reference.std()
    options = {"kernel": "sampled", "family": "full"}
    return Pair(reference, noisy(random, clean, level), (sigma, 0.0), options)


def _kind(make: Filter) -> Kind:
    return lambda random: nearest(random, make)


OTHER_KERNELS: dict[str, Kind] = {
    **{name: _kind(make) for name, make in FILTERS.items()},
    "one axis, full": one_axis_full,
}
