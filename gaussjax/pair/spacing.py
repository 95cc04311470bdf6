"""An isotropic blur in space, on pixels whose sizes differ by axis.

With h the size of a pixel along every axis and sigma in its unit,

    v_k = sigma^2 / h_k^2 px^2,      T(w) = prod_k T_k(w_k; v_k).

Inside of a fit the unit is the finest pixel, h / min h: thresholds in px^2 then refer to the axis
along which the blur is widest in px.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import TypeVar

import jax.numpy as jnp
import numpy as np

from gaussjax.model.arguments import check_bounds
from gaussjax.model.params import BlurParams, check_initial
from gaussjax.statistics.physical_units import pixel_sizes
from gaussjax.statistics.result import BlurEstimate, scaled

F = TypeVar("F", bound=Callable[..., BlurEstimate])


def in_spacing(estimate: F) -> F:
    """Take ``spacing``, ``bounds`` and ``initial`` in a unit, and give sigma in it."""

    @wraps(estimate)
    def wrapped(reference, blurred, *, spacing=None, bounds=None, initial=None, **options):
        if spacing is None:
            return estimate(reference, blurred, bounds=bounds, initial=initial, **options)
        ndim = np.ndim(reference)
        sizes = check_spacing(spacing, ndim, options)
        unit = min(sizes)
        check_bounds(bounds)
        check_initial(initial, ndim, float)
        if bounds is not None:
            bounds = tuple(bound / unit for bound in bounds)
        if initial is not None and not isinstance(initial, BlurParams):
            initial = jnp.asarray(initial) / unit
        relative = tuple(size / unit for size in sizes)
        found = estimate(
            reference, blurred, spacing=relative, bounds=bounds, initial=initial, **options
        )
        return _in_unit(found, unit, sizes)

    return wrapped  # pyright: ignore[reportReturnType]


def check_spacing(spacing: float | Sequence[float], ndim: int, options: dict) -> tuple[float, ...]:
    """Sizes along every axis; TypeError or ValueError for none, and for options that do not go."""
    if (family := options.get("family", "isotropic")) != "isotropic":
        raise ValueError(f"spacing is for family='isotropic', one sigma; got family={family!r}")
    for name in ("motion", "sampling", "precision"):
        if options.get(name) is not None:
            raise ValueError(f"spacing goes without {name}: leave out one of them")
    return pixel_sizes(spacing, ndim, "spacing")


def _in_unit(estimate: BlurEstimate, unit: float, sizes: tuple[float, ...]) -> BlurEstimate:
    """The estimate in a unit of which the finest pixel has so many."""

    def spaced(params: BlurParams) -> BlurParams:
        return replace(params, spacing=sizes)

    found = scaled(estimate, unit)
    return replace(found, params=spaced(found.params), standard_error=spaced(found.standard_error))
