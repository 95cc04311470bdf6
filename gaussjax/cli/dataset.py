"""``gaussjax dataset``: the one blur of many pairs of files."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gaussjax.cli import options as shared
from gaussjax.cli import options as types
from gaussjax.cli.inputs import keep_inputs
from gaussjax.cli.options import DEFAULT_TRUNCATE
from gaussjax.cli.process import streaming_process
from gaussjax.cli.terminal import ProgressBar, printable
from gaussjax.io.images import ImageFileError
from gaussjax.io.pair_set import PairSet, open_pairs
from gaussjax.io.pair_sources import Problem

if TYPE_CHECKING:
    from gaussjax.dataset.result import DatasetEstimate


_HELP = """
Folders pair by the names of their files without suffix, subfolders included; stacks are .npy
arrays [n, y, x] or [n, z, y, x]; a list is a .csv file with the header reference,blurred or
reference,blurred,name. Images of several shapes may mix. The blur is one for all pairs; gain and
offset are each pair's own.
"""
_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: a status other than 0
  2  bad input: also too many pairs left out, or a state file that does not belong to this run
"""
BOUNDARIES = shared.BOUNDARIES[:2]
FIRST = 10  # of what was left out are named where all could be too many
_SAVE_EVERY = 30.0  # seconds


def run_dataset(options: argparse.Namespace) -> int:
    """Run ``gaussjax dataset``; the exit code."""
    pairs = _open(options)
    _report(pairs.source.problems, options.max_bad)
    with streaming_process():
        from gaussjax.cli.dataset_output import Outcome, record, table, write_rows
        from gaussjax.statistics.status import Status

        outcome = Outcome(_fit(options, pairs), pairs.source)
        if options.csv:
            write_rows(options.csv, outcome)
        if options.plot:
            from gaussjax.report.dataset_figure import draw_sigmas

            draw_sigmas(outcome.estimate).savefig(options.plot, dpi=160)
        if options.json:
            text = json.dumps(record(options, outcome), indent=2, allow_nan=False)
        else:
            text = table(options, outcome)
    print(text, flush=True)
    return 0 if int(outcome.estimate.joint.status) == Status.ESTIMATED else 1


def _open(options: argparse.Namespace) -> PairSet:
    """The pairs; an output that would replace one of their files is refused."""
    pairs = open_pairs(
        options.reference,
        options.blurred,
        workers=options.workers,
        linearize=options.linearize,
        dtype="float64" if options.double else "float32",
    )
    for output in (options.csv, options.plot, options.resume):
        keep_inputs(output, (options.reference, options.blurred))
        keep_inputs(output, _files(pairs))
    return pairs


def _files(pairs: PairSet) -> Iterator[Path]:
    for pair in pairs.source.pairs:
        yield from (pair.reference, pair.blurred)


def _report(problems: tuple[Problem, ...], max_bad: int) -> None:
    """Name the files without a partner on stderr; too many of them are an error."""
    count = len(problems)
    if count > max_bad:
        first = "; ".join(f"{problem.name} {problem.reason}" for problem in problems[:3])
        raise ImageFileError(
            f"more files belong to no pair ({count}) than --max-bad allows ({max_bad}): {first}"
        )
    for problem in problems[:FIRST]:
        line = f"gaussjax: left out: {problem.name}: {problem.reason}"
        print(printable(line), file=sys.stderr)
    if count > FIRST:
        print(f"gaussjax: left out: and {count - FIRST} more of {count}", file=sys.stderr)


