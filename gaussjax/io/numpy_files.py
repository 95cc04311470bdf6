"""The decoders of NumPy's files: .npy by way of a map, .npz by the name of an array."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.io.decoders import Decoded, full_scale, refuse_selection
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.errors import ImageFileError
from gaussjax.io.file_selection import chosen_name


def map_npy(path: Path, *, attempts: int = 5) -> np.ndarray:
    """Map a NumPy file, read-only: a header that promises more than the file is an error."""
    try:
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except SystemError:
        # NumPy reads a header by Python's parser, which in Python 3.11 fails now and then in one
        # thread while another one parses as well: "AST constructor recursion depth mismatch".
        if attempts == 1:
            raise
        return map_npy(path, attempts=attempts - 1)
    except ValueError as error:
        if "Python objects" in str(error):
            raise ImageFileError("holds pickled Python objects, which are never loaded") from None
        raise


def cut_mapped(image: Any, place: Any) -> Any:
    """A part of an array; of a mapped file a copy, after which the file's pages are let go of.

    The system maps the MB around each row that is read: they would add up to the whole file.
    """
    part = image[place]
    if isinstance(image, np.memmap) and image.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        part = np.array(part)
        image._mmap.madvise(mmap.MADV_DONTNEED)  # pyright: ignore[reportAttributeAccessIssue]
    return part


def decode_npy(path: Path, selection: str | None = None) -> Decoded:
    """Decode a NumPy file by way of its map."""
    refuse_selection(selection)
    samples = np.array(map_npy(path))
    return Decoded(samples, full_scale(samples.dtype))


def decode_npz(path: Path, selection: str | None = None) -> Decoded:
    """Decode the array of an archive that is selected, or the only one."""
    with np.load(path, allow_pickle=False) as archive:
        name = chosen_name(selection, archive.files, "array")
        member = archive.zip.getinfo(f"{name}.npy")
        if member.file_size > path.stat().st_size:
            # What is unpacked of a member ends at the size that its entry declares.
            refuse_bomb(member.file_size // 8, "samples of 64 bit")
        samples = archive[name]
    return Decoded(samples, full_scale(samples.dtype))
