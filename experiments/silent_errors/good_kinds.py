"""Pairs that the estimator is made for: every answer should be right, trusted and covered.

White or Poisson noise of any level, the noise told where it is in A; masks, families, losses and
nuisances that are asked for; signals, volumes, smooth scenes, small frames, narrow blurs.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import ndimage

from experiments.silent_errors import scenes
from experiments.silent_errors.blurs import (
    gaussian,
    least_standard_error,
    rotated_gaussian,
    shifted,
)
from experiments.silent_errors.pairs import (
    HUGE,
    LARGE,
    MEDIUM,
    SIGNAL,
    SMALL,
    VOLUME,
    Kind,
    Pair,
    Random,
    Shape,
    between,
    frame,
    noisy,
    pad_of,
    whole_scene,
    widest,
)

NUISANCES = {"gain": True, "offset": True, "shift": True}


def white(
    random: Random,
    *,
    shape: Shape = MEDIUM,
    noise: tuple[float, float],
    sigmas: tuple[float, float] | None = None,
    make: Callable = scenes.rich,
) -> Pair:
    """White noise in B, between two levels relative to the contrast of A."""
    scene = whole_scene(random, shape, make)
    sigma = between(random, *(sigmas or (0.6, widest(shape))))
    reference, clean = frame(scene, gaussian(scene, sigma))
    level = between(random, *noise) * reference.std()
    bound = least_standard_error(scene, sigma, level, pad_of(scene))
    return Pair(reference, noisy(random, clean, level), sigma, bound=bound)


def poisson(random: Random) -> Pair:
    """Photons counted in B, with 1 to 60 % noise on average; in A there are plenty."""
    scene = whole_scene(random, MEDIUM)
    sigma, level = between(random, 0.6, 4), between(random, 0.01, 0.6)
    reference, clean = frame(scene, np.maximum(gaussian(scene, sigma), 0))
    photons = clean.mean() / (level * reference.std()) ** 2  # in a pixel of value 1
    return Pair(reference, random.poisson(photons * clean) / photons, sigma)


def integers(random: Random, *, sigmas: tuple[float, float], as_float: bool) -> Pair:
    """Exposed to fill most of 8 bits; both rounded to integers, whose type is kept or not."""
    scene = whole_scene(random, LARGE)
    sigma = between(random, *sigmas)
    reference, blurred = frame(scene, gaussian(scene, sigma))
    span = random.uniform(100, 240) / (reference.max() - reference.min())
    pair = (np.rint(5 + span * (image - reference.min())) for image in (reference, blurred))
    reference, blurred = (np.clip(image, 0, 255).astype(np.uint8) for image in pair)
    if as_float:
        reference, blurred = reference.astype(float), blurred.astype(float)
    return Pair(reference, blurred, sigma)


def flat(random: Random, *, noise: tuple[float, float] = (0, 0), own: bool = False) -> Pair:
    """Discs, or cells of a few greys, in 30 to 230 steps of 8 bits.

    B is of the scene, or of the bytes of A as they are, with noise in B between levels in steps.
    """
    make = scenes.dead_leaves if random.random() < 0.5 else scenes.cells
    scene = 5 + between(random, 30, 230) * np.clip(whole_scene(random, MEDIUM, make), 0, 1)
    sigma, level = between(random, 0.7, 4), random.uniform(*noise)
    pair = frame(scene, gaussian(np.rint(scene) if own else scene, sigma, "sampled"))
    images = pair[0], noisy(random, pair[1], level)
    reference, blurred = (np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in images)
    return Pair(reference, blurred, sigma, {"kernel": "sampled"})


def low_contrast(random: Random) -> Pair:
    """A pedestal of 20 to 1000 times the contrast, and 1 to 10 % noise."""
    pair = white(random, noise=(0.01, 0.1))
    pedestal = between(random, 20, 1000) * pair.reference.std()
    return Pair(pair.reference + pedestal, pair.blurred + pedestal, pair.truth, bound=pair.bound)


def other_units(random: Random) -> Pair:
    """Counts or volts: the images times a factor between a millionth and a million."""
    pair, factor = white(random, noise=(0.01, 0.1)), between(random, 1e-6, 1e6)
    return Pair(factor * pair.reference, factor * pair.blurred, pair.truth, bound=pair.bound)


def noise_free(random: Random, *, shape: Shape = MEDIUM, **options) -> Pair:
    """Nothing but rounding to float32."""
    scene = whole_scene(random, shape)
    sigma = between(random, 0.6, widest(shape))
    reference, blurred = frame(scene, gaussian(scene, sigma))
    return Pair(reference, blurred, sigma, options)


def told_noise(
    random: Random, *, in_reference: float, in_blurred: float, estimate: bool = False, least=0.6
) -> Pair:
    """Noise up to these levels in each image, of which the estimator is told; or finds it."""
    scene = whole_scene(random, LARGE)
    sigma = between(random, least, 4)
    sharp, soft = frame(scene, gaussian(scene, sigma))
    first, second = (
        between(random, 0.1, 1) * most * sharp.std() for most in (in_reference, in_blurred)
    )
    options = {"noise_std": "estimate" if estimate else (first, second)}
    return Pair(noisy(random, sharp, first), noisy(random, soft, second), sigma, options)


def sharper(random: Random) -> Pair:
    """The images exchanged, with noise in both, told."""
    pair = told_noise(random, in_reference=0.05, in_blurred=0.05)
    return exchanged(pair, noise_std=pair.options["noise_std"][::-1])


def sharper_noise_free(random: Random) -> Pair:
    """The images exchanged, with nothing but rounding."""
    return exchanged(noise_free(random))


def exchanged(pair: Pair, **options) -> Pair:
    """B to A."""
    assert isinstance(pair.truth, float)
    return Pair(pair.blurred, pair.reference, -pair.truth, options)


def identical(random: Random, *, make: Callable) -> Pair:
    """The same image twice: no blur."""
    (image,) = frame(whole_scene(random, MEDIUM, make))
    return Pair(image, image, 0.0)


def hole(random: Random) -> Pair:
    """A rectangle of B is missing."""
    pair = white(random, shape=LARGE, noise=(0.003, 0.1), sigmas=(0.6, 4))
    mask = np.ones(LARGE, bool)
    row, column = (int(random.integers(10, n - 50)) for n in LARGE)
    mask[row : row + 40, column : column + 30] = False
    return Pair(pair.reference, np.where(mask, pair.blurred, np.nan), pair.truth, {"mask": mask})


def scattered(random: Random) -> Pair:
    """A tenth to three quarters of the pixels of B are known, here and there."""
    pair = white(random, shape=LARGE, noise=(0.003, 0.1), sigmas=(0.6, 6))
    mask = random.random(LARGE) < between(random, 0.1, 0.75)
    return Pair(pair.reference, pair.blurred, pair.truth, {"mask": mask})


def bad_pixels_and_nuisances(random: Random) -> Pair:
    """Some pixels of B are defect, and gain, offset and shift are fitted."""
    pair = every_nuisance(random, shape=LARGE, sigmas=(0.8, 6))
    mask = random.random(LARGE) > between(random, 0.005, 0.1)
    blurred = np.where(mask, pair.blurred, pair.blurred.max())
    return Pair(pair.reference, blurred, pair.truth, {**pair.options, "mask": mask})


def holes_in_both(random: Random) -> Pair:
    """A few blotches of A and of B are missing."""
    pair = white(random, shape=LARGE, noise=(0.003, 0.1), sigmas=(0.6, 3))
    known, also = (
        scenes.distance_to_spots(random, LARGE, 3) > random.uniform(2, 5) for _ in range(2)
    )
    reference, blurred = (
        np.where(mask, image, np.nan)
        for mask, image in ((known, pair.reference), (also, pair.blurred))
    )
    return Pair(reference, blurred, pair.truth, {"mask": (known, also)})


def every_nuisance(
    random: Random, *, shape: Shape = LARGE, sigmas: tuple[float, float] = (0.8, 5)
) -> Pair:
    """Another gain, offset and shift, all of them fitted."""
    scene = whole_scene(random, shape)
    sigma, shift = between(random, *sigmas), random.uniform(-3, 3, 2)
    reference, clean = frame(scene, shifted(gaussian(scene, sigma), shift))
    blurred = random.uniform(0.6, 1.5) * clean + random.uniform(-0.3, 0.3)
    level = between(random, 0.003, 0.1) * blurred.std()
    return Pair(reference, noisy(random, blurred, level), sigma, NUISANCES)


def gain_and_offset(random: Random) -> Pair:
    """Another exposure, fitted."""
    pair = white(random, noise=(0.003, 0.1))
    blurred = between(random, 0.1, 10) * (pair.blurred + random.uniform(-0.3, 0.3))
    return Pair(pair.reference, blurred, pair.truth, {"gain": True, "offset": True})


def shift_alone(random: Random) -> Pair:
    """Displaced by up to 2 px, fitted; blurs down to half a pixel."""
    scene = whole_scene(random, LARGE)
    sigma, shift = between(random, 0.5, 3), random.uniform(-2, 2, 2)
    reference, clean = frame(scene, shifted(gaussian(scene, sigma), shift))
    level = between(random, 0.003, 0.1) * reference.std()
    return Pair(reference, noisy(random, clean, level), sigma, {"shift": True})


def convention(random: Random, *, kernel: str) -> Pair:
    """Narrow blurs in another kernel convention, which is told."""
    scene = whole_scene(random, MEDIUM)
    sigma = between(random, 0.4, 2)
    reference, clean = frame(scene, gaussian(scene, sigma, kernel))
    level = between(random, 0.003, 0.1) * reference.std()
    return Pair(reference, noisy(random, clean, level), sigma, {"kernel": kernel})


def two_axes(random: Random) -> Pair:
    """Another sigma along each axis, both fitted."""
    scene = whole_scene(random, LARGE)
    sigmas = between(random, 0.6, 4), between(random, 0.6, 4)
    reference, clean = frame(scene, gaussian(scene, sigmas))
    level = between(random, 0.003, 0.1) * reference.std()
    return Pair(reference, noisy(random, clean, level), sigmas, {"family": "axis_aligned"})


def ellipse(random: Random) -> Pair:
    """An elongated Gaussian in some direction, fitted."""
    scene = whole_scene(random, LARGE)
    major = between(random, 1.0, 4)
    sigmas = major, major * random.uniform(0.4, 0.9)
    blurred = rotated_gaussian(scene, sigmas, random.uniform(0, np.pi))
    reference, clean = frame(scene, blurred)
    level = between(random, 0.003, 0.1) * reference.std()
    return Pair(reference, noisy(random, clean, level), sigmas, {"family": "full"})


def outliers_and_huber(random: Random) -> Pair:
    """White noise, and up to 3 % of the pixels of B at some other value; Huber's loss."""
    pair = white(random, shape=LARGE, noise=(0.003, 0.1), sigmas=(0.6, 4))
    hit = random.random(LARGE) < between(random, 0.003, 0.03)
    blurred = np.where(hit, random.random(LARGE), pair.blurred)
    return Pair(pair.reference, blurred, pair.truth, {"loss": "huber"})


