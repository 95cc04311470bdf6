"""What the commands of ``gaussjax`` print and write: tables, JSON, CSV files, a progress bar.

The result is printed before any file is written: a full disk does not cost it.
"""

import argparse
import codecs
import csv
import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gaussjax.io.errors import one_line, why
from gaussjax.io.output_files import write_file
from gaussjax.statistics.json_values import json_values
from gaussjax.statistics.number_format import table as as_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAILED = 2  # exit code: bad input, or a file that could not be written
# RuntimeError and MemoryError: images too large for the machine, as JAX and NumPy say it.
EXPECTED = (ValueError, TypeError, OSError, RuntimeError, MemoryError)


@dataclass(frozen=True)
class OutputFile:
    """A file that a command writes besides what it prints."""

    name: str  # in the table
    path: str | None  # None: not asked for
    write: Callable[[IO[bytes]], None]

    @staticmethod
    def of_rows(path: str | None, rows: Callable[[], Iterator[dict[str, Any]]]) -> "OutputFile":
        """A CSV file with the header of the first row; what a later row lacks stays empty."""
        return OutputFile("rows", path, lambda file: _write_rows(file, rows()))

    @staticmethod
    def of_figure(path: str | None, draw: Callable[[], "Figure"]) -> "OutputFile":
        """A figure, of the kind that its name ends in."""
        kind = Path(path or "").suffix[1:].lower()
        return OutputFile("figure", path, lambda file: draw().savefig(file, format=kind, dpi=160))


def report(
    options: argparse.Namespace,
    outcome: Any,
    table: Callable[[argparse.Namespace, Any], str],
    record: Callable[[argparse.Namespace, Any], dict[str, Any]],
    files: Iterable[OutputFile] = (),
) -> int:
    """Print an outcome, as JSON if the options ask for it, then write files; the exit code.

    What cannot be written costs an error line and the exit code, not the rest, nor the file that
    was there before.
    """
    if options.json:
        text = json.dumps(json_values(record(options, outcome)), indent=2, allow_nan=False)
    else:
        text = table(options, outcome)
    code = 0 if outcome.is_trusted else 1
    unprintable = _printing_error(text)
    for file in files:
        if file.path is None:
            continue
        try:
            write_file(Path(file.path), file.write)
        except EXPECTED as error:
            print(error_line(f"{file.path}: is not written: {why(error)}"), file=sys.stderr)
            code = FAILED
            continue
        if not options.json:
            unprintable = unprintable or _printing_error(*table_lines([(file.name, file.path)]))
    if unprintable is not None:
        raise unprintable
    return code


def tell_waiting(what: str) -> None:
    """Say on a terminal what takes long."""
    if sys.stderr.isatty():
        print(f"gaussjax: {what}", file=sys.stderr, flush=True)


def _printing_error(text: str) -> OSError | None:
    """Print a text; what went wrong, as when its reader has gone or the disk is full."""
    try:
        print(text, flush=True)
    except OSError as error:
        return error
    return None


def error_line(message: str) -> str:
    """A message in the one line of an error."""
    return f"gaussjax: error: {one_line(' '.join(message.split()))}"


def table_lines(rows: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """Names and texts in two columns; rows without text are left out."""
    for name, text in rows:
        if text:
            yield printable(as_table([(name, text)]))


def printable(text: str) -> str:
    """Text in one line, of characters that stdout can write: names of files may have others."""
    line = one_line(" ".join(text.splitlines()))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def attributes(source: Any, *names: str, **renamed: str) -> dict[str, Any]:
    """Attributes for a record, under their own names or others: key="name".

    Arrays of one number become that number: a signal has one axis.
    """
    values = {name: getattr(source, name) for name in names}
    values |= {key: getattr(source, name) for key, name in renamed.items()}
    return {
        key: np.squeeze(value) if isinstance(value, np.ndarray) else value
        for key, value in values.items()
    }


def _write_rows(file: IO[bytes], rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    # Names of files need not be text.
    writer = csv.DictWriter(codecs.getwriter("utf-8")(file, "surrogateescape"), first)
    writer.writeheader()
    writer.writerow(first)
    writer.writerows(rows)


class ProgressBar:
    """Pairs done, their rate and the time left: a bar for every pass over the pairs.

    Call it with the number of pairs of a pass that are done. A number that is not beyond the last
    one begins another pass. The first number may be any: a run may go on from where it was stopped.
    """

    def __init__(self, total: int, *, is_shown: bool | None) -> None:
        """For passes over ``total`` pairs; ``is_shown`` None: where stderr is a terminal."""
        self._total = total
        self._disable = None if is_shown is None else not is_shown
        self._bar: Any = None

    def __call__(self, done: int) -> None:
        """Show that ``seen`` pairs of the pass are done."""
        if self._bar is None or done <= self._bar.n:
            self._bar = self._next(done - 1)
        self._bar.update(done - self._bar.n)

    def tell(self, line: str) -> None:
        """Print a line on stderr, beside the bar."""
        _bars().write(line, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _next(self, done: int) -> Any:
        name = "pairs" if self._bar is None else "another pass"
        style = {"unit": " pairs", "disable": self._disable, "dynamic_ncols": True}
        self.close()
        return _bars()(total=self._total, initial=done, desc=name, **style)


def _bars() -> Any:
    """The class of progress bars, with a lock for threads.

    Its own is for processes too, starts another one, and from Python 3.14 on tells of itself on
    stderr when the command is interrupted.
    """
    from tqdm import tqdm

    if not hasattr(tqdm, "_lock"):
        tqdm.set_lock(threading.RLock())
    return tqdm
