"""A blur map as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import check_type
from gaussjax.maps.blur_map import BlurMap
from gaussjax.maps.table import check_isotropic
from gaussjax.model.arguments import as_image
from gaussjax.model.array_checks import is_traced
from gaussjax.report import style
from gaussjax.statistics.status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SIZE = (10.0, 3.6)  # inches
# Median standard errors that the colours of sigma span at least: less would show noise as blur.
_LEAST_SPAN = 8.0


def draw_map(reference: ArrayLike, blur_map: BlurMap) -> Figure:
    """Draw the reference, sigma over the frame, and its standard error.

    Every tile is a cell around its centre, with a dot where its estimate looks; tiles that were
    refused are hatched. A map that was shrunk is shown so, with values in the hatched cells too.
    Values beyond the middle 99 % share the colours at the ends. The colours of sigma span eight
    median standard errors of the tiles at least.

    Args:
        reference: A, the image that the map is of, ``[height, width]``.
        blur_map: with one sigma per tile, from :func:`~gaussjax.blur_map`.

    Returns:
        Figure of matplotlib, 10 x 3.6 inches, to be saved by its ``savefig``; no window is opened.

    Raises:
        TypeError: an image that is not real numbers, or no map.
        ValueError: a reference of another shape than the map's, or a map of several sigmas.
    """
    check_type(blur_map, BlurMap, "blur_map", "from gaussjax.blur_map")
    check_isotropic(blur_map)
    image = as_image(reference, "reference")
    if blur_map.estimates.sampling is not None:
        # The map is of what both grids hold.
        image = image[tuple(slice(n) for n in blur_map.grid.shape)]
    if image.shape != blur_map.grid.shape:
        raise ValueError(
            f"reference must be of the map's frame, {blur_map.grid.shape} px; got {image.shape}"
        )
    if is_traced(image, blur_map):
        raise ValueError("reference and blur_map must be known: draw outside of jit and vmap")
    image, found = np.asarray(image, float), jax.device_get(blur_map)
    sigma, error = found.sigma, found.sigma_standard_error
    if found.shrunk_sigma is not None:
        sigma, error = found.shrunk_sigma, found.shrunk_standard_error
    figure = style.new_figure(*_SIZE)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    style.show_image(panels[0], image, style.colour_limits(image), "A, and where each tile looks")
    estimated = found.positions[found.status == Status.ESTIMATED]
    panels[0].plot(*estimated.T[::-1], ".", color=style.ORANGE, markersize=3)
    name = "$\\sigma$" if found.shrunk_sigma is None else "$\\sigma$, shrunk"
    errors = found.sigma_standard_error[np.isfinite(found.sigma_standard_error)]
    span = _LEAST_SPAN * float(np.median(errors)) if errors.size else 0.0
    _draw_tiles(panels[1], found, sigma, _at_least(span, sigma), "viridis", name)
    limits = style.colour_limits(error)
    _draw_tiles(panels[2], found, error, limits, "cividis", "Standard error")
    for axes in panels:
        axes.set(xticks=[], yticks=[], xlim=(-0.5, image.shape[1] - 0.5))
        axes.set_ylim(image.shape[0] - 0.5, -0.5)
    return figure


def _at_least(span: float, values: np.ndarray) -> tuple[float, float]:
    """Ends of a colour scale that are so far apart at least."""
    low, high = style.colour_limits(values)
    more = 0.5 * max(span - (high - low), 0)
    return low - more, high + more


def _draw_tiles(
    axes: Axes,
    found: BlurMap,
    values: np.ndarray,
    limits: tuple[float, float],
    colours: str,
    title: str,
) -> None:
    """The values of the tiles as cells that meet half-way between the centres."""
    ys, xs = (
        np.concatenate([[-0.5], (centres[1:] + centres[:-1]) / 2, [size - 0.5]])
        for centres, size in zip(map(np.array, found.centres), found.grid.shape, strict=True)
    )
    shown = axes.pcolormesh(xs, ys, values, cmap=colours, vmin=limits[0], vmax=limits[1])
    axes.set_aspect("equal")
    refused = np.ma.masked_array(np.zeros(values.shape), found.status == Status.ESTIMATED)
    if refused.count():
        hatches = axes.pcolor(xs, ys, refused, hatch="////", edgecolor="#404040", linewidth=0)
        hatches.set_facecolor("none")
    style.add_colour_bar(axes, shown, "px")
    axes.set_title(title, fontsize=10)
