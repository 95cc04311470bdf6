"""What kind of file this is, by its first bytes: the decoder of it, or its name and what to do."""

import stat
from collections.abc import Callable
from pathlib import Path

from gaussjax.io.decoders import PILLOW_FORMATS, Decoded, decode_pillow
from gaussjax.io.errors import ImageFileError
from gaussjax.io.fits import decode_fits
from gaussjax.io.foreign_kinds import refuse, unpacked_head
from gaussjax.io.jpeg import decode_jpeg
from gaussjax.io.modern_photos import decode_avif, decode_heic
from gaussjax.io.netpbm import decode_netpbm
from gaussjax.io.nifti import decode_nifti
from gaussjax.io.numpy_files import decode_npy, decode_npz
from gaussjax.io.tiff import decode_tiff
from gaussjax.io.zarr_stores import decode_zarr, is_zarr

Decoder = Callable[[Path, str | None], Decoded]

KNOWN = (*PILLOW_FORMATS, "AVIF", "HEIC", "TIFF", "PPM", "FITS", "NIfTI", "Zarr", ".npy", ".npz")
# What counts as an image in a folder, in small or capital letters; its content decides the rest.
IMAGE_SUFFIXES = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".avif", ".heic", ".heif"),
        *(".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".npy", ".npz"),
        *(".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".nii", ".nii.gz", ".zarr"),
    )
)
_HEAD, _TAIL = 4096, 18  # bytes at the start and at the end that tell the kind
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # both byte orders, TIFF and BigTIFF
_FITS = b"SIMPLE  ="
_NIFTI = (b"n+1\0", b"n+2\0")


def find_decoder(path: Path) -> Decoder:
    """The decoder for the content of a file or a store, whatever its name.

    ImageFileError for a kind that is not read names it and says what to do.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        if is_zarr(path):
            return decode_zarr
        raise ImageFileError("is a directory, not an image file")
    if not stat.S_ISREG(mode):
        raise ImageFileError("is not a regular file")
    with path.open("rb", buffering=0) as file:
        head = file.read(_HEAD)
        if not head:
            raise ImageFileError("is empty")
        decoder = _decoder(head) or _decoder_of_packed(head)
        if decoder is None:
            file.seek(max(0, path.stat().st_size - _TAIL))
            refuse(head, file.read(_TAIL), KNOWN)
        return decoder


def _decoder(head: bytes) -> Decoder | None:
    """The decoder by the first bytes; None for a kind that is not read."""
    if head.startswith(b"\x93NUMPY"):
        return decode_npy
    if head.startswith(b"PK\x03\x04") and _member(head).endswith(b".npy"):
        return decode_npz
    if head.startswith(_TIFF) and head[8:10] != b"CR":
        return decode_tiff
    if head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3].isspace():
        return decode_netpbm
    if head.startswith(_FITS):
        return decode_fits
    if head[344:348] == _NIFTI[0] or head[4:8] == _NIFTI[1]:
        return decode_nifti
    if head[4:8] == b"ftyp":
        return _decoder_of_photo(head)
    if head.startswith(b"\xff\xd8\xff"):
        return decode_jpeg
    starts = (b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8")
    if head.startswith(starts) or head[8:12] == b"WEBP":
        return decode_pillow
    return None


def _member(head: bytes) -> bytes:
    """Name of the first member of a ZIP archive."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


def _decoder_of_photo(head: bytes) -> Decoder | None:
    """The decoder of the container of AVIF, HEIC and videos, by the brands in its first box."""
    brands = head[8 : int.from_bytes(head[:4], "big")]
    if b"avif" in brands:
        return decode_avif
    return decode_heic if any(brand in brands for brand in (b"heic", b"heix", b"mif1")) else None


def _decoder_of_packed(head: bytes) -> Decoder | None:
    """FITS and NIfTI are read as packed by gzip, too."""
    decoder = _decoder(unpacked_head(head))
    return decoder if decoder in (decode_fits, decode_nifti) else None
