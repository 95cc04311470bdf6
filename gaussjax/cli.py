"""The ``gaussjax`` command: ``estimate`` the blur between two image files, ``blur`` one.

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

from gaussjax.cli_options import BAD_INPUT, DEFAULT_TRUNCATE, PADDED_BOUNDARIES, parse_arguments
from gaussjax.cli_process import one_shot_process
from gaussjax.image_files import ImageFile, ImageFileError, output_suffix, read_image, write_image

if TYPE_CHECKING:
    from gaussjax.cli_output import Findings

_INTERRUPTED = 130  # what a shell reports for a process ended by SIGINT
_BROKEN_PIPE = 141  # and by SIGPIPE


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
    try:
        return _estimate(options) if options.command == "estimate" else _blur(options)
    except BrokenPipeError:
        # Whoever read our output has gone. Python flushes stdout once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        print("gaussjax: interrupted", file=sys.stderr)
        return _INTERRUPTED
    # RuntimeError and MemoryError: images too large for the machine, as JAX and NumPy say it.
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"gaussjax: error: {message}", file=sys.stderr)
        return BAD_INPUT


def _estimate(options: argparse.Namespace) -> int:
    reference = read_image(options.reference, linearize=options.linearize)
    blurred = read_image(options.blurred, linearize=options.linearize)
    _check_lengths(reference, {"--radius": options.radius or 0})
    if options.bounds and options.boundary in PADDED_BOUNDARIES:
        _check_lengths(reference, {"--bounds": max(map(abs, options.bounds))})
    files = (options.reference, options.blurred, options.mask, options.mask_reference)
    for name in files if options.plot and os.path.exists(options.plot) else ():
        if name and os.path.samefile(name, options.plot):
            raise ImageFileError(f"{options.plot}: is an input itself; name another figure")
    masks = [_read_mask(name, blurred) for name in (options.mask_reference, options.mask)]
    notes = _notes("reference", reference) + _notes("blurred", blurred)
    # What the fits of one and of all families share.
    shared: dict[str, Any] = {
        "kernel": options.kernel,
        "truncate": options.truncate or DEFAULT_TRUNCATE,
        "radius": options.radius,
        "boundary": options.boundary,
        "gain": options.gain,
        "offset": options.offset,
        "shift": options.shift,
        "noise_std": tuple(options.noise) if isinstance(options.noise, list) else options.noise,
        "mask": tuple(masks) if any(mask is not None for mask in masks) else None,
    }

    pair = reference.values, blurred.values
    with one_shot_process(reference.values.size):
        import jax

        from gaussjax.cli_output import Findings, record, table
        from gaussjax.estimate import estimate_blur

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


def _read_mask(name: str | None, image: ImageFile) -> np.ndarray | None:
    """True where the values of the file ``name`` are not 0; None without a file."""
    if name is None:
        return None
    values = read_image(name).values
    if values.shape != image.values.shape:
        raise ImageFileError(
            f"{name}: a mask of shape {values.shape} for images of shape {image.values.shape}"
        )
    if not np.all(np.isfinite(values)):
        raise ImageFileError(f"{name}: a mask with NaN or infinite pixels")
    return values != 0


def _blur(options: argparse.Namespace) -> int:
    image = read_image(options.image)
    output_suffix(options.output, image.dtype)
    if os.path.exists(options.output) and os.path.samefile(options.image, options.output):
        raise ImageFileError(f"{options.output}: is the input itself; name another output")
    bad = np.count_nonzero(~np.isfinite(image.values))
    if bad:
        raise ImageFileError(f"{options.image}: has {bad} NaN or infinite pixels")
    _check_lengths(image, {"--sigma": options.sigma, "--radius": options.radius or 0})

    with one_shot_process(image.values.size):
        import jax

        from gaussjax.transfer import blur

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
    for note in _notes("image", image) + [f"output: {note}" for note in notes]:
        print(f"{'note':<10}{note}", flush=True)
    return 0


def _check_lengths(image: ImageFile, lengths: dict[str, float]) -> None:
    """Refuse lengths in px for which the frame would be extended beyond all memory."""
    longest = max(image.values.shape)
    for option, length in lengths.items():
        if length > longest:
            raise ValueError(
                f"{option}: {length:g} px is more than the image's longest side, {longest} px"
            )


def _notes(name: str, image: ImageFile) -> list[str]:
    return [f"{name}: {note}" for note in image.notes]
