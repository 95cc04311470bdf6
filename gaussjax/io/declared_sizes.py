"""Sizes of coded images by their first bytes: a decoder fills the memory with what they promise.

Formats: ITU T.81 (JPEG), T.800 (JPEG 2000), T.832 (JPEG XR), ISO/IEC 18181 (JPEG XL), RFC 9649
(WebP), RFC 2083 (PNG), and the header of LERC as its decoder reads it.
"""

import re
from collections.abc import Iterator

_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # codes of JPEG markers
_RATIOS = (1.0, 1.2, 4 / 3, 1.5, 16 / 9, 1.25, 2.0)  # of width over height in JPEG XL


def coded_size(data: bytes) -> int | None:
    """Size of a coded image; None if it is none that is known here.

    In samples for JPEG 2000 and LERC, which may hold any number of them in a pixel; in pixels for
    JPEG, JPEG XR, JPEG XL, WebP and PNG.
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _big(data[16:20]) * _big(data[20:24])
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        return _jpeg_2000(data)
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return _jpeg_xl(data)
    if data.startswith(b"Lerc2 "):
        return _lerc(data)
    return _jpeg_xr(data) if data.startswith(b"II\xbc") else None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _jpeg(data: bytes) -> int | None:
    for code, body in jpeg_segments(data):
        if code in _START_OF_FRAME and len(body) >= 5:
            return _big(body[1:3]) * _big(body[3:5])
    return None


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Codes and contents of the marker segments before the first scan."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        size = _big(data[place + 2 : place + 4])
        yield data[place + 1], data[place + 4 : place + 2 + size]
        place += 2 + size


def _webp(data: bytes) -> int | None:
    """The size in the header of the only frame, or of the canvas where there is one."""
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        return (1 + _little(body[4:7])) * (1 + _little(body[7:10]))
    if kind == b"VP8L":
        bits = _little(body[1:5])
        return (1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        return (_little(body[6:8]) & 0x3FFF) * (_little(body[8:10]) & 0x3FFF)
    return None


def _jpeg_2000(data: bytes) -> int | None:
    """The largest of all that look like the start of a code stream: boxes may hold false ones."""
    sizes = []
    for found in re.finditer(rb"\xff\x4f\xff\x51", data):
        numbers = data[found.end() + 4 : found.end() + 38]
        right, bottom, left, top = (_big(numbers[k : k + 4]) for k in (0, 4, 8, 12))
        sizes.append((right - left) * (bottom - top) * _big(numbers[32:34]))
    return max(sizes, default=None)


def _jpeg_xl(data: bytes) -> int | None:
    """The size of a bare code stream, or the largest of what looks like a box with one."""
    start = rb"^\xff\x0a|jxlc\xff\x0a|jxlp....\xff\x0a"
    sizes = [_jpeg_xl_frame(data[m.end() :][:10]) for m in re.finditer(start, data, re.DOTALL)]
    return max(sizes, default=None)


def _jpeg_xl_frame(header: bytes) -> int:
    """Bits begin with the least of the first byte."""
    bits, place = _little(header), 0

    def read(count: int) -> int:
        nonlocal place
        place += count
        return bits >> place - count & (1 << count) - 1

    def length(is_small: int) -> int:
        return 8 * (1 + read(5)) if is_small else 1 + read((9, 13, 18, 30)[read(2)])

    is_small = read(1)
    height = length(is_small)
    ratio = read(3)
    return height * (round(height * _RATIOS[ratio - 1]) if ratio else length(is_small))


def _jpeg_xr(data: bytes) -> int | None:
    """The size by two entries of a directory like that of a TIFF file."""
    start = _little(data[4:8]) + 2
    found = {}
    for place in range(start, start + 12 * _little(data[start - 2 : start]), 12):
        found[_little(data[place : place + 2])] = _little(data[place + 8 : place + 12])
    return found[0xBC80] * found[0xBC81] if {0xBC80, 0xBC81} <= found.keys() else None


def _lerc(data: bytes) -> int:
    """The size of all bands, which follow each other; their dimensions come after a checksum."""
    count = 0
    for found in re.finditer(rb"Lerc2 ", data):
        version = _little(data[found.end() : found.end() + 4])
        start = found.end() + (8 if version >= 3 else 4)
        rows, columns, depth = (_little(data[start + k : start + k + 4]) for k in (0, 4, 8))
        count += rows * columns * (depth if version >= 4 else 1)
    return count
