"""What ``gaussjax dataset`` prints and writes: a table, a JSON record, a row for every pair."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli.estimate_output import between, estimate_record, is_trusted
from gaussjax.cli.output import attributes, printable, table_lines
from gaussjax.cli.spelling import in_shell
from gaussjax.dataset.result import DatasetEstimate
from gaussjax.io.pair_reader import BadPair
from gaussjax.io.pair_sources import Source
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIRST = 10  # of what was left out, and of the worst pairs, are named


@dataclass(frozen=True)
class Outcome:
    """All that a run has found out."""

    estimate: DatasetEstimate  # by `fit_dataset`
    state_error: str | None  # why the end of the run is not in the state file; None if it is
    source: Source  # of the pairs
    shift: bool  # every pair has one
    notes: list[str]  # on the files

    @property
    def left_out(self) -> list[BadPair]:
        """Pairs first, then the files that belong to none."""
        return sorted(self.estimate.bad, key=lambda pair: pair.position)

    @property
    def is_trusted(self) -> bool:
        """True unless status or verdict of the joint blur warn."""
        return is_trusted(self.estimate.joint)


def table(options: argparse.Namespace, outcome: Outcome) -> str:
    """The printed estimate, with what was left out."""
    names = tuple(map(printable, outcome.estimate.names))
    left_out = outcome.left_out
    more = len(left_out) - _FIRST
    rest = f"and {more} more{'' if options.csv else '; --csv names all'}" if more > 0 else None
    unsaved = "" if outcome.state_error is None else f", not saved: {outcome.state_error}"
    rows = [
        ("interval", f"{between(np.stack(outcome.estimate.joint.interval()))} px (95 %)"),
        ("frames", f"boundary {options.boundary}"),
        ("note", "sRGB decoded to linear light" if options.linearize else None),
        *(("note", note) for note in outcome.notes),
        *(("left out", f"{pair.name}: {pair.reason}") for pair in left_out[:_FIRST]),
        ("left out", rest),
        ("state", options.resume and f"{options.resume}{unsaved}"),
    ]
    estimate = replace(outcome.estimate, names=names)
    if (fit := estimate.regression) is not None:
        fit = replace(fit, names=tuple(map(printable, fit.names)))
    found = in_shell(str(replace(estimate, regression=fit)))
    return "\n".join([found, *table_lines(rows)])


def record(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` prints: px, px^2, and the images' own units."""
    estimate = outcome.estimate
    names, pairs = estimate.names, estimate.pairs
    misfit = np.where(np.isfinite(pairs.misfit), pairs.misfit, -np.inf)
    worst = np.argsort(-misfit, kind="stable")[:_FIRST]
    refused = np.flatnonzero(pairs.status)
    return {
        **estimate_record(estimate.joint),
        **attributes(estimate, "scatter", "heterogeneity", "num_pairs", "num_aside"),
        **attributes(estimate, "num_doubted", "num_bad", "num_passes"),
        "interval": np.stack(estimate.joint.interval()),
        "degrees_of_freedom": estimate.joint.freedom,
        **attributes(estimate.effects, heterogeneity_p_value="p_value"),
        **attributes(estimate.effects, "scatter_interval", population_mean="mean"),
        **attributes(estimate.effects, population_mean_standard_error="mean_standard_error"),
        **attributes(estimate.effects, population_mean_interval="mean_interval"),
        "prediction_interval": estimate.effects.prediction_interval(),
        "transfer": asdict(estimate.transfer),
        "aside": [{"name": name, "reason": why} for name, why in estimate.aside().items()],
        "regression": None if estimate.regression is None else asdict(estimate.regression),
        "regression_problem": estimate.regression_problem or None,
        "bad": [{"name": pair.name, "reason": pair.reason} for pair in outcome.left_out],
        "worst": [{"name": names[k], "misfit": pairs.misfit[k]} for k in worst],
        "num_refused": refused.size,
        "refused": [
            {"name": names[k], "status_name": Status.label_of(pairs.status[k])} for k in refused
        ],
        **attributes(options, "family", "kernel", "truncate", "radius", "boundary", "gain"),
        **attributes(options, "offset", "shift", "loss", "initial", "passes", "max_bad", "csv"),
        **attributes(options, "plot", "covariates"),
        "sampling": estimate.joint.sampling,
        **attributes(options, "pixel", "centre"),
        **attributes(options, noise_std="noise", linearized="linearize", state="resume"),
        **attributes(outcome, "state_error", "notes"),
        "dtype": "float64" if options.double else "float32",
    }


def draw(outcome: Outcome) -> "Figure":
    """Draw the pairs' own sigmas and the joint one."""
    from gaussjax.report.dataset_figure import draw_sigmas

    return draw_sigmas(outcome.estimate)


def rows(outcome: Outcome) -> Iterator[dict[str, str]]:
    """For a CSV file: the pairs in the order of their source, then what was left out."""
    names, pairs = outcome.estimate.names, outcome.estimate.pairs
    aside = outcome.estimate.aside()
    place = {pair.name: k for k, pair in enumerate(outcome.source.pairs)}
    for k in sorted(range(len(names)), key=lambda k: place[names[k]]):
        yield {
            "name": names[k],
            **_columns("sigma", pairs.sigma[k]),
            **_columns("standard_error", pairs.standard_error[k]),
            **_columns("model_error", pairs.model_error[k]),
            "status": Status.label_of(pairs.status[k]),
            "verdict": Verdict.label_of(pairs.verdict[k]),
            "cause": Cause.label_of(pairs.cause[k]),
            **_columns("influence", outcome.estimate.influence[k]),
            **_columns("misfit", pairs.misfit[k]),
            **_columns("noise_std", pairs.noise_std[k]),
            **_columns("gain", pairs.gain[k]),
            **_columns("offset", pairs.offset[k]),
            **(_columns("shift", pairs.shift[k]) if outcome.shift else {}),
            "reason": aside.get(names[k], ""),
        }
    for pair in outcome.left_out:
        yield {"name": pair.name, "status": "left_out", "reason": pair.reason}


def _columns(name: str, values: Any) -> dict[str, str]:
    """Numbers in as many digits as tell them apart; nothing for NaN and infinity."""
    values = np.atleast_1d(values)
    keys = [name] if values.size == 1 else [f"{name}_{k}" for k in range(values.size)]
    texts = (str(value) if np.isfinite(value) else "" for value in values)
    return dict(zip(keys, texts, strict=True))
