"""Whether two files say the same by the same number: their depths, and the weights of colours.

Means over large blocks hardly know of a blur. Of two images of one scene they agree, unless one was
made grey by other weights, or its colours were decoded by another matrix.
"""

import itertools

import numpy as np

from gaussjax.io.channels import BT601, luma_and_chroma
from gaussjax.io.pixel_values import LUMINANCE

_BLOCKS = 16  # along every axis
_LEAST_SIDE = 4 * _BLOCKS  # px
_CLEARLY = 10.0  # by which another explanation has to raise the logarithm of the likelihood
_WORTH_TELLING = 0.01  # of the contrast of the blocks, which it has to explain
_BT709 = tuple(LUMINANCE)
_WEIGHTS = {
    "BT.601 (0.299 R + 0.587 G + 0.114 B), as Pillow and OpenCV": BT601,
    "equal weights, as ImageJ": (1 / 3, 1 / 3, 1 / 3),
}


def block_means(channels: np.ndarray) -> np.ndarray | None:
    """Means of images ``[..., y, x]`` over blocks, ``[..., 16, 16]``; None of small images."""
    height, width = channels.shape[-2:]
    if min(height, width) < _LEAST_SIDE:
        return None
    rows, columns = height // _BLOCKS, width // _BLOCKS
    cut = channels[..., : _BLOCKS * rows, : _BLOCKS * columns]
    return cut.reshape(*channels.shape[:-2], _BLOCKS, rows, _BLOCKS, columns).mean(axis=(-3, -1))


def depth_note(scales: tuple[int | None, int | None]) -> str:
    """A note on files whose white is a different number; empty where it is alike, or not known."""
    one, other = scales
    if one is None or other is None or one == other:
        return ""
    return (
        f"white is {one} in the reference and {other} in the blurred image: fit the factor"
        " between them by --gain, or save both with the same depth"
    )


def colour_note(reference: np.ndarray, blurred: np.ndarray) -> str:
    """A note on colours that were weighted or decoded differently; empty where none is seen.

    Of means over blocks, ``[3, 16, 16]`` of colour or ``[16, 16]`` of grey.
    """
    if reference.ndim == 3 and blurred.ndim == 3:
        return _note_on_matrices(reference, blurred)
    if reference.ndim == blurred.ndim:
        return ""
    colour, grey = (reference, blurred) if reference.ndim == 3 else (blurred, reference)
    usual = _misfit(np.tensordot(_BT709, colour, 1), grey)
    misfits = {
        name: _misfit(np.tensordot(weights, colour, 1), grey) for name, weights in _WEIGHTS.items()
    }
    name = min(misfits, key=misfits.__getitem__)
    if not _is_better(misfits[name], usual):
        return ""
    which = "blurred image" if blurred.ndim == 2 else "reference"
    return (
        f"the {which} looks like grey by {name}, and the colours of the other are weighted by"
        " BT.709 (0.2126 R + 0.7152 G + 0.0722 B): give both as colour, or both as grey"
    )


def _is_better(misfit: float, usual: float) -> bool:
    """Whether an explanation is clearly and noticeably better than what is taken for granted.

    What a blur carries over the edge of a block is an error of both, alike in neighbours: a fourth
    of the blocks counts.
    """
    gained = usual**2 - misfit**2
    likelier = _BLOCKS**2 / 4 * np.log(max(usual, 1e-9) / max(misfit, 1e-9))
    return gained > _WORTH_TELLING**2 and likelier > _CLEARLY


def _note_on_matrices(reference: np.ndarray, blurred: np.ndarray) -> str:
    usual = _misfit(reference, blurred)
    for one, other in itertools.permutations(("BT.601", "BT.709")):
        weights = {"BT.601": BT601, "BT.709": _BT709}
        mixed = np.linalg.inv(luma_and_chroma(weights[other])) @ luma_and_chroma(weights[one])
        misfit = _misfit(np.tensordot(mixed, reference, 1), blurred)
        if _is_better(misfit, usual):
            return (
                f"the colours of the blurred image look as if encoded by {one} and decoded by"
                f" {other}: convert both by the same matrix"
            )
    return ""


def _misfit(predicted: np.ndarray, found: np.ndarray) -> float:
    """Part of the contrast that no gain and offset explain: rms over rms."""
    predicted, found = (
        each - np.mean(each, axis=(-2, -1), keepdims=True) for each in (predicted, found)
    )
    power, contrast = np.sum(predicted**2), np.sqrt(np.sum(found**2))
    if not power > 0 or not contrast > 0:
        return 0.0
    gain = np.sum(predicted * found) / power
    return float(np.sqrt(np.sum((found - gain * predicted) ** 2)) / contrast)
