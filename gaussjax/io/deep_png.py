"""The decoder of 16-bit PNG with several channels, by libpng: Pillow keeps one byte of two.

Source: W3C (2003), "Portable Network Graphics (PNG) Specification", second edition.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gaussjax.io.errors import ImageFileError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 4: 2, 6: 4}  # by the type of colour
# First row and column of the passes of interlacing, and their steps along both.
_PASSES = (
    ((0, 0), (8, 8)),
    ((0, 4), (8, 8)),
    ((4, 0), (8, 4)),
    ((0, 2), (4, 4)),
    ((2, 0), (4, 2)),
    ((0, 1), (2, 2)),
    ((1, 0), (2, 1)),
)


def png_bit_depth(path: Path) -> int:
    """Bits per sample: the signature (8 bytes) and the header chunk come first in every PNG."""
    with path.open("rb") as file:
        return file.read(26)[24]


def decode_deep_png(data: bytes) -> np.ndarray:
    """Samples ``[y, x, channel]`` of type uint16.

    libpng writes on stderr what it thinks of chunks and of interlacing: it is given the pixels
    alone, after they have been found to be whole, and one pass at a time.
    """
    kept = [(name, body) for name, body in _chunks(data) if name in (b"IHDR", b"IDAT", b"IEND")]
    header = kept[0][1]
    width, height = (int.from_bytes(header[k : k + 4], "big") for k in (0, 4))
    inflater = zlib.decompressobj()
    most = 2 * height * (8 * width + 8)  # four channels, filter types, the passes of interlacing
    rows = inflater.decompress(b"".join(body for name, body in kept if name == b"IDAT"), most)
    if not inflater.eof:
        raise ImageFileError("its compressed pixels are cut off, or more than it promises")
    if header[12] == 1:
        return _decode_interlaced(header, rows, (height, width))
    return _decode_chunks(kept)


def _decode_interlaced(header: bytes, rows: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Samples of an image that is stored as the seven images of Adam7, clause 8 of the standard."""
    channels = _CHANNELS[header[9]]
    samples, place = np.empty((*shape, channels), np.uint16), 0
    for first, steps in _PASSES:
        part = samples[first[0] :: steps[0], first[1] :: steps[1]]
        height, width = part.shape[:2]
        if not part.size:
            continue
        size = height * (1 + 2 * channels * width)  # a row begins with its type of filter
        if len(rows) < place + size:
            raise ImageFileError("its compressed pixels are cut off")
        plain = struct.pack(">II", width, height) + header[8:12] + b"\0"
        body = zlib.compress(rows[place : place + size], 0)
        decoded = _decode_chunks([(b"IHDR", plain), (b"IDAT", body), (b"IEND", b"")])
        part[:] = decoded.reshape(part.shape)
        place += size
    return samples


def _decode_chunks(chunks: list[tuple[bytes, bytes]]) -> np.ndarray:
    import imagecodecs

    return imagecodecs.png_decode(_SIGNATURE + b"".join(_packed(*chunk) for chunk in chunks))


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
