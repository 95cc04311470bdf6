"""A pass over many pairs in a file, from which an interrupted run goes on."""

import json
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gaussjax.dataset.passes import JointPass
from gaussjax.dataset.records import PairRecord
from gaussjax.dataset.state import JointStart, JointSums, named_arrays
from gaussjax.io.pair_reader import BadPair

# Of the file. Its arrays are named after fields: whoever renames one, or gives it another meaning,
# raises this number.
FORMAT = 2


class StateError(ValueError):
    """A state file that does not belong to this run, or is none."""


def save_pass(path: Path, state: JointPass, identity: dict[str, str]) -> None:
    """Write a pass to a file that is either the old one or the new one, whatever happens.

    Args:
        path: of the file.
        state: of the pass; all pairs up to its position are in its sums.
        identity: what the data and the options are.
    """
    header = {
        "format": FORMAT,
        "identity": identity,
        "number": state.number,
        "position": state.position,
        "bad": [[pair.name, pair.position, pair.reason] for pair in state.bad],
    }
    named = {"header": np.asarray(json.dumps(header))}
    named |= {f"start {name}": values for name, values in state.start.arrays().items()}
    if state.sums is not None:
        named |= {f"sums {name}": values for name, values in state.sums.arrays().items()}
        records = named_arrays(state.all_records())
        named |= {f"record {name}": values for name, values in records.items()}
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
    start = JointStart.from_arrays(_group(named, "start "))
    state = JointPass(start, header["number"], header["position"])
    state.bad = [BadPair(*entry) for entry in header["bad"]]
    if "names" in named:
        state.sums = JointSums.from_arrays(_group(named, "sums "))
        state.records = [PairRecord(**_group(named, "record "))]  # pyright: ignore
        state.names = [str(name) for name in named["names"]]
    return state


def _group(named: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): values
        for name, values in named.items()
        if name.startswith(prefix)
    }
