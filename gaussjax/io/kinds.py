"""What kind of file this is, by its first bytes: the decoder of it, or its name and what to do."""

import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gaussjax.io.decoders import PILLOW_FORMATS, Decoded, decode_pillow
from gaussjax.io.errors import ImageFileError
from gaussjax.io.fits import decode_fits
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
_HEAD = 4096  # bytes that tell the kind
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # both byte orders, TIFF and BigTIFF
_FITS = b"SIMPLE  ="
_NIFTI = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0")


class _Stranger(NamedTuple):
    """A kind that is not read."""

    name: str
    magic: bytes
    remedy: str  # what to do; of Python, what follows `numpy.save("image.npy", ...)`
    offset: int = 0


_BY_IMAGECODECS = "imagecodecs: imagecodecs.imread(FILE)"
_BY_RAWPY = "rawpy: rawpy.imread(FILE).raw_image_visible"
_BY_IMAGEIO = "imageio.v3: imageio.v3.imread(FILE)"
_OF_VIDEO = "take two frames out of it: ffmpeg -i FILE -frames:v 2 image%d.png"
_OF_ARCHIVE = "unpack it, and give the image in it"
_STRANGERS = (
    _Stranger("an HDF5 file", b"\x89HDF\r\n\x1a\n", 'h5py: h5py.File(FILE)["NAME"][...]'),
    _Stranger("an HDF5 file of MATLAB", b"MATLAB 7.3", 'h5py: h5py.File(FILE)["NAME"][...]'),
    _Stranger("a MATLAB file", b"MATLAB 5.0", 'scipy.io: scipy.io.loadmat(FILE)["NAME"]'),
    _Stranger("a NetCDF file", b"CDF", 'scipy.io: scipy.io.netcdf_file(FILE).variables["NAME"][:]'),
    _Stranger("a DICOM file", b"DICM", "pydicom: pydicom.dcmread(FILE).pixel_array", 128),
    _Stranger("an MRC map", b"MAP ", "mrcfile: mrcfile.read(FILE)", 208),
    _Stranger("an NRRD file", b"NRRD000", "nrrd: nrrd.read(FILE)[0]"),
    _Stranger("an ASDF file", b"#ASDF", 'asdf: asdf.open(FILE)["NAME"]'),
    _Stranger("an OpenEXR image", b"\x76\x2f\x31\x01", _BY_IMAGEIO),
    _Stranger("a JPEG 2000 image", b"\0\0\0\x0cjP  ", _BY_IMAGECODECS),
    _Stranger("a JPEG 2000 image", b"\xff\x4f\xff\x51", _BY_IMAGECODECS),
    _Stranger("a JPEG XL image", b"\0\0\0\x0cJXL ", _BY_IMAGECODECS),
    _Stranger("a JPEG XL image", b"\xff\x0a", _BY_IMAGECODECS),
    _Stranger("a JPEG XR image", b"II\xbc", _BY_IMAGECODECS),
    _Stranger("a Radiance HDR image", b"#?R", _BY_IMAGECODECS),
    _Stranger("a QOI image", b"qoif", _BY_IMAGECODECS),
    _Stranger("a Photoshop file", b"8BPS", "psd_tools: psd_tools.PSDImage.open(FILE).numpy()"),
    _Stranger("a DirectDraw surface", b"DDS ", _BY_IMAGEIO),
    _Stranger("a raw photograph of Canon", b"CR\x02", _BY_RAWPY, 8),
    _Stranger("a raw photograph of Fujifilm", b"FUJIFILMCCD-RAW", _BY_RAWPY),
    _Stranger("a raw photograph of Panasonic", b"IIU\0", _BY_RAWPY),
    _Stranger("a raw photograph of Olympus", b"IIRO", _BY_RAWPY),
    _Stranger("a raw photograph of Canon", b"ftypcrx", _BY_RAWPY, 4),
    _Stranger("a ZEISS CZI file", b"ZISRAWFILE", "czifile: czifile.imread(FILE).squeeze()"),
    _Stranger("a Nikon ND2 file", b"\xda\xce\xbe\x0a", "nd2: nd2.imread(FILE).squeeze()"),
    _Stranger("a PAM image", b"P7\n", "save it by ImageMagick: magick FILE image.png"),
    _Stranger("an icon", b"\0\0\x01\0", "save it by ImageMagick: magick FILE image.png"),
    _Stranger("a PDF document", b"%PDF", "draw a page of it: pdftoppm -r 300 FILE page"),
    _Stranger("a PostScript document", b"%!PS", "draw a page of it: gs -o p.png -sDEVICE=pnggray"),
    _Stranger("an SVG drawing", b"<svg", "draw it: rsvg-convert FILE -o image.png"),
    _Stranger("an XML document", b"<?xml", "if it draws a picture, save that as a PNG"),
    _Stranger("a video", b"ftyp", _OF_VIDEO, 4),
    _Stranger("a video", b"AVI ", _OF_VIDEO, 8),
    _Stranger("a video", b"\x1aE\xdf\xa3", _OF_VIDEO),
    _Stranger("a Python pickle", b"\x80\x04", "pickles run code: save the array by numpy.save"),
    _Stranger("a Python pickle", b"\x80\x05", "pickles run code: save the array by numpy.save"),
    _Stranger("a gzip archive", b"\x1f\x8b", _OF_ARCHIVE),
    _Stranger("a bzip2 archive", b"BZh", _OF_ARCHIVE),
    _Stranger("an xz archive", b"\xfd7zXZ\0", _OF_ARCHIVE),
    _Stranger("a zstd archive", b"\x28\xb5\x2f\xfd", _OF_ARCHIVE),
    _Stranger("a 7z archive", b"7z\xbc\xaf", _OF_ARCHIVE),
    _Stranger("a tar archive", b"ustar", _OF_ARCHIVE, 257),
    _Stranger("a ZIP archive", b"PK\x03\x04", _OF_ARCHIVE),
)


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
    return _decoder(head) or _decoder_of_packed(head) or _refuse(head)


