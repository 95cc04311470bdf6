"""What the commands of ``gaussjax`` do with their files before JAX is imported."""

import argparse
import os
from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any

import numpy as np

from gaussjax.cli.options import fit_keywords
from gaussjax.io.images import ImageFile, ImageFileError, MappedImage, map_image, read_image


def read_pair(
    options: argparse.Namespace, outputs: Iterable[str | None]
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any], list[str]]:
    """Read the files of one pair.

    Args:
        options: of a command for one pair.
        outputs: files to be written, which may replace none that is read; None where there is none.

    Returns:
        Reference and blurred image, keywords for their estimate, and notes on the files.
    """
    files = (options.reference, options.blurred)
    read = map_image if getattr(options, "precision", None) else read_image
    reference, blurred = (read(file, linearize=options.linearize) for file in files)
    check_lengths(reference.values, {"--radius": options.radius or 0})
    for output in outputs:
        keep_inputs(output, (*files, options.mask, options.mask_reference))
    shape = blurred.values.shape
    masks = [_read_mask(file, shape, read) for file in (options.mask_reference, options.mask)]
    keywords = {
        **fit_keywords(options),
        "loss": options.loss,
        "shift": options.shift,
        "noise_std": options.noise,
        "bounds": options.bounds and tuple(options.bounds),
        "mask": None if all(mask is None for mask in masks) else tuple(masks),
    }
    notes = notes_on("reference", reference) + notes_on("blurred", blurred)
    return (reference.values, blurred.values), keywords, notes


def _read_mask(file: str | None, shape: tuple[int, ...], read: Callable) -> Any:
    """True where the values of the file are not 0; None without a file."""
    if file is None:
        return None
    values = read(file).values
    if values.shape != shape:
        raise ImageFileError(f"{file}: a mask of shape {values.shape} for images of shape {shape}")
    if isinstance(values, MappedImage):
        return values  # a mask as it is
    if not np.all(np.isfinite(values)):
        raise ImageFileError(f"{file}: a mask with NaN or infinite pixels")
    return values != 0


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


def check_lengths(image: np.ndarray, lengths: dict[str, float]) -> None:
    """Refuse lengths in px for which the frame would be extended beyond all memory."""
    longest = max(image.shape)
    for option, length in lengths.items():
        if length > longest:
            raise ValueError(
                f"{option}: {length:g} px is more than the image's longest side, {longest} px"
            )


def notes_on(name: str, image: ImageFile) -> list[str]:
    """What reading a file has changed, after the name of the image."""
    return [f"{name}: {note}" for note in image.notes]
