"""What ``gaussjax map`` prints: a small table, or a JSON record with arrays."""

import argparse
from collections import Counter
from typing import Any

import numpy as np

from gaussjax.cli.estimate_output import UNTRUSTED
from gaussjax.cli.terminal import nested, printable
from gaussjax.maps.blur_map import BlurMap
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict


def are_trusted(found: BlurMap) -> bool:
    """True where neither status nor verdict warns of most of the tiles."""
    return bool(2 * np.count_nonzero(_trusted(found)) > found.status.size)


def table(options: argparse.Namespace, found: BlurMap, notes: list[str]) -> str:
    """Least, median and largest sigma, and which tiles were refused."""
    ny, nx = found.grid.counts
    fine = _statuses(found) == Status.ESTIMATED
    rows = []
    shown = {"sigma": found.sigma[fine]}
    if found.shrunk_sigma is not None:
        shown["shrunk"] = found.shrunk_sigma.reshape(-1)
    for name, values in shown.items():
        for k, column in enumerate(np.atleast_2d(values.T)):
            axis = "" if values.ndim == 1 else f" ({k})"
            rows.append((name, _spread(column) + axis))
    if np.any(fine):
        error = np.median(found.sigma_standard_error[fine], axis=0)
        text = ", ".join(f"{e:.2g}" for e in np.atleast_1d(error))
        rows.append(("error", f"{text} px, the median standard error"))
    steps = " x ".join(f"{spacing:.4g}" for spacing in found.grid.spacings)
    tiles = " x ".join(map(str, found.grid.tile))
    rows.append(("tiles", f"{ny} x {nx} of {tiles} px, {steps} px apart"))
    rows.append(("refused", f"{np.count_nonzero(~fine)} of {fine.size}{_reasons(found)}"))
    doubted = np.count_nonzero(fine & ~_trusted(found))
    rows.append(("doubted", f"{doubted} of {fine.size}, by the verdict on their pixels"))
    rows.append(("frame", f"{' x '.join(map(str, found.grid.shape))} px"))
    rows += [("note", note) for note in notes]
    written = {"rows": options.csv, "figure": options.output}
    rows += [(name, path) for name, path in written.items() if path]
    return "\n".join(printable(f"{name:<10}{text}") for name, text in rows)


def record(options: argparse.Namespace, found: BlurMap, notes: list[str]) -> dict[str, Any]:
    """What ``--json`` prints: arrays [ny][nx] in px."""
    fine = _statuses(found) == Status.ESTIMATED
    return {
        "sigma": nested(found.sigma),
        "sigma_unit": "px",
        "standard_error": nested(found.sigma_standard_error),
        "shrunk_sigma": nested(found.shrunk_sigma),
        "shrunk_standard_error": nested(found.shrunk_standard_error),
        "status": nested(found.status),
        "status_names": {int(status): status.name.lower() for status in Status},
        "verdict": nested(_verdicts(found)),
        "verdict_names": {int(verdict): verdict.name.lower() for verdict in Verdict},
        "centres_y": nested(found.centres[0]),
        "centres_x": nested(found.centres[1]),
        "positions": nested(found.positions),
        "num_tiles": int(fine.size),
        "num_refused": int(np.count_nonzero(~fine)),
        "num_trusted": int(np.count_nonzero(_trusted(found))),
        "tile": nested(found.grid.tile),
        "step": nested(found.grid.step),
        "shape": nested(found.grid.shape),
        "family": options.family,
        "kernel": options.kernel,
        "loss_function": options.loss,
        "linearized": options.linearize,
        "dtype": str(found.sigma.dtype),
        "csv": options.csv,
        "plot": options.output,
        "notes": notes,
    }


def _trusted(found: BlurMap) -> np.ndarray:
    return (_statuses(found) == Status.ESTIMATED) & ~np.isin(_verdicts(found), UNTRUSTED)


def _statuses(found: BlurMap) -> np.ndarray:
    return np.asarray(found.status)


def _verdicts(found: BlurMap) -> np.ndarray:
    assert found.estimates.adequacy is not None  # blur_map has seen the pixels
    return np.asarray(found.estimates.adequacy.verdict)


def _spread(values: np.ndarray) -> str:
    values = values[np.isfinite(values)]
    if not values.size:
        return "of no tile"
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{low:.6g} to {high:.6g} px, median {middle:.6g} px"


def _reasons(found: BlurMap) -> str:
    counts = Counter(int(status) for status in _statuses(found).flat if status)
    text = ", ".join(f"{n} {Status(k).name.lower()}" for k, n in counts.most_common())
    return f": {text}" if text else ""
