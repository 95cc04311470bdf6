"""One channel of several, and one page of a stack: what a caller picks of a file.

Channels lie along the last axis: the colours of a picture, or the bands of a multispectral image.
Pages lie along the first axis of a stack, and along the third, z, of a NIfTI volume. Y, Cb and Cr
of a picture are those of JPEG files, without their constants.

Source: ITU-T T.871 (2011), "JPEG File Interchange Format", clause 7.
"""

from dataclasses import replace

import numpy as np

from gaussjax.io.decoders import Decoded
from gaussjax.io.errors import ImageFileError

_COLOURS = ("red", "green", "blue")
BT601 = (0.299, 0.587, 0.114)  # weights of red, green and blue in the luma of JPEG


def luma_and_chroma(luma: tuple[float, ...]) -> np.ndarray:
    """The matrix from red, green and blue to Y, Cb and Cr, for the weights of a luma."""
    weights = np.asarray(luma)
    blue = (np.array([0, 0, 1]) - weights) / (2 * (1 - weights[2]))
    red = (np.array([1, 0, 0]) - weights) / (2 * (1 - weights[0]))
    return np.stack([weights, blue, red])


_JPEG = dict(zip(("Y", "Cb", "Cr"), luma_and_chroma(BT601), strict=True))
CHANNEL_NAMES = (*_COLOURS, *_JPEG)


def has_channels(decoded: Decoded) -> bool:
    """Whether the last axis holds channels; of a plain array of rank 3 it may."""
    return decoded.colour or decoded.bands or decoded.samples.ndim == 3


def all_channels(decoded: Decoded) -> tuple[str, ...]:
    """Names of all channels as they are stored; ImageFileError for a grey image."""
    if decoded.colour:
        return _COLOURS
    _refuse_grey(decoded)
    return tuple(str(k) for k in range(decoded.samples.shape[-1]))


def channel_weights(decoded: Decoded, channel: str) -> np.ndarray:
    """Weights of the samples along the last axis that make up a channel.

    ``channel`` is a number from 0 on, or a name in ``CHANNEL_NAMES`` in any case; ImageFileError
    says what there is to choose from.
    """
    _refuse_grey(decoded)
    count = decoded.samples.shape[-1]
    names = {name.lower(): name for name in CHANNEL_NAMES} if decoded.colour else {}
    name = names.get(channel.lower())
    if name in _JPEG:
        return _JPEG[name]
    index = _COLOURS.index(name) if name else int(channel) if channel.isdecimal() else count
    if index >= count:
        known = f", or {', '.join(CHANNEL_NAMES)}" if decoded.colour else ""
        raise ImageFileError(f"has no channel {channel}: there are 0 to {count - 1}{known}")
    return np.eye(count)[index]


def is_of_stored_values(channel: str) -> bool:
    """Whether a channel mixes values as they are stored, which linear light has none of."""
    return channel.lower() in map(str.lower, _JPEG)


def page_of(decoded: Decoded, page: int) -> Decoded:
    """One page of a stack; ImageFileError beyond the last, and for a file that is one image."""
    samples, axis = decoded.samples, decoded.page_axis
    rank = samples.ndim - (decoded.colour or decoded.bands)
    if rank != 3 and not decoded.is_series:
        raise ImageFileError("is read as one image, which has no pages: leave out --page")
    count = samples.shape[axis]
    if page >= count:
        raise ImageFileError(f"has no page {page}: there are 0 to {count - 1}")
    kept = tuple(note for note in decoded.notes if "read as a volume" not in note)
    size = decoded.pixel_size
    if size is not None and len(size.sizes) == rank:
        size = replace(size, sizes=(*size.sizes[:axis], *size.sizes[axis + 1 :]))
    along = ", along the third axis" if axis else ""
    return replace(
        decoded,
        samples=np.take(samples, page, axis),
        notes=(*kept, f"page {page} of {count} used{along}"),
        pixel_size=size,
        is_series=False,
    )


def _refuse_grey(decoded: Decoded) -> None:
    if not has_channels(decoded):
        raise ImageFileError("is grey: it has one channel, and none to choose; leave it out")
