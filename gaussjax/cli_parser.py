"""The parser of the ``gaussjax`` command: its subcommands and their checks. No JAX here."""

import argparse
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from gaussjax import cli_options as shared
from gaussjax import cli_types as types
from gaussjax.cli_dataset_options import add_dataset, check_dataset
from gaussjax.cli_map_options import add_map, check_map

_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: a status other than 0, or a verdict that the images are
     misaligned, that a Gaussian blur explains the pair poorly, or that the pair does not tell
  2  bad input
"""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Arguments of a subcommand of ``gaussjax``; None takes the command line's.

    Raises:
        SystemExit: after --help and --version (code 0) and errors (code 2, one line on stderr).
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    parser = options.parser  # errors point to the help of the subcommand
    shared.check_kernel(parser, options)
    check = {"estimate": _check_estimate, "dataset": check_dataset, "map": check_map}
    if options.command in check:
        check[options.command](parser, options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gaussjax", description="Estimate the Gaussian blur between two images of one scene."
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_estimate(commands)
    add_dataset(commands)
    add_map(commands)
    _add_blur(commands)
    for subparser in commands.choices.values():
        subparser.set_defaults(parser=subparser)
    return parser


def _add_estimate(commands) -> None:
    parser = commands.add_parser(
        "estimate",
        help="sigma of the Gaussian that turns one image into the other",
        description="Estimate the Gaussian blur that turns REFERENCE into BLURRED.",
        epilog=shared.KERNEL_HELP + shared.FILE_HELP + _EXIT_HELP + shared.CACHE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("reference", metavar="REFERENCE", help="file of the sharp image")
    parser.add_argument("blurred", metavar="BLURRED", help="file of the softer image")
    shared.add_family_option(parser)
    shared.add_kernel_options(parser)
    parser.add_argument(
        "--boundary",
        choices=shared.BOUNDARIES,
        default="valid",
        help="valid (default) compares only pixels that the blur cannot reach from outside; the"
        " others compare the whole frame and assume what lies beyond it",
    )
    shared.add_pair_options(parser)
    parser.add_argument(
        "--fwhm", action="store_true", help="print the full width at half maximum first"
    )
    parser.add_argument(
        "--pixel-size",
        type=types.positive,
        metavar="SIZE",
        help="of a pixel in UNIT, to print lengths in",
    )
    parser.add_argument("--unit", metavar="UNIT", help="of SIZE, such as arcsec or um")
    parser.add_argument(
        "--plot",
        type=types.figure_path,
        metavar="FILE",
        help="draw images, residual and transfer functions, and compare all families, which takes"
        " up to a minute; .png, .pdf or .svg",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _check_estimate(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    shared.check_pair_options(parser, options)
    if (options.unit is None) != (options.pixel_size is None):
        parser.error("--pixel-size and --unit go together")


def _add_blur(commands) -> None:
    parser = commands.add_parser(
        "blur",
        help="blur one image, to have a pair to play with",
        description="Blur the stored values of an image by a Gaussian; colour becomes luminance.",
        epilog=shared.KERNEL_HELP + shared.CACHE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", help="file to blur")
    parser.add_argument(
        "--sigma", type=types.positive, required=True, help="standard deviation, px"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="ends in .png (8 or 16 bit as the input), .tif (float32) or .npy (float64)",
    )
    shared.add_kernel_options(parser)
    parser.add_argument(
        "--boundary", choices=shared.BOUNDARIES[1:], default="reflect", help="default: %(default)s"
    )


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
