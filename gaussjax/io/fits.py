"""The decoder of FITS files, by astropy: scaled values, extensions, blanks, scale of the sky."""

from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.io.decoders import (
    Decoded,
    PixelSize,
    known_size,
    library,
    log_as_notes,
    without_lone_axes,
)
from gaussjax.io.decompression_bombs import refuse_bomb, refuse_inflated, unpacked
from gaussjax.io.errors import ImageFileError
from gaussjax.io.file_selection import listed

_FLAGS = ("DQ", "BPM")  # names of extensions with 0 for a good pixel, as HST, JWST, IRAF write them


def decode_fits(path: Path, selection: str | None = None) -> Decoded:
    """Decode the first image of a file, or the extension selected by number or name.

    ``"1"`` is the extension of that number, ``"SCI"`` the first of that name, ``"SCI,2"`` its
    second version. BSCALE and BZERO are applied; blanks and NaN are no data.
    """
    fits = library("astropy.io.fits", "fits", "a FITS file")
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    source: Any = unpacked(path) if packed else path
    with log_as_notes("astropy") as notes, fits.open(source, memmap=False) as hdus:
        hdu = _chosen(hdus, selection, notes)
        shape = tuple(hdu.shape)
        if isinstance(hdu, fits.CompImageHDU):
            refuse_bomb(int(np.prod(shape)), "samples")
            _refuse_large_tiles(fits, path, hdus.index(hdu), shape)
        samples = np.asarray(hdu.data)
        pixel_size = _pixel_size(hdus, hdu, samples.shape)
    are_flags = hdu.name in _FLAGS and samples.dtype.kind in "ui"
    samples = without_lone_axes(samples, notes)
    kind = samples.dtype.newbyteorder("=")
    # Its unsigned integers are detectors' counts, for which no sample stands for white.
    return Decoded(
        samples.astype(kind, copy=False),
        None,
        notes=tuple(notes),
        pixel_size=pixel_size,
        nan_is_no_data=True,
        are_flags=are_flags,
    )


def _refuse_large_tiles(fits: Any, path: Path, number: int, shape: tuple[int, ...]) -> None:
    """Refuse tiles that inflate to more than the whole image; those of gzip end nowhere else."""
    with fits.open(path, memmap=False, disable_image_compression=True) as hdus:
        table = hdus[number].data
        for name in ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA"):
            if name in table.names:
                for tile in table[name]:
                    refuse_inflated(bytes(tile), 8 * int(np.prod(shape)))


def _chosen(hdus: Any, selection: str | None, notes: list[str]) -> Any:
    """The part of the file to read."""
    images = [k for k, hdu in enumerate(hdus) if hdu.is_image and hdu.shape and all(hdu.shape)]
    names = [_name(k, hdus[k]) for k in images]
    if not images:
        kinds = listed([type(hdu).__name__ for hdu in hdus])
        remedy = (
            "; of a table, in Python: import astropy.io.fits, numpy;"
            ' numpy.save("image.npy", astropy.io.fits.getdata(FILE)["COLUMN"][0])'
        )
        raise ImageFileError(f"holds no image, only {kinds}{remedy * ('Table' in kinds)}")
    if selection is None:
        if len(images) > 1:
            notes.append(f"extension {names[0]} used; the images are {', '.join(names)}")
        return hdus[images[0]]
    name, _, version = selection.partition(",")
    try:
        key: Any = int(name) if name.strip().isdecimal() else name.strip()
        hdu = hdus[key, int(version)] if version else hdus[key]
    except (KeyError, IndexError, ValueError):
        raise ImageFileError(f"has no extension [{selection}]; there are {listed(names)}") from None
    if not hdu.is_image or not hdu.shape:
        raise ImageFileError(f"[{selection}] is no image; there are {listed(names)}")
    return hdu


def _name(number: int, hdu: Any) -> str:
    version = f",{hdu.ver}" if hdu.ver > 1 else ""
    return f"[{hdu.name}{version}]" if hdu.name else f"[{number}]"


def _pixel_size(hdus: Any, hdu: Any, shape: tuple[int, ...]) -> PixelSize | None:
    """The scale on the sky by world coordinates; None if the header has none, or broken ones."""
    if not any(key.startswith(("CTYPE", "CDELT", "CD1_1")) for key in hdu.header):
        return None
    try:
        wcs = library("astropy.wcs", "fits", "a FITS file")
        world = wcs.WCS(hdu.header, fobj=hdus, fix=False)
        scales = wcs.utils.proj_plane_pixel_scales(world)[::-1]  # FITS counts axes from the last
        units = [str(unit) for unit in world.wcs.cunit][::-1]
    except Exception:  # a broken header leaves the pixels as they are
        return None
    kept = [k for k, length in enumerate(shape) if length > 1 or len(shape) <= 2]
    found = {units[k] for k in kept}
    sizes = [float(scales[k]) for k in kept]
    unit = found.pop() if len(found) == 1 else ""
    if unit == "deg":
        return known_size((3600 * size for size in sizes), "arcsec", "FITS WCS")
    return known_size(sizes, unit, "FITS WCS")
