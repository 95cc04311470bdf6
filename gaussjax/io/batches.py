"""Pairs one by one, to batches of one shape and a fixed number of places."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussjax.io.decoders import looks_like_colour
from gaussjax.io.pair_reader import BadPair, LoadedPair

# Numbers in a batch, of one image each: some 8 MB in float32.
_PIXELS = 2**21
_MOST_PAIRS = 256


@dataclass(frozen=True)
class Batch:
    """Pairs of one shape; places that are not taken hold zeros.

    Attributes:
        names: of the pairs that are there.
        positions: of them, in what they came from.
        references: A, ``[n, *shape]``.
        blurreds: B.
    """

    names: tuple[str, ...]
    positions: tuple[int, ...]
    references: np.ndarray
    blurreds: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """True for the places that are taken, ``[n]``."""
        return np.arange(len(self.references)) < len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return self.references.shape[1:]


class Batcher:
    """Collects pairs by shape and type, and gives a batch whenever one is full."""

    def __init__(self, devices: int) -> None:
        """For batches that can be dealt out to so many devices."""
        self._devices = devices
        self._waiting: dict[tuple, list[LoadedPair]] = {}

    def add(self, pair: LoadedPair) -> Batch | None:
        """The batch that this pair has filled."""
        key = pair.reference.shape, pair.reference.dtype.str
        waiting = self._waiting.setdefault(key, [])
        waiting.append(pair)
        if len(waiting) < batch_size(pair.reference.shape, self._devices):
            return None
        return self._taken(key)

    def rest(self) -> Iterator[Batch]:
        """Batches of all that still waits."""
        for key in list(self._waiting):
            yield self._taken(key)

    def _taken(self, key: tuple) -> Batch:
        return make_batch(self._waiting.pop(key), self._devices)


def batch_size(shape: tuple[int, ...], devices: int) -> int:
    """Places of a batch of images of a shape."""
    wanted = min(max(_PIXELS // int(np.prod(shape)), 1), _MOST_PAIRS)
    return -(-wanted // devices) * devices


def make_batch(pairs: Sequence[LoadedPair], devices: int) -> Batch:
    """Of pairs of one shape, no more than fit."""
    shape, dtype = pairs[0].reference.shape, pairs[0].reference.dtype
    size = batch_size(shape, devices)
    references, blurreds = np.zeros((2, size, *shape), dtype)
    for place, pair in enumerate(pairs):
        references[place], blurreds[place] = pair.reference, pair.blurred
    return Batch(
        tuple(pair.name for pair in pairs),
        tuple(pair.position for pair in pairs),
        references,
        blurreds,
    )


def named_pairs(pairs: Iterable, *, batched: bool, dtype) -> Iterator[LoadedPair | BadPair]:
    """Whatever a caller's iterable yields, as single pairs with names, or the reason why not.

    Args:
        pairs: yields ``(reference, blurred)``, ``(name, reference, blurred)``, mappings with these
            keys, or what :func:`~gaussjax.io.pair_reader.read_pairs` yields. Without a name a pair
            is called by its number.
        batched: each holds stacks of them along a first axis, and a sequence of names.
        dtype: of images that are not floating; what is wider is narrowed to it.

    Raises:
        TypeError: for anything else.
        ValueError: for stacks of different lengths.
    """
    number = 0
    for element in pairs:
        if isinstance(element, LoadedPair | BadPair):
            found = [element]
        else:
            found = _taken_apart(element, number, batched=batched, dtype=dtype)
        yield from found
        number += len(found)


def _taken_apart(element: Any, number: int, *, batched: bool, dtype) -> list[LoadedPair | BadPair]:
    name, reference, blurred = _parts(element)
    if not batched:
        return [_checked(name, number, reference, blurred, dtype)]
    reference, blurred = np.asarray(reference), np.asarray(blurred)
    names = [None] * len(reference) if name is None else name
    if not len(reference) == len(blurred) == len(names):
        raise ValueError(
            "batched pairs need as many blurred images and names as references; got"
            f" {len(reference)} references, {len(blurred)} blurred and {len(names)} names"
        )
    rows = zip(names, reference, blurred, strict=True)
    return [_checked(row[0], number + k, *row[1:], dtype) for k, row in enumerate(rows)]


def _parts(element: Any) -> tuple[Any, Any, Any]:
    """Name or None, reference, blurred."""
    if isinstance(element, Mapping):
        missing = {"reference", "blurred"} - element.keys()
        if missing:
            raise TypeError(f"a pair lacks {sorted(missing)}; got the keys {sorted(element)}")
        return element.get("name"), element["reference"], element["blurred"]
    if isinstance(element, tuple | list) and len(element) in (2, 3):
        return (None, *element) if len(element) == 2 else tuple(element)
    raise TypeError(
        "pairs must yield (reference, blurred), (name, reference, blurred) or a mapping with these"
        f" keys; got {type(element).__name__}"
    )


def _checked(name: Any, position: int, reference: Any, blurred: Any, dtype) -> LoadedPair | BadPair:
    name = str(position if name is None else name)
    images = [np.asarray(image) for image in (reference, blurred)]
    reason = _fault(*images)
    if reason:
        return BadPair(name, position, reason)
    wide = [x if x.dtype.kind == "f" and x.itemsize >= 4 else x.astype(dtype) for x in images]
    common = min(np.result_type(*wide), np.dtype(dtype), key=lambda kind: kind.itemsize)
    reference, blurred = (image.astype(common, copy=False) for image in wide)
    return LoadedPair(name, position, reference, blurred)


def _fault(reference: np.ndarray, blurred: np.ndarray) -> str:
    """Why two arrays are no pair of images; empty if they are."""
    if reference.shape != blurred.shape:
        return f"shapes differ: {reference.shape} and {blurred.shape}"
    if not 1 <= reference.ndim <= 3 or min(reference.shape) < 2:
        return f"shape {reference.shape} is no signal, image or volume"
    if looks_like_colour(reference.shape):
        return f"shape {reference.shape} looks like a colour image: reduce it to luminance"
    if any(image.dtype.kind not in "buif" for image in (reference, blurred)):
        return f"not real numbers: {reference.dtype} and {blurred.dtype}"
    return ""
