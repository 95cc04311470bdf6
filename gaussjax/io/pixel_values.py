"""Samples of a file as pixels: linear light, luminance, upright."""

import numpy as np
import numpy.typing as npt

from gaussjax.checks import looks_like_colour
from gaussjax.io.channels import channel_weights, is_of_stored_values
from gaussjax.io.decoders import Decoded, check_samples
from gaussjax.io.errors import ImageFileError

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear RGB: ITU-R BT.709
_BLOCK = 12288  # samples of colour to convert at once


def to_values(
    decoded: Decoded,
    dtype: npt.DTypeLike,
    notes: list[str],
    *,
    linearize: bool = False,
    channel: str | None = None,
) -> np.ndarray:
    """Samples as a new C-contiguous array of ``dtype``: linearised, without colour, upright.

    ``dtype`` is a type of float; values that it cannot hold become infinite. ``notes`` gets a
    phrase for every change. ImageFileError for samples that are not pixels, have no sRGB scale, or
    no such channel.
    """
    samples = decoded.samples
    check_samples(samples)
    if decoded.is_series:
        raise ImageFileError(
            f"holds {len(samples)} images or volumes, of times or positions; choose one by --page,"
            " or export it"
        )
    if decoded.bands and channel is None:
        raise ImageFileError(
            f"{samples.shape[-1]} samples per pixel are neither grey nor RGB; choose one of them"
            " by --channel, or export it"
        )
    weights = None if channel is None else channel_weights(decoded, channel)
    rank = samples.ndim - (decoded.colour or weights is not None)
    if not 1 <= rank <= 3:
        raise ImageFileError(f"is of rank {rank}; signals, images and volumes have rank 1, 2 and 3")
    if linearize and channel is not None and is_of_stored_values(channel):
        raise ImageFileError(f"{channel} is of the stored values: do not linearize them")
    white = _white(decoded, notes) if linearize else None
    with np.errstate(over="ignore", invalid="ignore"):  # of signalling NaN, too
        if weights is not None:
            values = _mixed(samples, dtype, white, weights)
            notes.append(f"channel {channel} used")
        elif decoded.colour:
            values = _mixed(samples, dtype, white, LUMINANCE)
            notes.append("colour reduced to luminance (0.2126 R + 0.7152 G + 0.0722 B)")
        else:
            values = _as_float(samples, dtype, white)
    if not decoded.colour and weights is None and looks_like_colour(values.shape):
        notes.append(f"shape {values.shape} is a volume here; the last axis is not read as colour")
    if decoded.orientation in range(2, 9):
        values = turn_upright(values, decoded.orientation)
        notes.append(f"turned upright (orientation {decoded.orientation})")
    return np.ascontiguousarray(values)


def _white(decoded: Decoded, notes: list[str]) -> int | None:
    """The sample that stands for white; None where samples are linear already."""
    dtype = decoded.samples.dtype
    if dtype.kind == "f":
        notes.append("float samples taken to be linear already")
        return None
    if decoded.full_scale is None:
        raise ImageFileError(f"samples of type {dtype} have no sRGB scale; do not linearize them")
    notes.append("sRGB decoded to linear light, 0 to 1")
    return decoded.full_scale


def _as_float(samples: np.ndarray, dtype: npt.DTypeLike, white: int | None) -> np.ndarray:
    """Samples as a new array of ``dtype``, computed in float64; linear light if white is given."""
    if white is None and np.can_cast(samples.dtype, dtype):
        return samples.astype(dtype)
    values = samples.astype(np.float64)
    if white is not None:  # invert the sRGB transfer function (IEC 61966-2-1)
        encoded = values / white
        values = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return values.astype(dtype, copy=False)


def _mixed(
    samples: np.ndarray, dtype: npt.DTypeLike, white: int | None, weights: np.ndarray
) -> np.ndarray:
    """Weighted sums along the last axis, a few rows at a time: they fit into the cache."""
    if np.count_nonzero(weights) == 1:
        return _as_float(samples[..., int(np.argmax(weights))], dtype, white)
    values = np.empty(samples.shape[:-1], dtype)
    num_rows = max(1, _BLOCK // samples[0].size)
    for first in range(0, len(samples), num_rows):
        rows = slice(first, first + num_rows)
        values[rows] = _as_float(samples[rows], np.float64, white) @ weights
    return values


def turn_upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (2 to 8; others are upright) on the last two axes."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(-1, -2)
    if orientation in (3, 4, 7, 8):
        values = values[..., ::-1, :]
    if orientation in (2, 3, 6, 7):
        values = values[..., ::-1]
    return values
