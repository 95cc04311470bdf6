"""Pairs to time estimates on: random scenes, blurred and then cropped, so that content leaks in."""

import jax
import numpy as np

from experiments.shared.scipy_reference import continuous_blur, interior
from experiments.shared.synthetic import random_scene

# Standard deviation of the noise in A and B, relative to the contrast.
NOISES = {"no noise": (0.0, 0.0), "1 % in B": (0.0, 0.01), "1 % in both": (0.01, 0.01)}
REACH = 6  # sigmas cut off at every edge


def cropped_pairs(
    size: int, sigma: float, random: np.random.Generator
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A pair of ``size`` px for every entry of NOISES, of one scene; float32."""
    sharp, soft = _scene(size, sigma, random)
    return {name: _noisy(sharp, soft, noise, random) for name, noise in NOISES.items()}


def cropped_patches(
    size: int, count: int, sigma: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pairs of ``size`` px, stacked, out of one scene, with 1 % noise in B; float32."""
    across = int(np.ceil(count**0.5))
    sharp, soft = _noisy(*_scene(across * size, sigma, random), NOISES["1 % in B"], random)

    def patches(image: np.ndarray) -> np.ndarray:
        rows = image.reshape(across, size, across, size).swapaxes(1, 2)
        return np.ascontiguousarray(rows.reshape(-1, size, size)[:count])

    return patches(sharp), patches(soft)


def _scene(size: int, sigma: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    edge = int(np.ceil(REACH * sigma))
    key = jax.random.key(int(random.integers(2**31)))
    scene = np.asarray(random_scene(key, (size + 2 * edge,) * 2), float)
    return interior(scene, edge), interior(continuous_blur(scene, sigma), edge)


def _noisy(
    sharp: np.ndarray, soft: np.ndarray, noise: tuple[float, float], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    sharp, soft = (
        (image + level * random.standard_normal(image.shape)).astype(np.float32)
        for image, level in zip((sharp, soft), noise, strict=True)
    )
    return sharp, soft
