"""What ``gaussjax dataset`` prints and writes: a table, a JSON record, a row for every pair."""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from gaussjax.cli.terminal import plain, printable
from gaussjax.dataset.result import DatasetEstimate
from gaussjax.io.pair_reader import BadPair
from gaussjax.io.pair_sources import Source
from gaussjax.statistics.status import Status

_FIRST = 10
_LEFT_OUT = "left_out"
_SINGLE = ("misfit", "noise_std", "gain", "offset")


@dataclass(frozen=True)
class Outcome:
    """Of a run.

    Attributes:
        estimate: by ``fit_dataset``.
        source: of the pairs.
    """

    estimate: DatasetEstimate
    source: Source

    @property
    def left_out(self) -> list[BadPair]:
        """Pairs first, then the files that belong to none."""
        return sorted(self.estimate.bad, key=lambda pair: pair.position)


def table(options: argparse.Namespace, outcome: Outcome) -> str:
    """The printed estimate, with what was left out."""
    names = tuple(map(printable, outcome.estimate.names))
    lines = str(replace(outcome.estimate, names=names)).splitlines()
    rows = [("frames", f"boundary {options.boundary}")]
    if options.linearize:
        rows.append(("note", "sRGB decoded to linear light"))
    left_out = outcome.left_out
    rows += [("left out", f"{pair.name}: {pair.reason}") for pair in left_out[:_FIRST]]
    if len(left_out) > _FIRST:
        where = "" if options.csv else "; --csv names all"
        rows.append(("left out", f"and {len(left_out) - _FIRST} more{where}"))
    for name, path in {
        "rows": options.csv,
        "figure": options.plot,
        "state": options.resume,
    }.items():
        rows += [(name, path)] if path else []
    lines += [f"{name:<10}{text}" for name, text in rows]
    return "\n".join(map(printable, lines))


def record(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` prints: px, px^2, and the images' own units."""
    estimate = outcome.estimate
    joint, pairs = estimate.joint, estimate.pairs
    misfit = np.where(np.isfinite(pairs.misfit), pairs.misfit, -np.inf)
    worst = np.argsort(-misfit, kind="stable")[:_FIRST]
    refused = [
        {"name": name, "status_name": status.name.lower()} for name, status in _refused(estimate)
    ]
    return {
        "sigma": plain(joint.sigma),
        "sigma_unit": "px",
        "standard_error": plain(joint.sigma_standard_error),
        "fwhm": plain(joint.fwhm),
        "sigma_major": plain(joint.sigma_major),
        "sigma_minor": plain(joint.sigma_minor),
        "variance": plain(joint.params.variance),
        "variance_standard_error": plain(joint.standard_error.variance),
        "status": int(joint.status),
        "status_name": Status(int(joint.status)).name.lower(),
        "message": joint.message,
        "scatter": plain(estimate.scatter),
        "heterogeneity": plain(estimate.heterogeneity),
        "noise_variance": plain(joint.noise_variance),
        "num_pixels": int(joint.num_pixels),
        "num_pairs": estimate.num_pairs,
        "num_bad": estimate.num_bad,
        "bad": [{"name": pair.name, "reason": pair.reason} for pair in outcome.left_out],
        "num_passes": estimate.num_passes,
        "worst": [{"name": estimate.names[k], "misfit": plain(pairs.misfit[k])} for k in worst],
        "num_refused": len(refused),
        "refused": refused,
        "family": options.family,
        "kernel": options.kernel,
        "truncate": options.truncate,
        "radius": options.radius,
        "boundary": options.boundary,
        "gain": options.gain,
        "offset": options.offset,
        "noise_std": options.noise,
        "initial": options.initial,
        "linearized": options.linearize,
        "dtype": "float64" if options.double else "float32",
        "passes": options.passes,
        "max_bad": options.max_bad,
        "state": options.resume,
        "csv": options.csv,
        "plot": options.plot,
    }


def write_rows(path: str, outcome: Outcome) -> None:
    """Write a CSV file: the pairs in the order of their source, then what was left out."""
    estimate = outcome.estimate
    count = estimate.joint.sigma.size
    numbered = ("",) if count == 1 else tuple(f"_{k}" for k in range(count))
    header = ["name", *(f"sigma{k}" for k in numbered)]
    header += [*(f"standard_error{k}" for k in numbered), "status", *_SINGLE, "reason"]
    # Names of files need not be text.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(_rows(outcome))
        blank = [""] * (len(header) - 3 - 2 * count)
        for pair in outcome.left_out:
            writer.writerow([pair.name, *[""] * 2 * count, _LEFT_OUT, *blank, pair.reason])


def _rows(outcome: Outcome) -> Iterator[list[str]]:
    estimate = outcome.estimate
    place = {pair.name: k for k, pair in enumerate(outcome.source.pairs)}
    order = sorted(range(len(estimate.names)), key=lambda k: place[estimate.names[k]])
    values = {field.name: getattr(estimate.pairs, field.name) for field in fields(estimate.pairs)}
    for k in order:
        sigma, error = (_texts(values[name][k]) for name in ("sigma", "standard_error"))
        status = Status(int(values["status"][k])).name.lower()
        single = (_texts(values[name][k])[0] for name in _SINGLE)
        yield [estimate.names[k], *sigma, *error, status, *single, ""]


def _refused(estimate: DatasetEstimate) -> Iterator[tuple[str, Status]]:
    """Pairs without a sigma of their own; two may have one name."""
    status = np.asarray(estimate.pairs.status)
    for k in np.flatnonzero(status):
        yield estimate.names[k], Status(int(status[k]))


def _texts(values: np.ndarray) -> list[str]:
    """Numbers in as many digits as tell them apart; none for NaN and infinity."""
    return [str(value) if np.isfinite(value) else "" for value in np.atleast_1d(values)]
