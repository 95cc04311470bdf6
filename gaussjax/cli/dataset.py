"""``gaussjax dataset``: the one blur of many pairs of files."""

import argparse
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaussjax.cli import options as common
from gaussjax.cli.inputs import keep_inputs, noise_shapes
from gaussjax.cli.output import OutputFile, ProgressBar, printable, report, tell_waiting
from gaussjax.cli.pixel_size import assumption_of_set
from gaussjax.cli.process import interrupt_held_back, streaming_process
from gaussjax.io.covariate_table import read_covariates
from gaussjax.io.images import ImageFileError
from gaussjax.io.pair_set import PairSet, open_pairs
from gaussjax.io.pair_sources import Problem
from gaussjax.model.options import BOUNDARIES

if TYPE_CHECKING:
    from gaussjax.dataset.checkpoint import StateWarning
    from gaussjax.dataset.result import DatasetEstimate

_SOURCE_HELP = """
Folders pair by the names of their files without suffix, subfolders included; stacks are .npy
arrays [n, y, x] or [n, z, y, x]; a list is a .csv file with the header reference,blurred or
reference,blurred,name. Images of several shapes may mix. The blur is one for all pairs; gain,
offset, shift and estimated noise levels are each pair's own.
"""
_EXIT_HELP = """
exit codes:
  0  estimated
  1  estimated but not to be trusted: a status other than 0, or a verdict that doubts the set
  2  bad input: also too many pairs left out, or a state file that does not belong to this run; or
     a file that could not be written, after the result
"""
_SAVE_EVERY = 30.0  # seconds


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser = common.add_command(
        subparsers,
        "dataset",
        summary="the one sigma of very many pairs",
        description="Estimate the one Gaussian blur that turns the references of many pairs into"
        " their blurred partners, in memory that does not grow with the number of pairs.",
        notes=_SOURCE_HELP + common.FILE_HELP + _EXIT_HELP + common.INTERRUPTED_HELP,
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
    common.add_fit_options(parser)
    parser.add_argument(
        "--boundary",
        choices=BOUNDARIES,
        default="valid",
        help="valid (default) compares only pixels that the blur cannot reach from outside;"
        " periodic compares the whole frame and assumes that it repeats; reflect, nearest and zero"
        " compare it and assume what lies beyond",
    )
    common.add_noise(parser)
    common.add_sampling_options(parser, inferred=False)
    parser.add_argument(
        "--double",
        action="store_true",
        help="compute in float64: slower, for pairs with hardly any noise; default: float32",
    )
    _add_run_options(parser)
    _add_output_options(parser)
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--covariates",
        metavar="FILE",
        help="table of what is known of each pair, which their sigmas are regressed on: a .csv file"
        " with the header name,..., the pair's name first, then a column of numbers for each"
        " covariate; pairs that are not in it are left out of the regression",
    )
    parser.add_argument(
        "--workers", type=common.count, metavar="N", help="threads that decode; default: all cores"
    )
    parser.add_argument(
        "--passes",
        type=common.count,
        default=2,
        metavar="N",
        help="over the pairs, at most; another one is made only if it would move the blur by more"
        " than a tenth of its standard error; default: %(default)s",
    )
    parser.add_argument(
        "--max-bad",
        type=common.count_or_zero,
        default=100,
        metavar="N",
        help="pairs that may be left out, unreadable, mismatching or without a partner, before the"
        " run ends as bad input; default: %(default)s",
    )
    parser.add_argument(
        "--resume",
        type=common.state_path,
        metavar="STATE",
        help="file that holds the state of the run: a new run writes it, and a run that was stopped"
        " (by Ctrl-C, a power cut) goes on from it; its pairs and options must be the same",
    )
    parser.add_argument(
        "--save-every",
        type=common.positive,
        metavar="SECONDS",
        help="between two writings of STATE, the first of which waits for the first pairs, whose"
        f" program may take a minute to compile; default: {_SAVE_EVERY:g}",
    )
    bar = parser.add_mutually_exclusive_group()
    bar.add_argument(
        "--progress",
        action="store_true",
        default=None,
        help="show a bar even if stderr is no terminal",
    )
    bar.add_argument(
        "--quiet", dest="progress", action="store_false", default=None, help="show no progress bar"
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--csv",
        type=common.output_path,
        metavar="FILE",
        help="write a row for every pair: its own sigma in px with standard error and status, what"
        " the joint blur leaves unexplained, noise, gain and offset in the unit of the images; what"
        " was left out, and why",
    )
    parser.add_argument(
        "--plot",
        type=common.figure_path,
        metavar="FILE",
        help="draw the pairs' own sigmas and the joint one; .png, .pdf or .svg",
    )


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other or would be ignored."""
    common.check_kernel(parser, options)
    common.check_noise(parser, options)
    common.check_sampling_options(parser, options)
    if options.save_every is not None and not options.resume:
        parser.error("--save-every belongs to --resume")
    outputs = [path for path in (options.csv, options.plot, options.resume) if path]
    if len(set(outputs)) < len(outputs):
        parser.error("--csv, --plot and --resume: give files that differ")


def run(options: argparse.Namespace) -> int:
    """Estimate, print and write; the exit code."""
    pairs = open_pairs(
        options.reference,
        options.blurred,
        workers=options.workers,
        linearize=options.linearize,
        dtype="float64" if options.double else "float32",
    )
    covariates = read_covariates(options.covariates) if options.covariates else None
    for output in (options.csv, options.plot, options.resume):
        keep_inputs(output, _files(options, pairs))
    notes = assumption_of_set(options, pairs.source)
    _check_partners(pairs.source.problems, options.max_bad)

    with streaming_process():
        from gaussjax.cli.dataset_output import Outcome, draw, record, rows, table

        fitted = _fit(options, pairs, covariates)
        outcome = Outcome(*fitted, pairs.source, options.shift, notes)
        files = (
            OutputFile.of_rows(options.csv, lambda: rows(outcome)),
            OutputFile.of_figure(options.plot, lambda: draw(outcome)),
        )
        return report(options, outcome, table, record, files)


def _files(options: argparse.Namespace, pairs: PairSet) -> Iterator[str | Path | None]:
    """All that is read: the sources, and the images where these are folders or a list."""
    yield from (options.reference, options.blurred, options.covariates)
    for pair in pairs.source.pairs:
        yield from (pair.reference, pair.blurred)


def _check_partners(problems: tuple[Problem, ...], max_bad: int) -> None:
    """Refuse too many files without a partner; the result names the others."""
    count = len(problems)
    if count > max_bad:
        first = "; ".join(f"{problem.name} {problem.reason}" for problem in problems[:3])
        raise ImageFileError(
            f"more files belong to no pair ({count}) than --max-bad allows ({max_bad}): {first}"
        )
    if count:
        tell_waiting(f"{count} files belong to no pair; they are named with the result")


def _fit(
    options: argparse.Namespace, pairs: PairSet, covariates: dict[str, dict[str, float]] | None
) -> tuple["DatasetEstimate", str | None]:
    """The joint fit, with a progress bar, and why its state is not saved; None if it is."""
    import jax

    from gaussjax.dataset.checkpoint import StateWarning
    from gaussjax.dataset.fit import fit_dataset

    with (
        jax.enable_x64(options.double),
        closing(ProgressBar(len(pairs), is_shown=options.progress)) as progress,
        _shown(StateWarning, progress.tell) as warned,
        interrupt_held_back() if options.resume else nullcontext() as raise_interrupt,
    ):

        def on_progress(done: int) -> None:
            progress(done)
            if raise_interrupt is not None:
                raise_interrupt()

        try:
            estimate = fit_dataset(
                pairs,
                **common.fit_keywords(options),
                **common.sampling_keywords(options),
                boundary=options.boundary,
                noise_std=options.noise,
                noise_correlation=noise_shapes(options),
                covariates=covariates,
                max_passes=options.passes,
                max_bad=options.max_bad,
                state=options.resume,
                save_every=options.save_every or _SAVE_EVERY,
                on_progress=on_progress,
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(_kept(options.resume)) from interrupt
    return estimate, next((each.reason for each in warned if each.is_last), None)


def _kept(state: str | None) -> str:
    """What an interrupted run leaves."""
    if state is None:
        return "nothing is kept; with --resume STATE a run can go on"
    if os.path.exists(state):
        return f"{printable(state)} holds what was done; the same command goes on from there"
    return f"no pair was done, and {printable(state)} is not written yet"


@contextmanager
def _shown(
    kind: "type[StateWarning]", tell: Callable[[str], None]
) -> "Iterator[list[StateWarning]]":
    """Tell of warnings in a line each, but for the last, which stands beside the result.

    Those of other kinds are what decoders think of files that they have read all the same.
    """
    shown = []
    with warnings.catch_warnings():

        def show(message, category, *_) -> None:
            if not issubclass(category, kind):
                return
            shown.append(message)
            if not message.is_last:
                tell(printable(f"gaussjax: warning: {message}"))

        warnings.showwarning = show
        warnings.simplefilter("always", kind)
        yield shown
