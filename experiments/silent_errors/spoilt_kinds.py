"""Pairs with a defect of which the estimator is not told: it should cover the truth, or doubt.

The truth is the sigma of the blur beneath the defect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from experiments.shared.degradations import jpeg
from experiments.silent_errors import scenes
from experiments.silent_errors.blurs import gaussian, shifted
from experiments.silent_errors.pairs import (
    LARGE,
    MEDIUM,
    PAD,
    SIGNAL,
    SMALL,
    TINY,
    Kind,
    Pair,
    Random,
    Shape,
    between,
    frame,
    noisy,
    whole_scene,
)


@dataclass(frozen=True)
class Blurred:
    """A scene and its blur, both with ``PAD`` px around the frame, before anything is wrong.

    Attributes:
        scene: sharp.
        soft: blurred.
        sigma: px.
    """

    scene: np.ndarray
    soft: np.ndarray
    sigma: float

    @property
    def contrast(self) -> float:
        """Standard deviation of the sharp frame."""
        return float(frame(self.scene)[0].std())

    def pair(self, random: Random, soft: np.ndarray | None = None, **options) -> Pair:
        """The frames, of this blur or of what has become of it, with 0.1 to 3 % noise in B."""
        reference, blurred = frame(self.scene, self.soft if soft is None else soft)
        return Pair(
            reference,
            noisy(random, blurred, between(random, 1e-3, 0.03) * reference.std()),
            self.sigma,
            options,
        )


def ordinary(
    random: Random,
    *,
    sigmas: tuple[float, float] = (0.6, 4.0),
    shape: Shape | None = None,
    kernel: str = "continuous",
    make: Callable = scenes.rich,
) -> Blurred:
    """What is to be spoilt, of one of two shapes."""
    chosen = shape or (MEDIUM, LARGE)[random.integers(2)]
    scene, sigma = whole_scene(random, chosen, make), between(random, *sigmas)
    return Blurred(scene, gaussian(scene, sigma, kernel), sigma)


def either(random: Random) -> float:
    """A sign."""
    return float(random.choice([-1, 1]))


def gain(random: Random) -> Pair:
    whole = ordinary(random)
    return whole.pair(random, whole.soft * between(random, 1.005, 1.5) ** either(random))


def offset(random: Random) -> Pair:
    whole = ordinary(random)
    return whole.pair(
        random, whole.soft + either(random) * between(random, 0.01, 1) * whole.contrast
    )


def shift(random: Random) -> Pair:
    whole, angle = ordinary(random), random.uniform(0, 2 * np.pi)
    vector = between(random, 0.03, 3) * np.array([np.sin(angle), np.cos(angle)])
    return whole.pair(random, shifted(whole.soft, vector))


def gain_offset_shift(random: Random) -> Pair:
    whole = ordinary(random)
    soft = shifted(whole.soft, random.normal(scale=0.5, size=2))
    return whole.pair(random, random.uniform(0.8, 1.2) * soft + random.uniform(-0.1, 0.1))


def gain_unfitted_shift_fitted(random: Random) -> Pair:
    whole = ordinary(random, shape=LARGE)
    soft = shifted(whole.soft, random.normal(scale=0.5, size=2))
    return whole.pair(random, random.uniform(0.8, 1.2) * soft, shift=True)


def parallax(random: Random) -> Pair:
    """One half of the scene is nearer, and displaced."""
    whole = ordinary(random)
    moved = shifted(whole.soft, (0, between(random, 0.2, 4)))
    left = np.arange(whole.soft.shape[1]) < whole.soft.shape[1] * random.uniform(0.3, 0.7)
    return whole.pair(random, np.where(left, moved, whole.soft))


def rotation(random: Random) -> Pair:
    """By 0.05 to 3 degrees about the middle."""
    whole = ordinary(random)
    angle = either(random) * between(random, 0.05, 3)
    return whole.pair(random, ndimage.rotate(whole.soft, angle, reshape=False, order=5))


def magnified(random: Random) -> Pair:
    """By 0.05 to 3 % about the middle."""
    whole = ordinary(random)
    factor = 1 + either(random) * between(random, 5e-4, 0.03)
    y, x = ((np.arange(n) - n / 2 + 0.5) * factor + n / 2 - 0.5 for n in whole.soft.shape)
    places = np.meshgrid(y, x, indexing="ij")
    return whole.pair(random, ndimage.map_coordinates(whole.soft, places, order=5))


def moved_object(random: Random) -> Pair:
    """A part of B, up to a third of the frame wide, is another part of the scene."""
    whole = ordinary(random)
    soft, shape = whole.soft.copy(), np.array(whole.soft.shape)
    size = (between(random, 0.06, 0.33) * (shape - 2 * PAD)).astype(int)
    here = random.integers(PAD, shape - PAD - size)
    there = np.clip(here + random.integers(-20, 21, 2), 0, shape - size)
    to, source = (tuple(map(slice, corner, corner + size)) for corner in (here, there))
    soft[to] = whole.soft[source]
    return whole.pair(random, soft)


def dust(random: Random) -> Pair:
    """Darker spots in B, a few px wide."""
    whole = ordinary(random)
    distance = scenes.distance_to_spots(random, whole.soft.shape, int(random.integers(1, 9)), PAD)
    spots = np.exp(-0.5 * (distance / random.uniform(1, 4)) ** 2)
    return whole.pair(random, whole.soft * (1 - random.uniform(0.1, 0.9) * spots))


def _ramp(random: Random, shape: Shape) -> np.ndarray:
    """A plane in some direction, between -1 and 1 over the frame."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) * n / (n - 2 * PAD) for n in shape), indexing="ij")
    return (np.sin(angle) * y + np.cos(angle) * x) / np.sqrt(2)


