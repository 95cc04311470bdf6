"""A Gaussian Markov field on a grid given what is seen of it: its equations, mean and variance."""

import jax
import jax.numpy as jnp

from gaussjax.field_variation import Observations
from gaussjax.numerics.block_tridiagonal import solve_block_tridiagonal

# Precisions of the differences of neighbours, down [ny - 1, nx] and across [ny, nx - 1].
Ties = tuple[jax.Array, jax.Array]


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
    # Without any equation of its own a node must not make the others singular.
    untold = jnp.diagonal(diagonal, axis1=1, axis2=2) == 0
    diagonal = diagonal + jax.vmap(jnp.diag)(untold.astype(diagonal.dtype))
    mean, variance = solve_block_tridiagonal(diagonal, upper - jax.vmap(jnp.diag)(down), right)
    return jnp.where(untold, jnp.nan, mean), jnp.where(untold, jnp.nan, variance)


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
