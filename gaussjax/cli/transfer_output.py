"""What ``gaussjax transfer`` prints: a table, or a record for ``--json``."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli.output import attributes, table_lines
from gaussjax.io.decoders import PixelSize
from gaussjax.statistics.transfer_estimate import TransferEstimate, transfer_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HALF = 0.5  # of the power, that A has to explain somewhere
_UNRELATED = (
    "the images have too little in common: nowhere does the first explain half of the power of the"
    " second"
)


@dataclass(frozen=True)
class Outcome:
    """All that a run has found out."""

    found: TransferEstimate  # by `fit_transfer`; NumPy arrays
    shape: tuple[int, ...]  # of the reference, and
    blurred_shape: tuple[int, ...]  # of the other image
    notes: list[str]  # on the files
    pixel_size: PixelSize | None = None  # None: not known

    @property
    def is_trusted(self) -> bool:
        """True where the images have something in common."""
        return bool(np.any((self.found.coherence > _HALF) & np.isfinite(self.found.transfer)))

    def in_units(self, direction: str | int) -> TransferEstimate | None:
        """The estimate in the unit of the pixels; None where they have no size, or several."""
        size = self.pixel_size
        if size is None:
            return None
        sizes = set(size.sizes) if direction == "radial" else {size.sizes[int(direction)]}
        return self.found.in_units(sizes.pop(), size.unit) if len(sizes) == 1 else None


def table(options: argparse.Namespace, outcome: Outcome) -> str:
    """The printed estimate, in units where they are known."""
    found = outcome.in_units(options.direction) or outcome.found
    shapes = dict.fromkeys(" x ".join(map(str, s)) for s in (outcome.shape, outcome.blurred_shape))
    rows = [
        ("verdict", None if outcome.is_trusted else _UNRELATED),
        *transfer_rows(found),
        ("frame", f"{' px and '.join(shapes)} px, boundary {options.boundary}"),
        *(("note", note) for note in outcome.notes),
    ]
    return "\n".join(table_lines(rows))


def record(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` prints: cycles/px and px."""
    found, scaled = outcome.found, outcome.in_units(options.direction)
    return {
        "frequency": found.frequency / (2 * np.pi),
        "frequency_unit": "cycles/px",
        **attributes(found, "transfer", "standard_error", "coherence"),
        **attributes(found, "mtf50", "mtf50_standard_error"),
        "mtf50_in_unit": scaled and scaled.mtf50,
        "resolution": {
            "transfer 0.5": found.resolution(),
            "transfer 0.1": found.resolution(0.1),
            "coherence 0.5": found.resolution(0.5, of="coherence"),
        },
        **attributes(found, "gain", "gain_standard_error", "shift", "shift_standard_error"),
        **attributes(found, "noise_std"),
        "num_pixels": int(found.num_pixels),
        "pixel_size": scaled and scaled.pixel_size,
        "unit": scaled and scaled.unit,
        **attributes(options, "direction", "boundary", "plot"),
        "linearized": options.linearize,
        **attributes(options, "sampling"),
        **attributes(outcome, "shape", "blurred_shape", "notes"),
        "dtype": str(found.transfer.dtype),
    }


def draw(options: argparse.Namespace, outcome: Outcome) -> "Figure":
    """Draw the estimate, over cycles/px."""
    from gaussjax.report.transfer_figure import draw_measured_transfer

    return draw_measured_transfer(outcome.found, options.direction)
