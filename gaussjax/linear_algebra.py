"""The small linear algebra of the fits: inner products of large arrays, small matrices."""

from functools import partial

import jax
import jax.numpy as jnp


def inner_products(first: jax.Array, second: jax.Array) -> jax.Array:
    """Inner products of two stacks of real arrays, ``[i, ...], [j, ...] -> [i, j]``.

    As sums, not as a matrix product: jaxlib 0.10.2 crashes on the CPU when it fuses a product of
    long, thin operands with the arithmetic before it.
    """
    axes = tuple(range(2, first.ndim + 1))
    return jnp.sum(first[:, None] * second[None], axis=axes)


def long_products(stack: jax.Array, array: jax.Array) -> jax.Array:
    """``Re sum stack array`` for each of a stack, ``[i, ...], [...] -> [i]``; real or complex.

    As a matrix product, so that many arrays are read once each. Behind a barrier: see
    :func:`inner_products`.
    """
    stack, array = jax.lax.optimization_barrier((stack, array))
    rows, column = stack.reshape(len(stack), -1), array.reshape(-1)
    product = partial(jnp.matmul, precision="highest")
    if not jnp.iscomplexobj(rows):
        return product(rows, column.real)
    if not jnp.iscomplexobj(column):
        return product(rows.real, column)
    return product(rows.real, column.real) - product(rows.imag, column.imag)


def solve_small(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Solution x of ``matrix x = vector``, ``[p, p]`` and ``[p]``; not finite when singular."""
    # One parameter is the common case, and LU of a number takes long to compile.
    return vector / matrix[0] if vector.size == 1 else jnp.linalg.solve(matrix, vector)


def inverse_small(matrix: jax.Array) -> jax.Array:
    """Inverse of ``[p, p]``; not finite when singular."""
    return 1 / matrix if matrix.size == 1 else jnp.linalg.inv(matrix)


def finite_or(values: jax.Array, fallback) -> jax.Array:
    """``values`` if all of them are finite, else the fallback."""
    return jnp.where(jnp.all(jnp.isfinite(values)), values, fallback)


def definite(matrix: jax.Array, fallback: jax.Array) -> jax.Array:
    """``matrix`` if it is positive definite in units of the fallback, else the fallback."""
    # The eigenvalue of a number takes long to compile.
    if matrix.size == 1:
        return jnp.where(matrix > 0.05 * fallback, matrix, fallback)
    diagonal = jnp.diag(fallback)
    scale = jnp.where(diagonal > 0, 1 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1)), 1)
    least = jnp.min(jnp.linalg.eigvalsh(matrix * jnp.outer(scale, scale)))
    return jnp.where(least > 0.05, matrix, fallback)
