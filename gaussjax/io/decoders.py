"""Decoders: the samples of one file as they are stored, in the file's own numbers.

A decoder refuses what it would have to guess. It leaves warnings to the caller: the filters of
warnings belong to the whole process, and several threads may decode at once. Nothing here imports
JAX, and Pillow is imported when a file needs it.
"""

import io
import mmap
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Formats whose samples Pillow hands over unaltered. It also opens PPM, JPEG 2000 and AVIF, but
# reduces their deeper variants to 8 bit without a word.
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
ORIENTATION_TAG = 274  # the same number in EXIF and in TIFF


class ImageFileError(ValueError):
    """A file that cannot be read or written as an image; the message is one line."""


@dataclass(frozen=True)
class Decoded:
    """Samples as stored, before any change of units."""

    samples: np.ndarray  # shape `[*image]`, or `[*image, 3]` if `colour`
    # the sample that stands for white in unsigned 8- and 16-bit files, else None
    full_scale: int | None
    colour: bool = False  # the last axis holds red, green and blue
    orientation: int = 1  # of EXIF, 1 to 8; 1 is upright
    notes: tuple[str, ...] = ()  # what was left out or replaced, one phrase each


def looks_like_colour(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is more likely an image with colours last than a volume."""
    return len(shape) == 3 and shape[-1] in (3, 4)


def check_samples(samples: np.ndarray) -> None:
    """Raise ImageFileError unless there are samples, and they are real numbers."""
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


def map_npy(path: Path, *, attempts: int = 5) -> np.ndarray:
    """Map a NumPy file, read-only: a header that promises more than the file is an error."""
    try:
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except SystemError:
        # NumPy reads a header by Python's parser, which in Python 3.11 fails now and then in one
        # thread while another one parses as well: "AST constructor recursion depth mismatch".
        if attempts == 1:
            raise
        return map_npy(path, attempts=attempts - 1)
    except ValueError as error:
        if "Python objects" in str(error):
            raise ImageFileError("holds pickled Python objects, which are never loaded") from None
        raise


def cut_mapped(image: Any, place: Any) -> Any:
    """A part of an array; of a mapped file a copy, after which the file's pages are let go of.

    The system maps the MB around each row that is read: they would add up to the whole file.
    """
    part = image[place]
    if isinstance(image, np.memmap) and image.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        part = np.array(part)
        image._mmap.madvise(mmap.MADV_DONTNEED)  # pyright: ignore[reportAttributeAccessIssue]
    return part


def decode_npy(path: Path) -> Decoded:
    """Decode a NumPy file by way of its map."""
    samples = np.array(map_npy(path))
    return Decoded(samples, full_scale(samples.dtype))


def decode_pillow(path: Path, formats: tuple[str, ...] = PILLOW_FORMATS) -> Decoded:
    """Decode the first frame of a file by Pillow, and refuse what it takes for a bomb."""
    import PIL.Image

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
        if image.format == "PNG" and bands > 1 and _png_bit_depth(path) == 16:
            samples = _deep_png_samples(path)
        else:
            samples = _pillow_samples(image, notes)
    if samples.ndim == 3:
        samples = drop_extra_sample(samples, 1 if samples.shape[-1] == 2 else 3, notes)
    colour = samples.ndim == 3
    return Decoded(samples, full_scale(samples.dtype), colour, orientation, tuple(notes))


def refuse_bomb(count: int, unit: str) -> None:
    """Refuse more pixels or samples than Pillow takes for safe, before they are decoded."""
    import PIL.Image

    limit = PIL.Image.MAX_IMAGE_PIXELS
    if limit is not None and count > limit:
        raise ImageFileError(
            f"promises {count} {unit}, more than the limit of {limit}: a decompression bomb?"
        )


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


def _png_bit_depth(path: Path) -> int:
    """Bits per sample: the signature (8 bytes) and the header chunk come first in every PNG."""
    with path.open("rb") as file:
        return file.read(26)[24]


def _deep_png_samples(path: Path) -> np.ndarray:
    """Samples ``[y, x, channel]`` of a 16-bit PNG with several channels, which Pillow cuts to 8."""
    import PIL.Image

    data = bytearray(path.read_bytes())
    grey_and_alpha = data[25] == 4
    if grey_and_alpha:  # byte for byte an 8-bit RGBA image: relabel the header as one
        data[24:26] = bytes([8, 6])
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        pairs = np.asarray(PIL.Image.open(io.BytesIO(data), formats=("PNG",))).astype(np.uint16)
        return 256 * pairs[..., 0::2] + pairs[..., 1::2]
    # Pillow keeps the first byte of two. Decode for the high bytes, then once more as if the
    # two were swapped for the low ones.
    halves = []
    for order in ("B", "L"):
        image = PIL.Image.open(io.BytesIO(data), formats=("PNG",))
        tile = image.tile[0]
        if tile[3] != f"{image.mode};16B":
            raise ImageFileError("this Pillow cannot decode 16-bit colour PNG in full; use TIFF")
        image.tile = [type(tile)(*tile[:3], f"{image.mode};16{order}")]
        halves.append(np.asarray(image).astype(np.uint16))
    return 256 * halves[0] + halves[1]
