"""The TIFF decoder, by tifffile: first series, colours, and the pixel sizes of OME and ImageJ."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.io.declared_sizes import coded_size
from gaussjax.io.decoders import (
    ORIENTATION_TAG,
    Decoded,
    PixelSize,
    drop_extra_sample,
    full_scale,
    known_size,
    log_as_notes,
    refuse_selection,
)
from gaussjax.io.decompression_bombs import refuse_bomb
from gaussjax.io.errors import ImageFileError

_STACK_AXES = "ZQI"  # depth, and tifffile's letters for pages of unknown meaning
_DNG_VERSION_TAG = 50706
# Compressions whose strips hold a size of their own: all other packing ends where the strip does.
_SELF_SIZED = {6, 7, 33007, 34892, 33003, 33004, 33005, 34712, 34933, 34934, 22610} | {
    *(50001, 34927),
    *(50002, 52546, 34887),
}
_UNITS = {"µm": "um", "μm": "um", "micron": "um", "\\u00B5m": "um", "inch": "in", "pixel": ""}


def decode_tiff(path: Path, selection: str | None = None) -> Decoded:
    """Decode the first series of a TIFF file: an image, or a stack of pages as a volume."""
    import tifffile

    refuse_selection(selection)
    with log_as_notes("tifffile") as notes, tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        if len(tiff.series) > 1:
            notes.append(f"first of {len(tiff.series)} image series used")
        if series.nbytes > path.stat().st_size:  # an uncompressed file is as large as its image
            refuse_bomb(series.size, "samples")
        photometric = _name(page.photometric)
        _refuse_raw(page, photometric)
        is_jpeg = _name(page.compression) in ("JPEG", "OJPEG")
        if page.compression in _SELF_SIZED:
            _refuse_large_strips(series, is_jpeg)
        samples = series.asarray()
        orientation = page.tags.valueof(ORIENTATION_TAG, 1)
        bits, colormap = page.bitspersample, page.colormap
        pixel_size = _pixel_size(tiff, series)
    axes = series.axes
    is_series = _check_axes(axes.replace("S", ""), series.shape)
    if samples.dtype == bool:
        samples, bits = np.where(samples, np.uint8(255), np.uint8(0)), 8  # as 1-bit PNG is read
    scale = full_scale(samples.dtype, bits)
    if photometric == "MINISWHITE":
        if scale is None:
            raise ImageFileError(
                f"TIFF with inverted grey of type {samples.dtype}; save it uninverted"
            )
        samples = samples.dtype.type(scale) - samples
    if "S" in axes:
        samples, axes = np.moveaxis(samples, axes.index("S"), -1), axes.replace("S", "")
    if photometric == "YCBCR" and is_jpeg:
        photometric = "RGB"  # the decoder of JPEG has converted it
    elif photometric == "PALETTE" and colormap is not None and samples.dtype == np.uint8:
        samples, scale, photometric = (colormap >> 8).astype(np.uint8).T[samples], 255, "RGB"
        notes.append("palette replaced by its colours")
    elif photometric == "SEPARATED" and samples.shape[-1] == 4 and scale is not None:
        samples, photometric = _from_cmyk(samples, scale), "RGB"
        notes.append("CMYK converted to RGB by the plain formula, without a colour profile")
    if photometric not in ("MINISBLACK", "MINISWHITE", "RGB"):
        raise ImageFileError(
            f"TIFF with {photometric} samples of type {samples.dtype}; save it as grey or RGB"
        )
    colour = photometric == "RGB"
    bands = samples.ndim > len(axes) and samples.shape[-1] > (4 if colour else 2)
    if samples.ndim > len(axes) and not bands:
        samples = drop_extra_sample(samples, 3 if colour else 1, notes)
    found = Decoded(samples, scale, colour and not bands, orientation, (), pixel_size, bands=bands)
    return _with_axes(found, axes, is_series=is_series, notes=notes)


def _with_axes(found: Decoded, axes: str, *, is_series: bool, notes: list[str]) -> Decoded:
    """What the axes other than y and x are: channels go last, and are to be chosen from."""
    samples, has_channels = found.samples, "C" in axes
    if has_channels:
        samples = np.moveaxis(samples, axes.index("C"), -1)
    if len(axes) - has_channels == 3 and not is_series:
        notes.append(f"stack of {samples.shape[0]} pages read as a volume")
    return replace(
        found,
        samples=samples,
        colour=found.colour and not has_channels,
        bands=found.bands or has_channels,
        is_series=is_series,
        nan_is_no_data=True,  # what programs of geography and microscopy write there
        notes=tuple(notes),
    )


def map_tiff(path: Path) -> Decoded | None:
    """Map the samples of a file, read-only; None if they are not plain, grey and upright."""
    import tifffile

    with log_as_notes("tifffile"), tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        plain = series.dataoffset is not None and len(tiff.series) == 1 and len(series.axes) == 2
        grey = _name(page.photometric) == "MINISBLACK" and page.bitspersample % 8 == 0
        if plain and grey and page.tags.valueof(ORIENTATION_TAG, 1) == 1:
            samples = tifffile.memmap(path, mode="r")
            return Decoded(samples, None, pixel_size=_pixel_size(tiff, series))
    return None


def _check_axes(axes: str, shape: tuple[int, ...]) -> bool:
    """Whether the first axis is one of times or positions; refuse several, and colour channels.

    Beside one of channels, C, to choose from.
    """
    scene = axes.replace("C", "") if len(axes) == len(shape) else axes
    several = scene[:-3] if scene[-3:-2] in _STACK_AXES else scene[:-2]
    if len(several) <= 1 and "C" not in scene:
        return bool(several)
    leading = axes[:-3] if axes[-3] in _STACK_AXES else axes[:-2]
    place = ", ".join("0" * len(leading))
    raise ImageFileError(
        f"TIFF axes {axes} of shape {shape} are no image and no volume; take one, in Python: import"
        f' tifffile, numpy; numpy.save("image.npy", tifffile.imread(FILE)[{place}])'
    )


def _name(code: Any) -> str:
    """Name of a TIFF code, or its number where tifffile knows no name."""
    return getattr(code, "name", str(code))


def _refuse_raw(page: Any, photometric: str) -> None:
    """Refuse a camera's raw file, of which the first image is often a thumbnail."""
    thumbnail = page.is_reduced and page.subifds
    if thumbnail or _DNG_VERSION_TAG in page.tags or photometric in ("CFA", "LINEAR_RAW"):
        raise ImageFileError(
            "is a raw photograph, which is not read; in Python: import rawpy, numpy;"
            ' numpy.save("image.npy", rawpy.imread(FILE).raw_image_visible)'
        )


