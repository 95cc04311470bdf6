"""A map of blur as a figure and as rows of a table; NumPy on the host."""

from typing import TYPE_CHECKING

import jax
import numpy as np

from gaussjax.maps.blur_map import BlurMap
from gaussjax.maps.table import check_isotropic
from gaussjax.statistics.status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SIZE = (10.0, 3.6)  # inches
# Percent of the values that a range of colours leaves out on either side.
_OUTLIERS = 0.5


def draw_map(reference, blur_map: BlurMap) -> "Figure":
    """Draw the reference, sigma over the frame, and its standard error.

    Every tile is a cell around its centre, with a dot where its estimate looks; tiles that were
    refused are hatched. A map that was shrunk is shown so, with values in the hatched cells too.
    Values beyond the middle 99 % share the colours at the ends.

    Args:
        reference: A, the image that the map is of, ``[height, width]``.
        blur_map: with one sigma per tile, from :func:`~gaussjax.blur_map`.

    Returns:
        Figure of matplotlib, 10 x 3.6 inches, to be saved by its ``savefig``; no window is opened.

    Raises:
        ValueError: a reference of another shape than the map's, or a map of several sigmas.
    """
    from matplotlib.figure import Figure

    image, found = np.asarray(reference, float), jax.device_get(blur_map)
    if image.shape != found.grid.shape:
        raise ValueError(f"the map is of a frame of {found.grid.shape} px; got {image.shape}")
    check_isotropic(found)
    sigma, error = found.sigma, found.sigma_standard_error
    if found.shrunk_sigma is not None:
        sigma, error = found.shrunk_sigma, found.shrunk_standard_error
    figure = Figure(figsize=_SIZE, layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    low, high = _range(image)
    panels[0].imshow(image, cmap="gray", vmin=low, vmax=high)
    panels[0].plot(*found.positions[found.status == 0].T[::-1], ".", color="#E69F00", markersize=3)
    panels[0].set_title("A, and where each tile looks", fontsize=10)
    name = "$\\sigma$" if found.shrunk_sigma is None else "$\\sigma$, shrunk"
    _cells(panels[1], found, sigma, "viridis", name)
    _cells(panels[2], found, error, "cividis", "Standard error")
    for axes in panels:
        axes.set(xticks=[], yticks=[], xlim=(-0.5, image.shape[1] - 0.5))
        axes.set_ylim(image.shape[0] - 0.5, -0.5)
    return figure


def _range(values: np.ndarray) -> tuple[float, float]:
    """Limits of the colours; of no values, any."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (_OUTLIERS, 100 - _OUTLIERS))
    return float(low), float(high)


def _cells(axes: "Axes", found: BlurMap, values: np.ndarray, colours: str, title: str) -> None:
    """The values of the tiles as cells that meet half-way between the centres."""
    ys, xs = (
        np.concatenate([[-0.5], (centres[1:] + centres[:-1]) / 2, [size - 0.5]])
        for centres, size in zip(map(np.array, found.centres), found.grid.shape, strict=True)
    )
    low, high = _range(values)
    shown = axes.pcolormesh(xs, ys, values, cmap=colours, vmin=low, vmax=high)
    axes.set_facecolor("#E4E4E4")
    axes.set_aspect("equal")
    refused = np.ma.masked_array(np.zeros(values.shape), found.status == Status.ESTIMATED)
    if refused.count():
        hatches = axes.pcolor(xs, ys, refused, hatch="////", edgecolor="#404040", linewidth=0)
        hatches.set_facecolor("none")
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label("px", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    axes.set_title(title, fontsize=10)
