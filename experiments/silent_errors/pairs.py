"""A pair of known truth, and how one is cut out of a scene."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.shared.scipy_reference import interior
from experiments.silent_errors import scenes

PAD, PAD_OF_VOLUME = 40, 12  # px of scene around a frame, so that content leaks in over its edge
# No two sides alike, so that axes that are mistaken for each other are seen.
TINY, SMALL, MEDIUM, LARGE, HUGE = (24, 26), (32, 40), (64, 72), (128, 112), (256, 240)
SIGNAL, VOLUME = (512,), (24, 28, 32)

Random = np.random.Generator
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A pair and how its blur is asked for.

    Attributes:
        reference: A.
        blurred: B.
        truth: sigma, px, signed; one per axis or principal axis for a family that has several;
            None where no Gaussian relates the images.
        options: keyword arguments of ``estimate_blur``.
        bound: least standard error of sigma that any unbiased estimate can have, px; NaN where it
            is not known.
    """

    reference: np.ndarray
    blurred: np.ndarray
    truth: float | tuple[float, ...] | None
    options: dict[str, Any] = field(default_factory=dict)
    bound: float = float("nan")

    def in_single_precision(self) -> "Pair":
        """The images as users have them: float32, or the integers that they are."""
        images = {
            name: image if image.dtype.kind in "iu" else image.astype(np.float32)
            for name, image in (("reference", self.reference), ("blurred", self.blurred))
        }
        return replace(self, **images)


Kind = Callable[[Random], Pair]


def between(random: Random, low: float, high: float) -> float:
    """A positive number whose logarithm is uniform."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def whole_scene(random: Random, shape: Shape, make: Callable = scenes.rich) -> np.ndarray:
    """A scene with more around a frame of that shape."""
    pad = PAD_OF_VOLUME if len(shape) == 3 else PAD
    return make(random, tuple(n + 2 * pad for n in shape))


def frame(*images: np.ndarray) -> tuple[np.ndarray, ...]:
    """The frames of scenes."""
    return tuple(interior(image, pad_of(image)) for image in images)


def pad_of(scene: np.ndarray) -> int:
    """Px of a scene around its frame."""
    return PAD_OF_VOLUME if scene.ndim == 3 else PAD


def noisy(random: Random, image: np.ndarray, level: float) -> np.ndarray:
    """With white Gaussian noise of a standard deviation in the unit of the image."""
    return image + level * random.standard_normal(image.shape)


def widest(shape: Shape) -> float:
    """Sigma in px that leaves half of the shortest axis to compare."""
    return min(min(shape) / 16, 6.0)
