"""Ways to make B that are no Gaussian blur, so that no true sigma exists."""

from io import BytesIO

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.morphology import disk


def disk_blur(image: np.ndarray) -> np.ndarray:
    """Mean over a disk of radius 3 px, as a defocused lens."""
    return ndimage.convolve(image, disk(3) / disk(3).sum())


def median(image: np.ndarray) -> np.ndarray:
    """Median of 5 x 5 px."""
    return ndimage.median_filter(image, size=5)


def jpeg(image: np.ndarray, quality: int = 20) -> np.ndarray:
    """JPEG, 8 bits."""
    buffer = BytesIO()
    Image.fromarray((255 * image).round().astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)) / 255.0


def bicubic(image: np.ndarray, factor: int = 4) -> np.ndarray:
    """Bicubic reduction by a factor, with antialiasing, and enlargement by it."""
    height, width = image.shape
    small = Image.fromarray(image.astype(np.float32)).resize(
        (width // factor, height // factor), Image.Resampling.BICUBIC
    )
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float)


DEGRADATIONS = {"disk 3": disk_blur, "median 5x5": median, "JPEG 20": jpeg, "bicubic 4": bicubic}
