"""The pairs of folders, stacks or a list, as an iterable that can start at any position."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal, get_args

from gaussjax.checks import as_count, as_flag, as_path, check_option
from gaussjax.io.pair_reader import BadPair, Pair, read_pairs
from gaussjax.io.pair_sources import Source, open_source

Precision = Literal["float32", "float64"]
_MOST_WORKERS = 1024
_PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class PairSet:
    """Pairs of image files, decoded in threads while they are iterated over.

    Attributes:
        source: where the pairs are.
        workers: threads that decode; None for one per usable core.
        linearize: decode 8- and 16-bit samples from sRGB to linear light, 0 to 1.
        dtype: of the images, "float32" or "float64".
        two_grids: the images of a pair may differ in shape, which :func:`~gaussjax.fit_dataset`
            asks for where it is given ``sampling``.
    """

    source: Source
    workers: int | None = None
    linearize: bool = False
    dtype: Precision = "float32"
    two_grids: bool = False

    def __len__(self) -> int:
        """Number of pairs, good or bad, and of files without a partner."""
        return len(self.source.pairs) + len(self.source.problems)

    def __iter__(self) -> Generator[Pair, None, None]:
        """All pairs."""
        return self.starting_at(0)

    def starting_at(self, position: int) -> Generator[Pair, None, None]:
        """The pairs from a position on, without reading those before it; then the partnerless."""
        return self._from(as_count(position, "position"))

    def _from(self, position: int) -> Generator[Pair, None, None]:
        count = len(self.source.pairs)
        yield from read_pairs(
            self.source,
            start=min(position, count),
            workers=self.workers,
            linearize=self.linearize,
            dtype=self.dtype,
            two_grids=self.two_grids,
        )
        for place, problem in enumerate(self.source.problems, count):
            if place >= position:
                yield BadPair(problem.name, place, problem.reason)

    def fingerprint(self) -> str:
        """Identifies names of all pairs, sizes and times of their files, and how they are read."""
        light = ", in light" * self.linearize
        return f"{self.source.fingerprint()}, {self.dtype}{light}"

    def on_two_grids(self) -> PairSet:
        """The same pairs, whose images may differ in shape."""
        return replace(self, two_grids=True)

    def shard(self, index: int, count: int) -> PairSet:
        """Every ``count``-th pair from ``index`` on: the share of one process of several."""
        count = as_count(count, "count", 1)
        index = as_count(index, "index", 0, count - 1)
        part, whole = slice(index, None, count), self.source
        return replace(self, source=Source(whole.pairs[part], whole.problems[part]))


def open_pairs(
    reference: str | PathLike[str],
    blurred: str | PathLike[str] | None = None,
    *,
    workers: int | None = None,
    linearize: bool = False,
    dtype: Precision = "float32",
) -> PairSet:
    """The pairs of two folders (by name), of two ``.npy`` stacks ``[n, ...]``, or of a CSV list.

    Args:
        reference: folder or stack of the references, or a ``.csv`` file with the header
            ``reference,blurred`` or ``reference,blurred,name``.
        blurred: folder or stack of the blurred images; None for a list.
        workers: threads that decode; None for one per usable core.
        linearize: decode 8- and 16-bit samples from sRGB to linear light, 0 to 1.
        dtype: of the images; "float64" where ``jax_enable_x64`` is set.

    Raises:
        ImageFileError: in one line, if there are no pairs, or the list cannot be read.
        TypeError: what is no path, number or flag.
        ValueError: fewer than one worker, or an unknown dtype.
    """
    reference = as_path(reference, "reference")
    blurred = None if blurred is None else as_path(blurred, "blurred")
    workers = None if workers is None else as_count(workers, "workers", 1, _MOST_WORKERS)
    linearize = as_flag(linearize, "linearize")
    check_option(dtype, _PRECISIONS, "dtype")
    return PairSet(open_source(reference, blurred), workers, linearize, dtype)
