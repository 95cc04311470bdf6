"""The decoder of Zarr stores, by zarr: an array, or the finest level of an OME-Zarr image."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.io.decoders import (
    Decoded,
    PixelSize,
    full_scale,
    known_size,
    library,
    without_lone_axes,
)
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.errors import ImageFileError
from gaussjax.io.file_selection import chosen_name
from gaussjax.io.zarr_chunks import refuse_packed_bombs

_MARKS = ("zarr.json", ".zarray", ".zgroup")
_UNITS = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "meter": "m"}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a store."""
    return any((path / mark).is_file() for mark in _MARKS)


def decode_zarr(path: Path, selection: str | None = None) -> Decoded:
    """Decode the selected array of a store, or its only one, or the finest level of OME-Zarr."""
    zarr = library("zarr", "zarr", "a Zarr store")
    notes: list[str] = []
    node = zarr.open(store=str(path), mode="r")
    scales = None
    if isinstance(node, zarr.Group):
        attributes = dict(node.attrs)
        image = (attributes.get("ome", attributes).get("multiscales") or [None])[0]
        if image is not None and selection in (None, image["datasets"][0]["path"]):
            selection = image["datasets"][0]["path"]
            scales = _scales(image)
        node = node[chosen_name(selection, _arrays(node, selection), "array")]
    elif selection is not None:
        raise ImageFileError(f"is one array; leave out [{selection}]")
    files = [file for file in path.rglob("*") if file.is_file()]
    if math.prod(node.shape) * node.dtype.itemsize > sum(file.stat().st_size for file in files):
        refuse_bomb(math.prod(node.shape), "samples")
    refuse_packed_bombs(path / node.path, node.metadata.to_dict(), node.dtype.itemsize)
    samples = np.asarray(node[...])
    kept = [k for k, length in enumerate(samples.shape) if length > 1 or samples.ndim <= 2]
    samples = without_lone_axes(samples, notes)
    size = None if scales is None else _pixel_size([scales[k] for k in kept])
    return Decoded(samples, full_scale(samples.dtype), notes=tuple(notes), pixel_size=size)


def _arrays(group: Any, selection: str | None) -> list[str]:
    """Names of arrays: of the group's own, and the one that a path leads to."""
    names = sorted(name for name, _ in group.arrays())
    if selection is not None and selection not in names and "/" in selection:
        found = group.get(selection)
        if found is not None and hasattr(found, "shape"):
            names.append(selection)
    return names


def _scales(image: Any) -> list[tuple[float, str]] | None:
    """Size and unit of a sample along every axis of the finest level."""
    try:
        axes = image["axes"]
        changes = image["datasets"][0]["coordinateTransformations"]
        sizes = next(change["scale"] for change in changes if change["type"] == "scale")
        return [(float(size), axis.get("unit", "")) for size, axis in zip(sizes, axes, strict=True)]
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        return None


def _pixel_size(scales: list[tuple[float, str]]) -> PixelSize | None:
    units = {unit for _, unit in scales}
    unit = units.pop() if len(units) == 1 else ""
    return known_size((size for size, _ in scales), _UNITS.get(unit, unit), "OME-Zarr")
