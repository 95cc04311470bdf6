"""Image files as arrays of numbers, and arrays as image files.

Values keep the file's own units (0 to 255 in 8 bit, 0 to 65535 in 16 bit, anything in float),
except where they are linearised, which puts them between 0 and 1.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gaussjax.checks import as_count, as_flag, as_path, check_type
from gaussjax.io.channels import all_channels, page_of
from gaussjax.io.colour_agreement import block_means
from gaussjax.io.decoders import Decoded, PixelSize, full_scale
from gaussjax.io.errors import ImageFileError, one_line, one_line_errors, reason
from gaussjax.io.file_kinds import find_decoder
from gaussjax.io.file_selection import split_selection
from gaussjax.io.numpy_files import cut_mapped, decode_npy, map_npy
from gaussjax.io.pixel_values import to_values, turn_upright
from gaussjax.io.tiff import decode_tiff, map_tiff

_RANKS = {".png": (2,), ".tif": (2, 3), ".npy": (1, 2, 3)}


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image read from a file.

    Attributes:
        values: float64, ``[y, x]``, or rank 1 to 3 where the file (.npy, TIFF stack) has it.
        dtype: type of the samples in the file.
        notes: what was done on the way, one phrase each: colour, alpha, orientation.
        known: False where the file has no data, as a mask wants it; None: it has everywhere.
        pixel_size: ``sizes`` along every axis and their ``unit``, by the header; None where that
            has none.
        are_flags: of a data-quality plane: 0 is a good pixel.
        full_scale: the value that stands for white; None: it is not known, or 1.
        blocks: means over blocks, ``[3, n, n]`` of colour, ``[n, n]`` of grey; None of small images
            and volumes.
    """

    values: np.ndarray
    dtype: np.dtype
    notes: tuple[str, ...]
    known: np.ndarray | None = None
    pixel_size: PixelSize | None = None
    are_flags: bool = False
    full_scale: int | None = None
    blocks: np.ndarray | None = None

    def __repr__(self) -> str:
        """The size, type and notes, without the pixels."""
        size = " x ".join(map(str, self.values.shape))
        return f"ImageFile({'; '.join((f'{size} px of {self.dtype}', *self.notes))})"


def read_image(
    path: str | PathLike[str],
    *,
    linearize: bool = False,
    channel: str | None = None,
    page: int | None = None,
) -> ImageFile:
    """Read an image file as the command does: by its content, colour reduced to luminance.

    ``a, b = read_image("A.fits"), read_image("B.fits[SCI]")``, and then
    ``estimate_blur(a.values, b.values, mask=(a.known, b.known))``.

    Args:
        path: of a file of any kind in :mod:`gaussjax.io.file_kinds` or a Zarr store, perhaps with
            what is selected of it: ``x.fits[DQ]``, ``x.npz[image]``.
        linearize: decode 8- and 16-bit samples from sRGB to linear light, 0 to 1, before colour
            is reduced to luminance. Float samples are taken to be linear already.
        channel: of the last axis, instead of luminance: see :mod:`gaussjax.io.channels`.
        page: of a stack, from 0 on, along its first axis, of NIfTI the third, z; None: the stack
            is a volume.

    Raises:
        ImageFileError: in one line that names the file, whatever is wrong with it.
        TypeError: arguments of another type.
        ValueError: an empty path, or a page below 0.
    """
    path, linearize = as_path(path, "path"), as_flag(linearize, "linearize")
    page = None if page is None else as_count(page, "page")
    if channel is not None:
        check_type(channel, str, "channel", "one of its names or None")
    with one_line_errors(Path(path)):
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            decoded = _decoded(Path(path))
        decoded = decoded if page is None else page_of(decoded, page)
        notes = [*decoded.notes]
        notes += dict.fromkeys(f"the decoder says: {complaint.message}" for complaint in complaints)
        values = to_values(decoded, np.float64, notes, linearize=linearize, channel=channel)
        known = _known(decoded, values)
        if known is not None:
            notes.append(f"{values.size - np.count_nonzero(known)} pixels without data masked")
        return ImageFile(
            values,
            decoded.samples.dtype,
            tuple(map(one_line, notes)),
            known,
            decoded.pixel_size,
            decoded.are_flags,
            None if linearize else decoded.full_scale,
            None if linearize else _blocks(decoded, values),
        )


def channel_names(path: str | PathLike[str], *, page: int | None = None) -> tuple[str, ...]:
    """Names of the channels that a file stores; ImageFileError for a grey image."""
    with one_line_errors(Path(path)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoded = _decoded(Path(path))
        return all_channels(decoded if page is None else page_of(decoded, page))


def _decoded(path: Path) -> Decoded:
    file, selection = split_selection(path)
    return find_decoder(file)(file, selection)


def _blocks(decoded: Decoded, values: np.ndarray) -> np.ndarray | None:
    if decoded.colour:
        channels = turn_upright(np.moveaxis(decoded.samples, -1, 0), decoded.orientation)
        return block_means(channels) if channels.ndim == 3 else None
    return block_means(values) if values.ndim == 2 else None


def _known(decoded: Decoded, values: np.ndarray) -> np.ndarray | None:
    """False where values are missing by the format's own rule; None where none is."""
    if not decoded.nan_is_no_data or values.dtype.kind != "f":
        return None
    known = ~np.isnan(values)
    return None if np.all(known) else known


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
    with one_line_errors(Path(path)):
        file, selection = split_selection(path)
        decoder = find_decoder(file)
        mapped = None
        if decoder is decode_npy and selection is None:
            samples: Any = map_npy(file).base  # the map itself
            mapped = Decoded(samples, None)
        elif decoder is decode_tiff and selection is None:
            mapped = map_tiff(file)
        if mapped is None or not mapped.samples.size:
            return read_image(path, linearize=linearize)
        samples = mapped.samples
        values: Any = MappedImage(samples, linearize=linearize)
        _ = values[(slice(0, 1),) * samples.ndim]  # what is wrong with samples, it says now
        return ImageFile(values, samples.dtype, (), pixel_size=mapped.pixel_size)


def read_values(
    path: Path, dtype: npt.DTypeLike, *, linearize: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """Values and known pixels of :func:`read_image`, without notes; for many threads.

    The values are of ``dtype`` (float). Warnings of the decoders are left to the filters of the
    process, which threads share.
    """
    with one_line_errors(path):
        decoded = _decoded(path)
        values = to_values(decoded, dtype, [], linearize=linearize)
        return values, _known(decoded, values)


def output_suffix(path: str | PathLike[str], dtype: np.dtype) -> str:
    """The kind of file that :func:`write_image` would write: .png, .tif or .npy.

    ImageFileError if the name ends otherwise, or PNG cannot hold samples of ``dtype``.
    """
    suffix = Path(path).suffix.lower().replace(".tiff", ".tif")
    if suffix not in _RANKS:
        raise ImageFileError(f"{path}: the name of the output must end in .png, .tif or .npy")
    if suffix == ".png" and dtype not in (np.uint8, np.uint16):
        raise ImageFileError(f"{path}: PNG holds 8 or 16 bit, not {dtype}; write .tif or .npy")
    return suffix


def write_image(path: str | PathLike[str], values: np.ndarray, dtype: np.dtype) -> tuple[str, ...]:
    """Write ``values`` as PNG of ``dtype`` (uint8, uint16), float32 TIFF or .npy, by the name.

    Values are in the units of the file that they came from, whose samples were of ``dtype``. An
    existing file is replaced. Returns notes on what rounding and clipping did; ImageFileError names
    the file in one line.
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
        raise ImageFileError(f"{path}: {reason(error)}") from error


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
