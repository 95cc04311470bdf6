"""What is selected of a file: ``x.fits[DQ]`` is the extension DQ of x.fits."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from gaussjax.io.errors import ImageFileError

_SELECTED = re.compile(r"(?P<file>.+)\[(?P<selection>[^\[\]]+)\]", re.DOTALL)
_LISTED = 8  # names in a message


def split_selection(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """A file, and what is selected of it; a file that has brackets in its name is that file."""
    text = os.fspath(path)
    match = _SELECTED.fullmatch(text)
    if match is None or os.path.lexists(text):
        return Path(text), None
    return Path(match["file"]), match["selection"].strip()


def chosen_name(selection: str | None, names: Sequence[str]) -> str:
    """The selected one of the names of arrays, by name or number; without a selection the only one.

    ImageFileError says what there is to select from.
    """
    if not names:
        raise ImageFileError("holds no array")
    if selection is None:
        if len(names) > 1:
            raise ImageFileError(
                f"holds {len(names)} arrays; select one, as FILE[{names[0]}]: {listed(names)}"
            )
        return names[0]
    if selection in names:
        return selection
    if selection.isdecimal() and int(selection) < len(names):
        return names[int(selection)]
    raise ImageFileError(f"has no array [{selection}]; there are {listed(names)}")


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(str, names[:_LISTED])) + more