def shading_added(random: Random) -> Pair:
    """A gradient of stray light."""
    whole = ordinary(random)
    ramp = between(random, 0.01, 1) * whole.contrast * _ramp(random, whole.soft.shape)
    return whole.pair(random, whole.soft + ramp)


def shading_multiplied(random: Random) -> Pair:
    """A gradient of illumination."""
    whole = ordinary(random)
    return whole.pair(
        random, whole.soft * (1 + between(random, 0.005, 0.3) * _ramp(random, whole.soft.shape))
    )


def gamma(random: Random) -> Pair:
    """Another tone curve for B."""
    whole = ordinary(random)
    exponent = between(random, 1.01, 1.5) ** either(random)
    return whole.pair(random, np.maximum(whole.soft, 0) ** exponent)


def linear_light(random: Random) -> Pair:
    """Blurred as light, stored with a gamma of 2.2."""
    whole = ordinary(random)
    scene, soft = (np.maximum(image, 1e-4) ** (1 / 2.2) for image in (whole.scene, whole.soft))
    return Blurred(scene, soft, whole.sigma).pair(random)


def clipped(random: Random) -> Pair:
    """Up to a tenth of the pixels of B at its darkest and at its brightest value."""
    whole = ordinary(random)
    share = between(random, 0.003, 0.1)
    return whole.pair(random, np.clip(whole.soft, *np.quantile(whole.soft, [share, 1 - share])))


def saturated(random: Random) -> Pair:
    """Highlights brighter than what either image can show."""
    whole = ordinary(random)
    top = np.quantile(frame(whole.scene)[0], 1 - between(random, 0.003, 0.05))
    scene, soft = (np.minimum(image, top) for image in (whole.scene, whole.soft))
    return Blurred(scene, soft, whole.sigma).pair(random)


def outliers(random: Random) -> Pair:
    """Up to 2 % of the pixels of B at some other value."""
    pair = ordinary(random).pair(random)
    hit = random.random(pair.blurred.shape) < between(random, 3e-4, 0.02)
    return Pair(pair.reference, np.where(hit, random.random(hit.shape), pair.blurred), pair.truth)


def inverted(random: Random, **options) -> Pair:
    """A negative."""
    whole = ordinary(random, shape=LARGE)
    return whole.pair(random, 1 - whole.soft, **options)


