"""The size of a pixel: as options tell it, or the headers of the files; in px or in its unit."""

import argparse

import numpy as np

from gaussjax.checks import is_size
from gaussjax.cli.options import AXES, positive
from gaussjax.io.decoders import PixelSize
from gaussjax.io.images import ImageFile, ImageFileError, read_image
from gaussjax.io.pair_sources import Source

_HEADER = "header"
_ALIKE = 1e-3  # relative difference of sizes that are one


def add_pixel_size(parser: argparse.ArgumentParser) -> None:
    """The size of a pixel and its unit."""
    parser.add_argument(
        "--pixel-size",
        nargs="+",
        metavar="SIZE",
        help="of a pixel, or of every axis, and its unit, as in 0.05 arcsec or 2 2 4 mm, to print"
        f" lengths in that unit too; axes are {AXES}; default: what the header of REFERENCE says",
    )
    parser.add_argument("--unit", metavar="UNIT", help="of SIZE, where that does not end with it")


def add_spacing(parser: argparse.ArgumentParser) -> None:
    """The size of pixels in whose unit a blur is round."""
    parser.add_argument(
        "--spacing",
        nargs="+",
        metavar="SIZE",
        help="fit one sigma in a unit of length, of a blur that is round in space where pixels are"
        f" not: their sizes and the unit, as for --pixel-size, or the word {_HEADER}: as the header"
        " of REFERENCE says; --initial and --bounds are then in that unit, too",
    )


def check_pixel_size(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Part the sizes of pixels, which become numbers, from their unit.

    ``options.spacing`` becomes a flag: its sizes are those of ``options.pixel_size``.
    """
    name, words, told = "--pixel-size", options.pixel_size or [], getattr(options, "spacing", None)
    if told:
        if words:
            parser.error("--spacing tells the size of pixels: leave out --pixel-size")
        name, words = "--spacing", [] if told == [_HEADER] else told
        options.spacing = True
    if words and options.unit is None:
        *words, options.unit = words
    if bool(words) != (options.unit is not None):
        parser.error(f"{name}: give the size and its unit, as in 0.05 arcsec")
    try:
        options.pixel_size = [positive(word) for word in words] or None
    except argparse.ArgumentTypeError as error:
        parser.error(f"{name}: {error}")
    if not all(map(is_size, options.pixel_size or [])):
        parser.error(f"{name}: is not from 1e-18 to 1e18: give it in another unit")


def check_spacing(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what a fit in a unit does not go with."""
    if not options.spacing:
        return
    if options.family != "isotropic":
        parser.error(f"--spacing is of one sigma: it goes without --family {options.family}")
    for name in ("motion", "sampling", "precision", "plot", "compare"):
        if getattr(options, name):
            parser.error(f"--spacing goes without --{name}")


def pixel_size_of(
    options: argparse.Namespace, images: tuple[ImageFile, ImageFile], notes: list[str]
) -> PixelSize | None:
    """The size as given, else by the reference's header; notes on what the headers say."""
    sizes, ndim = getattr(options, "pixel_size", None), len(images[0].values.shape)
    found, other = (image.pixel_size for image in images)
    spaced = getattr(options, "spacing", None)
    if sizes is not None:
        name = "--spacing" if spaced else "--pixel-size"
        if len(sizes) not in (1, ndim):
            raise ImageFileError(f"{name}: {len(sizes)} sizes for images of {ndim} axes")
        every = tuple(sizes) * (ndim if len(sizes) == 1 else 1)
        given = PixelSize(every, options.unit, "option")
        if found is not None and not _is_same(given, found):
            notes.append(f"{name}: {_text(given)}, not {_text(found)} as the {found.source} says")
        found = given
    elif found is not None:
        notes.append(f"reference: pixels of {_text(found)} ({found.source})")
        if other is not None and not _is_same(found, other):
            notes.append(f"blurred: its pixels differ, {_text(other)} ({other.source})")
    elif spaced:
        raise ImageFileError(
            f"{options.reference}: its header tells no size of pixels; give --spacing SIZE ... UNIT"
        )
    if found is not None and not spaced:
        notes += assumption(options, found)
    return found


def assumption(options: argparse.Namespace, size: PixelSize) -> list[str]:
    """What one sigma in px takes for granted where pixels differ along the axes."""
    alike = np.allclose(size.sizes, size.sizes[0], rtol=_ALIKE)
    if alike or getattr(options, "family", None) not in ("isotropic", "generalised"):
        return []
    remedy = "--family axis_aligned fits one per axis"
    if hasattr(options, "spacing"):
        by = _HEADER if size.source != "option" else _text(size, " ")
        remedy = f"--spacing {by} fits one in {size.unit}, {remedy}"
    return [f"the fit assumes one sigma in px along axes whose pixels differ in size: {remedy}"]


def assumption_of_set(options: argparse.Namespace, source: Source) -> list[str]:
    """The same of a set, by the header of its first reference that can be read."""
    first = source.pairs[0]
    try:
        size = None if first.index is not None else read_image(first.reference).pixel_size
    except ImageFileError:  # the fit tells of it
        size = None
    if size is None or not (notes := assumption(options, size)):
        return []
    return [f"{first.name}: pixels of {_text(size)} ({size.source})", *notes]


def _text(size: PixelSize, between: str = " x ") -> str:
    return f"{between.join(f'{each:.6g}' for each in size.sizes)} {size.unit}"


def _is_same(one: PixelSize, other: PixelSize) -> bool:
    same = one.unit == other.unit and len(one.sizes) == len(other.sizes)
    return same and np.allclose(one.sizes, other.sizes, rtol=_ALIKE)
