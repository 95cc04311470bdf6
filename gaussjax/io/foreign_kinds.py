"""Kinds of files that are not read: their names by their bytes, and what to do with each."""

import re
import zlib
from typing import NamedTuple, NoReturn

from gaussjax.io.errors import ImageFileError


class _Kind(NamedTuple):
    """A kind that is not read."""

    name: str
    start: bytes  # a regular expression
    remedy: str  # what to do; of Python, what follows `numpy.save("image.npy", ...)`
    offset: int = 0  # from the end of the file, if negative


_BY_IMAGECODECS = "imagecodecs: imagecodecs.imread(FILE)"
_BY_RAWPY = "rawpy: rawpy.imread(FILE).raw_image_visible"
_BY_IMAGEIO = "imageio.v3: imageio.v3.imread(FILE)"
_BY_OPENEXR = 'OpenEXR: OpenEXR.File(FILE).channels()["NAME"].pixels'
_BY_PILLOW = "PIL.Image: PIL.Image.open(FILE)"
_BY_NIBABEL = "nibabel: nibabel.load(FILE).get_fdata()"
_BY_PYDICOM = "pydicom: pydicom.dcmread(FILE, force=True).pixel_array"
_BY_H5PY = 'h5py: h5py.File(FILE)["NAME"][...]'
_BY_SCIPY = 'scipy.io: scipy.io.loadmat(FILE)["NAME"]'
_BY_NETCDF = 'scipy.io: scipy.io.netcdf_file(FILE, mmap=False).variables["NAME"][:]'
_BY_ITK = "SimpleITK: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(FILE))"
_BY_MAGICK = "save it by ImageMagick: magick FILE image.png"
_OF_VIDEO = "take two frames out of it: ffmpeg -i FILE -frames:v 2 image%d.png"
_OF_ARCHIVE = "unpack it, and give the image in it"
_OF_PICKLE = "pickles run code: save the array by numpy.save"
_OF_PROGRAM = "export a TIFF or a PNG from the program that wrote it"
_HDF5 = rb"\x89HDF\r\n\x1a\n"
_MATLAB_4 = rb"[\0-\x34]\0{3}.{8}[\0\1]\0{3}[\2-\x40]\0{3}[A-Za-z]\w*\0"
_KINDS = (
    _Kind("an HDF5 file of MATLAB", rb"MATLAB 7\.3", _BY_H5PY),
    _Kind("an HDF5 file", rb"(?:.{512}|.{1024}|.{2048})?" + _HDF5, _BY_H5PY),
    _Kind("a MATLAB file", rb"MATLAB 5\.0|" + _MATLAB_4, _BY_SCIPY),
    _Kind("a NetCDF file", rb"CDF", _BY_NETCDF),
    _Kind("a DICOM file", rb"DICM", "pydicom: pydicom.dcmread(FILE).pixel_array", 128),
    _Kind("a DICOM file", rb"\x08\0.\0(?:CS|UI|DA|TM|LO|SH|UL|\x04\0\0\0)", _BY_PYDICOM),
    _Kind("the header of a NIfTI pair", rb"ni1\0", _BY_NIBABEL, 344),
    _Kind("the header of a NIfTI pair", rb"ni2\0", _BY_NIBABEL, 4),
    _Kind("the header of an Analyze pair", rb"\x5c\x01\0\0|\0\0\x01\x5c", _BY_NIBABEL),
    _Kind("an MGH volume", rb"\0\0\0\x01(?:\0\0..){4}\0\0\0[\0\1\3\4]", _BY_NIBABEL),
    _Kind("an MRC map", rb"MAP ", "mrcfile: mrcfile.read(FILE)", 208),
    _Kind("an NRRD file", rb"NRRD000", "nrrd: nrrd.read(FILE)[0]"),
    _Kind("a MetaImage", rb"(?:ObjectType|NDims)\s*=", _BY_ITK),
    _Kind(
        "a DigitalMicrograph file",
        rb"\0\0\0(?:\x03.{4}|\x04.{8})\0\0\0[\0\1]",
        'ncempy.io.dm: ncempy.io.dm.dmReader(FILE)["data"]',
    ),
    _Kind("an ASDF file", rb"#ASDF", 'asdf: asdf.open(FILE)["NAME"]'),
    _Kind("an XISF image", rb"XISF0100", "xisf: xisf.XISF.read(FILE)"),
    _Kind("a SER video", rb"LUCAM-RECORDER", "save two of its frames as FITS or TIFF"),
    _Kind(
        "a planetary image",
        rb"PDS_VERSION_ID|Object = IsisCube|LBLSIZE=",
        "rasterio: rasterio.open(FILE).read(1)",
    ),
    _Kind("an OpenEXR image", rb"\x76\x2f\x31\x01", _BY_OPENEXR),
    _Kind("a JPEG 2000 image", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _BY_IMAGECODECS),
    _Kind("a JPEG XL image", rb"\0\0\0\x0cJXL |\xff\x0a", _BY_IMAGECODECS),
    _Kind("a JPEG XR image", rb"II\xbc", _BY_IMAGECODECS),
    _Kind("a Radiance HDR image", rb"#\?R", _BY_IMAGECODECS),
    _Kind("a QOI image", rb"qoif", _BY_IMAGECODECS),
    _Kind("a Photoshop file", rb"8BPS", "psd_tools: psd_tools.PSDImage.open(FILE).numpy()"),
    _Kind("a GIMP picture", rb"gimp xcf", _OF_PROGRAM),
    _Kind("a DirectDraw surface", rb"DDS ", _BY_IMAGEIO),
    _Kind("an SGI image", rb"\x01\xda[\0\1][\1\2]", _BY_PILLOW),
    _Kind("a PCX image", rb"\x0a[\0\2-\5]\x01[\1\2\4\x08]", _BY_PILLOW),
    _Kind("a TGA image", rb"TRUEVISION-XFILE", _BY_PILLOW, -18),
    _Kind("a DPX frame", rb"SDPX|XPDS", _BY_MAGICK),
    _Kind("a raw photograph of Canon", rb"CR\x02", _BY_RAWPY, 8),
    _Kind("a raw photograph of Fujifilm", rb"FUJIFILMCCD-RAW", _BY_RAWPY),
    _Kind("a raw photograph of Panasonic", rb"IIU\0", _BY_RAWPY),
    _Kind("a raw photograph of Olympus", rb"IIRO", _BY_RAWPY),
    _Kind("a raw photograph of Canon", rb"ftypcrx", _BY_RAWPY, 4),
    _Kind("a ZEISS CZI file", rb"ZISRAWFILE", "czifile: czifile.imread(FILE).squeeze()"),
    _Kind("a Nikon ND2 file", rb"\xda\xce\xbe\x0a", "nd2: nd2.imread(FILE).squeeze()"),
    _Kind(
        "a Leica LIF file",
        rb"\x70\0\0\0.{4}\x2a",
        "readlif.reader: readlif.reader.LifFile(FILE).get_image(0).get_frame()",
    ),
    _Kind("an OLE file (OIB, ZVI, Office)", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OF_PROGRAM),
    _Kind("a PAM image", rb"P7\n", _BY_MAGICK),
    _Kind("an icon", rb"\0\0\x01\0|icns", _BY_MAGICK),
    _Kind("a PDF document", rb"%PDF", "draw a page of it: pdftoppm -r 300 FILE page"),
    _Kind("a PostScript document", rb"%!PS", "draw a page of it: gs -o p.png -sDEVICE=pnggray"),
    _Kind("an SVG drawing", rb"<svg", "draw it: rsvg-convert FILE -o image.png"),
    _Kind("a web page", rb"(?i:\s*<(?:!doctype html|html))", "get the image itself, not its page"),
    _Kind("an XML document", rb"<\?xml", "if it draws a picture, save that as a PNG"),
    _Kind("a pointer of Git LFS", rb"version \S+git-lfs", "get what it stands for: git lfs pull"),
    _Kind("a video", rb"ftyp", _OF_VIDEO, 4),
    _Kind("a video", rb"AVI ", _OF_VIDEO, 8),
    _Kind("a video", rb"\x1aE\xdf\xa3", _OF_VIDEO),
    _Kind(
        "a safetensors file",
        rb'.{5}\0{3}\{"',
        'safetensors.numpy: safetensors.numpy.load_file(FILE)["NAME"]',
    ),
    _Kind("a Parquet table", rb"PAR1", 'pandas: pandas.read_parquet(FILE)["COLUMN"][0]'),
    _Kind("a Python pickle", rb"\x80[\4\5]", _OF_PICKLE),
    _Kind("a gzip archive", rb"\x1f\x8b", _OF_ARCHIVE),
    _Kind("a bzip2 archive", rb"BZh", _OF_ARCHIVE),
    _Kind("an xz archive", rb"\xfd7zXZ\0", _OF_ARCHIVE),
    _Kind("a zstd archive", rb"\x28\xb5\x2f\xfd", _OF_ARCHIVE),
    _Kind("a 7z archive", rb"7z\xbc\xaf", _OF_ARCHIVE),
    _Kind("a tar archive", rb"ustar", _OF_ARCHIVE, 257),
    _Kind("a ZIP archive", rb"PK\x03\x04", _OF_ARCHIVE),
)


