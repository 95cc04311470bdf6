"""The TIFF decoder: tifffile, and Pillow for colours and compressions that tifffile leaves out."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.io.decoders import (
    ORIENTATION_TAG,
    Decoded,
    ImageFileError,
    decode_pillow,
    drop_extra_sample,
    full_scale,
    refuse_bomb,
)

_STACK_AXES = "ZQI"  # depth, and tifffile's letters for pages of unknown meaning


def decode_tiff(path: Path) -> Decoded:
    """Decode the first series of a TIFF file: an image, or a stack of pages as a volume."""
    import tifffile

    with _log_as_notes("tifffile") as notes, tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        if len(tiff.series) > 1:
            notes.append(f"first of {len(tiff.series)} image series used")
        if series.nbytes > path.stat().st_size:  # an uncompressed file is as large as its image
            refuse_bomb(series.size, "samples")
        photometric = _name(page.photometric)
        if photometric not in ("MINISBLACK", "MINISWHITE", "RGB"):
            return _decode_by_pillow(path, page, len(series.pages))
        try:
            samples = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            return _decode_by_pillow(path, page, len(series.pages))
        orientation = page.tags.valueof(ORIENTATION_TAG, 1)
    bits = page.bitspersample
    if samples.dtype == bool:
        samples, bits = np.where(samples, np.uint8(255), np.uint8(0)), 8  # as 1-bit PNG is read
    scale = full_scale(samples.dtype, bits)
    if photometric == "MINISWHITE":
        if scale is None:
            raise ImageFileError(
                f"TIFF with inverted grey of type {samples.dtype}; save it uninverted"
            )
        samples = samples.dtype.type(scale) - samples
    colour = photometric == "RGB"
    if "S" in series.axes:
        samples = np.moveaxis(samples, series.axes.index("S"), -1)
        samples = drop_extra_sample(samples, 3 if colour else 1, notes)
    axes = series.axes.replace("S", "")
    if len(axes) == 3:
        if axes[0] not in _STACK_AXES:
            raise ImageFileError(f"TIFF axes {axes} are no image and no volume; export one image")
        notes.append(f"stack of {samples.shape[0]} pages read as a volume")
    return Decoded(samples, scale, colour, orientation, tuple(notes))


def map_tiff(path: Path) -> np.ndarray | None:
    """Map the samples of a file, read-only; None if they are not plain, grey and upright."""
    import tifffile

    with _log_as_notes("tifffile"), tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        plain = series.dataoffset is not None and len(tiff.series) == 1 and len(series.axes) == 2
        grey = _name(page.photometric) == "MINISBLACK" and page.bitspersample % 8 == 0
        if plain and grey and page.tags.valueof(ORIENTATION_TAG, 1) == 1:
            return tifffile.memmap(path, mode="r")
    return None


def _name(code: Any) -> str:
    """Name of a TIFF code, or its number where tifffile knows no name."""
    return getattr(code, "name", str(code))


def _decode_by_pillow(path: Path, page: Any, num_pages: int) -> Decoded:
    """Decode colours and compressions that tifffile cannot, where Pillow keeps every bit."""
    photometric = _name(page.photometric)
    grey = page.samplesperpixel == 1 and photometric == "MINISBLACK"
    exact = page.dtype in ("uint8", "bool") or (grey and page.dtype in ("uint16", "float32"))
    if num_pages > 1 or not exact:
        raise ImageFileError(
            f"TIFF with {photometric} samples of type {page.dtype} and {_name(page.compression)}"
            " compression is not supported; save uncompressed grey or RGB"
        )
    return decode_pillow(path, formats=("TIFF",))


@contextmanager
def _log_as_notes(name: str) -> Iterator[list[str]]:
    """Collect the warnings of the logger ``name`` in this thread, which would go to stderr."""
    notes: list[str] = []
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        ours = record.thread == thread and record.levelno >= logging.WARNING
        if ours:
            notes.append(f"{name} says: {record.getMessage()}")
        return not ours

    logger = logging.getLogger(name)
    logger.addFilter(collect)
    try:
        yield notes
    finally:
        logger.removeFilter(collect)
