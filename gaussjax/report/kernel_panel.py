"""How much worse every kernel predicts than the best; one panel of a figure."""

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from gaussjax.report import style
from gaussjax.report.kernel_scores import KernelComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINEAR = 10.0  # noise variances up to which the axis is linear


def draw_kernels(axes: "Axes", comparison: KernelComparison) -> None:
    """Draw the excess of held-out squares of every shape, with two standard errors."""
    shown = comparison.shapes
    place = np.arange(len(shown))
    excess = np.array([each.excess for each in shown])
    errors = np.array([2 * each.excess_error for each in shown])
    for is_tied, colour, label in (
        (True, style.BLUE, "not told apart from the best"),
        (False, style.GREY, "worse"),
    ):
        chosen = np.array([each.is_tied == is_tied for each in shown])
        if np.any(chosen):
            points = {"color": colour, "markersize": 5, "elinewidth": 1.2, "label": label}
            axes.errorbar(place[chosen], excess[chosen], errors[chosen], fmt="o", **points)
    axes.set_yscale("symlog", linthresh=_LINEAR)
    axes.set_ylim(-2 * _LINEAR, 5 * max(float(np.max(excess)), _LINEAR))
    axes.set_xlim(-0.5, len(shown) - 0.5)
    names = [_in_lines(each.name) for each in shown]
    axes.set_xticks(place, names)
    axes.set_ylabel("excess of held-out\nsquares (noise variances)", fontsize=9)
    text = comparison.message
    axes.set_title(fill(text[0].upper() + text[1:], 110), fontsize=9, loc="left", pad=18)
    style.add_legend_above(axes, columns=2)
    style.tidy_curves(axes)


def _in_lines(name: str) -> str:
    """A name in lines as short as the place between two kernels."""
    return name.replace("generalised", "general-\nised").replace("_", " ").replace(" ", "\n")
