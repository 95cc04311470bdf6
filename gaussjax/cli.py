"""The ``gaussjax`` command: ``estimate`` the blur between two image files, ``blur`` one, and more.

Exit codes: 0 estimated, 1 estimated but not to be trusted, 2 bad input. JAX takes seconds to
import, so that happens only once the arguments and the files have been found to be good.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli_inputs import check_lengths, fit_options, keep_inputs, notes_on
from gaussjax.cli_map import run_map
from gaussjax.cli_options import BAD_INPUT, DEFAULT_TRUNCATE, PADDED_BOUNDARIES
from gaussjax.cli_parser import parse_arguments
from gaussjax.cli_process import INTERRUPTED, INTERRUPTED_MESSAGE, one_shot_process
from gaussjax.io.images import ImageFileError, output_suffix, read_image, write_image

if TYPE_CHECKING:
    from gaussjax.cli_output import Findings


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
    run = {"estimate": _estimate, "dataset": _dataset, "map": run_map, "blur": _blur}
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


def _estimate(options: argparse.Namespace) -> int:
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

        from gaussjax.cli_output import Findings, record, table
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


def _dataset(options: argparse.Namespace) -> int:
    from gaussjax.cli_dataset import run_dataset  # with all that reads folders

    return run_dataset(options)


def _blur(options: argparse.Namespace) -> int:
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
