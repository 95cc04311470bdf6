"""Pairs of any origin, one by one with a name, and batches of pairs of one shape."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaussjax.checks import looks_like_colour, masks_of_both, shown
from gaussjax.io.pair_reader import BadPair, LoadedPair, Pair, filled

_PIXELS = 2**21  # of the references in a batch: 8 MB in float32
_MOST_PAIRS = 256


class _Parts(NamedTuple):
    """What a caller tells of a pair, or of a stack of them."""

    name: Any
    reference: Any
    blurred: Any
    mask: Any = None
    weights: Any = None


_REQUIRED, _OPTIONAL = {"reference", "blurred"}, {"name", "mask", "weights"}


@dataclass(frozen=True)
class Batch:
    """Pairs of one shape; free places hold zeros."""

    names: tuple[str, ...]  # of the pairs
    positions: tuple[int, ...]  # of the pairs in their source
    references: np.ndarray  # A, `[n, *shape]` with n places
    blurreds: np.ndarray  # B, likewise, of a shape of their own across grids
    # where pixels of A and of B may be used, and weights of B, of their shapes; None: all
    maps: tuple[np.ndarray | None, ...] = (None, None, None)
    # px per axis of the images in the corner of frames of one shape, `[n, ndim]`; None: they fill
    # them
    sizes: np.ndarray | None = None

    @property
    def present(self) -> np.ndarray:
        """True for the places that are taken, ``[n]``."""
        return np.arange(len(self.references)) < len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a reference."""
        return self.references.shape[1:]


class Batcher:
    """Collects pairs by shape and type, and gives a batch whenever one is full.

    The places of a batch are a multiple of the number of ``devices``.
    """

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._waiting: dict[tuple, list[LoadedPair]] = {}

    def add(self, pair: LoadedPair) -> Batch | None:
        """The batch that this pair has filled, if it has."""
        has_maps = tuple(each is not None for each in pair.maps)
        shapes = pair.reference.shape, pair.blurred.shape
        key = shapes, pair.reference.dtype.str, has_maps, pair.size is not None
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

    def _take(self, key: tuple) -> Batch:
        (shapes, dtype, has_maps, has_sizes), pairs = key, self._waiting.pop(key)
        shape, count = shapes[0], self._batch_size(shapes[0])
        sharp, soft = ((count, *each) for each in shapes)
        references, blurreds = np.zeros(sharp, dtype), np.zeros(soft, dtype)
        maps = tuple(
            np.ones(size, dtype) if has else None
            for has, size in zip(has_maps, (sharp, soft, soft), strict=True)
        )
        for place, pair in enumerate(pairs):
            references[place], blurreds[place] = pair.reference, pair.blurred
            for stack, each in zip(maps, pair.maps, strict=True):
                if stack is not None:
                    stack[place] = each
        names, positions = zip(*((pair.name, pair.position) for pair in pairs), strict=True)
        sizes = None
        if has_sizes:
            sizes = np.full((count, len(shape)), shape, np.int32)
            sizes[: len(pairs)] = np.asarray([pair.size for pair in pairs])
        return Batch(names, positions, references, blurreds, maps, sizes)


def named_pairs(
    pairs: Iterable, *, batched: bool, dtype, two_grids: bool = False
) -> Iterator[Pair]:
    """What a caller's iterable yields, as single pairs with names, or why they are none.

    Elements are ``(reference, blurred)``, ``(name, reference, blurred)``, mappings with these keys
    and perhaps "mask" and "weights", or what :func:`~gaussjax.io.pair_reader.read_pairs` yields;
    TypeError for anything else. ``batched``: each holds stacks of images along a first axis, and a
    sequence of names; ValueError for different lengths. Without a name a pair is called by its
    number. Images that are not floating become ``dtype``, to which wider ones are narrowed. On
    ``two_grids`` the images of a pair may differ in shape, if not in their number of axes.
    """
    for number, single in enumerate(_singles(pairs, batched)):
        if isinstance(single, Pair):
            yield single
        else:
            yield _checked(number, single, dtype, two_grids=two_grids)


def _singles(pairs: Iterable, batched: bool) -> Iterator[Pair | _Parts]:
    """The elements that are pairs by themselves, and the parts of all others."""
    try:
        elements = iter(pairs)
    except Exception as error:  # what only looks like a collection
        raise TypeError(f"pairs cannot be iterated over: {error}; got {shown(pairs)}") from error
    for element in elements:
        if isinstance(element, Pair):
            yield element
        elif not batched:
            yield _parts(element)
        else:
            yield from _unstacked(_parts(element))


