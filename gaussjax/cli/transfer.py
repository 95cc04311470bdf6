"""``gaussjax transfer``: the transfer function between two image files, whatever its shape."""

import argparse
from typing import Any

from gaussjax.cli import options as common
from gaussjax.cli.inputs import noise_shapes, read_images
from gaussjax.cli.output import OutputFile, report
from gaussjax.cli.pixel_size import add_pixel_size, check_pixel_size
from gaussjax.cli.process import one_shot_process

_EXIT_HELP = """
exit codes:
  0  measured
  1  the images have too little in common: nowhere does REFERENCE explain half of BLURRED's power
  2  bad input; or a figure that could not be written, after the result
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser = common.add_plain_command(
        subparsers,
        "transfer",
        summary="what a filter did, by frequency, without asking of what shape it is",
        description="Measure the transfer function that turns REFERENCE into BLURRED, with error"
        " bars, coherence, MTF50 and resolution.",
        notes=common.FILE_HELP + _EXIT_HELP + common.INTERRUPTED_HELP,
    )
    parser.add_argument("reference", metavar="REFERENCE", help="file of the image before")
    parser.add_argument("blurred", metavar="BLURRED", help="file of the image after")
    common.add_part_options(parser)
    _add_measurement_options(parser)
    common.add_general_options(parser)
    add_pixel_size(parser)
    parser.add_argument(
        "--plot",
        type=common.figure_path,
        metavar="FILE",
        help="draw the transfer function with its error bars, and coherence; .png, .pdf or .svg",
    )
    return parser


def _add_measurement_options(parser: argparse.ArgumentParser) -> None:
    """What is measured, and how."""
    parser.add_argument(
        "--direction",
        type=_direction,
        default="radial",
        metavar="AXIS",
        help="radial (default): the mean over all directions; or the number of an axis: along it"
        " (0 is y of an image, 1 is x)",
    )
    parser.add_argument(
        "--boundary",
        choices=("valid", "periodic"),
        default="valid",
        help="valid (default) compares only pixels that the filter cannot reach from outside;"
        " periodic compares the whole frame and assumes that it repeats",
    )
    parser.add_argument(
        "--gain",
        action="store_true",
        help="a factor between the images is none of the filter's: divide by it",
    )
    parser.add_argument("--shift", action="store_true", help="fit a displacement of the images")
    common.add_noise(parser)
    common.add_mask_options(parser)
    common.add_sampling_options(parser)
    parser.add_argument(
        "--bins", type=common.count, help="frequencies, up to half a cycle per px; at most 48"
    )
    parser.add_argument(
        "--margin",
        type=common.count_or_zero,
        metavar="PX",
        help="left out along every edge, of REFERENCE; default: as far as the filter reaches",
    )


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    check_pixel_size(parser, options)
    common.check_noise(parser, options)
    common.check_sampling_options(parser, options)
    if options.margin is not None and options.boundary == "periodic":
        parser.error("--margin is left out along the edges, of which --boundary periodic has none")


def run(options: argparse.Namespace) -> int:
    """Measure and print; the exit code."""
    pair, mask, notes, size = read_images(options, outputs=[options.plot])
    keywords = {
        "direction": options.direction,
        "boundary": options.boundary,
        "gain": options.gain,
        "shift": options.shift,
        "noise_std": options.noise,
        "noise_correlation": noise_shapes(options),
        **common.sampling_keywords(options),
        "num_bins": options.bins,
        "margin": options.margin,
    }
    with one_shot_process(pair[0].size):
        import jax

        from gaussjax import fit_transfer
        from gaussjax.cli.transfer_output import Outcome, draw, record, table

        with jax.enable_x64(True):  # the files have no precision to spare
            found = fit_transfer(*pair, mask=mask, **keywords)
            shapes = pair[0].shape, pair[1].shape
            outcome = Outcome(jax.device_get(found), *shapes, notes, size)
            figure = OutputFile.of_figure(options.plot, lambda: draw(options, outcome))
            return report(options, outcome, table, record, [figure])


def _direction(text: str) -> str | int:
    """The word "radial", or an axis."""
    if text == "radial":
        return text
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither radial nor the number of an axis")
    return int(text)
