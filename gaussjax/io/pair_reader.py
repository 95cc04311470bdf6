"""Reads the pairs of a source: decoded by several threads, handed over in order.

Decoders release Python's lock while they work, so threads are enough. Nothing here imports JAX.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gaussjax.io.decoders import Decoded, full_scale, looks_like_colour
from gaussjax.io.images import ImageFileError, one_line_errors, read_values, to_values
from gaussjax.io.pair_sources import PairFiles, Source, open_stack

_LEAST_SIDE = 8  # px along every axis: smaller images hold too little for an estimate
_WINDOW_PER_WORKER = 4


@dataclass(frozen=True)
class LoadedPair:
    """A pair of images of one shape, finite and C-contiguous.

    Attributes:
        name: what it is called in reports.
        position: its index in the source.
        reference: A, ``[y, x]``, or of rank 1 or 3 where the file is; in the file's own units.
        blurred: B, of the same shape.
    """

    name: str
    position: int
    reference: np.ndarray
    blurred: np.ndarray


@dataclass(frozen=True)
class BadPair:
    """A pair that cannot be used, and why: one line.

    Attributes:
        name: what it is called in reports.
        position: its index in the source.
        reason: what is wrong, with the file's name.
    """

    name: str
    position: int
    reason: str


def read_pairs(
    source: Source,
    *,
    start: int = 0,
    workers: int | None = None,
    window: int | None = None,
    linearize: bool = False,
    dtype: npt.DTypeLike = np.float32,
) -> Generator[LoadedPair | BadPair, None, None]:
    """Read the pairs of a source, in its order.

    Closing the generator drops what has not been decoded yet and ends the threads.

    Args:
        source: of the pairs.
        start: index of the first pair to read.
        workers: number of threads that decode; None for one per usable core.
        window: pairs that may be in memory at once, the caller's latest included; 2 at least.
            None for 4 per worker.
        linearize: decode 8- and 16-bit samples from sRGB to linear light, 0 to 1.
        dtype: of the images, a type of float.

    Raises:
        ValueError: at once, if a number is out of range.
    """
    size = len(source.pairs)
    if not 0 <= start <= size:
        raise ValueError(f"start must be between 0 and the number of pairs, {size}: got {start}")
    if workers is None:
        workers = _usable_cores()
    if workers < 1:
        raise ValueError(f"workers must be at least 1: got {workers}")
    if window is None:
        window = _WINDOW_PER_WORKER * workers
    if window < 2:
        raise ValueError(f"window must be at least 2: got {window}")
    load = partial(_load, source.pairs, cache(open_stack), np.dtype(dtype), linearize)
    return _in_order(load, range(start, size), workers, window - 1)


def _in_order(
    load: Callable[[int], LoadedPair | BadPair],
    positions: Iterable[int],
    workers: int,
    ahead: int,
) -> Generator[LoadedPair | BadPair, None, None]:
    """What ``load`` makes of every position, computed by threads up to ``ahead`` in advance."""
    pending: deque[Future[LoadedPair | BadPair]] = deque()
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


def _load(
    pairs: Sequence[PairFiles],
    stack_of: Callable[[Path], np.ndarray],
    dtype: np.dtype,
    linearize: bool,
    position: int,
) -> LoadedPair | BadPair:
    """The pair at a position; for many threads at once."""
    files = pairs[position]

    def values_of(path: Path) -> np.ndarray:
        if files.index is None:
            values = read_values(path, dtype, linearize=linearize)
        else:
            samples = stack_of(path)[files.index]
            with one_line_errors(path):
                decoded = Decoded(samples, full_scale(samples.dtype))
                values = to_values(decoded, dtype, [], linearize=linearize)
        bad = values.size - np.count_nonzero(np.isfinite(values))
        if bad:
            raise ImageFileError(f"{path}: has {bad} NaN or infinite pixels")
        return values

    try:
        reference, blurred = values_of(files.reference), values_of(files.blurred)
        _check_shapes(files, reference, blurred)
    except ImageFileError as error:
        return BadPair(files.name, position, str(error))
    return LoadedPair(files.name, position, reference, blurred)


def _check_shapes(files: PairFiles, reference: np.ndarray, blurred: np.ndarray) -> None:
    if reference.shape != blurred.shape:
        raise ImageFileError(
            f"{files.reference} and {files.blurred}: are of shape {reference.shape}"
            f" and {blurred.shape}"
        )
    if looks_like_colour(reference.shape):
        raise ImageFileError(
            f"{files.reference}: shape {reference.shape} looks like a colour image: reduce it to"
            " luminance"
        )
    if min(reference.shape) < _LEAST_SIDE:
        raise ImageFileError(
            f"{files.reference}: is of shape {reference.shape};"
            f" every axis needs at least {_LEAST_SIDE} pixels"
        )


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
