"""Pairs whose B is no Gaussian blur of A, so that no true sigma exists."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from io import BytesIO

import jax.numpy as jnp
import numpy as np
from PIL import Image
from skimage import data
from skimage.restoration import denoise_bilateral, denoise_tv_chambolle

from experiments.real_pairs.known_pairs import Pair
from experiments.shared.autoencoder import Parameters, reconstruct
from experiments.shared.degradations import bicubic, disk_blur, median
from experiments.shared.photographs import CROP, interior_mask, middle, scene

FRAME = 32  # px around the crop, so that a filter does not meet its edge
MARGIN = 24  # px, farther than any kernel that is fitted reaches
# Both losses compare the same pixels; the original question minimises the mean |g*A - B|.
INTERIOR = interior_mask(MARGIN)
ATTEMPTS = {"plain": {"mask": INTERIOR}, "absolute": {"mask": INTERIOR, "loss": "absolute"}}
NETWORK, CHROMA = "autoencoder", "JPEG 4:2:0, Cb"
COLOURED = ("astronaut", "coffee", "hubble_deep_field", "immunohistochemistry", "rocket")


def processed_pairs(
    photographs: Sequence[str],
    kinds: Collection[str],
    unseen: Sequence[str],
    network: Parameters,
) -> Iterator[Pair]:
    """The ``kinds`` of every photograph; the network's only of those that it has not seen."""
    for subject in photographs:
        image = middle(scene(subject), CROP + 2 * FRAME)
        for kind, process in PROCESSES.items():
            if kind in kinds:
                yield Pair(kind, subject, middle(image), middle(process(image)), None, ATTEMPTS)
        if CHROMA in kinds and subject in COLOURED:
            reference, blurred = (middle(plane) for plane in subsampled(getattr(data, subject)()))
            yield Pair(CHROMA, subject, reference, blurred, None, ATTEMPTS)
        if NETWORK in kinds and subject in unseen:
            made = np.asarray(reconstruct(network, jnp.asarray(image[None]))[0], float)
            yield Pair(NETWORK, subject, middle(image), middle(made), None, ATTEMPTS)


def bilateral(image: np.ndarray) -> np.ndarray:
    """Bilateral filter of 2 px and a fifth of the contrast."""
    return denoise_bilateral(image, sigma_color=0.2 * image.std(), sigma_spatial=2, win_size=13)


def total_variation(image: np.ndarray) -> np.ndarray:
    """Chambolle's denoising, with a weight of a fifth of the contrast."""
    return denoise_tv_chambolle(image, weight=0.2 * image.std())


def subsampled(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The blue-difference plane of a colour picture, and that of its JPEG, quality 90, 4:2:0."""
    original = Image.fromarray(picture)
    buffer = BytesIO()
    original.save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    before, after = (
        np.asarray(each.convert("YCbCr"))[..., 1] / 255.0 for each in (original, Image.open(buffer))
    )
    return before, after


PROCESSES: dict[str, Callable] = {
    "bicubic 2": partial(bicubic, factor=2),
    "disk 3": disk_blur,
    "median 5x5": median,
    "bilateral": bilateral,
    "total variation": total_variation,
}
