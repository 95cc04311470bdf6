"""Reads the pairs of a source: decoded by several threads, handed over in order.

Decoders release Python's lock while they work, so threads are enough.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gaussjax.checks import as_count, looks_like_colour
from gaussjax.io.decoders import Decoded, full_scale
from gaussjax.io.errors import ImageFileError, one_line_errors
from gaussjax.io.images import read_values
from gaussjax.io.pair_sources import PairFiles, Source, open_stack
from gaussjax.io.pixel_values import to_values

_LEAST_SIDE = 8  # px along every axis: smaller images hold too little for an estimate
_WINDOW_PER_WORKER = 4


@dataclass(frozen=True)
class LoadedPair:
    """A pair of images, finite and C-contiguous; of one shape, unless they are on two grids."""

    name: str  # what it is called in reports
    position: int  # its index in the source
    # A, `[y, x]`, or of rank 1 or 3 where the file is; in the file's own units
    reference: np.ndarray
    blurred: np.ndarray  # B, of the same shape, or on a coarser grid
    # 1 where a pixel of A may be used, else 0; None: everywhere
    known_reference: np.ndarray | None = None
    known_blurred: np.ndarray | None = None  # likewise of B
    weights: np.ndarray | None = None  # of the pixels of B; None: all alike
    # px of the images by axis, if they lie in the corner of larger frames
    size: tuple[int, ...] | None = field(default=None, kw_only=True)

    @property
    def maps(self) -> tuple[np.ndarray | None, ...]:
        """What says which pixels count: of A, of B, and their weights."""
        return self.known_reference, self.known_blurred, self.weights


@dataclass(frozen=True)
class BadPair:
    """A pair that cannot be used, and why: one line that names the file.

    Attributes:
        name: what it is called in reports.
        position: its index in the source.
        reason: what is wrong.
    """

    name: str
    position: int
    reason: str


Pair = LoadedPair | BadPair


def read_pairs(
    source: Source,
    *,
    start: int = 0,
    workers: int | None = None,
    window: int | None = None,
    linearize: bool = False,
    dtype: npt.DTypeLike = np.float32,
    two_grids: bool = False,
) -> Generator[Pair, None, None]:
    """Read the pairs of a source from the ``start``-th on, in its order.

    Closing the generator drops what has not been decoded yet and ends the threads: ``workers`` of
    them decode, None for one per usable core. At most ``window`` pairs are in memory at once, the
    caller's latest included, at least 2; None for 4 per worker. On ``two_grids`` the images of a
    pair may differ in shape. ValueError, at once, if a number is out of range.
    """
    size = len(source.pairs)
    start = as_count(start, "start", 0, size)
    workers = usable_cores() if workers is None else as_count(workers, "workers", 1)
    window = _WINDOW_PER_WORKER * workers if window is None else as_count(window, "window", 2)
    load = _Loader(source.pairs, np.dtype(dtype), linearize, two_grids)
    return _in_order(load, range(start, size), workers, window - 1)


def _in_order(
    load: Callable[[int], Pair], positions: Iterable[int], workers: int, ahead: int
) -> Generator[Pair, None, None]:
    """The pair at every position, loaded by threads up to ``ahead`` in advance."""
    pending: deque[Future[Pair]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="gaussjax-reader")
    try:
        for position in positions:
            if len(pending) == ahead:
                yield pending.popleft().result()
            pending.append(pool.submit(load, position))
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Loader:
    """Loads the pair at a position; for many threads at once."""

    def __init__(
        self, pairs: Sequence[PairFiles], dtype: np.dtype, linearize: bool, two_grids: bool
    ) -> None:
        self._pairs, self._dtype, self._linearize = pairs, dtype, linearize
        self._two_grids = two_grids
        self._stack = cache(open_stack)  # two threads may map a file both: one map is dropped again

    def __call__(self, position: int) -> Pair:
        files = self._pairs[position]
        try:
            read = [self._read(path, files.index) for path in (files.reference, files.blurred)]
            images, known = zip(*read, strict=True)
            _check_shapes(files, *(image.shape for image in images), two_grids=self._two_grids)
        except ImageFileError as error:
            return BadPair(files.name, position, str(error))
        return LoadedPair(files.name, position, *images, *known)

    def _read(self, path: Path, index: int | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Values, and 1 where there are data, else 0; None: there are everywhere."""
        known = None
        if index is None:
            values, known = read_values(path, self._dtype, linearize=self._linearize)
        else:
            samples = self._stack(path)[index]
            decoded = Decoded(samples, full_scale(samples.dtype))
            with one_line_errors(path):
                values = to_values(decoded, self._dtype, [], linearize=self._linearize)
        if known is not None and np.any(known):
            values, known = filled(values, known), known.astype(self._dtype)
        bad = values.size - np.count_nonzero(np.isfinite(values))
        if bad:
            raise ImageFileError(f"{path}: has {bad} NaN or infinite pixels")
        return values, known


def filled(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The image with the known pixel that is nearest their mean where it is not known.

    Not the mean itself: grey levels would no longer be seen to be whole numbers.
    """
    values = image[known > 0]
    if not np.all(np.isfinite(values)):
        return image
    return np.where(known > 0, image, values[np.argmin(np.abs(values - np.mean(values)))])


def _check_shapes(
    files: PairFiles, reference: tuple[int, ...], blurred: tuple[int, ...], *, two_grids: bool
) -> None:
    if not two_grids and reference != blurred:
        raise ImageFileError(
            f"{files.reference} and {files.blurred}: are of shape {reference} and {blurred}"
        )
    for path, shape in ((files.reference, reference), (files.blurred, blurred)):
        if looks_like_colour(shape):
            raise ImageFileError(
                f"{path}: shape {shape} looks like a colour image: reduce it to luminance"
            )
        if min(shape) < _LEAST_SIDE:
            raise ImageFileError(
                f"{path}: is of shape {shape}; every axis needs at least {_LEAST_SIDE} pixels"
            )


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
