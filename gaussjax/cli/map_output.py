"""What ``gaussjax map`` prints: a small table, or a record with arrays for ``--json``."""

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli.output import attributes, table_lines
from gaussjax.maps.blur_map import BlurMap
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.number_format import as_error, span
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import TRUSTED, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Outcome:
    """All that a run has found out."""

    blur_map: BlurMap  # by the function of that name, as NumPy arrays
    notes: list[str]  # on the files

    @property
    def are_estimated(self) -> np.ndarray:
        """Which tiles have an estimate, ``[ny, nx]``."""
        return np.asarray(self.blur_map.status) == Status.ESTIMATED

    @property
    def verdicts(self) -> np.ndarray:
        """The verdicts on the tiles, ``[ny, nx]``."""
        return np.asarray(self.blur_map.verdict)

    @property
    def doubts(self) -> list[tuple[str, int]]:
        """Causes of the doubt in estimated tiles, by their names, and how many have each."""
        adequacy = self.blur_map.estimates.adequacy
        assert adequacy is not None  # blur_map has seen the pixels
        causes = np.asarray(adequacy.cause)[self.are_estimated & ~self.are_trusted]
        return Counter(Cause.label_of(k) for k in causes).most_common()

    @property
    def are_trusted(self) -> np.ndarray:
        """True for the tiles that neither status nor verdict warns of, ``[ny, nx]``."""
        return self.are_estimated & np.isin(self.verdicts, TRUSTED)

    @property
    def is_trusted(self) -> bool:
        """True where most of the tiles are trusted."""
        return bool(2 * np.count_nonzero(self.are_trusted) > self.are_trusted.size)


def table(options: argparse.Namespace, outcome: Outcome) -> str:
    """Least, median and largest sigma, and which tiles were refused; first if they are many."""
    found, estimated = outcome.blur_map, outcome.are_estimated
    errors = found.sigma_standard_error
    rows = _spreads("sigma", found.sigma[estimated], errors[estimated])
    if found.shrunk_sigma is not None and found.shrunk_standard_error is not None:
        shrunk = np.ravel(found.shrunk_sigma), np.ravel(found.shrunk_standard_error)
        rows += _spreads("shrunk", *shrunk)
    if np.any(estimated):
        middle = np.atleast_1d(np.median(errors[estimated], axis=0))
        text = ", ".join(map(as_error, middle))
        rows.append(("error", f"{text} px, the median standard error"))
        rows.append(("one blur", f"p = {float(found.one_blur_p_value):.2g}"))
    refused = Counter(Status.label_of(k) for k in found.status[~estimated])
    reasons = ", ".join(f"{number} {name}" for name, number in refused.most_common())
    doubts = ", ".join(f"{number} {name}" for name, number in outcome.doubts)
    doubted = sum(number for _, number in outcome.doubts)
    grid = found.grid
    tiles = f"{_product(grid.counts)} of {_product(grid.tile)} px"
    problems = [
        ("refused", f"{refused.total()} of {estimated.size}{reasons and ': '}{reasons}"),
        ("doubted", f"{doubted} of {estimated.size}{doubts and ': '}{doubts}"),
    ]
    rows = [
        *([] if outcome.is_trusted else problems),
        *rows,
        ("tiles", f"{tiles}, {_product(f'{step:.4g}' for step in grid.spacings)} px apart"),
        *(problems if outcome.is_trusted else []),
        ("frame", f"{_product(grid.shape)} px"),
        *(("note", note) for note in outcome.notes),
    ]
    return "\n".join(table_lines(rows))


def _spreads(name: str, sigmas: Any, errors: Any) -> list[tuple[str, str]]:
    """A row for every sigma of a tile, in the digits of the median error."""
    rows = []
    columns = zip(np.atleast_2d(sigmas.T), np.atleast_2d(errors.T), strict=True)
    for k, (column, bars) in enumerate(columns):
        known = np.isfinite(column)
        text = f"{span(column[known], np.median(bars[known]))} px" if known.any() else "of no tile"
        rows.append((name, text if sigmas.ndim == 1 else f"{text} ({k})"))
    return rows


def _product(numbers: Any) -> str:
    return " x ".join(map(str, numbers))


def draw(reference: np.ndarray, outcome: Outcome) -> "Figure":
    """Draw the map beside the reference."""
    from gaussjax.report.map_figure import draw_map

    return draw_map(reference, outcome.blur_map)


def record(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` prints: arrays [ny][nx] in px."""
    found = outcome.blur_map
    adequacy = found.estimates.adequacy
    assert adequacy is not None  # blur_map has seen the pixels
    return {
        "sigma": found.sigma,
        "sigma_unit": "px",
        "standard_error": found.sigma_standard_error,
        "model_error": found.estimates.sigma_model_error,
        "one_blur_p_value": found.one_blur_p_value,
        "shrunk_sigma": found.shrunk_sigma,
        "shrunk_standard_error": found.shrunk_standard_error,
        "status": found.status,
        "status_names": Status.labels(),
        "verdict": outcome.verdicts,
        "verdict_names": Verdict.labels(),
        "cause": adequacy.cause,
        "cause_names": Cause.labels(),
        "p_value": adequacy.p_value,
        "centres_y": found.centres[0],
        "centres_x": found.centres[1],
        "positions": found.positions,
        "num_tiles": outcome.are_estimated.size,
        "num_refused": np.count_nonzero(~outcome.are_estimated),
        "num_trusted": np.count_nonzero(outcome.are_trusted),
        **attributes(found.grid, "tile", "step", "shape"),
        "sampling": found.estimates.sampling,
        **attributes(options, "family", "kernel", "csv"),
        **attributes(options, loss_function="loss", linearized="linearize", plot="output"),
        "dtype": str(found.sigma.dtype),
        "notes": outcome.notes,
    }
