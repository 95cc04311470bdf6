"""Decoders: the samples of one file as they are stored, in the file's own numbers.

A decoder is given a path and what is selected of the file, such as the name of an extension, or
None. It refuses what it would have to guess. It leaves warnings to the caller: the filters of
warnings belong to the whole process, and several threads may decode at once. The library of a
format is imported when a file needs it.
"""

import importlib
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.checks import is_size
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.deep_png import decode_deep_png, png_bit_depth
from gaussjax.io.errors import ImageFileError

# Formats whose samples Pillow hands over unaltered. It also opens PPM and JPEG 2000, but reduces
# their deeper variants to 8 bit without a word.
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
ORIENTATION_TAG = 274  # the same number in EXIF and in TIFF


@dataclass(frozen=True)
class PixelSize:
    """Distance between neighbouring pixels along every axis, by the header of a file."""

    sizes: tuple[float, ...]  # in axis order
    unit: str  # arcsec, mm, um, ...
    source: str  # what said it, such as "FITS WCS"


def known_size(sizes: Iterable[float], unit: str, source: str) -> PixelSize | None:
    """The size that a header tells; None for one that cannot be, or has no unit."""
    sizes = tuple(map(float, sizes))
    return PixelSize(sizes, unit, source) if unit and all(map(is_size, sizes)) else None


@dataclass(frozen=True)
class Decoded:
    """Samples as stored, before any change of units."""

    samples: np.ndarray  # shape `[*image]`, or `[*image, 3]` if `colour`
    # the sample that stands for white in unsigned 8- and 16-bit files, else None
    full_scale: int | None
    colour: bool = False  # the last axis holds red, green and blue
    orientation: int = 1  # of EXIF, 1 to 8; 1 is upright
    notes: tuple[str, ...] = ()  # what was left out or replaced, one phrase each
    pixel_size: PixelSize | None = None  # None where the header has none
    # where NaN stands for "no data" by the format's own rule; elsewhere NaN is a fault
    nan_is_no_data: bool = False
    are_flags: bool = False  # of a data-quality plane: 0 is a good pixel
    bands: bool = False  # the last axis holds bands that are no colour: one has to be chosen
    is_series: bool = False  # the first axis holds times or positions: one has to be chosen
    page_axis: int = 0  # along which a volume is cut


def check_samples(samples: np.ndarray) -> None:
    """Raise ImageFileError unless there are samples, and they are real numbers."""
    if samples.dtype.kind == "c":
        raise ImageFileError(
            f"samples of type {samples.dtype} are not real numbers; save their magnitude, numpy.abs"
        )
    if samples.dtype.kind not in "buif":
        raise ImageFileError(f"samples of type {samples.dtype} are not real numbers")
    if samples.size == 0:
        raise ImageFileError(f"holds no pixels: its shape is {samples.shape}")


def full_scale(dtype: np.dtype, bits: int | None = None) -> int | None:
    """The sample that stands for white, or None where the type does not say."""
    if dtype.kind != "u" or dtype.itemsize > 2:
        return None
    return 2 ** (bits or 8 * dtype.itemsize) - 1


def drop_extra_sample(samples: np.ndarray, wanted: int, notes: list[str]) -> np.ndarray:
    """Keep ``wanted`` (1 or 3) of the samples along the last axis; one more may be alpha."""
    count = samples.shape[-1]
    if count - wanted not in (0, 1):
        raise ImageFileError(f"{count} samples per pixel are neither grey nor RGB; export one")
    if count > wanted:
        alpha = samples[..., -1]
        opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind == "u" else 1
        transparent = np.mean(alpha != opaque)
        where = f"; {transparent:.1%} of its pixels are not opaque" if transparent else ""
        notes.append(f"alpha channel dropped{where}")
    return samples[..., 0] if wanted == 1 else samples[..., :wanted]


def without_lone_axes(samples: np.ndarray, notes: list[str]) -> np.ndarray:
    """Without the axes of one sample where there are more than an image or a volume has."""
    if samples.ndim <= 2 or 1 not in samples.shape:
        return samples
    notes.append(f"axes of one sample dropped from the shape {samples.shape}")
    return np.squeeze(samples)


def refuse_selection(selection: str | None) -> None:
    """Refuse to select anything of a file that holds one image."""
    if selection is not None:
        raise ImageFileError(f"nothing can be selected of a file of this kind, not [{selection}]")


def library(name: str, extra: str, what: str) -> Any:
    """Import the library of a format; ImageFileError names the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise ImageFileError(
            f"is {what}, which {package} reads: pip install 'gaussjax[{extra}]'"
        ) from None


@contextmanager
def log_as_notes(name: str) -> Iterator[list[str]]:
    """Collect the warnings of the logger ``name`` in this thread, which would go to stderr."""
    notes: list[str] = []
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        ours = record.thread == thread
        if ours and record.levelno >= logging.WARNING:
            notes.append(f"{name} says: {record.getMessage()}")
        return not ours

    logger = logging.getLogger(name)
    logger.addFilter(collect)
    try:
        yield notes
    finally:
        logger.removeFilter(collect)


def decode_pillow(
    path: Path, selection: str | None = None, formats: tuple[str, ...] = PILLOW_FORMATS
) -> Decoded:
    """Decode the first frame of a file by Pillow, and refuse what it takes for a bomb."""
    import PIL.Image

    refuse_selection(selection)
    notes: list[str] = []
    with PIL.Image.open(path, formats=formats) as image:
        refuse_bomb(image.width * image.height, "pixels")  # Pillow itself only warns
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            notes.append(f"first of {frames} frames used")
        image.load()
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
        if "transparency" in image.info and image.mode != "P":
            notes.append("transparent colour ignored")
        bands = len(image.getbands())
        if image.format == "PNG" and bands > 1 and png_bit_depth(path) == 16:
            samples = decode_deep_png(path.read_bytes())
        else:
            samples = _pillow_samples(image, notes)
    if samples.ndim == 3:
        samples = drop_extra_sample(samples, 1 if samples.shape[-1] == 2 else 3, notes)
    colour = samples.ndim == 3
    return Decoded(samples, full_scale(samples.dtype), colour, orientation, tuple(notes))


def _pillow_samples(image: Any, notes: list[str]) -> np.ndarray:
    """Samples ``[y, x]`` or ``[y, x, channel]`` of a Pillow image of any mode that we accept."""
    mode = image.mode
    if mode == "1":
        image = image.convert("L")  # 0 and 255: Pillow spreads 2 and 4 bit likewise
    elif mode in ("P", "PA"):
        transparent = mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if transparent else "RGB")
        notes.append("palette replaced by its colours")
    elif mode == "CMYK":
        image = image.convert("RGB")
        notes.append("CMYK converted to RGB by the plain formula, without a colour profile")
    elif mode not in ("L", "LA", "I;16", "I;16B", "F", "RGB", "RGBA"):
        raise ImageFileError(f"pixels of Pillow's mode {mode} are not supported; save grey or RGB")
    return np.asarray(image)
