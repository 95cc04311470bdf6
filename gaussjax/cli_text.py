"""How the command writes values and names: as JSON has them, and as any stream can show them."""

import sys
from typing import Any

import numpy as np


def plain(values: Any) -> Any:
    """A number or a list of them for JSON, with null for None, NaN and infinity."""
    return None if values is None else nested(np.squeeze(np.asarray(values)))


def nested(values: Any) -> Any:
    """An array of any rank as lists of lists for JSON, with null for None, NaN and infinity."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim:
        return [nested(value) for value in array]
    return array.item() if np.isfinite(array) else None


def printable(text: str) -> str:
    """Text in one line, of characters that any stream can write: names of files may have others."""
    line = " ".join(text.splitlines())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
