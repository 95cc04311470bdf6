"""Image files as arrays of numbers, and arrays as image files.

Values keep the file's own units (0 to 255 in 8 bit, 0 to 65535 in 16 bit, anything in float),
except where they are linearised, which puts them between 0 and 1. Nothing here imports JAX.
"""

import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gaussjax.io.decoders import (
    PILLOW_FORMATS,
    Decoded,
    ImageFileError,
    check_samples,
    cut_mapped,
    decode_npy,
    decode_pillow,
    full_scale,
    looks_like_colour,
    map_npy,
)
from gaussjax.io.tiff import decode_tiff, map_tiff

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear RGB: ITU-R BT.709
_BLOCK = 12288  # samples of colour to convert at once
_RANKS = {".png": (2,), ".tif": (2, 3), ".npy": (1, 2, 3)}
_NPY_MAGIC = b"\x93NUMPY"
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # both byte orders, TIFF and BigTIFF


@dataclass(frozen=True)
class ImageFile:
    """An image read from a file."""

    values: np.ndarray  # float64, `[y, x]`, or rank 1 to 3 where the file (.npy, TIFF stack) has it
    dtype: np.dtype  # type of the samples in the file
    # what was done on the way, one phrase each: colour, alpha, orientation, ...
    notes: tuple[str, ...]


def read_image(path: str | PathLike[str], *, linearize: bool = False) -> ImageFile:
    """Read PNG, JPEG, BMP, GIF, WebP, TIFF or .npy; the content decides, not the name.

    Args:
        path: of a regular file.
        linearize: decode 8- and 16-bit samples from sRGB to linear light, 0 to 1, before colour
            is reduced to luminance. Float samples are taken to be linear already.

    Raises:
        ImageFileError: in one line that names the file, whatever is wrong with it.
    """
    path = Path(path)
    with one_line_errors(path):
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            decoded = _decoder(path)(path)
        notes = [*decoded.notes]
        notes += [f"the decoder says: {complaint.message}" for complaint in complaints]
        values = to_values(decoded, np.float64, notes, linearize=linearize)
        return ImageFile(values, decoded.samples.dtype, tuple(notes))


class MappedImage:
    """Pixels of a mapped file in the units of :func:`read_image`; each slice is read anew."""

    dtype = np.dtype(float)

    def __init__(self, samples: np.ndarray, *, linearize: bool) -> None:
        """Read nothing yet."""
        self._samples, self._linearize = samples, linearize
        self.shape, self.size = samples.shape, samples.size

    def __getitem__(self, place) -> np.ndarray:
        """Pixels as float64."""
        decoded = Decoded(
            np.asarray(cut_mapped(self._samples, place)), full_scale(self._samples.dtype)
        )
        return to_values(decoded, self.dtype, [], linearize=self._linearize)


def map_image(path: str | PathLike[str], *, linearize: bool = False) -> ImageFile:
    """:func:`read_image`, but the pixels of .npy and plain grey TIFF files stay where they are."""
    path = Path(path)
    with one_line_errors(path):
        decoder = _decoder(path)
        samples = map_npy(path).base if decoder is decode_npy else None
        if decoder is decode_tiff:
            samples = map_tiff(path)
        if samples is None or not samples.size:
            return read_image(path, linearize=linearize)
        values: Any = MappedImage(samples, linearize=linearize)
        _ = values[(slice(0, 1),) * samples.ndim]  # what is wrong with samples, it says now
        return ImageFile(values, samples.dtype, ())


def read_values(path: Path, dtype: npt.DTypeLike, *, linearize: bool = False) -> np.ndarray:
    """The values of :func:`read_image` as ``dtype`` (float), without notes; for many threads.

    Warnings of the decoders are left to the filters of the process, which threads share.
    """
    with one_line_errors(path):
        return to_values(_decoder(path)(path), dtype, [], linearize=linearize)


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn any exception into an :class:`ImageFileError` of one line that names the file."""
    try:
        yield
    except Exception as error:  # a damaged file makes a decoder raise anything
        raise ImageFileError(f"{path}: {_reason(error)}") from error


def _decoder(path: Path) -> Callable[[Path], Decoded]:
    """The decoder for the content of a file, whatever its name."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ImageFileError("is a directory, not an image file")
    if not stat.S_ISREG(mode):
        raise ImageFileError("is not a regular file")
    with path.open("rb", buffering=0) as file:
        start = file.read(8)
    if not start:
        raise ImageFileError("is empty")
    if start.startswith(_NPY_MAGIC):
        return decode_npy
    return decode_tiff if start.startswith(_TIFF_MAGIC) else decode_pillow


def _reason(error: Exception) -> str:
    """What went wrong, in one line, for any exception of a decoder or the file system."""
    if type(error).__name__ == "UnidentifiedImageError":
        known = ", ".join(PILLOW_FORMATS)
        return f"is damaged, or no image of a known kind ({known}, TIFF, .npy)"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    text = " ".join(text.split())
    return text if isinstance(error, (ImageFileError, OSError)) else f"cannot be decoded: {text}"


