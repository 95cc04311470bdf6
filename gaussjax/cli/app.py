"""The ``gaussjax`` command: its subcommands, and how errors become one line and an exit code.

Exit codes: 0 estimated, 1 estimated but not to be trusted, 2 bad input. JAX takes seconds to
import, so that happens only once the arguments and the files have been found to be good.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from gaussjax.cli import blur, dataset, estimate
from gaussjax.cli import map as blur_map
from gaussjax.cli.process import INTERRUPTED, INTERRUPTED_MESSAGE

# Each has add_parser, check (of its options, before any file is read) and run.
_SUBCOMMANDS = (estimate, dataset, blur_map, blur)
_BAD_INPUT = 2  # exit code
_BROKEN_PIPE = 141  # what a shell reports for a process ended by SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: without the program's name; None takes them from the command line.

    Returns:
        The exit code. Errors are one line on stderr.

    Raises:
        SystemExit: after --help, --version and errors in the arguments.
    """
    options = _parse(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:
        # Whoever read our output has gone. Python flushes stdout once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        print(INTERRUPTED_MESSAGE, file=sys.stderr)
        return INTERRUPTED
    # RuntimeError and MemoryError: images too large for the machine, as JAX and NumPy say it.
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
        print(_error_line(str(error) or type(error).__name__), file=sys.stderr)
        return _BAD_INPUT


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a subcommand, with its functions ``check`` and ``run``.

    Raises:
        SystemExit: after --help and --version (code 0) and errors (code 2, one line on stderr).
    """
    parser = _Parser(
        prog="gaussjax", description="Estimate the Gaussian blur between two images of one scene."
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in _SUBCOMMANDS:
        subparser = command.add_parser(subparsers)
        subparser.set_defaults(parser=subparser, check=command.check, run=command.run)
    options = parser.parse_args(arguments)
    options.check(options.parser, options)  # errors point to the help of the subcommand
    return options


def _error_line(message: str) -> str:
    return f"gaussjax: error: {' '.join(message.split())}"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"{_error_line(message)} (see {self.prog} --help)\n")


def _version() -> str:
    try:
        return f"gaussjax {metadata.version('gaussjax')}"
    except metadata.PackageNotFoundError:
        return "gaussjax (not installed)"
