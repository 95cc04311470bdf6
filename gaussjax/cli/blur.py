"""``gaussjax blur``: one image file blurred, to have a pair to try."""

import argparse
from typing import Any

import numpy as np

from gaussjax.cli import options as common
from gaussjax.cli.inputs import check_lengths, keep_inputs, notes_on
from gaussjax.cli.output import table_lines
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import ImageFileError, output_suffix, read_image, write_image
from gaussjax.model.options import BOUNDARIES

check = common.check_kernel


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser = common.add_command(
        subparsers,
        "blur",
        summary="blur one image, to have a pair to try",
        description="Blur the stored values of an image by a Gaussian; colour becomes luminance.",
    )
    parser.add_argument("image", metavar="IMAGE", help="file to blur")
    parser.add_argument(
        "--sigma", type=common.positive, required=True, help="standard deviation, px"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=common.output_path,
        required=True,
        metavar="FILE",
        help="ends in .png (8 or 16 bit as the input), .tif (float32) or .npy (float64)",
    )
    boundaries = [name for name in BOUNDARIES if name != "valid"]
    parser.add_argument(
        "--boundary", choices=boundaries, default="reflect", help="default: %(default)s"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Blur the image and write it; the exit code."""
    image = read_image(options.image)
    output_suffix(options.output, image.dtype)
    keep_inputs(options.output, [options.image])
    bad = np.count_nonzero(~np.isfinite(image.values))
    if bad:
        raise ImageFileError(f"{options.image}: has {bad} NaN or infinite pixels")
    check_lengths(
        image.values, {"--sigma": options.sigma, "--radius": common.fixed_radius(options)}
    )

    with one_shot_process(image.values.size):
        import jax

        from gaussjax.model.transfer import blur

        with jax.enable_x64(True):
            keywords = common.kernel_keywords(options)
            blurred = blur(image.values, options.sigma, boundary=options.boundary, **keywords)
    notes = write_image(options.output, np.asarray(blurred), image.dtype)
    for note in (*notes_on("image", image), *(f"output: {note}" for note in notes)):
        print(*table_lines([("note", note)]), flush=True)
    return 0
