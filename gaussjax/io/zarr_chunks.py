"""Packed chunks of a Zarr array, which are measured before zarr unpacks them.

How they are packed is told by the metadata that zarr goes by, not by what the bytes look like.
"""

import lzma
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.io.decompression_bombs import PACKINGS, refuse_bomb, refuse_inflated
from gaussjax.io.errors import ImageFileError

_METADATA = ("zarr.json", ".zarray", ".zattrs")
# Codecs that leave the number of bytes as it is, or change it by the width of a sample.
_PLAIN = {"bytes", "transpose", "crc32c", "shuffle", "delta", "astype"} | {
    *("fixedscaleoffset", "quantize", "bitround"),
}
_WIDEST = 8  # bytes of a sample before such a codec, for each byte of one after it
_SMALL = 65536  # bytes: not worth a refusal
_SHARDS = "sharding_indexed"


@dataclass(frozen=True)
class _Chunks:
    """How the chunks of an array are packed."""

    packing: str | None  # one of PACKINGS; None: they are not
    size: int  # of a chunk, in samples
    shard: int = 1  # chunks in a file
    has_checksum: bool = False  # of the index of a shard
    is_index_first: bool = False


def refuse_packed_bombs(folder: Path, metadata: dict[str, Any], item_size: int) -> None:
    """Refuse chunks that are larger than they say, or that are packed in a way that does not tell.

    Of the array in ``folder``, with the metadata as zarr has it and samples of so many bytes.
    """
    chunks = _chunks(metadata)
    files = [f for f in folder.rglob("*") if f.is_file() and f.name not in _METADATA]
    size = chunks.size * chunks.shard
    if size * item_size > sum(file.stat().st_size for file in files):
        refuse_bomb(size, "samples in a chunk")
    if chunks.packing is None:
        return
    most = max(_WIDEST * chunks.size * item_size, _SMALL)
    for file in files:
        for packed in _pieces(file.read_bytes(), chunks):
            refuse_inflated(packed, most, chunks.packing)


def _chunks(metadata: dict[str, Any]) -> _Chunks:
    """The packing by the metadata of either format."""
    if "chunks" in metadata:  # format 2
        codecs = [*(metadata.get("filters") or ()), metadata.get("compressor")]
        # Older releases of zarr hand over the codecs themselves.
        told = [each if isinstance(each, dict) else each.get_config() for each in codecs if each]
        return _Chunks(_packing(told), math.prod(metadata["chunks"]))
    size = math.prod(metadata["chunk_grid"]["configuration"]["chunk_shape"])
    *others, last = metadata["codecs"]
    if last["name"] != _SHARDS:
        return _Chunks(_packing([*others, last]), size)
    inner = last["configuration"]
    index = [codec["name"] for codec in inner["index_codecs"]]
    endian = inner["index_codecs"][0].get("configuration", {}).get("endian")
    if _packing(others) or index not in (["bytes"], ["bytes", "crc32c"]) or endian != "little":
        raise ImageFileError(f"its shards have an index packed by {', '.join(index)}: {_REMEDY}")
    small = math.prod(inner["chunk_shape"])
    first = inner.get("index_location") == "start"
    return _Chunks(_packing(inner["codecs"]), small, size // max(small, 1), len(index) > 1, first)


_REMEDY = "that is not read; in Python: numpy.save('image.npy', zarr.open(FOLDER)[:])"


def _packing(codecs: Any) -> str | None:
    """The one codec that packs, which has to be the last but for a checksum at the end."""
    codecs = list(codecs)
    names = [(codec.get("name") or codec["id"]).removeprefix("numcodecs.") for codec in codecs]
    packed = [name for name in names if name not in _PLAIN]
    last = [name for name in names if name != "crc32c"][-1:]
    if not packed:
        return None
    # A raw stream of lzma does not tell its filters.
    formats = [codec.get("configuration", codec).get("format") for codec in codecs]
    if packed != last or last[0] not in PACKINGS or lzma.FORMAT_RAW in formats:
        raise ImageFileError(f"its chunks are packed by {', '.join(names)}: {_REMEDY}")
    return last[0]


def _pieces(data: bytes, chunks: _Chunks) -> Iterator[bytes]:
    """The packed chunks of a file."""
    if chunks.shard == 1:
        yield data
        return
    size = 16 * chunks.shard
    end = size if chunks.is_index_first else len(data) - 4 * chunks.has_checksum
    if not 0 <= end - size <= len(data) - size:
        return  # damaged: zarr will say so
    for offset, count in np.frombuffer(data[end - size : end], "<u8").reshape(-1, 2).tolist():
        yield data[offset : offset + count]  # an absent chunk lies beyond the end
