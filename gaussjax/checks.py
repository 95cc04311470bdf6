"""Checks of single values that callers pass: each names the argument, what was got, what to do.

No JAX here, so that files and options need none to be checked.
"""

import math
import operator
import os
from collections.abc import Callable
from difflib import get_close_matches
from numbers import Real
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_SHOWN = 60  # characters of a value
_LEAST_CHANNEL = 16  # px per axis of a colour image; a smaller volume may have so few slices
_LONGEST_PATH = 4096  # characters; Linux takes no more


def shown(value: Any) -> str:
    """A value in a few words, for the end of a message."""
    try:
        if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape != ():
            return f"an array of shape {tuple(value.shape)} and dtype {value.dtype}"
    except Exception:  # a class of arrays, or an iterator over one, that only look like arrays
        return f"a {type(value).__name__}"
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def dtype_of(value: Any) -> np.dtype | None:
    """The dtype that a caller's array has in NumPy; None of what has none, such as a list."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or isinstance(dtype, np.dtype):
        return dtype
    return np.asarray(value).dtype  # of a library with dtypes of its own, such as torch


def check_option(value: Any, allowed: tuple[str, ...], name: str) -> None:
    """Raise unless ``value`` is one of ``allowed``: TypeError for no text, else ValueError."""
    if isinstance(value, str) and value in allowed:
        return
    refusal = f"{name} must be one of {', '.join(allowed)}; got {shown(value)}"
    if not isinstance(value, str):
        raise TypeError(refusal)
    raise ValueError(refusal + did_you_mean(value, allowed))


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """The end of a sentence that names the nearest of the known words, or nothing."""
    close = get_close_matches(word[:_SHOWN].lower(), known, 1)
    return f": did you mean {close[0]!r}?" if close else ""


def as_flag(value: Any, name: str) -> bool:
    """``value`` as a bool; TypeError for everything else, which Python would take for one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, known outside of jit; got {shown(value)}")
    return bool(value)


def as_count(value: Any, name: str, least: int = 0, most: int | None = None) -> int:
    """``value`` as an int of at least ``least`` and at most ``most``."""
    wanted = f"{name} must be a whole number from {least}" + (
        " on" if most is None else f" to {shown(most)}"
    )
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except Exception:  # TypeError, or what an array says that has no value yet
        found = None
    if found is None:
        raise TypeError(f"{wanted}, known outside of jit; got {shown(value)}")
    if found < least or (most is not None and found > most):
        raise ValueError(f"{wanted}; got {shown(value)}")
    return found


def as_number(value: Any, name: str, wanted: str, is_right: Callable[[float], bool]) -> float:
    """``value``, a number or an array of rank 0, as a float.

    ``wanted`` says in words what it must be, ``is_right`` tells. TypeError for no real number,
    ValueError for another than is wanted.
    """
    try:
        array = np.asarray(value)
        found = float(value) if array.shape == () and not isinstance(value, str | bytes) else None
        number = isinstance(value, Real) or array.dtype.kind in "iuf"
    except Exception:  # of a value that is none: an array without one, text, a ragged list
        found, number = None, False
    if found is None or not number or isinstance(value, bool):
        raise TypeError(f"{name} must be {wanted}, known outside of jit; got {shown(value)}")
    if not is_right(found):
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}")
    return found


def as_positive(value: Any, name: str, most: float = math.inf) -> float:
    """``value`` as a finite float above 0 and of at most ``most``."""
    wanted = "a finite number above 0" + ("" if most == math.inf else f" and at most {most:g}")
    return as_number(value, name, wanted, lambda x: 0 < x < math.inf and x <= most)


def is_size(value: float) -> bool:
    """Whether ``value`` may be the size of a pixel: its square, an area, fits into float32."""
    return 1e-18 <= value <= 1e18


def as_not_negative(value: Any, name: str) -> float:
    """``value`` as a float of 0 or more; may be infinite."""
    return as_number(value, name, "a number, 0 or more", lambda x: x >= 0)


def as_path(value: Any, name: str) -> str:
    """``value`` as the name of a file or folder."""
    try:
        path = os.fspath(value)
    except Exception:  # TypeError of all that is no path, or what an object of the caller's raises
        path = b""
    if isinstance(path, bytes):
        raise TypeError(f"{name} must be a path, as text or pathlib.Path; got {shown(value)}")
    if not path or "\0" in path or len(path) > _LONGEST_PATH or not _is_encodable(path):
        raise ValueError(f"{name} must be the name of a file or folder; got {shown(value)}")
    return path


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def looks_like_colour(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is more likely an image with colours last than a volume."""
    return len(shape) == 3 and shape[-1] in (3, 4)


def looks_like_channels(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is more likely one with colours first than a volume."""
    return len(shape) == 3 and shape[0] in (3, 4) and min(shape[1:]) >= _LEAST_CHANNEL


def masks_of_both(mask: Any) -> tuple:
    """(mask of A, mask of B) from such a pair, or from a mask of B."""
    return tuple(mask) if isinstance(mask, tuple | list) and len(mask) == 2 else (None, mask)


def check_type(value: Any, kind: type, name: str, source: str) -> None:
    """Raise TypeError unless ``value`` is of a kind, which comes from ``source``."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, {source}; got {shown(value)}")


def check_function(value: Any, name: str) -> None:
    """Raise TypeError unless ``value`` can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function; got {shown(value)}")
