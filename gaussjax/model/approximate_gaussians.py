"""What tools make of "sigma" that do not sample a Gaussian: running means and recursions.

Along one axis, with the angular frequency w (rad/px):

    Pillow         box^3, a box of 2 l + 1 px and two end taps a < 1, of variance sigma^2 / 3
    Skia           box^3 of d px, d = floor(3 sqrt(2 pi) / 4 sigma + 1/2); if d is even d, d, d + 1
    ffmpeg gblur   1 / (1 + sigma^2 (1 - cos w)), the two-sided exponential of variance sigma^2

ffmpeg's avgblur and Pillow's BoxBlur are single boxes. Skia takes its boxes from sigma 2 on; below
that it samples the Gaussian to 3 sigma.

Source: P. Gwosdek, S. Grewenig, A. Bruhn & J. Weickert, "Theoretical foundations of Gaussian
convolution by extended box filtering", SSVM 2011 (Pillow); W3C, "Filter Effects Module Level 1",
feGaussianBlur (Skia); L. Alvarez & L. Mazorra, "Signal and image restoration using shock filters
and anisotropic diffusion", SIAM J. Numer. Anal. 31(2), 1994 (gblur).
"""

import math

import numpy as np

from gaussjax.model.kernel_shapes import from_even_taps

_BOXES = 3


def extended_box_taps(variance: float) -> np.ndarray:
    """Taps k_0, k_1, ... of a box with fractional ends that has exactly this variance, px^2."""
    half = math.floor(0.5 * (math.sqrt(12 * variance + 1) - 1) + 1e-12)
    ends = (2 * half + 1) * (half * (half + 1) - 3 * variance)
    return np.append(np.ones(half + 1), ends / (6 * (variance - (half + 1) ** 2)))


def pillow_transfer(w: np.ndarray, sigma: float) -> np.ndarray:
    """The transfer function of Pillow's GaussianBlur along one axis."""
    return from_even_taps(w, extended_box_taps(sigma**2 / _BOXES)) ** _BOXES


def skia_window(sigma: float) -> int:
    """Length d in px of the boxes for a nominal sigma."""
    return max(int(0.75 * math.sqrt(2 * math.pi) * sigma + 0.5), 1)


def skia_sigma(window: int) -> float:
    """The nominal sigma in px in the middle of those that give a length."""
    return window / (0.75 * math.sqrt(2 * math.pi))


def skia_variance(window: int) -> float:
    """The variance of the three boxes of a length, px^2."""
    lengths = [window, window, window + 1 - window % 2]
    return sum(length**2 - 1 for length in lengths) / 12


def skia_transfer(w: np.ndarray, window: int) -> np.ndarray:
    """The transfer of three boxes of a length along one axis; even ones are shifted to and fro."""

    def box(length: int) -> np.ndarray:
        half = np.where(w == 0, 1e-9, 0.5 * w)
        return np.sin(length * half) / (length * np.sin(half))

    return box(window) ** 2 * box(window + 1 - window % 2)


def gblur_transfer(w: np.ndarray, sigma: float) -> np.ndarray:
    """The transfer of ffmpeg's gblur along one axis, with its default of one step."""
    return 1 / (1 + 2 * sigma**2 * np.sin(0.5 * w) ** 2)
