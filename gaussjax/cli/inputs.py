"""What the commands of ``gaussjax`` do with their files before JAX is imported."""

import argparse
import os
from collections.abc import Callable, Iterable
from functools import partial
from os import PathLike
from typing import Any

import numpy as np

from gaussjax.cli.options import fit_keywords, fixed_radius, sampling_keywords
from gaussjax.cli.pixel_size import pixel_size_of
from gaussjax.io.colour_agreement import colour_note, depth_note
from gaussjax.io.decoders import PixelSize
from gaussjax.io.file_selection import split_selection
from gaussjax.io.images import ImageFile, ImageFileError, MappedImage, map_image, read_image
from gaussjax.model.options import PADDED_BOUNDARIES


def read_pair(
    options: argparse.Namespace, outputs: Iterable[str | None]
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any], list[str], PixelSize | None]:
    """Both images, keywords of their fit, notes on the files, and the size of the pixels.

    The size is that of the reference's pixels, None where it is not known. ``outputs`` are files to
    be written, which may replace none that is read; None where there is none.
    """
    pair, mask, notes, size = read_images(options, outputs)
    check_lengths(pair[0], {"--radius": fixed_radius(options)})
    keywords = {
        **fit_keywords(options),
        "noise_std": options.noise,
        "noise_correlation": noise_shapes(options),
        "bounds": options.bounds and tuple(options.bounds),
        "mask": mask,
    }
    return pair, keywords, notes, size


def read_estimated(
    options: argparse.Namespace,
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any], list[str], PixelSize | None]:
    """:func:`read_pair` for ``gaussjax estimate``, with the keywords that only it has."""
    pair, keywords, notes, size = read_pair(options, outputs=[options.plot])
    keywords |= {"boundary": options.boundary, "precision": options.precision}
    keywords["motion"] = options.motion
    if options.spacing and size is not None:
        keywords["spacing"] = size.sizes
    keywords |= sampling_keywords(options)
    if options.bounds and options.boundary in PADDED_BOUNDARIES:
        unit = min(keywords.get("spacing", [1]))
        check_lengths(pair[0], {"--bounds": max(map(abs, options.bounds)) / unit})
    return pair, keywords, notes, size


def read_images(
    options: argparse.Namespace, outputs: Iterable[str | None]
) -> tuple[tuple[np.ndarray, np.ndarray], Any, list[str], PixelSize | None]:
    """Both images, masks for ``mask=`` (None: all is used), notes, and the size of pixels."""
    files = (options.reference, options.blurred)
    read_mask = read = map_image if getattr(options, "precision", None) else read_image
    part = {"channel": options.channel, "page": options.page}
    if any(choice is not None for choice in part.values()):
        read = partial(read_image, **part)
    reference, blurred = (read(file, linearize=options.linearize) for file in files)
    for output in outputs:
        shapes = (x for x in options.noise_correlation or () if isinstance(x, str))
        keep_inputs(output, (*files, options.mask, options.mask_reference, *shapes))
    notes = notes_on("reference", reference) + notes_on("blurred", blurred)
    notes += filter(None, (depth_note((reference.full_scale, blurred.full_scale)),))
    if reference.blocks is not None and blurred.blocks is not None:
        notes += filter(None, (colour_note(reference.blocks, blurred.blocks),))
    masks = [
        _mask(name, file, image, read_mask, notes)
        for name, file, image in (
            ("mask of reference", options.mask_reference, reference),
            ("mask", options.mask, blurred),
        )
    ]
    size = pixel_size_of(options, (reference, blurred), notes)
    mask = None if all(mask is None for mask in masks) else tuple(masks)
    return (reference.values, blurred.values), mask, notes, size


def noise_shapes(options: argparse.Namespace) -> tuple | None:
    """How noise correlates, as ``noise_correlation=`` takes it: numbers, and what files hold."""
    if options.noise_correlation is None:
        return None
    return tuple(
        read_image(shape).values if isinstance(shape, str) else shape
        for shape in options.noise_correlation
    )


def _mask(name: str, file: str | None, image: ImageFile, read: Callable, notes: list[str]) -> Any:
    """True where a pixel of the image may be used; None: everywhere."""
    if file is None:
        return image.known
    marks = read(file)
    values, shape = marks.values, image.values.shape
    if values.shape != shape:
        raise ImageFileError(f"{file}: a mask of shape {values.shape} for images of shape {shape}")
    if isinstance(values, MappedImage) and image.known is None:
        return values  # a mask as it is
    values = np.asarray(values[:])
    if not np.all(np.isfinite(values)):
        raise ImageFileError(f"{file}: a mask with NaN or infinite pixels")
    used = values != 0
    if marks.are_flags:
        used = ~used
        notes.append(f"{name}: flags, {np.count_nonzero(~used)} pixels of which are not 0 left out")
    else:
        notes.append(f"{name}: {np.count_nonzero(used)} of {used.size} pixels are not 0, and used")
        if note := _greys(name, values[used]):
            notes.append(note)
    return used if image.known is None else used & image.known


def _greys(name: str, marks: np.ndarray) -> str:
    """A note on marks of several values, as JPEG or a change of size leave them at edges."""
    largest = np.max(marks, initial=0)
    others = np.count_nonzero(marks != largest)
    if not others:
        return ""
    return (
        f"{name}: {others} of these are not {largest:g}, as where a mask was stored as JPEG or"
        " scaled, and mark too much then"
    )


def keep_inputs(output: str | None, inputs: Iterable[str | PathLike[str] | None]) -> None:
    """Refuse an output that would replace one of the inputs: ImageFileError names it."""
    if output is None or not os.path.exists(output):
        return
    there = os.stat(output)
    for name in inputs:
        file = name and split_selection(name)[0]
        if file and os.path.exists(file) and os.path.samestat(there, os.stat(file)):
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
