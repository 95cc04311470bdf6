"""Which files, or slices of stacks, belong together as the reference and the blurred image.

Nothing is decoded here. A source may have millions of pairs: each is made when it is asked for.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gaussjax.checks import looks_like_colour
from gaussjax.io.csv_table import csv_table
from gaussjax.io.decoders import check_samples
from gaussjax.io.errors import ImageFileError, one_line_errors
from gaussjax.io.file_kinds import IMAGE_SUFFIXES
from gaussjax.io.file_selection import split_selection
from gaussjax.io.numpy_files import map_npy

_Entry = tuple[str, str, str]  # name, path of the reference, path of the blurred image
_HEADERS = (["reference", "blurred"], ["reference", "blurred", "name"])


@dataclass(frozen=True)
class PairFiles:
    """The files of one pair."""

    name: str  # what the pair is called in reports
    reference: Path  # path of A, an image or a stack
    blurred: Path  # path of B
    # place of the slice along the first axis of both stacks; None for image files
    index: int | None = None


@dataclass(frozen=True)
class Problem:
    """A file or folder that belongs to no pair, and why: one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class Source:
    """The pairs of a data set in a fixed order."""

    pairs: Sequence[PairFiles]  # lazy where there may be many
    problems: tuple[Problem, ...] = ()  # files that belong to no pair, sorted by name

    def fingerprint(self) -> str:
        """SHA-256 in hex over the names of the pairs and their files' sizes and times (mtime, ns).

        The same in every process for as long as the files are the same; a missing file has a stamp
        of its own. The paths do not count: a folder may be moved.
        """
        digest = hashlib.sha256()
        files, stamps = None, None
        for pair in self.pairs:
            if (pair.reference, pair.blurred) != files:  # the slices of a stack share its files
                files = pair.reference, pair.blurred
                stamps = [_stamp(path) for path in files]
            digest.update(repr((pair.name, pair.index, stamps)).encode())
        return digest.hexdigest()


def open_source(
    reference: str | PathLike[str], blurred: str | PathLike[str] | None = None
) -> Source:
    """The pairs of two folders, of two .npy stacks, or (one path) of a list in a .csv file.

    ImageFileError, in one line, if it is none of the three, or cannot be read.
    """
    paths = [Path(path) for path in (reference, blurred) if path is not None]
    for path in paths:
        if not path.exists():
            raise ImageFileError(f"{path}: no such file or folder")
    kinds = ["folder" if path.is_dir() else path.suffix.lower() for path in paths]
    if kinds == [".csv"]:
        return list_pairs(paths[0])
    if kinds == ["folder", "folder"]:
        return folder_pairs(*paths)
    if kinds == [".npy", ".npy"]:
        return stack_pairs(*paths)
    if len(paths) == 1:
        raise ImageFileError(f"{paths[0]}: give its partner too, or a list of pairs in a .csv file")
    raise ImageFileError(
        f"{paths[0]} and {paths[1]}: give two folders, two .npy stacks or a single .csv file;"
        " one pair of images is for `gaussjax estimate`"
    )


def folder_pairs(reference_dir: str | PathLike[str], blurred_dir: str | PathLike[str]) -> Source:
    """Pair the images of two folders by relative path without suffix: a/x.png with b/x.jpg.

    Subfolders are searched too; links to folders are not followed, and reported as problems. Hidden
    files and folders, and files without the suffix of an image, are ignored. ImageFileError if one
    is not a folder, both are the same, or no image has a partner.
    """
    folders = Path(reference_dir), Path(blurred_dir)
    for folder in folders:
        if not folder.is_dir():
            raise ImageFileError(f"{folder}: is no folder")
    if os.path.samefile(*folders):
        raise ImageFileError(f"{folders[0]}: is given as both folders; they must differ")
    problems: list[Problem] = []
    found = [_images(folder, problems) for folder in folders]
    entries: list[_Entry] = []
    for name in sorted(found[0].keys() | found[1].keys()):
        files = [images.get(name, ()) for images in found]
        reason = _why_unpaired(folders, files)
        if reason:
            problems.append(Problem(name, reason))
        else:
            entries.append((name, files[0][0], files[1][0]))
    if not entries:
        raise ImageFileError(
            f"{folders[0]} and {folders[1]}: no image has a partner of the same name"
            " (x.png pairs with x.jpg)"
        )
    problems.sort(key=lambda problem: problem.name)
    return Source(_LazyPairs(entries, partial(_pair_in, folders)), tuple(problems))


