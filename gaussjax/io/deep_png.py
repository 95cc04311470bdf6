"""The decoder of 16-bit PNG with several channels, by libpng: Pillow keeps one byte of two."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gaussjax.io.errors import ImageFileError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_bit_depth(path: Path) -> int:
    """Bits per sample: the signature (8 bytes) and the header chunk come first in every PNG."""
    with path.open("rb") as file:
        return file.read(26)[24]


def decode_deep_png(data: bytes) -> np.ndarray:
    """Samples ``[y, x, channel]`` of type uint16.

    libpng writes on stderr what it thinks of chunks: it is given the pixels alone, after they have
    been found to be whole.
    """
    import imagecodecs

    kept = [(name, body) for name, body in _chunks(data) if name in (b"IHDR", b"IDAT", b"IEND")]
    width, height = (int.from_bytes(kept[0][1][k : k + 4], "big") for k in (0, 4))
    inflater = zlib.decompressobj()
    most = 2 * height * (8 * width + 8)  # four channels, filter types, the passes of interlacing
    inflater.decompress(b"".join(body for name, body in kept if name == b"IDAT"), most)
    if not inflater.eof:
        raise ImageFileError("its compressed pixels are cut off, or more than it promises")
    return imagecodecs.png_decode(_SIGNATURE + b"".join(_packed(*chunk) for chunk in kept))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks, whose checksums hold."""
    place = len(_SIGNATURE)
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        if _packed(name, body) != data[place : place + 12 + size]:
            raise ImageFileError(f"chunk {name!r} is damaged")
        yield name, body
        place += 12 + size


def _packed(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body)
    return len(body).to_bytes(4, "big") + name + body + check.to_bytes(4, "big")
