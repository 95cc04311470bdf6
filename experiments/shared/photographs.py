"""Photographs that lie inside the scikit-image wheel, so that nothing is downloaded."""

import numpy as np
from skimage import color, data

# A portrait, outdoor and indoor scenes, a texture, a planet, a stained tissue, a field of stars.
PHOTOGRAPHS = (
    "astronaut",
    "camera",
    "coffee",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "moon",
    "rocket",
)
CROP = 256  # px


def scene(name: str) -> np.ndarray:
    """A whole photograph as grey float64 in [0, 1]; larger than the crop on every side."""
    image = getattr(data, name)()
    return color.rgb2gray(image) if image.ndim == 3 else image / 255.0


def middle(image: np.ndarray, size: int = CROP) -> np.ndarray:
    """The central ``size`` x ``size`` px."""
    return image[tuple(slice((n - size) // 2, (n + size) // 2) for n in image.shape)]


def interior_mask(margin: int) -> np.ndarray:
    """True at the pixels of a crop that are farther than ``margin`` px from its edge."""
    return np.pad(np.ones((CROP - 2 * margin,) * 2, bool), margin)


def random_square(image: np.ndarray, size: int, random: np.random.Generator) -> tuple[slice, slice]:
    """Where to cut ``size`` x ``size`` px out of an image."""
    row, column = (random.integers(0, n - size) for n in image.shape)
    return slice(row, row + size), slice(column, column + size)
