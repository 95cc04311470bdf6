"""What the commands of ``gaussjax`` do with their files before JAX is imported."""

import os
from collections.abc import Iterable
from os import PathLike
from typing import Any

import numpy as np

from gaussjax.cli.options import DEFAULT_TRUNCATE
from gaussjax.io.images import ImageFile, ImageFileError, read_image


def read_mask(name: str | None, image: ImageFile) -> np.ndarray | None:
    """True where the values of the file ``name`` are not 0; None without a file."""
    if name is None:
        return None
    values = read_image(name).values
    if values.shape != image.values.shape:
        raise ImageFileError(
            f"{name}: a mask of shape {values.shape} for images of shape {image.values.shape}"
        )
    if not np.all(np.isfinite(values)):
        raise ImageFileError(f"{name}: a mask with NaN or infinite pixels")
    return values != 0


def read_masks(options: Any, image: ImageFile) -> tuple[np.ndarray | None, ...] | None:
    """Of the reference and of the blurred image, as the options name them; None without both."""
    masks = tuple(read_mask(name, image) for name in (options.mask_reference, options.mask))
    return masks if any(mask is not None for mask in masks) else None


def fit_options(options: Any, image: ImageFile) -> dict[str, Any]:
    """Keywords that the estimates of a pair, of its families and of its tiles share."""
    return {
        "kernel": options.kernel,
        "truncate": options.truncate or DEFAULT_TRUNCATE,
        "radius": options.radius,
        "gain": options.gain,
        "offset": options.offset,
        "shift": options.shift,
        "noise_std": options.noise,
        "mask": read_masks(options, image),
    }


def keep_inputs(output: str | None, inputs: Iterable[str | PathLike[str] | None]) -> None:
    """Refuse an output that would replace one of the inputs.

    Raises:
        ImageFileError: naming it.
    """
    if output is None or not os.path.exists(output):
        return
    there = os.stat(output)
    for name in inputs:
        if name and os.path.exists(name) and os.path.samestat(there, os.stat(name)):
            raise ImageFileError(f"{output}: is an input itself; name another file")


def check_lengths(image: ImageFile, lengths: dict[str, float]) -> None:
    """Refuse lengths in px for which the frame would be extended beyond all memory."""
    longest = max(image.values.shape)
    for option, length in lengths.items():
        if length > longest:
            raise ValueError(
                f"{option}: {length:g} px is more than the image's longest side, {longest} px"
            )


def notes_on(name: str, image: ImageFile) -> list[str]:
    """What reading a file has changed, with what the file is."""
    return [f"{name}: {note}" for note in image.notes]