def _refuse_large_strips(series: Any, is_jpeg: bool) -> None:
    """Refuse strips of far more pixels than theirs; a header of JPEG may stand in a tag."""
    for page in filter(None, series.pages):
        samples = int(np.prod(page.chunks))
        for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
            page.parent.filehandle.seek(offset)
            found = coded_size(page.parent.filehandle.read(size)) if size else 0
            if found is None and not is_jpeg:
                raise ImageFileError("holds a strip that does not tell its size; save it unpacked")
            if found is not None and found > 4 * samples:
                raise ImageFileError(
                    f"holds a strip of {found} samples for {samples}: a decompression bomb?"
                )


def _from_cmyk(samples: np.ndarray, white: int) -> np.ndarray:
    """Red, green and blue ``[..., 3]`` of cyan, magenta, yellow and black ``[..., 4]``."""
    light = white - samples.astype(np.float64)
    return np.rint(light[..., :3] * light[..., 3:] / white).astype(samples.dtype)


def _pixel_size(tiff: Any, series: Any) -> PixelSize | None:
    """The size that a microscope wrote. Of other files the resolution is one for printing."""
    found: dict[str, tuple[float, str]] = {}
    source = ""
    try:
        if tiff.is_ome:
            source, found = "OME header", _ome_sizes(tiff)
        elif tiff.is_imagej:
            source, found = "ImageJ header", _imagej_sizes(tiff)
        axes = [axis for axis in series.axes if axis not in "SCT"]
        sizes = tuple(found[axis][0] for axis in axes)
        units = {found[axis][1] for axis in axes}
    except (KeyError, ValueError, TypeError, ZeroDivisionError, AttributeError):
        return None
    unit = units.pop() if len(units) == 1 else ""
    return known_size(sizes, _UNITS.get(unit, unit), source)


def _ome_sizes(tiff: Any) -> dict[str, tuple[float, str]]:
    """Size and unit by axis."""
    import tifffile

    image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    return {
        axis: (float(pixels[f"PhysicalSize{axis}"]), pixels.get(f"PhysicalSize{axis}Unit", "um"))
        for axis in "XYZ"
        if f"PhysicalSize{axis}" in pixels
    }


def _imagej_sizes(tiff: Any) -> dict[str, tuple[float, str]]:
    """Size and unit by axis: the resolution tags count pixels per unit, spacing is of slices."""
    metadata, tags = tiff.imagej_metadata, tiff.pages[0].tags
    unit = metadata["unit"]
    found = {}
    for axis in "XY":
        count, per = tags[f"{axis}Resolution"].value
        found[axis] = per / count, unit
    if "spacing" in metadata:
        found["Z"] = abs(float(metadata["spacing"])), unit
    return found
