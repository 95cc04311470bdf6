"""What is wrong with a file, in one line that names it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ImageFileError(ValueError):
    """A file that cannot be read or written as an image; the message is one line."""


def one_line(text: str) -> str:
    r"""Text in one line, with ``\n``, ``\x1b``, ... for what a terminal might obey.

    Names of files may hold line breaks, escape sequences, and marks that turn the direction of
    writing.
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    # Undecodable bytes of names are left to the encoding of the stream.
    if character.isprintable() or "\ud800" <= character <= "\udfff":
        return character
    return character.encode("unicode_escape").decode("ascii")


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn any exception into an :class:`ImageFileError` of one line that names the file."""
    try:
        yield
    except Exception as error:  # a damaged file makes a decoder raise anything
        raise ImageFileError(one_line(f"{path}: {reason(error)}")) from error


def why(error: Exception) -> str:
    """What went wrong, of an error of the file system without its number and name."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def reason(error: Exception) -> str:
    """What went wrong, in one line, for any exception of a decoder or the file system."""
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if type(error).__name__ == "UnidentifiedImageError":
        return "is damaged: its header cannot be read"
    text = " ".join(why(error).split())
    return text if isinstance(error, (ImageFileError, OSError)) else f"cannot be decoded: {text}"
