"""``gaussjax estimate``: the blur between two image files."""

import argparse
from typing import Any

from gaussjax.cli import options as common
from gaussjax.cli.estimate_channels import add_channel_options, check_channel_options, run_channels
from gaussjax.cli.inputs import read_estimated
from gaussjax.cli.output import OutputFile, report, tell_waiting
from gaussjax.cli.pixel_size import (
    add_pixel_size,
    add_spacing,
    check_pixel_size,
    check_spacing,
)
from gaussjax.cli.process import one_shot_process
from gaussjax.model.options import BOUNDARIES, GENERALISED, MOTIONS, PADDED_BOUNDARIES

_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: a status other than 0, or a verdict that the images are
     misaligned, that a Gaussian blur explains the pair poorly, or that the pair does not tell
  2  bad input; or a figure that could not be written, after the result
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser = common.add_command(
        subparsers,
        "estimate",
        summary="sigma of the Gaussian that turns one image into the other",
        description="Estimate the Gaussian blur that turns REFERENCE into BLURRED.",
        notes=common.FILE_HELP + _EXIT_HELP + common.INTERRUPTED_HELP,
    )
    common.add_pair_options(parser, generalised=True)
    common.add_sampling_options(parser)
    parser.add_argument(
        "--boundary",
        choices=BOUNDARIES,
        default="valid",
        help="valid (default) compares only pixels that the blur cannot reach from outside; the"
        " others compare the whole frame and assume what lies beyond it",
    )
    parser.add_argument(
        "--motion",
        choices=MOTIONS,
        help="fit a rotation and a scale beside the shift, a few degrees and per cent",
    )
    parser.add_argument(
        "--precision",
        type=common.positive,
        metavar="PART",
        help="relative error of sigma that is enough, such as 1e-3: of a large frame only as many"
        " tiles are then read as it takes (.npy and uncompressed grey TIFF are read in parts)",
    )
    parser.add_argument(
        "--fwhm", action="store_true", help="print the full width at half maximum first"
    )
    add_channel_options(parser)
    add_pixel_size(parser)
    add_spacing(parser)
    parser.add_argument(
        "--b-factor",
        action="store_true",
        help="print B = 8 pi^2 sigma^2, too, in the square of the unit",
    )
    parser.add_argument(
        "--plot",
        type=common.figure_path,
        metavar="FILE",
        help="draw images, residual and transfer functions, and compare all families and kernels,"
        " which takes up to a minute; .png, .pdf or .svg",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="compare kernels of many shapes, and tell which explains the pair best if it is not a"
        " Gaussian: disk, box, motion, Moffat, other tools' blurs, reduction and enlargement",
    )
    return parser


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    common.check_pair_options(parser, options)
    check_pixel_size(parser, options)
    check_spacing(parser, options)
    common.check_sampling_options(parser, options)
    has_report = options.plot or options.compare
    if options.sampling and options.precision:
        parser.error("--sampling goes without --precision")
    check_channel_options(parser, options)
    if has_report and options.noise_correlation:
        parser.error("--plot and --compare take noise as white: not with --noise-correlation")
    if options.motion and (has_report or options.noise or options.boundary != "valid"):
        parser.error("--motion goes without --plot, --compare, --noise and --boundary")
    if options.precision and options.motion:
        parser.error("--precision reads a part of the frame: it goes without --motion")
    if options.precision and (has_report or options.boundary != "valid"):
        parser.error(
            "--precision reads a part of the frame: it goes without --plot, --compare and"
            " --boundary"
        )
    cut_off = options.precision or options.boundary in PADDED_BOUNDARIES
    if options.family == GENERALISED and cut_off:
        parser.error(
            "--family generalised has a tail: it goes without --precision, and with --boundary"
            " valid or periodic"
        )


def run(options: argparse.Namespace) -> int:
    """Estimate and print; the exit code."""
    if options.channels:
        return run_channels(options)
    pair, keywords, notes, pixel_size = read_estimated(options)

    with one_shot_process(0 if options.precision else pair[0].size):
        import jax

        from gaussjax import estimate_blur
        from gaussjax.cli.estimate_output import (
            Outcome,
            compared,
            draw,
            record,
            table,
            with_kernels,
        )
        from gaussjax.statistics.quantisation import as_integers

        with jax.enable_x64(True):  # the files have no precision to spare
            images = pair if options.precision else as_integers(*pair)
            estimate = estimate_blur(*images, **keywords, buckets=True)
            # NumPy's from here on: of JAX's, every operation on a number is a program to compile.
            outcome = Outcome(jax.device_get(estimate), pair[0].shape, notes, pixel_size)
            if options.plot:
                tell_waiting("1 of 3: comparing families, up to a minute")
                outcome = compared(pair, keywords, outcome)
            if options.plot or options.compare:
                tell_waiting("2 of 3: comparing kernels" if options.plot else "comparing kernels")
                outcome = with_kernels(pair, keywords, outcome)
            if options.plot:
                tell_waiting("3 of 3: drawing")
            mask = keywords["mask"]
            figure = OutputFile.of_figure(options.plot, lambda: draw(pair, mask, outcome))
            return report(options, outcome, table, record, [figure])
