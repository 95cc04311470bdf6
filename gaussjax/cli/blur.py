"""``gaussjax blur``: one image file blurred, to have a pair to try."""

import argparse
import os

import numpy as np

from gaussjax.cli import options as shared
from gaussjax.cli import options as types
from gaussjax.cli.inputs import check_lengths, notes_on
from gaussjax.cli.options import DEFAULT_TRUNCATE
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import ImageFileError, output_suffix, read_image, write_image


def run_blur(options: argparse.Namespace) -> int:
    """Blur the image and write it; the exit code."""
    image = read_image(options.image)
    output_suffix(options.output, image.dtype)
    if os.path.exists(options.output) and os.path.samefile(options.image, options.output):
        raise ImageFileError(f"{options.output}: is the input itself; name another output")
    bad = np.count_nonzero(~np.isfinite(image.values))
    if bad:
        raise ImageFileError(f"{options.image}: has {bad} NaN or infinite pixels")
    check_lengths(image, {"--sigma": options.sigma, "--radius": options.radius or 0})

    with one_shot_process(image.values.size):
        import jax

        from gaussjax.model.transfer import blur

        with jax.enable_x64(True):
            blurred = blur(
                image.values,
                options.sigma,
                kernel=options.kernel,
                truncate=options.truncate or DEFAULT_TRUNCATE,
                radius=options.radius,
                boundary=options.boundary,
            )
    notes = write_image(options.output, np.asarray(blurred), image.dtype)
    for note in notes_on("image", image) + [f"output: {note}" for note in notes]:
        print(f"{'note':<10}{note}", flush=True)
    return 0


def add_blur(commands) -> None:
    """Add the subcommand to the parser."""
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
