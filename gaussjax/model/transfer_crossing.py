"""Where a transfer function that is a spline first falls below a level."""

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.params import namespace
from gaussjax.model.transfer_spline import spline_rows
from gaussjax.numerics.linear_algebra import product

# Standard error of T above which it counts as unknown: a crossing beyond means nothing.
UNKNOWN = 0.25
# Places between two knots where a crossing is looked for.
_FINE = 8


def spline_values(
    rows: jax.Array, coefficients: jax.Array, covariance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Values of the rows of a spline, ``[n]``, and their standard errors."""
    values = product(rows, coefficients)
    spread = product(rows, covariance)
    return values, jnp.sqrt(jnp.maximum(jnp.sum(spread * rows, axis=1), 0))


def crossing(coefficients: jax.Array, covariance: jax.Array, level) -> tuple[jax.Array, jax.Array]:
    """The place where a spline first falls below a level, in knots, and its standard error."""
    size, dtype = coefficients.size, coefficients.dtype
    count = _FINE * (size - 2)
    places = jnp.asarray(np.arange(count + 1) / _FINE, dtype)
    values, errors = spline_values(spline_rows(places, size)[0], coefficients, covariance)
    known = jnp.cumsum(jnp.where(errors < UNKNOWN, 0, 1)) == 0
    place = first_below(jnp.where(known, values, jnp.nan), level) / _FINE
    error = slope = place
    for _ in range(3):  # of Newton's kind: the place was linear between two of them
        found = jnp.where(jnp.isnan(place), 0, place)
        # A secant over two knots: that noise makes the curve steep where it crosses first is no
        # reason for a small error bar.
        rows, _ = spline_rows(found + jnp.asarray([0.0, -1.0, 1.0], dtype), size)
        value, error = spline_values(rows, coefficients, covariance)
        slope = (value[2] - value[1]) / 2
        slope = jnp.where(slope < 0, slope, jnp.nan)
        step = (level - value[0]) / slope
        place = place + jnp.clip(step, -1 / _FINE, 1 / _FINE)
    return place, error[0] / jnp.abs(slope) + 0 * place


def first_below(values: jax.Array | np.ndarray, level) -> jax.Array:
    """Index at which values first fall below a level, linear between two; NaN if nowhere.

    Nothing is looked for beyond a value that is NaN.
    """
    xp = namespace(values)
    below = values < level
    end = xp.argmax(below)
    before = values[xp.maximum(end - 1, 0)]
    drop = before - values[end]
    part = xp.where(drop > 0, (before - level) / xp.where(drop > 0, drop, 1), 0)
    index = xp.maximum(end.astype(values.dtype) - 1 + part, 0)
    unknown = xp.cumsum(xp.where(xp.isnan(values), 1, 0))[end] > 0
    return xp.where(xp.any(below) & ~unknown, index, xp.nan)
