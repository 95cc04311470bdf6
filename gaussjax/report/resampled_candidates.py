"""Reductions and enlargements as candidates of a comparison: the best factor and phase of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gaussjax.model.resampling import Resampler, reduce_and_enlarge
from gaussjax.report.kernel_candidate import Candidate

RESAMPLERS = {
    "antialiased": (Resampler("bicubic", -0.5, True), Resampler("Lanczos", 3, True)),
    "not antialiased": (Resampler("bicubic", -0.75, False), Resampler("Lanczos", 4, False)),
}
_FACTORS = (1.25, 4 / 3, 1.5, 5 / 3, 2, 2.5, 3, 4, 5, 6, 8)
_BOX = 128  # px of the box in which factors are compared
_CHANCE = 30.0  # variances of the noise that factors and phases have to gain, to be no round ones


@dataclass(frozen=True)
class Lattice:
    """The places of the samples of a small image, along one axis."""

    factor: float
    phase: float


Lattices = tuple[Lattice, ...]


def resampled(
    resampler: Resampler, convention: str, lattices: Lattices, factor: float
) -> Candidate:
    """The candidate of a resampler on known lattices, one per axis."""
    name = f"{resampler.name} resize"

    def operator(image: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, float]:
        del parameters
        noise_gain = 1.0
        for axis, lattice in enumerate(lattices):
            size = image.shape[axis]
            smaller, larger = reduce_and_enlarge(resampler, size, lattice.factor, lattice.phase)
            image = _along(image, axis, smaller, larger)
            # Of noise alike in all pixels, the mean square of the weights is left in one.
            noise_gain *= float(np.mean(np.sum((larger @ smaller) ** 2, axis=1)))
        return image, noise_gain

    return Candidate(
        name=name,
        convention=convention,
        transfer=lambda w, p: np.ones(()),
        starts=lambda sigma: np.array([[factor]]),
        support=lambda p: resampler.reach(p[0]),
        names=(("factor", ""),),
        phrase=f"{resampler.name} reduction and enlargement by {{0:.3g}}",
        rms=lambda p: math.nan,
        fwhm=lambda p: math.nan,
        is_listed=True,
        operator=operator,
    )


def _along(image: np.ndarray, axis: int, smaller: np.ndarray, larger: np.ndarray) -> np.ndarray:
    """The image resampled along one axis."""
    small = np.tensordot(smaller, np.moveaxis(image, axis, 0), axes=1)
    return np.moveaxis(np.tensordot(larger, small, axes=1), 0, axis)


@dataclass(frozen=True)
class Part:
    """A part of a larger frame: where it begins, and how large the frame is."""

    start: tuple[int, ...]
    frame: tuple[int, ...]


def best_resampled(
    resampler: Resampler, convention: str, pair: tuple[np.ndarray, np.ndarray], part: Part
) -> Candidate | None:
    """The factor and the phases that come nearest, looked for in a box of the images.

    Factors and phases are those of a frame that was resampled as a whole, whole factors at any
    phase, and what is near to them. ``pair`` are the sharp and the soft image without gain, offset
    and shift, a ``part`` of their frame. None if the images are too small for any.
    """
    box, part = _box(pair[0].shape, part)
    sharp, soft = (image[box] for image in pair)
    margins = [int(0.375 * n) for n in sharp.shape]
    inside = tuple(slice(m, n - m) for m, n in zip(margins, sharp.shape, strict=True))

    def residual(lattices: Lattices) -> np.ndarray:
        image = sharp
        for axis, lattice in enumerate(lattices):
            size = image.shape[axis]
            matrices = reduce_and_enlarge(resampler, size, lattice.factor, lattice.phase)
            image = _along(image, axis, *matrices)
        return soft[inside] - image[inside]

    def misfit(lattices: Lattices) -> float:
        return float(np.sum(residual(lattices) ** 2))

    tried: list[Lattices] = []
    for factor in _FACTORS:
        if resampler.reach(factor) > min(margins):
            continue
        tried += {_of_whole_frame(part, factor, rounded) for rounded in (math.floor, round)}
        if factor == int(factor):
            # A frame that was cut after it was resampled may begin anywhere.
            somewhere = (Lattice(float(factor), 0.0),) * sharp.ndim
            tried.append(_best_phases(misfit, somewhere))
    if not tried:
        return None
    lattices = min(tried, key=misfit)
    if _is_whole(lattices):
        lattices = _best_phases(misfit, lattices)
    lattices = _adjusted(residual, lattices)
    factor = float(np.mean([each.factor for each in lattices]))
    lattices = tuple(
        Lattice(each.factor, (each.phase + where.start) % each.factor)
        for each, where in zip(lattices, box, strict=True)
    )
    return resampled(resampler, convention, lattices, factor)


def _box(shape: tuple[int, ...], part: Part) -> tuple[tuple[slice, ...], Part]:
    """The middle of the images, and which part of the frame it is."""
    box = tuple(slice((n - min(n, _BOX)) // 2, (n + min(n, _BOX)) // 2) for n in shape)
    starts = tuple(a + where.start for a, where in zip(part.start, box, strict=True))
    return box, Part(starts, part.frame)


def _of_whole_frame(part: Part, factor: float, rounded: Callable[[float], int]) -> Lattices:
    """Lattices of a part of a frame that became a whole number of small pixels."""
    factors = [n / max(rounded(n / factor), 1) for n in part.frame]
    return tuple(Lattice(f, -a % f) for f, a in zip(factors, part.start, strict=True))


def _is_whole(lattices: Lattices) -> bool:
    """All axes have one whole factor."""
    (factor, *others) = {each.factor for each in lattices}
    return not others and factor == int(factor)


def _best_phases(misfit: Callable[[Lattices], float], lattices: Lattices) -> Lattices:
    """The best phases in halves of a px, one axis after another."""
    for axis, lattice in enumerate(lattices):
        phases = (replace(lattice, phase=0.5 * k) for k in range(int(2 * lattice.factor)))
        tried = [(*lattices[:axis], each, *lattices[axis + 1 :]) for each in phases]
        lattices = min(tried, key=misfit)
    return lattices


def _adjusted(residual: Callable[[Lattices], np.ndarray], lattices: Lattices) -> Lattices:
    """Factors and phases by Gauss-Newton, if they gain what chance does not.

    A photograph of 427 rows that was halved has the factor 427 / 214, wherever a part of it lies.
    """
    vector = np.array([(each.factor, each.phase) for each in lattices]).ravel()

    def at(v: np.ndarray) -> np.ndarray:
        return residual(tuple(Lattice(f, phase % f) for f, phase in v.reshape(-1, 2))).ravel()

    first = best = at(vector)
    steps = np.diag(np.tile([1e-4, 1e-3], len(lattices)))
    found = vector
    for _ in range(4):
        slopes = np.stack([(at(found + each) - best) / np.sum(each) for each in steps], axis=-1)
        trial = found - np.linalg.lstsq(slopes, best, rcond=1e-8)[0]
        left = at(trial)
        if not np.sum(left**2) < np.sum(best**2):
            break
        found, best = trial, left
    gained = np.sum(first**2) - np.sum(best**2)
    if gained < _CHANCE * np.sum(best**2) / best.size:
        return lattices
    return tuple(Lattice(float(f), float(phase % f)) for f, phase in found.reshape(-1, 2))