def laplace_and_absolute(random: Random) -> Pair:
    """Noise of a double exponential in B; absolute residuals."""
    scene = whole_scene(random, LARGE)
    sigma = between(random, 0.6, 4)
    reference, clean = frame(scene, gaussian(scene, sigma))
    level = between(random, 0.003, 0.1) * reference.std()
    blurred = clean + random.laplace(scale=level / np.sqrt(2), size=clean.shape)
    return Pair(reference, blurred, sigma, {"loss": "absolute"})


def weighted(random: Random) -> Pair:
    """Noise whose level grows fivefold across B, and the weights that go with it."""
    scene = whole_scene(random, MEDIUM)
    sigma = between(random, 0.6, 4)
    reference, clean = frame(scene, gaussian(scene, sigma))
    levels = between(random, 0.003, 0.1) * reference.std() * np.geomspace(1, 5, MEDIUM[1])
    weights = np.broadcast_to(levels.min() ** 2 / levels**2, MEDIUM)
    return Pair(reference, noisy(random, clean, levels), sigma, {"weights": weights})


def closed_frame(random: Random, *, boundary: str) -> Pair:
    """A whole frame that was blurred as the boundary says, with nothing around it."""
    (image,) = frame(whole_scene(random, MEDIUM))
    sigma = between(random, 0.6, 4)
    if boundary == "periodic":
        clean = ndimage.fourier_gaussian(np.fft.fft2(image), sigma)
        clean = np.fft.ifft2(clean).real
    else:
        clean = gaussian(image, sigma)
    level = between(random, 0.003, 0.1) * image.std()
    return Pair(image, noisy(random, clean, level), sigma, {"boundary": boundary})


