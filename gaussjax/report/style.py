"""What the figures have in common: colours, colour scales, and the look of axes."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

# Okabe & Ito's palette, safe for the common kinds of colour blindness.
BLUE, SKY_BLUE, GREEN, GREY = "#0072B2", "#56B4E9", "#009E73", "#808080"
ORANGE, VERMILION = "#E69F00", "#D55E00"
NO_VALUE = "#E4E4E4"  # of pixels and tiles without a value
OUTLIERS = 0.5  # percent of the values beyond each end of a colour scale


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, inches; without pyplot, so that no window and no global state comes up."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def colour_limits(values: np.ndarray) -> tuple[float, float]:
    """Ends of a colour scale, robust against outliers; 0 and 1 if no value is finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (OUTLIERS, 100 - OUTLIERS))
    return float(low), float(high)


def show_image(axes: "Axes", image: np.ndarray, limits: tuple[float, float], title: str) -> None:
    """An image in grey between two limits."""
    axes.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1])
    axes.set_title(title, fontsize=10)


def add_colour_bar(axes: "Axes", shown: "ScalarMappable", unit: str) -> None:
    """The colour scale of what is shown in the axes; what has no value there is light grey."""
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label(unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    axes.set_facecolor(NO_VALUE)


def tidy_curves(axes: "Axes") -> None:
    """A grid and small ticks behind curves, and no frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)


def add_legend_above(axes: "Axes", columns: int, title: str | None = None) -> None:
    """A legend on top of the axes, on their left, below a title of its own."""
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
    titled = {"title": title, "title_fontsize": 8}
    axes.legend(fontsize=8, frameon=False, ncols=columns, **titled, **place)
