"""Files to be written: whether they can be, before the work begins, and files that stay whole."""

import errno
import glob
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO


def check_writable(path: Path) -> None:
    """Raise OSError if a file cannot be opened for writing; nothing is created or emptied.

    Permissions alone do not tell: a file system may be read-only, and root passes them all.
    """
    if os.path.isfile(path):  # Path.is_file fails at a name too long
        os.close(os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)))
    elif _is_there(path):  # a pipe or a device, which opening might change
        _require_permission(path)
    else:
        # Behind a link whose target is not there yet, that is what would be made.
        tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent).close()


def check_replaceable(path: Path) -> None:
    """The same for :func:`replace_file`, which writes another file in the same folder."""
    if _is_there(path):
        _require_permission(path)
    aside = _aside(path)
    try:
        aside.touch()
    finally:
        aside.unlink(missing_ok=True)


def replace_file(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file, which is the old or the new one, whatever happens; after OSError the old."""
    aside = _aside(path)
    try:
        with aside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        # Where a folder has become read-only this fails, too; the first error is the one to tell.
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def write_file(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file as :func:`replace_file` does, with the permissions and links that it has.

    In place is written what cannot be replaced: a pipe, a device, a file in a folder that takes no
    other files.
    """
    if path.is_file() or not _is_there(path):
        target = Path(os.path.realpath(path))
        remove_leftovers(target)
        mode = target.stat().st_mode if target.is_file() else None

        def write_alike(file: IO[bytes]) -> None:
            if mode is not None:
                os.chmod(file.name, stat.S_IMODE(mode))
            write(file)

        try:
            return replace_file(target, write_alike)
        except PermissionError:  # of the folder
            pass
    with path.open("wb") as file:
        write(file)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes were about to replace a file by."""
    start = f".{path.name}."
    for left in path.parent.glob(f"{glob.escape(start)}*"):
        number = left.name.removeprefix(start)
        if number.isdecimal() and not _is_alive(int(number)):
            with suppress(OSError):  # another run has just removed it
                left.unlink()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _is_there(path: Path) -> bool:
    """Unlike Path.exists, raises OSError where that cannot be told, as of a name too long."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _require_permission(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _is_alive(process: int) -> bool:
    """Whether a process runs on this machine; where that cannot be asked, True."""
    if os.name != "posix":
        return True  # of Windows, os.kill would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's; or no number of a process
        return True
    return True
