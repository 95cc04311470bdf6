"""Two images as a caller gives them, on one grid or on two: checked, and cropped to fit."""

import jax
import numpy as np

from gaussjax.model.arguments import as_image, as_mask_pair, as_pair, as_weights
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.sampling import (
    as_coarse_grid,
    check_boundary,
    check_finer,
    check_positive_bounds,
    fitted_shapes,
)
from gaussjax.pair.frame import Usable


def told_by(grid: CoarseGrid | None) -> tuple:
    """Sampling, pixel and centre of a grid, as a caller gives them."""
    return (None, "area", "area") if grid is None else (grid.steps, grid.pixel, grid.first)


def on_grids(
    reference, blurred, maps: tuple, sampling: tuple, boundary: str, bounds=None
) -> tuple[jax.Array, jax.Array, Usable, CoarseGrid | None]:
    """The checked images and maps, and the grid of the softer image, if it has one of its own.

    Args:
        reference: A, on the finer grid if there are two.
        blurred: B.
        maps: the mask and the weights of :func:`~gaussjax.estimate_blur`.
        sampling: its sampling, pixel and centre.
        boundary: one of ``BOUNDARIES``.
        bounds: on sigma, or None.

    Returns:
        Images, and what is known of them, cropped so that one shape is the other times the ratio;
        and None where they share a grid.

    Raises:
        ValueError: shapes, ratios, masks or options that do not fit.
    """
    mask, weights = maps
    a, b = as_image(reference, "reference"), as_image(blurred, "blurred")
    grid = as_coarse_grid(a.shape, b.shape, *sampling)
    if grid is None:
        check_finer(a.shape, b.shape)
        a, b = as_pair(a, b)
        return a, b, Usable(*as_mask_pair(mask, a), as_weights(weights, b)), None
    shapes = shapes_across_grids(grid, (a.shape, b.shape), boundary, bounds)
    usable = Usable(*as_mask_pair(mask, a, b), as_weights(weights, b))
    fine, coarse = (tuple(slice(0, n) for n in shape) for shape in shapes)
    dtype = np.promote_types(a.dtype, b.dtype)
    known, *others = usable.reference, usable.blurred, usable.weights
    known = None if known is None else known[fine].astype(dtype)
    others = [None if x is None else x[coarse].astype(dtype) for x in others]
    return a[fine].astype(dtype), b[coarse].astype(dtype), Usable(known, *others), grid


def shapes_across_grids(
    grid: CoarseGrid, shapes: tuple[tuple[int, ...], ...], boundary: str, bounds
) -> tuple[tuple[int, ...], ...]:
    """Shapes of A and B within these of which one is the other times the ratio.

    ValueError for images that hold none, and for options that two grids do not go with.
    """
    check_boundary(boundary)
    check_positive_bounds(bounds)
    fitted = fitted_shapes(grid, *shapes)
    if boundary == "periodic" and fitted != shapes:
        raise ValueError(
            "boundary='periodic' takes images that hold the same whole period; got shapes"
            f" {shapes[0]} and {shapes[1]} at sampling {' x '.join(map(str, grid.ratios))}"
        )
    return fitted
