"""A pass over many pairs, saved to a file from which an interrupted run goes on."""

import json
import warnings
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO
from zipfile import BadZipFile

import numpy as np

from gaussjax.checks import shown
from gaussjax.dataset.passes import JointPass
from gaussjax.dataset.result import PairRecord
from gaussjax.dataset.state import JointStart, PassSums, from_arrays, to_arrays
from gaussjax.io.errors import why
from gaussjax.io.output_files import check_replaceable, remove_leftovers, replace_file
from gaussjax.io.pair_reader import BadPair

# Version of the file, whose arrays are named after fields: to be raised when a field is renamed, or
# gets another meaning or length.
FORMAT = 7


class StateError(ValueError):
    """A file that is no state, or belongs to another run."""


class StateWarning(UserWarning):
    """A state could not be saved."""

    def __init__(self, message: str, reason: str, *, is_last: bool) -> None:
        super().__init__(message)
        self.reason = reason  # in a few words
        self.is_last = is_last  # the run is through, and its state is not in the file


class StateFile:
    """The file of a run, if it has one. That a save fails costs a warning, not the run.

    Raises:
        OSError: if it is known at once that no save can succeed.
    """

    def __init__(self, path: str | PathLike[str] | None) -> None:
        self.path = None if path is None else Path(path)
        self._failure = ""  # of the last save
        self._told = ""  # what has been warned of
        if self.path is not None:
            if not self.path.name:
                raise ValueError(f"state must be the name of a file; got {shown(path)}")
            check_replaceable(self.path)
            remove_leftovers(self.path)

    def load(self, identity: dict[str, str]) -> JointPass | None:
        """The pass in the file, as :func:`load_pass` reads it; None without a file."""
        if self.path is None or not self.path.exists():
            return None
        return load_pass(self.path, identity)

    def save(self, state: JointPass, identity: dict[str, str]) -> None:
        """Write the pass; if that fails, warn, once for each reason."""
        if self.path is None:
            return
        try:
            replace_file(self.path, partial(_write_pass, state=state, identity=identity))
            self._failure = ""
        except OSError as error:
            self._failure = why(error)
        if self._failure not in ("", self._told):
            self._told = self._failure
            self._warn("cannot be saved now; the run goes on, and the next save tries again")

    def finish(self) -> None:
        """Warn if the last save has failed."""
        if self._failure:
            self._warn("is not saved; the result is not affected", is_last=True)

    def _warn(self, text: str, *, is_last: bool = False) -> None:
        message = f"{self.path}: {self._failure}: the state of the run {text}"
        # The warning points to the caller of fit_dataset, which calls the two methods above.
        warnings.warn(StateWarning(message, self._failure, is_last=is_last), stacklevel=4)


def _write_pass(file: IO[bytes], state: JointPass, identity: dict[str, str]) -> None:
    """Write a pass, whose sums hold all pairs up to its position; identity: of data and options."""
    header = {
        "format": FORMAT,
        "identity": identity,
        "number": state.number,
        "position": state.position,
        "bad": [[pair.name, pair.position, pair.reason] for pair in state.bad],
    }
    named = {"header": np.asarray(json.dumps(header))}
    named |= to_arrays(state.start, "start ")
    if state.sums is not None:
        named |= state.sums.arrays() | to_arrays(state.all_records(), "record ")
        named["names"] = np.asarray(state.names, str)
        named["positions"] = np.asarray(state.positions, np.int64)
    np.savez(file, allow_pickle=False, **named)  # pyright: ignore[reportArgumentType]


def load_pass(path: Path, identity: dict[str, str]) -> JointPass:
    """Read what :meth:`StateFile.save` has written.

    Raises:
        StateError: in one line, if the file is no state, or of other data or options.
    """
    try:
        with path.open("rb") as file:
            named = dict(np.load(file, allow_pickle=False))
        header = json.loads(str(named["header"]))
        # The first version wrote no format.
        found, version = header["identity"], header.get("format", 1)
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {why(error)}") from error
    except (ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
        raise StateError(
            f"{path}: is no state of a joint fit; remove it, or give another file"
        ) from error
    if version != FORMAT:
        raise StateError(
            f"{path}: was written by another version of gaussjax (format {version}, here {FORMAT});"
            " finish the run with that version, or remove the file and begin again"
        )
    differs = [key for key in identity | found if identity.get(key) != found.get(key)]
    if differs:
        raise StateError(
            f"{path}: was begun with other {', '.join(differs)}; give another file, or remove it"
        )
    start = from_arrays(JointStart, named, "start ")
    state = JointPass(start, header["number"], header["position"])
    state.bad = [BadPair(*entry) for entry in header["bad"]]
    if "names" in named:
        state.sums = PassSums.from_arrays(named)
        state.records = [from_arrays(PairRecord, named, "record ")]
        state.names = [str(name) for name in named["names"]]
        state.positions.frombytes(named["positions"].tobytes())
    return state
