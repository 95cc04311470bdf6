"""Decompression bombs: small files that would fill the memory, by what they promise or hold."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gaussjax.io.errors import ImageFileError

_HARMLESS = 2**26  # bytes, of packed data that may be blank
_LARGEST_RATIO = 200  # of what is not; deflate packs zeros by 1000
_BLOCK = 2**20
_ZSTD = b"\x28\xb5\x2f\xfd"


def refuse_bomb(count: int, unit: str) -> None:
    """Refuse more pixels or samples than Pillow takes for safe, before they are decoded."""
    import PIL.Image

    limit = PIL.Image.MAX_IMAGE_PIXELS
    if limit is not None and count > limit:
        raise ImageFileError(
            f"promises {count} {unit}, more than the limit of {limit}: a decompression bomb?"
        )


def unpacked(path: Path) -> io.BytesIO:
    """The content of a gzip file; ImageFileError for more than 64 MiB that were packed 200-fold."""
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


def refuse_inflated(packed: bytes, most: int, packing: str | None = None) -> None:
    """Refuse packed streams, in a row, of more than ``most`` bytes; what is damaged passes.

    ``packing`` is one of ``PACKINGS``; None: gzip, zlib or zstd, as the first bytes tell.
    """
    if packing is None:
        packing = "zstd" if packed.startswith(_ZSTD) else "zlib"
    try:
        too_long = PACKINGS[packing](packed, most)
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError):
        too_long = False
    if too_long:
        raise ImageFileError(f"holds a part of more than {most} bytes: a decompression bomb?")


def _streams_exceed(start: Callable[[], Any], packed: bytes, most: int) -> bool:
    """Whether streams in a row unpack to more; between those of gzip there may be zeros."""
    count = 0
    while packed:
        stream = start()
        count += len(stream.decompress(packed, most + 1 - count))
        if count > most:
            return True
        packed = stream.unused_data.lstrip(b"\0")
    return False


def _zstd_exceeds(packed: bytes, most: int) -> bool:
    import imagecodecs

    try:
        imagecodecs.zstd_decode(packed, out=most)
    except RuntimeError as error:  # imagecodecs tells kinds of errors by their words
        return "too small" in str(error)
    return False


_deflated_exceed = partial(_streams_exceed, partial(zlib.decompressobj, wbits=47))  # either header
# Whether a stream of this kind unpacks to more bytes than the second argument.
PACKINGS: dict[str, Callable[[bytes, int], bool]] = {
    "zlib": _deflated_exceed,
    "gzip": _deflated_exceed,
    "bz2": partial(_streams_exceed, bz2.BZ2Decompressor),
    "lzma": partial(_streams_exceed, lzma.LZMADecompressor),
    "zstd": _zstd_exceeds,
    # Blosc, and numcodecs for lz4, set aside as much memory as the header tells.
    "blosc": lambda packed, most: int.from_bytes(packed[4:8], "little") > most,
    "lz4": lambda packed, most: int.from_bytes(packed[:4], "little") > most,
}
