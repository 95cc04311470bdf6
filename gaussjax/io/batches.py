"""Pairs of any origin, one by one with a name, and batches of pairs of one shape."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussjax.io.decoders import looks_like_colour
from gaussjax.io.pair_reader import BadPair, LoadedPair, Pair

_PIXELS = 2**21  # of the references in a batch: 8 MB in float32
_MOST_PAIRS = 256
_Parts = tuple[Any, Any, Any]  # name or None, reference, blurred


@dataclass(frozen=True)
class Batch:
    """Pairs of one shape; free places hold zeros."""

    names: tuple[str, ...]  # of the pairs
    positions: tuple[int, ...]  # of the pairs in their source
    references: np.ndarray  # A, `[n, *shape]` with n places
    blurreds: np.ndarray  # B, likewise

    @property
    def present(self) -> np.ndarray:
        """True for the places that are taken, ``[n]``."""
        return np.arange(len(self.references)) < len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return self.references.shape[1:]


class Batcher:
    """Collects pairs by shape and type, and gives a batch whenever one is full.

    Args:
        devices: the places of a batch are a multiple of their number.
    """

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._waiting: dict[tuple[tuple[int, ...], str], list[LoadedPair]] = {}

    def add(self, pair: LoadedPair) -> Batch | None:
        """The batch that this pair has filled, if it has."""
        key = pair.reference.shape, pair.reference.dtype.str
        waiting = self._waiting.setdefault(key, [])
        waiting.append(pair)
        if len(waiting) < self._batch_size(pair.reference.shape):
            return None
        return self._take(key)

    def rest(self) -> Iterator[Batch]:
        """Batches of the pairs that still wait."""
        for key in list(self._waiting):
            yield self._take(key)

    def _batch_size(self, shape: tuple[int, ...]) -> int:
        wanted = min(max(_PIXELS // int(np.prod(shape)), 1), _MOST_PAIRS)
        return -(-wanted // self._devices) * self._devices

    def _take(self, key: tuple[tuple[int, ...], str]) -> Batch:
        (shape, dtype), pairs = key, self._waiting.pop(key)
        references, blurreds = np.zeros((2, self._batch_size(shape), *shape), dtype)
        for place, pair in enumerate(pairs):
            references[place], blurreds[place] = pair.reference, pair.blurred
        names, positions = zip(*((pair.name, pair.position) for pair in pairs), strict=True)
        return Batch(names, positions, references, blurreds)


def named_pairs(pairs: Iterable, *, batched: bool, dtype) -> Iterator[Pair]:
    """What a caller's iterable yields, as single pairs with names, or why they are none.

    Args:
        pairs: yields ``(reference, blurred)``, ``(name, reference, blurred)``, mappings with these
            keys, or what :func:`~gaussjax.io.pair_reader.read_pairs` yields. Without a name a pair
            is called by its number.
        batched: each element holds stacks of images along a first axis, and a sequence of names.
        dtype: of images that are not floating; wider ones are narrowed to it.

    Raises:
        TypeError: for anything else.
        ValueError: for stacks of different lengths.
    """
    for number, single in enumerate(_singles(pairs, batched)):
        if isinstance(single, Pair):
            yield single
        else:
            yield _checked(number, *single, dtype)


def _singles(pairs: Iterable, batched: bool) -> Iterator[Pair | _Parts]:
    """The elements that are pairs by themselves, and the parts of all others."""
    for element in pairs:
        if isinstance(element, Pair):
            yield element
        elif not batched:
            yield _parts(element)
        else:
            names, references, blurreds = _parts(element)
            references, blurreds = np.asarray(references), np.asarray(blurreds)
            names = [None] * len(references) if names is None else names
            if not len(references) == len(blurreds) == len(names):
                raise ValueError(
                    "batched pairs need as many blurred images and names as references; got"
                    f" {len(references)} references, {len(blurreds)} blurred and {len(names)} names"
                )
            yield from zip(names, references, blurreds, strict=True)


def _parts(element: Any) -> _Parts:
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


def _checked(position: int, name: Any, reference: Any, blurred: Any, dtype) -> Pair:
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
    """Why two arrays are not a pair of images; empty if they are."""
    if reference.shape != blurred.shape:
        return f"shapes differ: {reference.shape} and {blurred.shape}"
    if not 1 <= reference.ndim <= 3 or min(reference.shape) < 2:
        return f"shape {reference.shape} is no signal, image or volume"
    if looks_like_colour(reference.shape):
        return f"shape {reference.shape} looks like a colour image: reduce it to luminance"
    if any(image.dtype.kind not in "buif" for image in (reference, blurred)):
        return f"not real numbers: {reference.dtype} and {blurred.dtype}"
    return ""
