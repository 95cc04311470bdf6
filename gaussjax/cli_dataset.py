"""``gaussjax dataset``: the one blur of many pairs of files."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gaussjax.cli_inputs import keep_inputs
from gaussjax.cli_options import DEFAULT_TRUNCATE
from gaussjax.cli_process import streaming_process
from gaussjax.cli_progress import ProgressBar
from gaussjax.cli_text import printable
from gaussjax.io.images import ImageFileError
from gaussjax.io.pair_set import PairSet, open_pairs
from gaussjax.io.pair_sources import Problem

if TYPE_CHECKING:
    from gaussjax.dataset.result import DatasetEstimate


FIRST = 10  # of what was left out are named where all could be too many
_SAVE_EVERY = 30.0  # seconds


def run_dataset(options: argparse.Namespace) -> int:
    """Run ``gaussjax dataset``; the exit code."""
    pairs = _open(options)
    _report(pairs.source.problems, options.max_bad)
    with streaming_process():
        from gaussjax.cli_dataset_output import Outcome, record, table, write_rows
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
