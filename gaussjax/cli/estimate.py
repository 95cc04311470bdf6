"""``gaussjax estimate``: the blur between two image files."""

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli import options as shared
from gaussjax.cli import options as types
from gaussjax.cli.inputs import check_lengths, fit_options, keep_inputs, notes_on
from gaussjax.cli.options import PADDED_BOUNDARIES
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import read_image

if TYPE_CHECKING:
    from gaussjax.cli.estimate_output import Findings


def run_estimate(options: argparse.Namespace) -> int:
    """Estimate and print; the exit code."""
    reference = read_image(options.reference, linearize=options.linearize)
    blurred = read_image(options.blurred, linearize=options.linearize)
    check_lengths(reference, {"--radius": options.radius or 0})
    if options.bounds and options.boundary in PADDED_BOUNDARIES:
        check_lengths(reference, {"--bounds": max(map(abs, options.bounds))})
    files = (options.reference, options.blurred, options.mask, options.mask_reference)
    keep_inputs(options.plot, files)
    # What the fits of one and of all families share.
    shared: dict[str, Any] = {**fit_options(options, blurred), "boundary": options.boundary}
    notes = notes_on("reference", reference) + notes_on("blurred", blurred)

    pair = reference.values, blurred.values
    with one_shot_process(reference.values.size):
        import jax

        from gaussjax.cli.estimate_output import Findings, record, table
        from gaussjax.pair.estimate import estimate_blur

        with jax.enable_x64(True):  # the files have no precision to spare
            estimate = estimate_blur(
                *pair,
                family=options.family,
                loss=options.loss,
                bounds=options.bounds and tuple(options.bounds),
                initial=options.initial,
                **shared,
            )
            # NumPy's from here on: of JAX's, every operation on a number is a program to compile.
            findings = Findings(jax.device_get(estimate), reference.values.shape, notes)
            if options.plot:
                findings = _draw(options.plot, pair, findings, shared)
            if options.json:
                text = json.dumps(record(options, findings), indent=2, allow_nan=False)
            else:
                text = table(options, findings)
    print(text, flush=True)
    return 0 if findings.are_trusted else 1


def _draw(
    path: str, pair: tuple[np.ndarray, np.ndarray], findings: "Findings", shared: dict[str, Any]
) -> "Findings":
    """Draw the report to ``path``; the findings with what it takes besides the estimate."""
    from gaussjax import compare_families, draw_report, transfer_profile

    estimate, mask = findings.estimate, shared["mask"]
    profile = transfer_profile(*pair, estimate, mask=mask)
    comparison = compare_families(*pair, **shared)
    draw_report(*pair, estimate, profile, comparison, mask=mask).savefig(path, dpi=160)
    return replace(findings, profile=profile, comparison=comparison)


_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: a status other than 0, or a verdict that the images are
     misaligned, that a Gaussian blur explains the pair poorly, or that the pair does not tell
  2  bad input
"""


def add_estimate(commands) -> None:
    """Add the subcommand to the parser."""
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


def check_estimate(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what contradicts itself."""
    shared.check_pair_options(parser, options)
    if (options.unit is None) != (options.pixel_size is None):
        parser.error("--pixel-size and --unit go together")
