"""A figure of a transfer function that was measured without a family."""

import math
from typing import TYPE_CHECKING

import numpy as np

from gaussjax.report import style
from gaussjax.statistics.number_format import with_errors
from gaussjax.statistics.transfer_estimate import TransferEstimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (7.0, 4.2)  # inches
_CURVE = 400  # places along it


def draw_measured_transfer(found: TransferEstimate, direction: str | int = "radial") -> "Figure":
    """Draw T with a band of two standard errors, coherence, and MTF50, over cycles/px."""
    figure = style.new_figure(*_SIZE)
    axes = figure.subplots()
    frequency = np.linspace(0, float(found.frequency[-1]), _CURVE)
    curve, error = (np.asarray(each) for each in found.at(frequency))
    known = frequency <= float(np.max(found.frequency[np.isfinite(found.transfer)], initial=0))
    cycles = frequency[known] / (2 * math.pi)
    curve, error = curve[known], error[known]
    band = {"color": style.BLUE, "alpha": 0.25, "linewidth": 0}
    label = "\u00b1 2 standard errors"
    axes.fill_between(cycles, curve - 2 * error, curve + 2 * error, label=label, **band)
    axes.plot(cycles, curve, color=style.BLUE, linewidth=1.6, label="transfer function")
    knots = np.asarray(found.frequency) / (2 * math.pi)
    line = {"color": style.GREY, "linewidth": 1.4}
    axes.plot(knots, found.coherence, ":", label="coherence", **line)
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    sure = curve[error < 0.1]  # what is hardly known sets no limits
    top = max(1.1, 1.1 * float(np.max(sure, initial=1.0)))
    bottom = min(-0.05, 1.1 * float(np.min(sure, initial=0.0)))
    axes.set(xlim=(0, 0.5), ylim=(bottom, top))
    mtf50 = float(found.mtf50)
    if math.isfinite(mtf50):
        axes.plot([mtf50] * 2, [bottom, 0.5], color=style.VERMILION, linewidth=1)
        axes.plot(mtf50, 0.5, "D", color=style.VERMILION, markersize=5)
        place = {"xytext": (8, 4), "textcoords": "offset points", "color": style.VERMILION}
        bar = with_errors(mtf50, found.mtf50_standard_error, sign="\u00b1")
        text = f"MTF50 {bar}"
        axes.annotate(text, (mtf50, 0.5), fontsize=9, **place)
    along = "" if direction == "radial" else f" along axis {direction}"
    axes.set_xlabel(f"spatial frequency{along} (cycles/px)", fontsize=9)
    axes.set_ylabel("transfer, coherence", fontsize=9)
    style.add_legend_above(axes, columns=3)
    style.tidy_curves(axes)
    return figure