def _fit(options: argparse.Namespace, pairs: PairSet) -> "DatasetEstimate":
    """The joint fit, with a progress bar."""
    import jax

    from gaussjax.dataset.fit import fit_dataset
    from gaussjax.dataset.passes import TooManyBadPairsError

    is_shown = False if options.quiet else options.progress or None
    with (
        jax.enable_x64(options.double),
        closing(ProgressBar(len(pairs), is_shown=is_shown)) as progress,
    ):
        try:
            return fit_dataset(
                pairs,
                family=options.family,
                kernel=options.kernel,
                truncate=options.truncate or DEFAULT_TRUNCATE,
                radius=options.radius,
                boundary=options.boundary,
                gain=options.gain,
                offset=options.offset,
                noise_std=options.noise and tuple(options.noise),
                initial=options.initial,
                max_passes=options.passes,
                max_bad=options.max_bad,
                state=options.resume,
                save_every=options.save_every or _SAVE_EVERY,
                on_progress=progress,
            )
        except TooManyBadPairsError as error:
            raise ImageFileError(f"{error} (--max-bad)") from error


def add_dataset(commands) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "dataset",
        help="the one sigma of very many pairs",
        description="Estimate the one Gaussian blur that turns the references of many pairs into"
        " their blurred partners, in memory that does not grow with the number of pairs.",
        epilog=shared.KERNEL_HELP + _HELP + shared.FILE_HELP + _EXIT_HELP + shared.CACHE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "reference", metavar="REFERENCE", help="folder or stack of the sharp images, or a list"
    )
    parser.add_argument(
        "blurred",
        metavar="BLURRED",
        nargs="?",
        help="folder or stack of the softer images; leave it out for a list",
    )
    shared.add_family_option(parser)
    shared.add_kernel_options(parser)
    parser.add_argument(
        "--boundary",
        choices=BOUNDARIES,
        default="valid",
        help="valid (default) compares only pixels that the blur cannot reach from outside;"
        " periodic compares the whole frame and assumes that it repeats",
    )
    shared.add_start_option(parser)
    parser.add_argument("--gain", action="store_true", help="fit a factor in every pair")
    parser.add_argument("--offset", action="store_true", help="fit a constant in every pair")
    shared.add_noise_levels(parser)
    shared.add_linearize_option(parser)
    parser.add_argument(
        "--double",
        action="store_true",
        help="compute in float64: slower, for pairs with hardly any noise; default: float32",
    )
    _add_run_options(parser)
    _add_output_options(parser)


def check_dataset(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other or would be ignored."""
    if options.noise and not any(options.noise):
        parser.error("--noise: give two standard deviations, not both 0")
    if options.save_every is not None and not options.resume:
        parser.error("--save-every belongs to --resume")
    outputs = [path for path in (options.csv, options.plot, options.resume) if path]
    if len(set(outputs)) < len(outputs):
        parser.error("--csv, --plot and --resume: give files that differ")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=types.count, metavar="N", help="threads that decode; default: all cores"
    )
    parser.add_argument(
        "--passes",
        type=types.count,
        default=2,
        metavar="N",
        help="over the pairs, at most; another one is made only if it would move the blur by more"
        " than a tenth of its standard error; default: %(default)s",
    )
    parser.add_argument(
        "--max-bad",
        type=types.count_or_none,
        default=100,
        metavar="N",
        help="pairs that may be left out, unreadable, mismatching or without a partner, before the"
        " run ends as bad input; default: %(default)s",
    )
    parser.add_argument(
        "--resume",
        type=types.output_path,
        metavar="STATE",
        help="file in which the run is kept: begun if it is not there, gone on from if it is, as"
        " after Ctrl-C or a power cut; it must be of the same pairs and options",
    )
    parser.add_argument(
        "--save-every",
        type=types.positive,
        metavar="SECONDS",
        help="between two writings of STATE; default: 30",
    )
    bar = parser.add_mutually_exclusive_group()
    bar.add_argument("--quiet", action="store_true", help="show no progress bar")
    bar.add_argument(
        "--progress",
        action="store_true",
        help="show it even if stderr is no terminal",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--csv",
        type=types.output_path,
        metavar="FILE",
        help="write a row for every pair: its own sigma in px with standard error and status, what"
        " the joint blur leaves unexplained, noise, gain and offset in the unit of the images; what"
        " was left out, and why",
    )
    parser.add_argument(
        "--plot",
        type=types.figure_path,
        metavar="FILE",
        help="draw the pairs' own sigmas and the joint one; .png, .pdf or .svg",
    )
