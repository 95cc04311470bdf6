"""The ``gaussjax`` command: its subcommands, and how errors become one line and an exit code.

Exit codes: 0 estimated, 1 estimated but not to be trusted, 2 bad input or a file that could not be
written. JAX takes seconds to import, so that happens only once the arguments and the files have
been found to be good.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import NoReturn

from gaussjax.checks import did_you_mean
from gaussjax.cli import blur, dataset, estimate, transfer
from gaussjax.cli import map as blur_map
from gaussjax.cli.output import EXPECTED, FAILED, error_line
from gaussjax.cli.spelling import in_shell

# Each has add_parser, check (of its options, before any file is read) and run.
_SUBCOMMANDS = (estimate, transfer, dataset, blur_map, blur)
_BROKEN_PIPE = 141  # what a shell reports for a process ended by SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command on arguments without the program's name (None: of the command line).

    Returns the exit code; errors are one line on stderr. SystemExit after --help, --version and
    errors in the arguments.
    """
    options = _parse(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:
        _give_up_printing()  # whoever read our output has gone
        return _BROKEN_PIPE
    except EXPECTED as error:
        print(error_line(in_shell(str(error)) or type(error).__name__), file=sys.stderr)
        _give_up_printing()
        return FAILED


def _give_up_printing() -> None:
    """Drop what cannot be printed, which Python would try once more on its way out."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a subcommand, with its functions ``check`` and ``run``.

    SystemExit after --help and --version (code 0) and errors (code 2, one line on stderr).
    """
    parser = _Parser(
        prog="gaussjax", description="Estimate the Gaussian blur between two images of one scene."
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in _SUBCOMMANDS:
        subparser = command.add_parser(subparsers)
        subparser.set_defaults(parser=subparser, check=command.check, run=command.run)
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments:
        parser.print_help()
        parser.exit()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = tuple(options.parser.option_strings)
        options.parser.error(
            f"unrecognized arguments: {' '.join(unknown)}{did_you_mean(unknown[0], known)}"
        )
    options.check(options.parser, options)  # errors point to the help of the subcommand
    return options


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    @property
    def option_strings(self) -> Iterable[str]:
        """All that this command knows, with their dashes."""
        return self._option_string_actions

    def error(self, message: str) -> NoReturn:
        """One line, with the choice that was meant if it is near."""
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if wrong:
            known = tuple(re.findall(r"[\w-]+", wrong[2]))
            message += did_you_mean(wrong[1], known)
        self.exit(FAILED, f"{error_line(message)} (see {self.prog} --help)\n")


def _version() -> str:
    try:
        return f"gaussjax {metadata.version('gaussjax')}"
    except metadata.PackageNotFoundError:
        return "gaussjax (not installed)"