def unrelated(random: Random, *, shape: Shape, **options) -> Pair:
    """Two scenes that have nothing to do with each other."""
    first, second = (ordinary(random, shape=shape, sigmas=(0.6, 2)) for _ in range(2))
    (reference,), (blurred,) = frame(first.soft), frame(second.soft)
    return Pair(reference, blurred, None, options)


def bytes_of(image: np.ndarray, round_: Callable = np.rint) -> np.ndarray:
    """0 to 1 as integers from 0 to 255."""
    return np.clip(round_(255 * image), 0, 255)


def truncated(random: Random) -> Pair:
    """Converted to bytes without rounding; A is of bytes as well."""
    whole = ordinary(random, sigmas=(0.4, 2))
    reference, blurred = frame(whole.scene, whole.soft)
    return Pair(bytes_of(reference), bytes_of(blurred, np.floor), whole.sigma)


def few_levels(random: Random) -> Pair:
    """8 bits of which the image uses 4 to 30, as floats."""
    whole = ordinary(random, sigmas=(0.4, 2))
    reference, blurred = frame(whole.scene, whole.soft)
    span = between(random, 4, 30) / (reference.max() - reference.min())
    return Pair(np.rint(100 + span * reference), np.rint(100 + span * blurred), whole.sigma)


def knife_edge(random: Random) -> Pair:
    """A straight edge between two greys, in bytes: every row is the same."""
    sigma, size = between(random, 0.8, 3), LARGE[1] + 2 * PAD
    greys = random.uniform(10, 110), random.uniform(130, 245)
    place = size * random.uniform(0.4, 0.6)
    scene = np.where(np.arange(size) < place, *greys) * np.ones((LARGE[0] + 2 * PAD, 1))
    reference, blurred = frame(np.rint(scene), np.rint(gaussian(np.rint(scene), sigma, "sampled")))
    return Pair(reference, blurred, sigma, {"kernel": "sampled"})


def jpeg_of_blurred(random: Random) -> Pair:
    whole = ordinary(random)
    reference, blurred = frame(whole.scene, whole.soft)
    blurred = jpeg(np.clip(blurred, 0, 1), quality=int(random.integers(50, 96)))
    return Pair(reference, blurred, whole.sigma)


def jpeg_alone(random: Random) -> Pair:
    """No blur, but a codec."""
    (reference,) = frame(whole_scene(random, (MEDIUM, LARGE)[random.integers(2)]))
    reference = np.rint(255 * np.clip(reference, 0, 1)) / 255
    return Pair(reference, jpeg(reference, quality=int(random.integers(50, 91))), 0.0)


def jpeg_of_both(random: Random) -> Pair:
    whole = ordinary(random, sigmas=(0.4, 3))
    quality = int(random.integers(60, 96))
    reference, blurred = frame(whole.scene, whole.soft)
    reference, blurred = (jpeg(np.clip(image, 0, 1), quality) for image in (reference, blurred))
    return Pair(reference, blurred, whole.sigma)


def correlated_noise(
    random: Random, *, lengths: tuple[float, float], told: str | None = None
) -> Pair:
    """Noise in B that a Gaussian of these sigmas has smoothed, of 0.3 to 10 % of the contrast."""
    whole = ordinary(random, shape=LARGE if told else None)
    reference, blurred = frame(whole.scene, whole.soft)
    (noise,) = frame(gaussian(random.standard_normal(whole.soft.shape), between(random, *lengths)))
    level = float(between(random, 0.003, 0.1) * reference.std())
    noise_std = {"level": (0.0, level), "estimate": "estimate", None: None}[told]
    options = {} if told is None else {"noise_std": noise_std}
    return Pair(reference, blurred + level * noise / noise.std(), whole.sigma, options)


def stripes(random: Random) -> Pair:
    """The noise of a row is the same in all its pixels, beside white noise."""
    pair = ordinary(random).pair(random)
    level = between(random, 0.003, 0.05) * pair.reference.std()
    rows = level * random.standard_normal((len(pair.blurred), 1))
    return Pair(pair.reference, pair.blurred + rows, pair.truth)