def _unstacked(stacks: _Parts) -> Iterator[_Parts]:
    names, references, blurreds, mask, weights = stacks
    references, blurreds = _array(references), _array(blurreds)
    count = len(references)
    names = [None] * count if names is None else names
    if not count == len(blurreds) == len(names):
        raise ValueError(
            "batched pairs need as many blurred images and names as references; got"
            f" {count} references, {len(blurreds)} blurred and {len(names)} names"
        )
    # Not by masks_of_both: a list of two may be a stack.
    masks = mask if isinstance(mask, tuple) and len(mask) == 2 else (None, mask)
    for k in range(count):
        own = tuple(m if m is None else m[k] for m in masks)
        own_weights = None if weights is None else weights[k]
        yield _Parts(names[k], references[k], blurreds[k], own, own_weights)


def _parts(element: Any) -> _Parts:
    if isinstance(element, Mapping):
        missing, odd = _REQUIRED - element.keys(), element.keys() - _REQUIRED - _OPTIONAL
        if missing or odd:
            raise TypeError(
                f"pairs: one {'lacks' if missing else 'has the unknown keys'}"
                f" {sorted(missing or odd)};"
                f" got the keys {sorted(element)}"
            )
        return _Parts(
            element.get("name"),
            element["reference"],
            element["blurred"],
            element.get("mask"),
            element.get("weights"),
        )
    if isinstance(element, tuple | list) and len(element) in (2, 3):
        return _Parts(None, *element) if len(element) == 2 else _Parts(*element)
    raise TypeError(
        "pairs must yield (reference, blurred), (name, reference, blurred) or a mapping with these"
        f" keys; got {type(element).__name__}"
    )


def _array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except Exception as error:  # of a ragged list, or what an object of the caller's raises
        raise TypeError(f"pairs: {shown(values)} is no array: {error}") from error


def _checked(position: int, parts: _Parts, dtype, *, two_grids: bool) -> Pair:
    name = str(position if parts.name is None else parts.name)
    images = [_array(image) for image in (parts.reference, parts.blurred)]
    reason = _fault(*images, two_grids=two_grids)
    if reason:
        return BadPair(name, position, reason)
    shape, soft = (image.shape for image in images)
    given = *masks_of_both(parts.mask), parts.weights
    maps = [None if each is None else _array(each) for each in given]
    shapes = shape, soft, soft
    reason = next((why for why in map(_map_fault, maps, shapes, _MAP_NAMES) if why), "")
    if reason:
        return BadPair(name, position, reason)
    wide = [x if x.dtype.kind == "f" and x.itemsize >= 4 else x.astype(dtype) for x in images]
    common = min(np.result_type(*wide), np.dtype(dtype), key=lambda kind: kind.itemsize)
    reference, blurred = (image.astype(common, copy=False) for image in wide)
    known_a, known_b = (None if m is None else (m != 0).astype(common) for m in maps[:2])
    reference = reference if known_a is None else filled(reference, known_a)
    blurred = blurred if known_b is None else filled(blurred, known_b)
    weights = None if maps[2] is None else maps[2].astype(common)
    return LoadedPair(name, position, reference, blurred, known_a, known_b, weights)


_MAP_NAMES = "mask of reference", "mask of blurred", "weights"


def _map_fault(values: np.ndarray | None, shape: tuple[int, ...], name: str) -> str:
    """Why a map does not say which pixels count; empty if it does."""
    if values is None:
        return ""
    if values.shape != shape:
        return f"{name} has the shape {values.shape}, the images {shape}"
    if values.dtype.kind not in "buif" or not np.all(np.isfinite(values)) or np.any(values < 0):
        return f"{name} must be finite numbers or booleans, and not negative"
    return "" if np.any(values) else f"{name} leaves no pixel"


def _fault(reference: np.ndarray, blurred: np.ndarray, *, two_grids: bool) -> str:
    """Why two arrays are not a pair of images; empty if they are."""
    if not two_grids and reference.shape != blurred.shape:
        return f"shapes differ: {reference.shape} and {blurred.shape}"
    for shape in (reference.shape, blurred.shape):
        if not 1 <= len(shape) <= 3 or min(shape) < 2:
            return f"shape {shape} is no signal, image or volume"
        if looks_like_colour(shape):
            return f"shape {shape} looks like a colour image: reduce it to luminance"
    if any(image.dtype.kind not in "buif" for image in (reference, blurred)):
        return f"not real numbers: {reference.dtype} and {blurred.dtype}"
    return ""
