"""Reductions and enlargements as candidates of a comparison: the best factor and phase of each."""

import math
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


@dataclass(frozen=True)
class Lattice:
    """Where the samples of a small image lay, along one axis."""

    factor: float
    phase: float


def resampled(resampler: Resampler, convention: str, lattices: tuple[Lattice, ...], factor: float):
    """The candidate of a resampler on known lattices, one per axis."""
    name = f"{resampler.name} resize"

    def operator(image: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, float]:
        del parameters
        noise_gain = 1.0
        for axis, lattice in enumerate(lattices):
            image, squares = _along(image, axis, resampler, lattice)
            noise_gain *= squares
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


def _along(
    image: np.ndarray, axis: int, resampler: Resampler, lattice: Lattice
) -> tuple[np.ndarray, float]:
    """The image resampled along one axis, and the mean square of the weights of its pixels."""
    smaller, larger = reduce_and_enlarge(
        resampler, image.shape[axis], lattice.factor, lattice.phase
    )
    small = np.tensordot(smaller, np.moveaxis(image, axis, 0), axes=1)
    image = np.moveaxis(np.tensordot(larger, small, axes=1), 0, axis)
    return image, float(np.mean(np.sum((larger @ smaller) ** 2, axis=1)))


@dataclass(frozen=True)
class Part:
    """A part of a larger frame: where it begins, and how large the frame is."""

    start: tuple[int, ...]
    frame: tuple[int, ...]


def best_resampled(
    resampler: Resampler, convention: str, pair: tuple[np.ndarray, np.ndarray], part: Part
) -> Candidate | None:
    """The factor and the phases that come nearest, looked for in a box of the images.

    Phases are those of a frame that was resampled as a whole, or any whole px of a whole factor.

    Args:
        resampler: what the tool does.
        convention: its name.
        pair: sharp and soft image without gain, offset and shift.
        part: of the frame that these images are.

    Returns:
        A candidate; None if the images are too small for any.
    """
    box, part = _box(pair[0].shape, part)
    sharp, soft = (image[box] for image in pair)
    margins = [int(0.375 * n) for n in sharp.shape]
    inside = tuple(slice(m, n - m) for m, n in zip(margins, sharp.shape, strict=True))
    target = soft[inside]

    def misfit(lattices: tuple[Lattice, ...]) -> float:
        image = sharp
        for axis, lattice in enumerate(lattices):
            image, _ = _along(image, axis, resampler, lattice)
        return float(np.sum((image[inside] - target) ** 2))

    found = []
    for factor in _FACTORS:
        if resampler.reach(factor) <= min(margins):
            whole = (_of_whole_frame(part, factor, rounded) for rounded in (math.floor, round))
            found += [(misfit(lattices), factor, lattices) for lattices in dict.fromkeys(whole)]
    if not found:
        return None
    found.sort(key=lambda each: each[0])
    for _, factor, lattices in found[:2]:
        if factor == int(factor):
            found.append(_cut_afterwards(misfit, factor, lattices))
    _, factor, lattices = min(found, key=lambda each: each[0])
    lattices = tuple(
        replace(lattice, phase=(lattice.phase + where.start) % lattice.factor)
        for lattice, where in zip(lattices, box, strict=True)
    )
    return resampled(resampler, convention, lattices, factor)


def _box(shape: tuple[int, ...], part: Part) -> tuple[tuple[slice, ...], Part]:
    """The middle of the images, and which part of the frame it is."""
    box = tuple(slice((n - min(n, _BOX)) // 2, (n + min(n, _BOX)) // 2) for n in shape)
    starts = tuple(a + where.start for a, where in zip(part.start, box, strict=True))
    return box, Part(starts, part.frame)


def _of_whole_frame(part: Part, factor: float, rounded) -> tuple[Lattice, ...]:
    """Lattices of a part of a frame that became a whole number of small pixels."""
    factors = [n / max(rounded(n / factor), 1) for n in part.frame]
    return tuple(Lattice(f, -a % f) for f, a in zip(factors, part.start, strict=True))


def _cut_afterwards(misfit, factor: float, lattices: tuple[Lattice, ...]):
    """The best phases in whole px, one axis after another."""
    least = math.inf
    for axis in range(len(lattices)):
        tried = [
            (*lattices[:axis], Lattice(factor, float(phase)), *lattices[axis + 1 :])
            for phase in range(int(factor))
        ]
        misfits = [misfit(each) for each in tried]
        least, lattices = min(misfits), tried[int(np.argmin(misfits))]
    return least, factor, lattices