def to_values(
    decoded: Decoded, dtype: npt.DTypeLike, notes: list[str], *, linearize: bool = False
) -> np.ndarray:
    """Samples as a new C-contiguous array of ``dtype``: linearised, without colour, upright.

    Args:
        decoded: samples as stored.
        dtype: a type of float; values that it cannot hold become infinite.
        notes: gets a phrase for every change.
        linearize: as in :func:`read_image`.

    Raises:
        ImageFileError: for samples that are not pixels, or have no sRGB scale.
    """
    samples = decoded.samples
    check_samples(samples)
    rank = samples.ndim - decoded.colour
    if not 1 <= rank <= 3:
        raise ImageFileError(f"is of rank {rank}; signals, images and volumes have rank 1, 2 and 3")
    white = _white(decoded, notes) if linearize else None
    with np.errstate(over="ignore"):
        if decoded.colour:
            values = _luminance(samples, dtype, white)
            notes.append("colour reduced to luminance (0.2126 R + 0.7152 G + 0.0722 B)")
        else:
            values = _as_float(samples, dtype, white)
    if not decoded.colour and looks_like_colour(values.shape):
        notes.append(f"shape {values.shape} is a volume here; the last axis is not read as colour")
    if decoded.orientation in range(2, 9):
        values = _turn_upright(values, decoded.orientation)
        notes.append(f"turned upright (orientation {decoded.orientation})")
    return np.ascontiguousarray(values)


def _white(decoded: Decoded, notes: list[str]) -> int | None:
    """The sample that stands for white; None where samples are linear already."""
    dtype = decoded.samples.dtype
    if dtype.kind == "f":
        notes.append("float samples taken to be linear already")
        return None
    if decoded.full_scale is None:
        raise ImageFileError(f"samples of type {dtype} have no sRGB scale; do not linearize them")
    notes.append("sRGB decoded to linear light, 0 to 1")
    return decoded.full_scale


def _as_float(samples: np.ndarray, dtype: npt.DTypeLike, white: int | None) -> np.ndarray:
    """Samples as a new array of ``dtype``, computed in float64; linear light if white is given."""
    if white is None and np.can_cast(samples.dtype, dtype):
        return samples.astype(dtype)
    values = samples.astype(np.float64)
    if white is not None:  # invert the sRGB transfer function (IEC 61966-2-1)
        encoded = values / white
        values = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return values.astype(dtype, copy=False)


def _luminance(samples: np.ndarray, dtype: npt.DTypeLike, white: int | None) -> np.ndarray:
    """Luminance of samples ``[*image, 3]``, a few rows at a time: they fit into the cache."""
    values = np.empty(samples.shape[:-1], dtype)
    num_rows = max(1, _BLOCK // samples[0].size)
    for first in range(0, len(samples), num_rows):
        rows = slice(first, first + num_rows)
        values[rows] = _as_float(samples[rows], np.float64, white) @ _LUMINANCE
    return values


def _turn_upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (2 to 8) on the last two axes."""
    if orientation >= 5:
        values = values.swapaxes(-1, -2)
    if orientation in (3, 4, 7, 8):
        values = values[..., ::-1, :]
    if orientation in (2, 3, 6, 7):
        values = values[..., ::-1]
    return values


def output_suffix(path: str | PathLike[str], dtype: np.dtype) -> str:
    """The kind of file that :func:`write_image` would write: .png, .tif or .npy.

    Raises:
        ImageFileError: if the name ends otherwise, or PNG cannot hold samples of ``dtype``.
    """
    suffix = Path(path).suffix.lower().replace(".tiff", ".tif")
    if suffix not in _RANKS:
        raise ImageFileError(f"{path}: the name of the output must end in .png, .tif or .npy")
    if suffix == ".png" and dtype not in (np.uint8, np.uint16):
        raise ImageFileError(f"{path}: PNG holds 8 or 16 bit, not {dtype}; write .tif or .npy")
    return suffix


def write_image(path: str | PathLike[str], values: np.ndarray, dtype: np.dtype) -> tuple[str, ...]:
    """Write ``values`` as PNG of ``dtype`` (uint8, uint16), float32 TIFF or .npy, by the name.

    Args:
        path: ends in .png, .tif, .tiff or .npy; an existing file is replaced.
        values: in the units of the file that they came from; rank 2 for PNG, 2 or 3 for TIFF.
        dtype: of the samples of that file.

    Returns:
        Notes on what rounding and clipping did to the values.

    Raises:
        ImageFileError: in one line that names the file.
    """
    suffix = output_suffix(path, dtype)
    if values.ndim not in _RANKS[suffix]:
        raise ImageFileError(f"{path}: {suffix} cannot hold an array of rank {values.ndim}")
    try:
        if suffix == ".png":
            return _write_png(Path(path), values, dtype)
        if suffix == ".npy":
            np.save(path, values)
            return ()
        import tifffile

        tifffile.imwrite(path, values.astype(np.float32), photometric="minisblack")
        return ("stored as float32",)
    except OSError as error:
        raise ImageFileError(f"{path}: {_reason(error)}") from error


def _write_png(path: Path, values: np.ndarray, dtype: np.dtype) -> tuple[str, ...]:
    import PIL.Image

    if not np.all(np.isfinite(values)):
        raise ImageFileError(f"{path}: PNG cannot hold NaN or infinite pixels; write .tif or .npy")
    white = np.iinfo(dtype).max
    rounded = np.rint(values)
    clipped = np.count_nonzero((rounded < 0) | (rounded > white))
    PIL.Image.fromarray(np.clip(rounded, 0, white).astype(dtype)).save(path, format="PNG")
    notes = [f"rounded to whole numbers ({8 * dtype.itemsize} bit)"]
    if clipped:
        notes.append(f"{clipped} of {values.size} pixels clipped to 0 .. {white}")
    return tuple(notes)
