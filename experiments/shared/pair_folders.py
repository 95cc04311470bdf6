"""Folders of pairs to fit one blur to: crops of photographs as PNG, and links to them."""

import os
from pathlib import Path

import numpy as np
import PIL.Image
from scipy import ndimage

from experiments.shared.photographs import PHOTOGRAPHS, random_square, scene

FOLDERS = ("sharp", "soft")


def write_pairs(
    folder: Path, count: int, size: int, sigma: float, random: np.random.Generator
) -> None:
    """``count`` pairs as 8-bit PNG, blurred before they are cropped; no noise but rounding."""
    scenes = [scene(name) for name in PHOTOGRAPHS]
    blurred = [ndimage.gaussian_filter(image, sigma) for image in scenes]
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        index = random.integers(len(scenes))
        cut = random_square(scenes[index], size, random)
        for name, image in zip(FOLDERS, (scenes[index], blurred[index]), strict=True):
            levels = np.rint(255 * image[cut]).astype(np.uint8)
            PIL.Image.fromarray(levels).save(folder / name / f"{number:06d}.png")


def link_pairs(folder: Path, source: Path, count: int) -> None:
    """``count`` pairs, in turn those of ``source`` under other names."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
        files = sorted((source / name).iterdir())
        for number in range(count):
            os.link(files[number % len(files)], folder / name / f"{number:06d}.png")
