"""A pass over many pairs, saved to a file from which an interrupted run goes on."""

import json
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gaussjax.dataset.passes import JointPass
from gaussjax.dataset.result import PairRecord
from gaussjax.dataset.state import JointStart, JointSums, from_arrays, to_arrays
from gaussjax.io.pair_reader import BadPair

# Of the file. Its arrays are named after fields: raise this number when a field is renamed or gets
# another meaning.
FORMAT = 2


class StateError(ValueError):
    """A file that is no state, or belongs to another run."""


def save_pass(path: Path, state: JointPass, identity: dict[str, str]) -> None:
    """Write a pass to a file, which is the old or the new one, whatever happens.

    Args:
        path: of the file.
        state: of the pass; its sums hold all pairs up to its position.
        identity: of the data, the options and the version.
    """
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
        named |= state.sums.arrays("sums ") | to_arrays(state.all_records(), "record ")
        named["names"] = np.asarray(state.names, str)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            np.savez(file, allow_pickle=False, **named)  # pyright: ignore[reportArgumentType]
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def load_pass(path: Path, identity: dict[str, str]) -> JointPass:
    """Read what :func:`save_pass` has written.

    Raises:
        StateError: in one line, if the file is no state, or of other data or options.
    """
    try:
        with path.open("rb") as file:
            named = dict(np.load(file, allow_pickle=False))
        header = json.loads(str(named["header"]))
        # The first version wrote no format.
        found, version = header["identity"], header.get("format", 1)
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
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
        state.sums = JointSums.from_arrays(named, "sums ")
        state.records = [from_arrays(PairRecord, named, "record ")]
        state.names = [str(name) for name in named["names"]]
    return state
