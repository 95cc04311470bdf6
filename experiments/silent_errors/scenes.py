"""Scenes to blur: crops of photographs and synthetic ones, each with more around it than a frame.

Every function takes a NumPy generator and a shape; the values are about 0 to 1.
"""

from functools import cache

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from experiments.shared import photographs

# Walls, lawns, metal, an instrument, a cell, a planet, an eye, a launch, galaxies, a tissue.
PHOTOGRAPHS = (
    "brick",
    "grass",
    "coins",
    "clock",
    "cell",
    "moon",
    "retina",
    "rocket",
    "hubble_deep_field",
    "immunohistochemistry",
)
LEAST_CONTRAST = 0.3  # of the middle of a crop, of the photograph's: no black corners, no empty sky
ROUGHNESS = (0.8, 1.8)  # exponents of the amplitude spectrum of random textures
STAR = (0.8, 1.5)  # sigma of a star, px


@cache
def _whole(name: str) -> np.ndarray:
    return photographs.scene(name)


def photograph(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A crop of some photograph, perhaps mirrored, that is neither black nor empty."""
    wide_enough = [n for n in PHOTOGRAPHS if np.all(np.array(_whole(n).shape) >= shape)]
    while True:
        image = _whole(random.choice(wide_enough))
        corner = [int(random.integers(n)) for n in np.subtract(image.shape, shape) + 1]
        crop = image[tuple(slice(a, a + n) for a, n in zip(corner, shape, strict=True))]
        middle = crop[tuple(slice(n // 4, n - n // 4) for n in shape)]
        if middle.std() > LEAST_CONTRAST * image.std():
            return np.ascontiguousarray(crop[:: random.choice([1, -1]), :: random.choice([1, -1])])


def texture(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Gaussian noise with a power law for its spectrum, in 1 to 3 dimensions."""
    frequencies = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(w**2 for w in frequencies))
    radius.flat[0] = np.inf
    # White noise has a flat spectrum in every dimension, so one more axis takes half a power more.
    slope = random.uniform(*ROUGHNESS) + 0.5 * (len(shape) - 2)
    made = np.fft.ifftn(np.fft.fftn(random.standard_normal(shape)) * radius**-slope).real
    return 0.5 + 0.15 * made / made.std()


def dead_leaves(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Disks of all sizes and greys that hide each other, as objects do."""
    image = np.full(shape, 0.5)
    for _ in range(250):
        radius = 3 / np.sqrt(random.uniform((6 / min(shape)) ** 2, 1))
        y, x = (np.arange(n) - random.uniform(0, n) for n in shape)
        here = np.ix_(abs(y) < radius, abs(x) < radius)
        distance = np.hypot(y[here[0]], x[here[1]])
        image[here] = np.where(distance < radius, random.random(), image[here])
    return image


def cells(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Cells of 3 to 8 greys, as in a drawing: each pixel has that of the nearest place."""
    places = random.uniform(0, shape, (max(int(np.prod(shape)) // 400, 2), len(shape)))
    nearest = KDTree(places).query(np.moveaxis(np.indices(shape), 0, -1))[1]
    greys = random.random(random.integers(3, 9))
    return greys[random.integers(0, len(greys), len(places))][nearest]


def stars(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Points of light with a power law of fluxes, seen through some optics."""
    count = int(0.01 * np.prod(shape))
    image = np.zeros(shape)
    np.add.at(image, tuple(random.integers(0, n, count) for n in shape), random.pareto(1.5, count))
    image = ndimage.gaussian_filter(np.minimum(image, 30), random.uniform(*STAR))
    return 0.1 + image / (4 * np.quantile(image, 0.999))


def smooth(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """No detail finer than several px: out of focus, or a cloud."""
    made = ndimage.gaussian_filter(
        random.standard_normal(shape), random.uniform(5, 15), mode="wrap"
    )
    return 0.5 + 0.15 * (made - made.mean()) / made.std()


def rich(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Seven times of ten a photograph, else one of the synthetic scenes with detail."""
    made = random.choice(
        np.array([photograph, dead_leaves, texture, stars]), p=[0.7, 0.1, 0.1, 0.1]
    )
    return made(random, shape)


def distance_to_spots(
    random: np.random.Generator, shape: tuple[int, ...], count: int, pad: int = 0
) -> np.ndarray:
    """Px from every pixel to the nearest of some places, which are ``pad`` px inside."""
    y, x = np.ogrid[tuple(map(slice, shape))]
    places = [[random.uniform(pad, n - pad) for n in shape] for _ in range(count)]
    return np.min([np.hypot(y - row, x - column) for row, column in places], axis=0)


def spectrum(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Lines of all heights on a slow continuum; one-dimensional."""
    (size,) = shape
    x = np.arange(size)
    count = size // 16
    made = 0.3 + 0.1 * np.cos(2 * np.pi * (x / size * random.uniform(0.3, 1) + random.random()))
    for place, height in zip(random.uniform(0, size, count), random.pareto(2, count), strict=True):
        made += 0.1 * min(height, 10) * np.exp(-0.5 * ((x - place) / random.uniform(1, 2)) ** 2)
    return made


def walk(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A random walk that now and then jumps; one-dimensional."""
    jumps = 10 * (random.random(shape) < 0.03) * random.standard_normal(shape)
    made = np.cumsum(random.standard_normal(shape) + jumps)
    return 0.5 + 0.15 * (made - made.mean()) / made.std()
