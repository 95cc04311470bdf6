"""A Gaussian Markov random field: a map smoothed as far as its own scatter suggests."""

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.maps.variogram import Observations, increment_variance, neighbour_weights
from gaussjax.numerics.block_tridiagonal import solve_block_tridiagonal

# Precisions of the differences of neighbours, down [ny - 1, nx] and across [ny, nx - 1].
Ties = Sequence[jax.Array]
# Least variance of the field's increments, of the errors' variance: a few values that agree by
# chance must not become one.
_LEAST_VARIATION = 0.1
# A value with a neighbour of less weight than this is moved towards its node.
_TRUSTED_WEIGHT = 0.5


def smooth(seen: Observations, lags: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Posterior mean and standard deviation at the nodes of a grid, both ``[ny, nx]``.

    A Gaussian Markov random field x, seen at places between its nodes (H, bilinear):

        minimise  sum_i (y_i - (H x)_i)^2 / s_i^2 + sum_ij w_ij (x_i - x_j)^2 / t^2

    over neighbours ij, with ``t^2`` from :func:`~gaussjax.maps.variogram.increment_variance` and
    w from :func:`~gaussjax.maps.variogram.neighbour_weights`. A node without an observation does
    not tie its neighbours together, because a step may lie between them: it is interpolated
    afterwards, and the mean squared difference from its neighbours is added to its variance.

    Args:
        seen: y, s^2 and the places.
        lags: nodes per axis from which on errors are independent.

    Returns:
        NaN where no two observations are that far apart.

    Source: Rue & Held, "Gaussian Markov Random Fields", Chapman & Hall 2005, sec. 3.2 and 4.4.
    """
    known = jnp.isfinite(seen.variance)
    typical = jnp.nanmedian(jnp.where(known, seen.variance, jnp.nan))
    increment = jnp.maximum(increment_variance(seen, lags), _LEAST_VARIATION * typical)
    # A step lies inside of all the tiles that overlap there.
    weights = [neighbour_weights(seen, increment, k, lags[k] + 1) for k in range(2)]
    both_known = known[:-1] & known[1:], known[:, :-1] & known[:, 1:]
    weights = [jnp.where(*pair, 0) for pair in zip(both_known, weights, strict=True)]
    ties = [weight / increment for weight in weights]
    mean, variance = posterior(_trusted(seen, weights, increment), ties)
    own = replace(
        seen,
        value=jnp.where(known, mean, 0),
        variance=jnp.where(known, variance, jnp.inf),
        place=_nodes(seen.shape, mean.dtype),
    )
    open_ties = [jnp.where(both, 0, 1 / increment) for both in both_known]
    filled, spread = posterior(own, open_ties)
    mean = jnp.where(known, mean, filled)
    variance = jnp.where(known, variance, spread + _disagreement(mean))
    return mean, jnp.sqrt(variance)


def _nodes(shape: tuple[int, ...], dtype) -> jax.Array:
    """Index of every node, ``[ny, nx, 2]``."""
    return jnp.moveaxis(jnp.indices(shape, dtype=dtype), 0, -1)


def _trusted(seen: Observations, weights: Ties, increment: jax.Array) -> Observations:
    """Observations moved to their nodes where a step or a gap is near, so as not to cross it.

    The variance of the field over that distance is added to theirs.
    """
    least = jnp.ones(seen.shape, seen.value.dtype)
    for axis, links in enumerate(weights):
        padded = jnp.pad(jnp.moveaxis(links, axis, 0), 1, constant_values=1)
        sides = jnp.minimum(padded[:-1], padded[1:])
        # Bilinear interpolation needs the links of the nodes on either side, too.
        near = jnp.minimum(jnp.minimum(sides[:, :-2], sides[:, 1:-1]), sides[:, 2:])
        least = jnp.minimum(least, jnp.moveaxis(near, 0, axis))
    nodes = _nodes(seen.shape, seen.value.dtype)
    offset = seen.place - nodes
    kept = offset * jnp.minimum(least / _TRUSTED_WEIGHT, 1)[..., None]
    lost = jnp.sum((offset - kept) ** 2, axis=-1)
    return replace(seen, place=nodes + kept, variance=seen.variance + lost * increment)


def _disagreement(mean: jax.Array) -> jax.Array:
    """Mean squared difference of every node from its neighbours."""
    around = jnp.pad(mean, 1, constant_values=jnp.nan)
    sides = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    return jnp.nanmean((jnp.stack(sides) - mean[None]) ** 2, axis=0)


def posterior(seen: Observations, ties: Ties) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of the nodes, ``[ny, nx]``: of ``P x = H' S^-1 y``, and diag ``P^-1``.

    ``P = H' S^-1 H + L``, H bilinear interpolation at the places, S the variances of what is seen,
    L the Laplacian of the ties. NaN where neither values nor ties reach a node.
    """
    down, across = ties
    diagonal, upper, right = _data_equations(seen)
    rows = jnp.pad(down, ((1, 0), (0, 0))) + jnp.pad(down, ((0, 1), (0, 0)))
    columns = jnp.pad(across, ((0, 0), (1, 0))) + jnp.pad(across, ((0, 0), (0, 1)))
    diagonal = diagonal + jax.vmap(jnp.diag)(rows + columns)
    if seen.shape[1] > 1:
        beside = jax.vmap(lambda row: jnp.diag(row, 1))(across)
        diagonal = diagonal - beside - beside.transpose(0, 2, 1)
    # A node without any equation must not make the others singular.
    unseen = jnp.diagonal(diagonal, axis1=1, axis2=2) == 0
    diagonal = diagonal + jax.vmap(jnp.diag)(unseen.astype(diagonal.dtype))
    mean, variance = solve_block_tridiagonal(diagonal, upper - jax.vmap(jnp.diag)(down), right)
    return jnp.where(unseen, jnp.nan, mean), jnp.where(unseen, jnp.nan, variance)


def _data_equations(seen: Observations) -> tuple[jax.Array, jax.Array, jax.Array]:
    """``H' S^-1 H``, its blocks on and right of the diagonal, and ``H' S^-1 y``."""
    ny, nx = seen.shape
    precision = jnp.where(jnp.isfinite(seen.variance), 1 / seen.variance, 0)
    (row, y_parts), (column, x_parts) = (
        _between(seen.place[..., axis], count) for axis, count in enumerate(seen.shape)
    )
    columns = jnp.stack([column, jnp.minimum(column + 1, nx - 1)], -1)
    left, after = columns[..., :, None], columns[..., None, :]
    squares = x_parts[..., :, None] * x_parts[..., None, :]
    diagonal = jnp.zeros((ny, nx, nx), precision.dtype)
    right = jnp.zeros((ny, nx), precision.dtype)
    for k in range(2):
        here = jnp.minimum(row + k, ny - 1)[..., None]
        part = (precision * y_parts[..., k])[..., None]
        right = right.at[here, columns].add(part * x_parts * seen.value[..., None])
        part = (part * y_parts[..., k, None])[..., None]
        diagonal = diagonal.at[here[..., None], left, after].add(part * squares)
    upper = jnp.zeros((ny - 1, nx, nx), precision.dtype)
    if ny > 1:
        part = (precision * y_parts[..., 0] * y_parts[..., 1])[..., None, None]
        upper = upper.at[row[..., None, None], left, after].add(part * squares)
    return diagonal, upper, right


def _between(place: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The node before a place along an axis, and the weights of it and the next; beyond: linear."""
    node = jnp.clip(jnp.floor(place), 0, max(count - 2, 0))
    # A single node is all there is along its axis.
    part = place - node if count > 1 else jnp.zeros_like(place)
    return node.astype(jnp.int32), jnp.stack([1 - part, part], -1)
