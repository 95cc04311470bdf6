"""The arguments of ``gaussjax map``. No JAX here."""

import argparse

from gaussjax import cli_options as shared
from gaussjax import cli_types as types

_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: half of the tiles or more have a status other than 0, or a
     verdict against them
  2  bad input
"""


def add_map(commands) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "map",
        help="sigma over the frame, tile by tile",
        description="Estimate the Gaussian blur that turns REFERENCE into BLURRED on tiles of the"
        " frame, where it varies.",
        epilog=shared.KERNEL_HELP + shared.FILE_HELP + _EXIT_HELP + shared.CACHE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("reference", metavar="REFERENCE", help="file of the sharp image")
    parser.add_argument("blurred", metavar="BLURRED", help="file of the softer image")
    parser.add_argument(
        "--tile",
        type=types.count,
        default=64,
        metavar="PX",
        help="side of a tile, px; it holds a sigma of up to its side over 11; default: %(default)s",
    )
    parser.add_argument(
        "--step",
        type=types.count,
        metavar="PX",
        help="from tile to tile, px, at most; default: half a tile",
    )
    parser.add_argument(
        "--shrink",
        action="store_true",
        help="smooth sigma over the tiles, by as little as it varies beyond its error bars",
    )
    shared.add_family_option(parser)
    shared.add_kernel_options(parser)
    shared.add_pair_options(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=types.figure_path,
        metavar="FILE",
        help="draw the map; .png, .pdf or .svg",
    )
    parser.add_argument(
        "--csv", type=types.output_path, metavar="FILE", help="write a row for every tile"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, with arrays")


def check_map(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    shared.check_pair_options(parser, options)
    if options.step is not None and options.step > options.tile:
        parser.error("--step: is more than --tile, or gaps stay between the tiles")
    if options.family != "isotropic" and (options.output or options.csv or options.shrink):
        parser.error("--output, --csv and --shrink are of one sigma per tile: --family isotropic")
    if options.csv and options.csv == options.output:
        parser.error("--csv and --output: give files that differ")
