"""What is selected of a file: ``x.fits[DQ]`` is the extension DQ of x.fits."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from gaussjax.io.errors import ImageFileError

_SELECTED = re.compile(r"(?P<file>.+)\[(?P<selection>[^\[\]]+)\]", re.DOTALL)


def split_selection(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """A file, and what is selected of it; a file that has brackets in its name is that file."""
    text = os.fspath(path)
    match = _SELECTED.fullmatch(text)
    if match is None or os.path.lexists(text):
        return Path(text), None
    return Path(match["file"]), match["selection"].strip()


def chosen_name(selection: str | None, names: Sequence[str], what: str) -> str:
    """The selected one of ``names``, by name or number; without a selection the only one.

    ``what`` they are, such as "array", is for ImageFileError, which says what there is to select
    from.
    """
    if not names:
        raise ImageFileError(f"holds no {what}")
    if selection is None:
        if len(names) > 1:
            raise ImageFileError(
                f"holds {len(names)} {what}s; select one, as FILE[{names[0]}]: {listed(names)}"
            )
        return names[0]
    if selection in names:
        return selection
    if selection.isdecimal() and int(selection) < len(names):
        return names[int(selection)]
    raise ImageFileError(f"has no {what} [{selection}]; there are {listed(names)}")


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
