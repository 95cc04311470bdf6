"""What several figures share: colours of estimators and verdicts, names of lines, ticks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.shared.common import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

# One colour and one name for an estimator in every figure, whatever is done about the border.
ESTIMATOR_COLOURS = {
    "estimate_blur": BLUE,
    "same in float32": BLUE,
    "Gauss-Newton": BLACK,
    "ratio, weighted": GREEN,
    "ratio, pointwise": VERMILION,
    "free kernel": ORANGE,
    "L-BFGS": PURPLE,
    "Adam": SKY,
    "SciPy": GREY,
    "OpenCV": GREY,
}

# What the estimate says of itself: its verdict, unless its status declines it.
SAID = {
    "explained": (BLUE, "o"),
    "explained poorly": (ORANGE, "s"),
    "misaligned": (VERMILION, "^"),
    "sharper": (PURPLE, "D"),
    "declined": (GREY, "X"),
}

Values = Sequence[float] | np.ndarray


def estimator_colour(name: str) -> str:
    """The colour of an estimator, from a name that may hold its border treatment and options."""
    return next(colour for part, colour in ESTIMATOR_COLOURS.items() if part in name)


def said(answers: dict[str, Any]) -> np.ndarray:
    """The key of ``SAID`` for every answer."""
    verdicts = [verdict.lower().replace("_", " ") for verdict in answers["verdict"]]
    estimated = np.array(answers["status"]) == "ESTIMATED"
    drawn = estimated & np.isin(verdicts, list(SAID))
    return np.where(drawn, verdicts, "declined")


def border_dashes(name: str) -> str:
    """Solid, or dashed where the images fade under a Hann window."""
    return "--" if "Hann" in name else "-"


def name_lines(axes: Axes, entries: Sequence[tuple[float, str, str]], gap: float = 0.075) -> None:
    """Write names beside the right end of their lines, pushed apart where they would collide.

    Args:
        axes: the last to change in its figure, whose layout is settled here.
        entries: (last y, name, colour) of every line.
        gap: least distance between names, of the height of the axes.
    """
    figure: Any = axes.figure
    figure.draw_without_rendering()
    heights = []
    for y, _, _ in entries:
        _, pixels = axes.transData.transform((axes.get_xlim()[1], y))
        _, height = axes.transAxes.inverted().transform((0, pixels))
        heights.append(float(np.clip(height, 0, 1)))
    order = np.argsort(heights)
    placed = np.array(heights)[order]
    # From below upwards, then back so that the last does not leave the axes.
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    placed[-1] = min(placed[-1], 1.0)
    for k in range(len(placed) - 2, -1, -1):
        placed[k] = min(placed[k], placed[k + 1] - gap)
    for height, index in zip(placed, order, strict=True):
        _, name, colour = entries[index]
        place = {"transform": axes.transAxes, "va": "center", "ha": "left", "fontsize": 9}
        axes.text(1.02, height, name, color=colour, **place)


def widths(count: int) -> np.ndarray:
    """Line widths from wide to narrow: what is drawn beneath shows where lines coincide."""
    return np.linspace(3, 1, count)


def rms_band(errors: np.ndarray, axis: int = -1) -> np.ndarray:
    """[least, rms, most]: the root of the mean square and of its ends at two standard errors."""
    squares = np.asarray(errors, float) ** 2
    mean = np.nanmean(squares, axis=axis)
    count = np.sum(np.isfinite(squares), axis=axis)
    spread = 2 * np.nanstd(squares, axis=axis, ddof=1) / np.sqrt(count)
    # A mean square of few draws is skewed: its logarithm is not.
    factor = np.exp(spread / mean)
    return np.sqrt(np.stack([mean / factor, mean, mean * factor]))


def two_digits(value: float) -> str:
    """Two digits, or three where that needs no exponent."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e4 else f"{value:.2g}"


def plain_ticks(axes: Axes, *, x: Values = (), y: Values = ()) -> None:
    """Ticks at these values, written without exponents, and no others."""
    axes.minorticks_off()
    if len(x):
        axes.set_xticks(x, [f"{value:g}" for value in x])
    if len(y):
        axes.set_yticks(y, [f"{value:g}" for value in y])


def floored_ticks(axes: Axes, ticks: Values) -> None:
    """Ticks of y without exponents, the first of which stands for all that is smaller."""
    axes.minorticks_off()
    axes.set_yticks(ticks, [f"$\\leq${ticks[0]:g}", *(f"{tick:g}" for tick in ticks[1:])])
