"""The ``gaussjax`` command: ``estimate`` the blur between two image files, ``blur`` one.

Exit codes: 0 estimated, 1 estimated but not to be trusted, 2 bad input. JAX takes seconds to
import, so that happens only once the arguments and the files have been found to be good.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli_options import BAD_INPUT, DEFAULT_TRUNCATE, PADDED_BOUNDARIES, parse_arguments
from gaussjax.image_files import ImageFile, ImageFileError, output_suffix, read_image, write_image

if TYPE_CHECKING:
    from gaussjax.result import BlurEstimate

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
    notes = _notes("reference", reference) + _notes("blurred", blurred)

    import jax

    from gaussjax import Status, estimate_blur

    with jax.enable_x64(True):  # the files have no precision to spare, the process no other user
        estimate = estimate_blur(
            reference.values,
            blurred.values,
            family=options.family,
            kernel=options.kernel,
            truncate=options.truncate or DEFAULT_TRUNCATE,
            radius=options.radius,
            boundary=options.boundary,
            bounds=options.bounds and tuple(options.bounds),
            initial=options.initial,
        )
        status = Status(int(estimate.status))
        if options.json:
            record = _record(options, estimate, status.name.lower(), reference.values.shape, notes)
            text = json.dumps(record, indent=2, allow_nan=False)
        else:
            text = _table(options, estimate, reference.values.shape, notes)
    print(text, flush=True)
    return 0 if status == Status.ESTIMATED else 1


def _record(
    options: argparse.Namespace,
    estimate: "BlurEstimate",
    status_name: str,
    shape: tuple[int, ...],
    notes: list[str],
) -> dict[str, Any]:
    """What ``--json`` prints. Lengths in px, variances in px^2, the rest in the images' units."""
    return {
        "sigma": _plain(estimate.sigma),
        "sigma_unit": "px",
        "standard_error": _plain(estimate.sigma_standard_error),
        "fwhm": _plain(estimate.fwhm),
        "variance": _plain(estimate.params.variance),
        "variance_standard_error": _plain(estimate.standard_error.variance),
        "status": int(estimate.status),
        "status_name": status_name,
        "message": estimate.message,
        "family": options.family,
        "kernel": options.kernel,
        "boundary": options.boundary,
        "linearized": options.linearize,
        "shape": list(shape),
        "dtype": str(estimate.sigma.dtype),
        "loss": _plain(estimate.loss),
        "noise_variance": _plain(estimate.noise_variance),
        "num_steps": _plain(estimate.num_steps),
        "notes": notes,
    }


def _table(
    options: argparse.Namespace, estimate: "BlurEstimate", shape: tuple[int, ...], notes: list[str]
) -> str:
    rows = [("frame", f"{' x '.join(map(str, shape))} px, boundary {options.boundary}")]
    rows += [("note", note) for note in notes]
    return "\n".join([str(estimate), *(f"{name:<10}{text}" for name, text in rows)])


def _blur(options: argparse.Namespace) -> int:
    image = read_image(options.image)
    output_suffix(options.output, image.dtype)
    if os.path.exists(options.output) and os.path.samefile(options.image, options.output):
        raise ImageFileError(f"{options.output}: is the input itself; name another output")
    bad = np.count_nonzero(~np.isfinite(image.values))
    if bad:
        raise ImageFileError(f"{options.image}: has {bad} NaN or infinite pixels")
    _check_lengths(image, {"--sigma": options.sigma, "--radius": options.radius or 0})

    import jax

    from gaussjax import blur

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


def _plain(values: Any) -> Any:
    """A number or a list of them for JSON, with null for NaN and infinity, which it lacks."""
    array = np.squeeze(np.asarray(values))
    if array.ndim:
        return [_plain(value) for value in array]
    return array.item() if np.isfinite(array) else None
