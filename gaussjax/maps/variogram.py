"""By how much a map varies from node to node beyond its errors, and where its steps are."""

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.numerics import loops
from gaussjax.numerics.pytree import pytree

_MEDIAN_CHI_SQUARE = 0.4549364  # of one degree of freedom
_EDGE = 4.685  # standard deviations where Tukey's biweight of 95 % efficiency reaches zero
# Neighbours, whose tiles overlap, may see nearly the same place: the variance of the field is up to
# this many times that of their differences.
_LARGEST_RATIO = 10.0
_NUM_BISECTIONS = 40


@pytree
class Observations:
    """Values seen at places of a grid of nodes, one near every node."""

    value: jax.Array  # finite, `[ny, nx]`
    variance: jax.Array  # of its error, `[ny, nx]`; infinite where nothing is seen
    place: jax.Array  # in nodes, `[ny, nx, 2]`

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes per axis."""
        return self.value.shape

    def differences(self, lag: int, axis: int) -> tuple[jax.Array, jax.Array]:
        """Squared differences ``lag`` nodes apart along an axis, and their error variance."""
        lag = min(lag, self.shape[axis])
        values, variances = (jnp.moveaxis(a, axis, 0) for a in (self.value, self.variance))
        end = len(values) - lag
        squares = (values[lag:] - values[:end]) ** 2
        errors = variances[lag:] + variances[:end]
        return jnp.moveaxis(squares, 0, axis), jnp.moveaxis(errors, 0, axis)


def increment_variance(seen: Observations, lags: tuple[int, ...]) -> jax.Array:
    """Variance ``t^2`` of the field's increments, from nodes whose errors are independent.

    The solution of ``median (y_i - y_j)^2 / (s_i^2 + s_j^2 + r t^2) = 0.455``, the median of
    chi-square, over the nodes ``lags`` apart along either axis, r their :func:`resistance`: Paule
    and Mandel's equation, with a median because of steps in the map. At most ten times what
    neighbours differ by, errors and all: in a small map a step lies between half of the nodes
    that are ``lags`` apart, but between few neighbours.

    Returns:
        0 where the errors alone explain the differences; NaN without such pairs of nodes.

    Source: Paule & Mandel, J. Res. NBS 87(5), 377, 1982.
    """
    square, error, ratio = _all_differences(seen, lags)
    if not square.size:
        return jnp.full((), jnp.nan, error.dtype)

    def halve(_, interval):
        low, high = interval
        middle = (low + high) / 2
        too_small = jnp.nanmedian(square / (error + ratio * middle)) > _MEDIAN_CHI_SQUARE
        return jnp.where(too_small, middle, low), jnp.where(too_small, high, middle)

    largest = jnp.nanmax(square / ratio) / _MEDIAN_CHI_SQUARE
    interval = jnp.zeros_like(largest), largest
    variance = loops.fori_loop(0, _NUM_BISECTIONS, halve, interval)[0]
    near, _, ratio = _all_differences(seen, (1,) * len(lags))
    bound = _LARGEST_RATIO * jnp.nanmedian(near / ratio) / _MEDIAN_CHI_SQUARE
    return jnp.minimum(variance, bound)


def _all_differences(seen: Observations, lags: tuple[int, ...]):
    """Squared differences along either axis, NaN where unseen; error variances; resistances."""
    squares, errors, ratios = [], [], []
    for axis, lag in enumerate(lags):
        square, error = (part.ravel() for part in seen.differences(lag, axis))
        squares.append(jnp.where(jnp.isfinite(error), square, jnp.nan))
        errors.append(error)
        ratios.append(jnp.full(square.size, resistance(lag, seen.shape), error.dtype))
    return jnp.concatenate(squares), jnp.concatenate(errors), jnp.concatenate(ratios)


def neighbour_weights(seen: Observations, increment: jax.Array, axis: int, reach: int) -> jax.Array:
    """From 1 where neighbours along an axis agree to 0 where a step lies between them.

    The least of Tukey's biweights ``(1 - (d / 4.7)^2)^2`` of all differences as seen that span the
    neighbours over up to ``reach`` nodes, d in standard deviations of their errors and of the
    field, whose increments have the variance t^2. Spans longer than one node, because a poorly
    known node between two that differ would agree with both.

    Source: Beaton & Tukey, Technometrics 16(2), 147, 1974.
    """
    count = seen.shape[axis] - 1
    weights = jnp.ones((count, seen.shape[1 - axis]), seen.value.dtype)
    for lag in range(1, min(reach, count) + 1):
        square, error = (jnp.moveaxis(part, axis, 0) for part in seen.differences(lag, axis))
        ratio = square / (error + resistance(lag, seen.shape) * increment) / _EDGE**2
        biweight = jnp.where(jnp.isfinite(error), jnp.maximum(1 - ratio, 0) ** 2, 1)
        for first in range(lag):
            weights = weights.at[first : first + len(biweight)].min(biweight)
    return jnp.moveaxis(weights, 0, axis)


def resistance(lag: int, shape: tuple[int, ...]) -> float:
    """Variance of a difference ``lag`` nodes apart, of a field of increments of variance 1.

    The resistance between two nodes of an infinite square lattice of unit resistors; of a single
    row it is the lag itself.

    Source: Atkinson & van Steenwijk, Am. J. Phys. 67(6), 486, 1999.
    """
    if min(shape) == 1:
        return float(lag)
    angle = (np.arange(4096) + 0.5) * np.pi / 4096
    return float(np.mean((1 - np.cos(lag * angle)) / np.sqrt((2 - np.cos(angle)) ** 2 - 1)))
