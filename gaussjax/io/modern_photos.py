"""The decoders of AVIF, by Pillow, and of HEIC, by its plugin pillow-heif."""

from pathlib import Path

import numpy as np

from gaussjax.io.decoders import (
    Decoded,
    decode_pillow,
    drop_extra_sample,
    full_scale,
    library,
    refuse_selection,
)
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.errors import ImageFileError

_BOXES = 65536  # bytes in which the description of the codec is looked for


def decode_avif(path: Path, selection: str | None = None) -> Decoded:
    """Decode an AVIF picture of 8 bit."""
    import PIL.features

    if not PIL.features.check("avif"):
        raise ImageFileError("is an AVIF picture, which this Pillow cannot decode; save a PNG")
    with path.open("rb") as file:
        codec = file.read(_BOXES).partition(b"av1C")[2]
    if len(codec) > 2 and codec[2] & 0x40:  # high_bitdepth of the AV1 codec configuration
        raise ImageFileError(
            "is an AVIF picture of more than 8 bit, which Pillow would cut; keep them all:"
            ' import imagecodecs, numpy; numpy.save("image.npy", imagecodecs.imread(FILE)[..., 1])'
        )
    return decode_pillow(path, selection, formats=("AVIF",))


def decode_heic(path: Path, selection: str | None = None) -> Decoded:
    """Decode the main picture of a HEIC file, upright, with all its bits."""
    heif = library("pillow_heif", "heic", "a HEIC picture")
    refuse_selection(selection)
    picture = heif.open_heif(path, convert_hdr_to_8bit=False)
    refuse_bomb(picture.size[0] * picture.size[1], "pixels")
    samples = np.array(picture)
    notes: list[str] = []
    if samples.ndim == 3:
        samples = drop_extra_sample(samples, 3, notes)
    if len(picture) > 1:
        notes.append(f"main picture of {len(picture)} used")
    return Decoded(samples, full_scale(samples.dtype), samples.ndim == 3, notes=tuple(notes))
