"""The ``gaussjax`` command: ``estimate`` the blur between two image files, ``blur`` one, and more.

Exit codes: 0 estimated, 1 estimated but not to be trusted, 2 bad input. JAX takes seconds to
import, so that happens only once the arguments and the files have been found to be good.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from gaussjax.cli import options as shared
from gaussjax.cli.blur import add_blur, run_blur
from gaussjax.cli.dataset import add_dataset, check_dataset
from gaussjax.cli.estimate import add_estimate, check_estimate, run_estimate
from gaussjax.cli.map import add_map, check_map, run_map
from gaussjax.cli.options import BAD_INPUT
from gaussjax.cli.process import INTERRUPTED, INTERRUPTED_MESSAGE

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
    options = parse_arguments(arguments)
    run = {"estimate": run_estimate, "dataset": _dataset, "map": run_map, "blur": run_blur}
    try:
        return run[options.command](options)
    except BrokenPipeError:
        # Whoever read our output has gone. Python flushes stdout once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        print(INTERRUPTED_MESSAGE, file=sys.stderr)
        return INTERRUPTED
    # RuntimeError and MemoryError: images too large for the machine, as JAX and NumPy say it.
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"gaussjax: error: {message}", file=sys.stderr)
        return BAD_INPUT


def _dataset(options: argparse.Namespace) -> int:
    from gaussjax.cli.dataset import run_dataset  # with all that reads folders

    return run_dataset(options)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Arguments of a subcommand of ``gaussjax``; None takes the command line's.

    Raises:
        SystemExit: after --help and --version (code 0) and errors (code 2, one line on stderr).
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    parser = options.parser  # errors point to the help of the subcommand
    shared.check_kernel(parser, options)
    check = {"estimate": check_estimate, "dataset": check_dataset, "map": check_map}
    if options.command in check:
        check[options.command](parser, options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gaussjax", description="Estimate the Gaussian blur between two images of one scene."
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    add_estimate(commands)
    add_dataset(commands)
    add_map(commands)
    add_blur(commands)
    for subparser in commands.choices.values():
        subparser.set_defaults(parser=subparser)
    return parser


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        self.exit(shared.BAD_INPUT, f"gaussjax: error: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Print the version; looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        try:
            version = metadata.version("gaussjax")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        print(f"gaussjax {version}")
        parser.exit()
