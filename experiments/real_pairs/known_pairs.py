"""Pairs of a known blur with one more defect, as real pairs have.

B is a photograph that SciPy blurred by a sigma of 2 px, cut out of a larger scene.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from scipy import ndimage

from experiments.shared.degradations import jpeg
from experiments.shared.photographs import middle, scene
from experiments.shared.synthetic import random_scene

SIGMA = 2.0  # px
NOISE = 0.01  # in B, of the standard deviation of A
GAIN, OFFSET, SHIFT = 0.8, 10 / 255, (1.3, -2.6)
SATURATED = 0.02  # of the pixels of B
VOLUME = "volume"
SIZE, MARGIN = 48, 12  # px of a volume, and around it, farther than the kernel reaches
NUISANCES = {"gain": True, "offset": True, "shift": True}


@dataclass(frozen=True)
class Pair:
    """A pair, and the ways in which its blur is asked for.

    Attributes:
        kind: name of its defect, or of what made B.
        subject: the photograph.
        reference: A.
        blurred: B.
        sigma: the true one, px; None where B is no Gaussian blur of A.
        attempts: arguments of ``estimate_blur`` by name; "plain" has no options.
    """

    kind: str
    subject: str
    reference: np.ndarray
    blurred: np.ndarray
    sigma: float | None
    attempts: dict[str, dict[str, Any]]


def known_pairs(
    photographs: Sequence[str], kinds: Collection[str], random: np.random.Generator
) -> Iterator[Pair]:
    """The known ones of ``kinds``, of every photograph, and as many volumes."""
    for subject in photographs:
        image = scene(subject)
        for kind, make in KINDS.items():
            if kind in kinds:
                reference, blurred, attempts = make(image, random)
                yield Pair(kind, subject, reference, blurred, SIGMA, {"plain": {}, **attempts})
        if VOLUME in kinds:
            reference, blurred = volume(random)
            yield Pair(VOLUME, "random scene", reference, blurred, SIGMA, {"plain": {}})


def exposed(image, random):
    """8 bits, exposed so that the brightest hundredth of A is clipped."""
    image = image / np.quantile(middle(image), 0.99)
    reference, blurred = (
        np.round(255 * np.clip(middle(i), 0, 1)) / 255
        for i in (image, ndimage.gaussian_filter(image, SIGMA))
    )
    return reference, blurred, {"mask": {"mask": (reference < 1, blurred < 1)}}


def compressed(image, random):
    """JPEG of quality 50."""
    blurred = middle(ndimage.gaussian_filter(image, SIGMA))
    return middle(image), jpeg(blurred, quality=50), {}


def pasted(image, random):
    """A logo that is in B only: a ring, white on black."""
    reference, blurred = _blurred(image, random)
    distance = np.hypot(*np.mgrid[-28:28, -28:28])
    place = (slice(150, 206), slice(160, 216))
    blurred[place] = (distance > 12) & (distance < 24)
    known = np.ones(blurred.shape, bool)
    known[place] = False
    attempts = {"huber": {"loss": "huber"}, "absolute": {"loss": "absolute"}}
    return reference, blurred, {**attempts, "mask": {"mask": known}}


def saturated(image, random):
    """White pixels here and there."""
    reference, blurred = _blurred(image, random)
    blurred[random.random(blurred.shape) < SATURATED] = 1.0
    return reference, blurred, {"huber": {"loss": "huber"}, "absolute": {"loss": "absolute"}}


def displaced(image, random):
    """Another exposure of another frame: a gain, an offset and a shift."""
    moved = ndimage.shift(ndimage.gaussian_filter(image, SIGMA), SHIFT, order=5, mode="nearest")
    reference = middle(image)
    blurred = _noisy(GAIN * middle(moved) + OFFSET, reference, random)
    return reference, blurred, {"nuisances": NUISANCES}


def incomplete(image, random):
    """NaN pixels in A: a blotch and a scratch. Plain: filled with the mean."""
    reference, blurred = _blurred(image, random)
    known = np.ones(reference.shape, bool)
    known[60:90, 100:140] = False
    known[170:172, :] = False
    damaged = np.where(known, reference, np.nan)
    filled = np.where(known, reference, np.nanmean(damaged))
    return filled, blurred, {"mask": {"reference": damaged, "mask": (known, None)}}


def row(image, random):
    """One row: a signal."""
    line = image[image.shape[0] // 2]
    reference, blurred = middle(line), middle(ndimage.gaussian_filter(line, SIGMA))
    return reference, _noisy(blurred, reference, random), {}


def volume(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random scene in three dimensions."""
    key = jax.random.key(random.integers(2**31))
    whole = np.asarray(random_scene(key, (SIZE + 2 * MARGIN,) * 3))
    reference, blurred = middle(whole, SIZE), middle(ndimage.gaussian_filter(whole, SIGMA), SIZE)
    return reference, _noisy(blurred, reference, random)


KINDS: dict[str, Callable] = {
    "8 bits, clipped": exposed,
    "JPEG 50": compressed,
    "logo in B": pasted,
    "2 % saturated": saturated,
    "gain, offset, shift": displaced,
    "NaN in A": incomplete,
    "signal": row,
}


def _blurred(image: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    reference = middle(image)
    return reference, _noisy(middle(ndimage.gaussian_filter(image, SIGMA)), reference, random)


def _noisy(blurred: np.ndarray, reference: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return blurred + NOISE * reference.std() * random.standard_normal(blurred.shape)
