"""The decoder of Netpbm files: PBM, PGM and PPM in text or binary, and PFM.

Pillow reads them, too, but it spreads grey levels to 8 or 16 bit, and cuts deep colour to 8.
"""

import re
from pathlib import Path

import numpy as np

from gaussjax.io.decoders import Decoded, refuse_selection
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.errors import ImageFileError

_LONGEST_HEADER = 65536  # bytes, comments included
_SPACE = rb"(?:\s|#[^\n]*\n)"
_FIELD = _SPACE + rb"+(\S+)"
_COLOUR = (b"P3", b"P6", b"PF")
_TEXT = (b"P1", b"P2", b"P3")


def decode_netpbm(path: Path, selection: str | None = None) -> Decoded:
    """Decode the first image of a file; the formats are in pbm(5), pgm(5) and ppm(5)."""
    refuse_selection(selection)
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEADER)
        magic = head[:2]
        num_fields = 2 if magic in (b"P1", b"P4") else 3
        match = re.match(magic + _FIELD * num_fields + rb"\s", head)
        if match is None:
            raise ImageFileError("has no complete Netpbm header")
        width, height = (_number(text) for text in match.groups()[:2])
        shape = (height, width, 3) if magic in _COLOUR else (height, width)
        file.seek(match.end())
        if magic in _TEXT:
            maxval = 1 if magic == b"P1" else _number(match[3])
            samples = _from_text(file.read(), shape, bits=magic == b"P1")
        elif magic == b"P4":
            maxval, samples = 1, _from_bits(file.read(height * -(-width // 8)), height, width)
        elif magic in (b"PF", b"Pf"):
            return _decode_float(file.read(4 * int(np.prod(shape))), float(match[3]), shape)
        else:
            maxval = _number(match[3])
            dtype = np.dtype(">u2" if maxval > 255 else "u1")
            size = int(np.prod(shape))
            samples = _shaped(np.frombuffer(file.read(size * dtype.itemsize), dtype), shape)
    if not 0 < maxval < 65536 or np.max(samples, initial=0) > maxval:
        raise ImageFileError(f"has grey levels beyond its largest, {maxval}")
    dtype = np.uint8 if maxval < 256 else np.uint16
    samples = samples.astype(dtype)
    if magic in (b"P1", b"P4"):
        samples, maxval = 255 * (1 - samples), 255  # 1 is black; as 1-bit PNG is read
    return Decoded(samples, maxval, colour=magic in _COLOUR)


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 9:
        raise ImageFileError(f"has {text[:20].decode('ascii', 'replace')!r} for a number")
    return int(text)


def _shaped(samples: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if samples.size < np.prod(shape):
        raise ImageFileError(f"promises {np.prod(shape)} samples and holds {samples.size}")
    return samples[: np.prod(shape)].reshape(shape)


def _from_text(text: bytes, shape: tuple[int, ...], *, bits: bool) -> np.ndarray:
    text = re.sub(rb"#[^\n]*", b"", text)
    words = re.findall(rb"[01]", text) if bits else text.split()
    try:
        return _shaped(np.array(words, dtype="S9").astype(np.int64), shape)
    except ValueError:
        raise ImageFileError("has samples that are no numbers") from None


def _from_bits(data: bytes, height: int, width: int) -> np.ndarray:
    refuse_bomb(height * width, "pixels")  # one byte is eight of them
    rows = _shaped(np.frombuffer(data, np.uint8), (height, -(-width // 8)))
    return np.unpackbits(rows, axis=1, count=width)


def _decode_float(data: bytes, scale: float, shape: tuple[int, ...]) -> Decoded:
    """A portable float map: rows from bottom to top, of the byte order that a sign tells."""
    samples = np.frombuffer(data[: len(data) // 4 * 4], "<f4" if scale < 0 else ">f4")
    samples = _shaped(samples, shape)[::-1].astype(np.float32)
    return Decoded(samples, None, colour=len(shape) == 3)