def far_start(random: Random) -> Pair:
    """The solver starts elsewhere: at 0.1 to 8 px."""
    pair = white(random, noise=(0.003, 0.1))
    return Pair(
        pair.reference, pair.blurred, pair.truth, {"initial": between(random, 0.1, 8)}, pair.bound
    )


def soft_scene(random: Random) -> Pair:
    """A scene without detail finer than several px, whose blur may be narrower than that."""
    scene = whole_scene(random, LARGE, scenes.smooth)
    sigma = between(random, 1, 4)
    kernel = str(random.choice(["continuous", "sampled"]))
    reference, clean = frame(scene, gaussian(scene, sigma, kernel))
    level = between(random, 1e-3, 0.03) * reference.std()
    return Pair(reference, noisy(random, clean, level), sigma, {"kernel": kernel})


GOOD: dict[str, Kind] = {
    "noise 0.1-1 %": partial(white, shape=LARGE, noise=(1e-3, 1e-2)),
    "noise 1-10 %": partial(white, noise=(0.01, 0.1)),
    "noise 10-60 %": partial(white, noise=(0.1, 0.6), sigmas=(0.8, 4)),
    "noise 60-200 %": partial(white, shape=LARGE, noise=(0.6, 2.0), sigmas=(0.8, 4)),
    "32 px": partial(white, shape=SMALL, noise=(0.003, 0.1)),
    "256 px": partial(white, shape=HUGE, noise=(0.003, 0.3), sigmas=(0.6, 6)),
    "narrow blur": partial(white, shape=LARGE, noise=(0.01, 0.1), sigmas=(0.25, 0.6)),
    "Poisson": poisson,
    "8 bit": partial(integers, sigmas=(0.6, 4), as_float=False),
    "8 bit as floats": partial(integers, sigmas=(1.0, 4), as_float=True),
    "flat, 8 bit": flat,
    "flat, 8 bit, noise": partial(flat, noise=(0.3, 3)),
    "flat, of its bytes": partial(flat, own=True),
    "low contrast": low_contrast,
    "other units": other_units,
    "noise-free": noise_free,
    "noise-free, estimate": partial(noise_free, shape=LARGE, noise_std="estimate"),
    "noise in A, told": partial(told_noise, in_reference=0.1, in_blurred=0.0),
    "noise in B, told": partial(told_noise, in_reference=0.0, in_blurred=0.1),
    "noise in both, told": partial(told_noise, in_reference=0.2, in_blurred=0.2),
    "noise in both, estimate": partial(
        told_noise, in_reference=0.1, in_blurred=0.1, estimate=True, least=1.0
    ),
    "noise in B, estimate": partial(
        told_noise, in_reference=0.0, in_blurred=0.1, estimate=True, least=1.0
    ),
    "sharper, noise told": sharper,
    "sharper, noise-free": sharper_noise_free,
    "identical": partial(identical, make=scenes.rich),
    "identical, smooth": partial(identical, make=scenes.smooth),
    "smooth scene": soft_scene,
    "hole in B": hole,
    "scattered mask": scattered,
    "holes in A and B": holes_in_both,
    "mask and nuisances": bad_pixels_and_nuisances,
    "gain, offset, shift": every_nuisance,
    "gain and offset": gain_and_offset,
    "shift": shift_alone,
    "sampled": partial(convention, kernel="sampled"),
    "discrete": partial(convention, kernel="discrete"),
    "integrated": partial(convention, kernel="integrated"),
    "axis-aligned": two_axes,
    "full": ellipse,
    "outliers, Huber": outliers_and_huber,
    "Laplace, absolute": laplace_and_absolute,
    "weights": weighted,
    "periodic": partial(closed_frame, boundary="periodic"),
    "reflect": partial(closed_frame, boundary="reflect"),
    "far start": far_start,
    "spectrum": partial(
        white, shape=SIGNAL, noise=(0.003, 0.1), sigmas=(0.8, 6), make=scenes.spectrum
    ),
    "signal": partial(white, shape=SIGNAL, noise=(0.003, 0.1), sigmas=(0.8, 6), make=scenes.walk),
    "volume": partial(
        white, shape=VOLUME, noise=(0.003, 0.1), sigmas=(0.6, 1.5), make=scenes.texture
    ),
}
