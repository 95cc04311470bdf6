"""Types of the arguments of the ``gaussjax`` command: text to value, or a reason why not."""

import argparse
import math
import os
from pathlib import Path

_LARGEST_TRUNCATE = 40  # sigmas; beyond 39 the taps underflow to zero even in float64
_FIGURES = (".png", ".pdf", ".svg")


def finite(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    value = finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return value


def truncate(text: str) -> float:
    """The radius of a kernel, in sigmas."""
    value = positive(text)
    if value > _LARGEST_TRUNCATE:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {_LARGEST_TRUNCATE} sigma")
    return value


def radius(text: str) -> int:
    """The radius of a kernel, in px."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of px above 0")
    return int(text)


def count(text: str) -> int:
    """A whole number above 0."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def count_or_none(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def noise_level(text: str) -> float:
    """A standard deviation, 0 or more."""
    value = finite(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 0")
    return value


def noise(text: str) -> float | str:
    """A standard deviation, 0 or more, or the word "estimate"."""
    if text == "estimate":
        return text
    try:
        value = finite(text)
    except argparse.ArgumentTypeError:
        value = -1.0
    if value < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a noise level, 0 or more, nor the word estimate; name the two"
            " files before this option"
        )
    return value


def figure_path(text: str) -> str:
    """The name of a figure, in a folder that exists."""
    path = Path(text)
    if path.suffix.lower() not in _FIGURES:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(_FIGURES)}")
    return output_path(text)


def output_path(text: str) -> str:
    """The name of a file to write, in a folder that exists."""
    path = Path(text)
    if not os.path.isdir(path.parent):
        raise argparse.ArgumentTypeError(f"{text!r}: no such folder")
    if not text or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file")
    return text
