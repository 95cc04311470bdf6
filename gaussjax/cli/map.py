"""``gaussjax map``: the blur over the frame of one pair of files."""

import argparse
from typing import Any

from gaussjax.cli import options as common
from gaussjax.cli.inputs import read_pair
from gaussjax.cli.output import OutputFile, report
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import ImageFileError

_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: half of the tiles or more have a status other than 0, or a
     verdict against them
  2  bad input; or a file that could not be written, after the result
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser = common.add_command(
        subparsers,
        "map",
        summary="sigma over the frame, tile by tile",
        description="Estimate the Gaussian blur that turns REFERENCE into BLURRED on tiles of the"
        " frame, where it varies.",
        notes=common.FILE_HELP + _EXIT_HELP + common.INTERRUPTED_HELP,
    )
    parser.add_argument(
        "--tile",
        type=common.count,
        default=64,
        metavar="PX",
        help="side of a tile, px; it holds a sigma of up to its side over 11; default: %(default)s",
    )
    parser.add_argument(
        "--step",
        type=common.count,
        metavar="PX",
        help="from tile to tile, px, at most; default: half a tile",
    )
    parser.add_argument(
        "--shrink",
        action="store_true",
        help="smooth sigma over the tiles, by as little as it varies beyond its error bars",
    )
    common.add_pair_options(parser)
    common.add_sampling_options(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=common.figure_path,
        metavar="FILE",
        help="draw the map; .png, .pdf or .svg",
    )
    parser.add_argument(
        "--csv", type=common.output_path, metavar="FILE", help="write a row for every tile"
    )
    return parser


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    common.check_pair_options(parser, options)
    common.check_sampling_options(parser, options)
    if options.step is not None and options.step > options.tile:
        parser.error("--step: is more than --tile, which leaves gaps between the tiles")
    if options.family != "isotropic" and (options.output or options.csv or options.shrink):
        parser.error("--output, --csv and --shrink are of one sigma per tile: --family isotropic")
    if options.csv and options.csv == options.output:
        parser.error("--csv and --output: give files that differ")


def run(options: argparse.Namespace) -> int:
    """Estimate, print and write; the exit code."""
    pair, keywords, notes, _ = read_pair(options, outputs=[options.output, options.csv])
    shortest = min(pair[0].shape)
    if pair[0].ndim == 2 and options.tile > shortest:
        raise ImageFileError(
            f"--tile: {options.tile} px is more than the image's shortest side, {shortest} px"
        )

    with one_shot_process(pair[0].size):
        import jax

        from gaussjax.cli.map_output import Outcome, draw, record, table
        from gaussjax.maps.blur_map import blur_map
        from gaussjax.maps.table import map_rows

        tiling = {"tile": options.tile, "step": options.step, "shrink": options.shrink}
        keywords |= common.sampling_keywords(options)
        with jax.enable_x64(True):  # the files have no precision to spare
            outcome = Outcome(jax.device_get(blur_map(*pair, **tiling, **keywords)), notes)
        files = (
            OutputFile.of_rows(options.csv, lambda: map_rows(outcome.blur_map)),
            OutputFile.of_figure(options.output, lambda: draw(pair[0], outcome)),
        )
        return report(options, outcome, table, record, files)
