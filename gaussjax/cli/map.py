"""``gaussjax map``: the blur over the frame of one pair of files."""

import argparse
import csv
import json

from gaussjax.cli import options as shared
from gaussjax.cli import options as types
from gaussjax.cli.inputs import check_lengths, fit_options, keep_inputs, notes_on
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import ImageFileError, read_image

_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: half of the tiles or more have a status other than 0, or a
     verdict against them
  2  bad input
"""


def run_map(options: argparse.Namespace) -> int:
    """Run ``gaussjax map``; the exit code."""
    reference = read_image(options.reference, linearize=options.linearize)
    blurred = read_image(options.blurred, linearize=options.linearize)
    check_lengths(reference, {"--radius": options.radius or 0})
    shape = reference.values.shape
    if len(shape) == 2 and options.tile > min(shape):
        raise ImageFileError(
            f"--tile: {options.tile} px is more than the image's shortest side, {min(shape)} px"
        )
    files = (options.reference, options.blurred, options.mask, options.mask_reference)
    for output in (options.output, options.csv):
        keep_inputs(output, files)
    notes = notes_on("reference", reference) + notes_on("blurred", blurred)
    keywords = fit_options(options, blurred)

    with one_shot_process(reference.values.size):
        import jax

        from gaussjax.cli.map_output import are_trusted, record, table
        from gaussjax.maps.blur_map import blur_map

        with jax.enable_x64(True):  # the files have no precision to spare
            found = jax.device_get(
                blur_map(
                    reference.values,
                    blurred.values,
                    tile=options.tile,
                    step=options.step,
                    shrink=options.shrink,
                    family=options.family,
                    loss=options.loss,
                    bounds=options.bounds and tuple(options.bounds),
                    initial=options.initial,
                    **keywords,
                )
            )
        if options.csv:
            _write_rows(options.csv, found)
        if options.output:
            from gaussjax.report.map_figure import draw_map

            draw_map(reference.values, found).savefig(options.output, dpi=160)
        if options.json:
            text = json.dumps(record(options, found, notes), indent=2, allow_nan=False)
        else:
            text = table(options, found, notes)
    print(text, flush=True)
    return 0 if are_trusted(found) else 1


def _write_rows(path: str, found) -> None:
    from gaussjax.maps.table import map_rows

    rows = list(map_rows(found))
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


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
