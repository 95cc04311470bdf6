"""A blur whose sigma differs from pixel to pixel: B(x) = sum_y g(x - y; sigma(x)) A(y)."""

from collections.abc import Callable

import numpy as np

from experiments.shared.photographs import CROP, middle
from experiments.shared.scipy_reference import continuous_blur, interior

LEVELS = 128
MARGIN = 32  # px around the crop, more than 6 sigma of the widest blur
NARROW, WIDE = 1.0, 4.0  # px

Field = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ramp(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sigma (px) of a tilted plane out of focus: linear from edge to edge."""
    return NARROW + (WIDE - NARROW) * np.clip((x + 0.5 * y) / (1.5 * CROP), -0.1, 1.1)


def step(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sigma (px) of two depths that meet in the middle."""
    return np.where(x < CROP / 2, NARROW, WIDE) + 0 * y


FIELDS: dict[str, Field] = {"ramp": ramp, "step": step}


def varying_pair(
    scene: np.ndarray, field: Field, levels: int = LEVELS
) -> tuple[np.ndarray, np.ndarray]:
    """The middle of a scene before and after its blur; content leaks in over the edge."""
    scene = middle(scene, CROP + 2 * MARGIN)
    rows, columns = (np.arange(n) - MARGIN for n in scene.shape)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    blurred = varying_blur(scene, field(y, x) ** 2, levels)
    return interior(scene, MARGIN), interior(blurred, MARGIN)


def varying_blur(image: np.ndarray, variance: np.ndarray, levels: int) -> np.ndarray:
    """Every pixel from a stack of blurred images, interpolated linearly in the variance (px^2).

    The blur is smooth in the variance: the error falls with the square of the number of levels.
    """
    steps = np.linspace(variance.min(), variance.max(), levels)
    place = np.interp(variance, steps, np.arange(levels))
    blurred = np.zeros_like(image)
    for level, value in enumerate(steps):
        near = np.maximum(1 - np.abs(place - level), 0)
        blurred += near * continuous_blur(image, value**0.5)
    return blurred


def interpolation_error(scene: np.ndarray, field: Field) -> float:
    """Rms error that interpolating leaves in B, in % of the standard deviation of A.

    A third of the change when the levels are halved, which makes the error four times as large.
    """
    reference, fine = varying_pair(scene, field)
    _, coarse = varying_pair(scene, field, LEVELS // 2)
    return float(100 * np.sqrt(np.mean((fine - coarse) ** 2)) / 3 / reference.std())
