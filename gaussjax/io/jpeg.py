"""The decoder of JPEG files of 8 bit, by Pillow; their relatives are named."""

from pathlib import Path

from gaussjax.io.declared_sizes import jpeg_segments
from gaussjax.io.decoders import Decoded, decode_pillow
from gaussjax.io.errors import ImageFileError

_HEAD = 2**18  # bytes in which the start of the frame is looked for, behind what cameras add
_LOSSLESS, _JPEG_LS = 0xC3, 0xF7  # codes of the marker that starts a frame
_SEQUENTIAL = 0xC1


def decode_jpeg(path: Path, selection: str | None = None) -> Decoded:
    """Decode the first picture of a file."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for code, body in jpeg_segments(head):
        if code == _JPEG_LS:
            _refuse("a JPEG-LS image", 'jpegls_decode(open(FILE, "rb").read())')
        if code == _LOSSLESS or (code == _SEQUENTIAL and body[:1] == b"\x0c"):
            kind = "lossless JPEG" if code == _LOSSLESS else "JPEG of 12 bit"
            _refuse(f"a {kind}", "imread(FILE)")
    return decode_pillow(path, selection)


def _refuse(kind: str, call: str) -> None:
    raise ImageFileError(
        f"is {kind}, which is not read; in Python: import imagecodecs, numpy;"
        f' numpy.save("image.npy", imagecodecs.{call})'
    )
