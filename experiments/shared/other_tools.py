"""Blurs of tools that are not installed here, from their algorithms, in floating point.

Skia          below 2 px the Gaussian sampled to 3 sigma, above three boxes (SkBlurEngine)
ffmpeg gblur  a recursion to and fro, one step (vf_gblur)
ImageMagick   -blur radius x sigma: taps that sum three samples of the Gaussian each, cut off
at the radius (BlurKernel)
libvips       gaussblur: taps to a fifth of the largest, rounded to twentieths of it (gaussmat)
"""

import math

import numpy as np
from scipy import ndimage

from gaussjax.model.approximate_gaussians import skia_window

_REACH = 60  # px of the taps of a recursion


def along_axes(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """The image filtered along every axis by symmetric taps, which are normalised."""
    for axis in range(image.ndim):
        image = ndimage.convolve1d(image, taps / np.sum(taps), axis=axis)
    return image


def sampled_taps(sigma: float, radius: int) -> np.ndarray:
    """Of a Gaussian cut off at a radius."""
    return np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)


def skia(image: np.ndarray, sigma: float) -> np.ndarray:
    """On a processor; a graphics processor samples the Gaussian at any sigma."""
    if sigma < 2:
        return along_axes(image, sampled_taps(sigma, math.ceil(3 * sigma)))
    size = skia_window(sigma)
    boxes = [np.ones(size), np.ones(size), np.ones(size + 1 - size % 2)]
    return along_axes(image, np.convolve(np.convolve(boxes[0], boxes[1]), boxes[2]))


def gblur(image: np.ndarray, sigma: float) -> np.ndarray:
    """With steps=1, the default."""
    half = 0.5 * sigma**2
    decay = (1 + 2 * half - math.sqrt(1 + 4 * half)) / (2 * half)
    return along_axes(image, decay ** np.abs(np.arange(-_REACH, _REACH + 1.0)))


def magick(image: np.ndarray, sigma: float, radius: int = 3) -> np.ndarray:
    """-blur radius x sigma."""
    parts = 3
    reach = (parts * (2 * radius + 1) - 1) // 2
    return along_axes(image, sampled_taps(parts * sigma, reach).reshape(-1, parts).sum(axis=1))


def vips(image: np.ndarray, sigma: float) -> np.ndarray:
    """With min_ampl=0.2 and integer precision, the defaults; nothing below 0.2 px."""
    if sigma < 0.2:
        return image
    radius = int(sigma * math.sqrt(2 * math.log(5)))
    return along_axes(image, np.rint(20 * sampled_taps(sigma, radius)))
