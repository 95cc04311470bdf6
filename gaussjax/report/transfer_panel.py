"""The transfer function that many pairs have in common; one panel of a figure."""

import math
from typing import TYPE_CHECKING

import numpy as np

from gaussjax.dataset.pooled_transfer import PooledTransfer
from gaussjax.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_transfer(axes: "Axes", transfer: PooledTransfer) -> None:
    """Draw H with its errors by the pairs and by noise, the Gaussian, and shares of the power."""
    cycles, pooled = transfer.frequency / (2 * math.pi), transfer.transfer
    for errors, alpha, cause in (
        (transfer.pair_error, 0.2, "scatter of the pairs"),
        (transfer.noise_error, 0.5, "noise alone"),
    ):
        band = {"color": style.BLUE, "alpha": alpha, "linewidth": 0}
        label = f"\u00b1 2 standard errors by {cause}"
        axes.fill_between(cycles, pooled - 2 * errors, pooled + 2 * errors, label=label, **band)
    line = {"linewidth": 1.6, "markersize": 3}
    axes.plot(cycles, pooled, "o-", color=style.BLUE, label="common to all pairs, H", **line)
    axes.plot(cycles, transfer.fitted, "--", color=style.ORANGE, label="fitted Gaussian", **line)
    for share, name, colour in (
        (transfer.distortion, "distortion", style.VERMILION),
        (transfer.noise, "white noise", style.GREY),
    ):
        label = f"{name}, share of the power"
        axes.plot(cycles, np.clip(share, 0, 1), ":", color=colour, linewidth=1.6, label=label)
    highest = np.nanmax(np.append(pooled[transfer.coherence > 0.5], 1.0))
    axes.set(xlim=(0, 0.5), ylim=(-0.05, 1.1 * min(highest, 12.0)))
    axes.set(xlabel="spatial frequency (cycles/px)", ylabel="transfer function")
    style.tidy_curves(axes)
    style.add_legend_above(axes, 2, f"Power: {transfer.shares}".replace("; ", ";\n"))