def untold_noise(
    random: Random,
    *,
    in_reference: tuple[float, float],
    in_blurred: tuple[float, float],
    told: tuple[float, float] | None = None,
) -> Pair:
    """White noise in A too; not mentioned, or with the ``told`` share of each level."""
    whole = ordinary(random, sigmas=(0.5, 4), shape=LARGE if told else None)
    sharp, soft = frame(whole.scene, whole.soft)
    first, second = (between(random, *noise) * sharp.std() for noise in (in_reference, in_blurred))
    options = {} if told is None else {"noise_std": (told[0] * first, told[1] * second)}
    return Pair(noisy(random, sharp, first), noisy(random, soft, second), whole.sigma, options)


def two_exposures(random: Random, *, shape: Shape, make: Callable) -> Pair:
    """No blur; noise of the same level in both."""
    (image,) = frame(whole_scene(random, shape, make))
    level = between(random, 0.003, 0.2) * image.std()
    return Pair(noisy(random, image, level), noisy(random, image, level), 0.0)


def wrong_convention(
    random: Random, *, made: str, read: str, sigmas: tuple[float, float] = (0.35, 1.0)
) -> Pair:
    """A narrow blur of one kernel convention read in another."""
    whole = ordinary(random, kernel=made, sigmas=sigmas, shape=MEDIUM)
    return whole.pair(random, kernel=read)


def cut_short(random: Random) -> Pair:
    """A sampled kernel that ends at 1.5 sigma, read as one that ends at 4."""
    whole = ordinary(random, sigmas=(1.0, 3.0), shape=MEDIUM)
    soft = ndimage.gaussian_filter(whole.scene, whole.sigma, truncate=1.5)
    return whole.pair(random, soft, kernel="sampled")


SPOILT: dict[str, Kind] = {
    "gain": gain,
    "offset": offset,
    "shift, not fitted": shift,
    "all three, not fitted": gain_offset_shift,
    "gain beside a fitted shift": gain_unfitted_shift_fitted,
    "parallax": parallax,
    "rotation": rotation,
    "magnification": magnified,
    "moved object": moved_object,
    "dust": dust,
    "shading, added": shading_added,
    "shading, multiplied": shading_multiplied,
    "gamma": gamma,
    "linear light": linear_light,
    "clipped": clipped,
    "saturated": saturated,
    "outliers": outliers,
    "inverted": inverted,
    "inverted, gain fitted": partial(inverted, gain=True, offset=True),
    "unrelated, 24 px": partial(unrelated, shape=TINY, gain=True, offset=True),
    "unrelated, 32 px": partial(unrelated, shape=SMALL),
    "unrelated, 64 px": partial(unrelated, shape=MEDIUM),
    "truncated to bytes": truncated,
    "few grey levels": few_levels,
    "knife edge in bytes": knife_edge,
    "JPEG of B": jpeg_of_blurred,
    "JPEG alone": jpeg_alone,
    "JPEG of both": jpeg_of_both,
    "noise over 0.5 px": partial(correlated_noise, lengths=(0.3, 0.7)),
    "noise over 1-3 px": partial(correlated_noise, lengths=(1, 3)),
    "correlated noise, told": partial(correlated_noise, lengths=(0.3, 2), told="level"),
    "correlated noise, estimate": partial(correlated_noise, lengths=(0.3, 2), told="estimate"),
    "stripes": stripes,
    "noise in A": partial(untold_noise, in_reference=(0.01, 0.3), in_blurred=(1e-3, 0.03)),
    "noise in both": partial(untold_noise, in_reference=(0.01, 0.2), in_blurred=(0.01, 0.2)),
    "noise told wrongly": partial(
        untold_noise, in_reference=(0.03, 0.2), in_blurred=(0.03, 0.2), told=(0.5, 1.0)
    ),
    "two exposures": partial(two_exposures, shape=MEDIUM, make=scenes.rich),
    "two spectra": partial(two_exposures, shape=SIGNAL, make=scenes.spectrum),
    "sampled as continuous": partial(wrong_convention, made="sampled", read="continuous"),
    "continuous as sampled": partial(wrong_convention, made="continuous", read="sampled"),
    "discrete as continuous": partial(wrong_convention, made="discrete", read="continuous"),
    "cut at 1.5 sigma": cut_short,
}
