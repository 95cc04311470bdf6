"""Decompression bombs: small files that would fill the memory, by what they promise or hold."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from gaussjax.io.errors import ImageFileError

_HARMLESS = 2**26  # bytes, of packed data that may be blank
_LARGEST_RATIO = 200  # of what is not; deflate packs zeros by 1000
_BLOCK = 2**20
_ZSTD = b"\x28\xb5\x2f\xfd"
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # codes of JPEG markers


def refuse_bomb(count: int, unit: str) -> None:
    """Refuse more pixels or samples than Pillow takes for safe, before they are decoded."""
    import PIL.Image

    limit = PIL.Image.MAX_IMAGE_PIXELS
    if limit is not None and count > limit:
        raise ImageFileError(
            f"promises {count} {unit}, more than the limit of {limit}: a decompression bomb?"
        )


def unpacked(path: Path) -> io.BytesIO:
    """The content of a gzip file, as far as it is no bomb.

    Raises:
        ImageFileError: for more than 64 MiB that were packed more than two hundredfold.
    """
    content, most = io.BytesIO(), max(_HARMLESS, _LARGEST_RATIO * path.stat().st_size)
    with gzip.open(path) as file:
        while block := file.read(_BLOCK):
            content.write(block)
            if content.tell() > most:
                raise ImageFileError(
                    f"{path.stat().st_size} bytes unpack to more than {most}: a decompression bomb?"
                )
    content.seek(0)
    return content


def refuse_inflated(packed: bytes, most: int) -> None:
    """Refuse a gzip, zlib or zstd stream of more than ``most`` bytes; what is damaged passes."""
    too_long = False
    try:
        if packed.startswith(_ZSTD):
            import imagecodecs

            imagecodecs.zstd_decode(packed, out=most)
            return
        inflater = zlib.decompressobj(wbits=47)  # either header
        inflater.decompress(packed, most)
        too_long = not inflater.eof and inflater.decompress(inflater.unconsumed_tail, 1) != b""
    except (zlib.error, RuntimeError) as error:  # of imagecodecs, whose errors say no more
        too_long = "too small" in str(error)
    if too_long:
        raise ImageFileError(f"holds a part of more than {most} bytes: a decompression bomb?")


def jpeg_size(start: bytes) -> int | None:
    """Pixels of a JPEG stream, by its first bytes; None if they do not tell."""
    for code, body in _jpeg_segments(start):
        if code in _START_OF_FRAME and len(body) >= 5:
            return int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big")
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Codes and contents of the marker segments before the first scan."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        yield data[place + 1], data[place + 4 : place + 2 + size]
        place += 2 + size