def list_pairs(csv_path: str | PathLike[str]) -> Source:
    """The pairs of a CSV file with the header ``reference,blurred`` or ``reference,blurred,name``.

    It is in UTF-8, and relative paths in it start from its own folder. A pair without a name is
    called by its blurred file, as it is written there. ImageFileError names file and line.
    """
    csv_path = Path(csv_path)
    with one_line_errors(csv_path), csv_path.open(encoding="utf-8-sig", newline="") as file:
        entries = list(_entries(file))
        if not entries:
            raise ImageFileError("lists no pairs; give one a line after the header")
    return Source(_LazyPairs(entries, partial(_pair_in, (csv_path.parent, csv_path.parent))))


def stack_pairs(reference_npy: str | PathLike[str], blurred_npy: str | PathLike[str]) -> Source:
    """Pair the slices of two .npy stacks of one shape; the pairs are called "0", "1", ...

    ImageFileError if one is not a stack (see :func:`open_stack`), or the shapes differ.
    """
    paths = Path(reference_npy), Path(blurred_npy)
    shapes = [open_stack(path).shape for path in paths]
    if shapes[0] != shapes[1]:
        raise ImageFileError(
            f"{paths[0]} and {paths[1]}: stacks of shape {shapes[0]} and {shapes[1]};"
            " every slice needs a partner of its shape"
        )
    return Source(_LazyPairs(range(shapes[0][0]), partial(_stack_pair, paths)))


def open_stack(path: str | PathLike[str]) -> np.ndarray:
    """A .npy stack ``[n, y, x]`` or ``[n, z, y, x]`` as a read-only memory map.

    ImageFileError, in one line that names the file, if it is no stack of real numbers.
    """
    path = Path(path)
    with one_line_errors(path):
        stack = map_npy(path)
        if stack.ndim not in (3, 4):
            raise ImageFileError(f"is of rank {stack.ndim}; a stack is [n, y, x] or [n, z, y, x]")
        check_samples(stack)
        if looks_like_colour(stack.shape[1:]):
            raise ImageFileError(
                f"its shape {stack.shape} looks like colour images: reduce them to luminance"
            )
    return stack


@dataclass(frozen=True)
class _LazyPairs(Sequence[PairFiles]):
    """Pairs that are made when they are asked for, each from an entry."""

    entries: Sequence[Any]
    make: Callable[[Any], PairFiles]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return replace(self, entries=self.entries[index])
        return self.make(self.entries[index])


# Functions of the module, not closures: sources can be sent to other processes.
def _pair_in(folders: tuple[Path, Path], entry: _Entry) -> PairFiles:
    name, reference, blurred = entry
    return PairFiles(name, folders[0] / reference, folders[1] / blurred)


def _stack_pair(paths: tuple[Path, Path], number: int) -> PairFiles:
    return PairFiles(str(number), *paths, number)


def _images(root: Path, problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """The images below a folder: relative paths, by what they are without their suffix."""

    def report(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"cannot be searched: {error.strerror}"))

    found: dict[str, tuple[str, ...]] = {}
    for folder, subfolders, files in os.walk(root, onerror=report):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in subfolders:
            link = os.path.join(folder, name)
            if os.path.islink(link):
                problems.append(Problem(link, "is a link to a folder, which is not followed"))
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        stores = [name for name in subfolders if name.lower().endswith(".zarr")]
        subfolders[:] = [name for name in subfolders if name not in stores]
        for file in files + stores:
            stem = _stem(file)
            if stem is not None:
                name = prefix + stem
                found[name] = (*found.get(name, ()), prefix + file)
    return found


def _stem(file: str) -> str | None:
    """A name without the suffix of an image, such as .png or .nii.gz; None if it has none."""
    stem, suffix = os.path.splitext(file)
    if suffix.lower() in (".gz", ".fz"):
        stem, inner = os.path.splitext(stem)
        suffix = inner + suffix
    return stem if suffix.lower() in IMAGE_SUFFIXES and not file.startswith(".") else None


def _why_unpaired(folders: tuple[Path, Path], files: list[tuple[str, ...]]) -> str:
    """Why the files of one name in two folders are not a pair; empty if they are."""
    for folder, some in zip(folders, files, strict=True):
        if len(some) > 1:
            return f"is several files in {folder}: {', '.join(sorted(some))}"
    lacking = [folder for folder, some in zip(folders, files, strict=True) if not some]
    return f"has no partner in {lacking[0]}" if lacking else ""


def _entries(lines: Iterator[str]) -> Iterator[_Entry]:
    """The pairs in the lines of a list after its header."""
    header, rows = csv_table(lines)
    if header not in _HEADERS:
        raise ImageFileError(
            "line 1: must be the header reference,blurred or reference,blurred,name"
        )
    for number, fields in rows:
        if not all(fields):
            raise ImageFileError(f"line {number}: has an empty field")
        reference, blurred, *name = fields
        yield name[0] if name else blurred, reference, blurred


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size in bytes and time in ns of a file; None if there is none."""
    try:
        status = split_selection(path)[0].stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
