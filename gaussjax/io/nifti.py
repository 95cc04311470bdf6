"""The decoder of NIfTI files, by nibabel: scaled values, voxel sizes and their unit."""

import gzip
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from gaussjax.io.decoders import Decoded, known_size, library, log_as_notes
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.errors import ImageFileError

_UNITS = {"mm": "mm", "micron": "um", "meter": "m"}


def decode_nifti(path: Path, selection: str | None = None) -> Decoded:
    """Decode the volume of a file, or of a series the one whose number is selected.

    Axes keep the order of nibabel's arrays. The slope and intercept of the header are applied.
    """
    nibabel = library("nibabel", "nifti", "a NIfTI file")
    with ExitStack() as stack:
        notes = stack.enter_context(log_as_notes("nibabel.global"))
        file = stack.enter_context(path.open("rb"))
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file
        start = stream.read(4)
        stream.seek(0)
        sizes = {int.from_bytes(start, order) for order in ("little", "big")}
        image_class = nibabel.Nifti2Image if 540 in sizes else nibabel.Nifti1Image
        image = image_class.from_stream(stream)
        shape = image.shape
        if int(np.prod(shape)) * image.get_data_dtype().itemsize > path.stat().st_size:
            if not packed:
                raise ImageFileError(f"promises {np.prod(shape)} samples and is shorter than that")
            refuse_bomb(int(np.prod(shape)), "samples")
        place = _place(shape, selection)
        samples = np.asanyarray(image.dataobj[place])
        zooms = image.header.get_zooms()
        unit = image.header.get_xyzt_units()[0]
    kept = [k for k, part in enumerate(place) if isinstance(part, slice)]
    spatial = max(kept, default=3) < 3
    unit = _UNITS.get(unit, "") if spatial else ""
    return Decoded(
        samples.astype(samples.dtype.newbyteorder("="), copy=False),
        None,
        notes=tuple(notes),
        pixel_size=known_size((zooms[k] for k in kept), unit, "NIfTI header"),
        nan_is_no_data=True,
        page_axis=2 if len(kept) == 3 else 0,  # axes are x, y, z: a page is an axial slice
    )


def _place(shape: tuple[int, ...], selection: str | None) -> tuple[int | slice, ...]:
    """Which part of the array to read: without axes of one sample, and one of a series."""
    axes = [k for k, length in enumerate(shape) if length > 1]
    place: list[int | slice] = [slice(None) if k in axes else 0 for k in range(len(shape))]
    series = shape[axes[-1]] if len(axes) > 3 else 0
    if len(axes) > 4:
        raise ImageFileError(f"its shape {shape} is no volume and no series of volumes; export one")
    if not series:
        if selection is not None:
            raise ImageFileError(f"holds one volume; leave out [{selection}]")
    elif selection is None or not selection.isdecimal() or int(selection) >= series:
        raise ImageFileError(f"holds {series} volumes; select one by its number, as FILE[0]")
    else:
        place[axes[-1]] = int(selection)
    return tuple(place)