def _decoder(head: bytes) -> Decoder | None:
    """The decoder by the first bytes; None for a kind that is not read."""
    if head.startswith(b"\x93NUMPY"):
        return decode_npy
    if head.startswith(b"PK\x03\x04") and head[30:][: head[26]].endswith(b".npy"):
        return decode_npz
    if head.startswith(_TIFF) and head[8:10] != b"CR":
        return decode_tiff
    if head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3].isspace():
        return decode_netpbm
    if head.startswith(_FITS):
        return decode_fits
    if head[344:348] in _NIFTI[:2] or head[4:8] in _NIFTI[2:]:
        return decode_nifti
    if head[4:8] == b"ftyp":
        return _decoder_of_photo(head)
    starts = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8")
    if head.startswith(starts) or head[8:12] == b"WEBP":
        return decode_pillow
    return None


def _decoder_of_photo(head: bytes) -> Decoder | None:
    """The decoder of the container of AVIF, HEIC and videos, by the brands in its first box."""
    brands = head[8 : int.from_bytes(head[:4], "big")]
    if b"avif" in brands:
        return decode_avif
    return decode_heic if any(brand in brands for brand in (b"heic", b"heix", b"mif1")) else None


def _decoder_of_packed(head: bytes) -> Decoder | None:
    """FITS and NIfTI are read as packed by gzip, too."""
    if not head.startswith(b"\x1f\x8b"):
        return None
    try:
        inner = zlib.decompressobj(wbits=31).decompress(head, 1024)
    except zlib.error:
        return None
    decoder = _decoder(inner)
    return decoder if decoder in (decode_fits, decode_nifti) else None


def _refuse(head: bytes) -> Decoder:
    """Raise ImageFileError that names the kind, and says what to do."""
    for name, magic, remedy, offset in _STRANGERS:
        if head.startswith(magic, offset):
            module, is_python, call = remedy.partition(": ")
            if is_python and call.startswith(module):
                remedy = f'in Python: import {module}, numpy; numpy.save("image.npy", {call})'
            raise ImageFileError(f"is {name}, which is not read; {remedy}")
    if _is_text(head):
        call = 'import numpy; numpy.save("image.npy", numpy.loadtxt(FILE, delimiter=","))'
        raise ImageFileError(f"is text, no image of a known kind; of a table, in Python: {call}")
    raise ImageFileError(
        f"is damaged, or no image of a known kind ({', '.join(KNOWN)}); of plain numbers, in"
        ' Python: import numpy; numpy.save("image.npy", numpy.fromfile(FILE, TYPE).reshape(SHAPE))'
    )


def _is_text(head: bytes) -> bool:
    try:
        text = head[: 3 * len(head) // 4].decode()
    except UnicodeDecodeError as error:
        if error.end < 3 * len(head) // 4:  # not a character that is cut in two
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character.isspace() for character in text)
