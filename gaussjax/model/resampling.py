"""Images that were reduced and enlarged again: an operator on the pixels, not a kernel.

What it does to a pixel depends on where the pixel lies between the samples of the small image.
Along each axis sample j of the small image is at ``(j + 1/2) factor - 1/2 + phase`` px of the large
one. With ``antialias`` the interpolating function is stretched by the factor for the reduction, as
by Pillow; without it is not (OpenCV).

Source: R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans.
Acoust., Speech, Signal Process. 29(6), 1981; C. E. Duchon, "Lanczos filtering in one and two
dimensions", J. Appl. Meteorol. 18(8), 1979.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Resampler:
    """An interpolating function ("bicubic" or "Lanczos") and how a tool reduces with it.

    The parameter of the cubic is its slope at 1, of Lanczos the number of lobes; ``antialias``: the
    function is stretched for the reduction.
    """

    name: str
    parameter: float
    antialias: bool

    @property
    def support(self) -> float:
        """How far the function goes to either side, px of the small image."""
        return 2.0 if self.name == "bicubic" else self.parameter

    def reach(self, factor: float) -> float:
        """How far a pixel depends on others to either side, px of the large image."""
        return (2 if self.antialias else 1) * self.support * factor

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The interpolating function; x in px of the grid that it interpolates."""
        x, a = np.abs(x), self.parameter
        if self.name == "Lanczos":
            return np.where(x < a, np.sinc(x) * np.sinc(x / a), 0)
        near = ((a + 2) * x - (a + 3)) * x**2 + 1
        far = a * (((x - 5) * x + 8) * x - 4)
        return np.where(x < 1, near, np.where(x < 2, far, 0))


def reduce_and_enlarge(
    resampler: Resampler, size: int, factor: float, phase: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Matrices ``[small, size]`` and ``[size, small]`` of a reduction and of its undoing.

    The small image is smaller by the factor, and its samples have a phase, px, from 0 up to that.
    """
    before = math.ceil(resampler.support) if phase else 0  # samples outside of a part of a frame
    number = (
        math.ceil((size - phase) / factor - 1e-9) + 2 * before if phase else round(size / factor)
    )
    place = (np.arange(number) + 0.5 - before) * factor - 0.5 + phase
    stretch = max(factor, 1.0) if resampler.antialias else 1.0
    smaller = _weights(resampler, place / stretch, size, 1 / stretch)
    larger = _weights(resampler, (np.arange(size) - place[0]) / factor, number, 1.0)
    return smaller, larger


def _weights(resampler: Resampler, place: np.ndarray, size: int, step: float) -> np.ndarray:
    """Weights of samples at ``step * index`` for values at ``place``; rows sum to 1.

    Beyond the edge the last sample goes on, or with antialiasing none.
    """
    beyond = 0 if resampler.antialias else math.ceil(resampler.support)
    index = np.arange(-beyond, size + beyond)
    weights = resampler(step * index - place[:, None])
    if beyond:
        inside = weights[:, beyond:-beyond].copy()
        inside[:, 0] += np.sum(weights[:, :beyond], axis=1)
        inside[:, -1] += np.sum(weights[:, -beyond:], axis=1)
        weights = inside
    total = np.sum(weights, axis=1, keepdims=True)
    return weights / np.where(np.abs(total) > 1e-9, total, 1)