def refuse(head: bytes, tail: bytes, known: tuple[str, ...]) -> NoReturn:
    """Raise ImageFileError that names the kind of a file, and says what to do.

    Args:
        head: the first bytes of the file.
        tail: its last bytes.
        known: names of the kinds that are read.
    """
    packed = _kind(unpacked_head(head), b"")
    if packed is not None:
        remedy = f"unpack it, and {_in_python(packed.remedy)}"
        raise ImageFileError(f"is {packed.name}, packed by gzip, which is not read; {remedy}")
    kind = _kind(head, tail)
    if kind is not None:
        raise ImageFileError(f"is {kind.name}, which is not read; {_in_python(kind.remedy)}")
    if _is_text(head):
        options = ', delimiter=","' if b"," in head else ""
        call = f'import numpy; numpy.save("image.npy", numpy.loadtxt(FILE{options}))'
        raise ImageFileError(f"is text, no image of a known kind; of a table, in Python: {call}")
    raise ImageFileError(
        f"is damaged, or no image of a known kind ({', '.join(known)}); of plain numbers, in"
        ' Python: import numpy; numpy.save("image.npy", numpy.fromfile(FILE, TYPE).reshape(SHAPE))'
    )


def unpacked_head(head: bytes) -> bytes:
    """The first bytes of what gzip has packed; none if it has not packed anything."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 1024)
    except zlib.error:
        return b""


def _kind(head: bytes, tail: bytes) -> _Kind | None:
    for kind in _KINDS:
        data, place = (head, kind.offset) if kind.offset >= 0 else (tail, len(tail) + kind.offset)
        if place >= 0 and re.compile(kind.start, re.DOTALL).match(data, place):
            return kind
    return None


def _in_python(remedy: str) -> str:
    module, is_python, call = remedy.partition(": ")
    if is_python and call.startswith(module):
        return f'in Python: import {module}, numpy; numpy.save("image.npy", {call})'
    return remedy


def _is_text(head: bytes) -> bool:
    try:
        text = head[: 3 * len(head) // 4].decode()
    except UnicodeDecodeError as error:
        if error.end < 3 * len(head) // 4:  # not a character that is cut in two
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character.isspace() for character in text)
