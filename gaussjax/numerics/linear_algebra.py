"""The small linear algebra of the fits: inner products of large arrays, small matrices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

# By default graphics cards round the factors of a product to 10 bits.
product = partial(jnp.matmul, precision="highest")


def inner_products(first: jax.Array, second: jax.Array) -> jax.Array:
    """Inner products of two stacks of real arrays, ``[i, ...], [j, ...] -> [i, j]``.

    A single pair as a sum, several as products of a matrix with vectors, whose long and thin
    operands the CPU handles best. Behind a barrier, because jaxlib 0.10.2 crashes on the CPU when
    it fuses such a product with the arithmetic before it.
    """
    if len(first) == len(second) == 1:
        return jnp.sum(first * second)[None, None]
    first, second = jax.lax.optimization_barrier((first, second))
    rows = first.reshape(len(first), -1)
    return jnp.stack([product(rows, column.reshape(-1)) for column in second], axis=1)


def diagonal(matrix: jax.Array) -> jax.Array:
    """Diagonal of ``[p, p]``: a slice, where ``jnp.diag`` is a gather for every platform."""
    return matrix.reshape(-1)[:: len(matrix) + 1]


def diagonal_matrix(vector: jax.Array) -> jax.Array:
    """``[p, p]`` with this diagonal."""
    return jnp.where(np.eye(len(vector), dtype=bool), vector[None], 0)


def solve_small(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Solution x of ``matrix x = vector``, ``[p, p]`` and ``[p]``; not finite when singular.

    For curvatures, which are positive definite (or nearly) unless something is amiss.
    """
    return _eliminated(matrix, vector[:, None])[:, 0]


def inverse_small(matrix: jax.Array) -> jax.Array:
    """Inverse of ``[p, p]``, as of :func:`solve_small`; not finite when singular."""
    return _eliminated(matrix, jnp.asarray(np.eye(len(matrix)), matrix.dtype))


def _eliminated(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """Solution of ``[p, p]`` equations, ``[p, q]``, by Gauss and Jordan: a kernel for each unknown.

    Plain arithmetic, which the compiler fuses: LU is a call of LAPACK, takes long to compile, and
    JAX imports all of SciPy's linear algebra for it (0.3 s). Elimination in blocks of two was five
    kernels for each unknown, a fifth of all with six of them. Without pivoting from three on.
    """
    size = len(matrix)
    if size == 1:
        return right / matrix[0, 0]
    if size == 2:
        return _solve_two(matrix, right)
    for k in range(size):
        pivot, column = matrix[k, k], matrix[:, k : k + 1]
        is_own = np.arange(size)[:, None] == k
        # The right side is kept apart: the derivative by it is linear, and JAX transposes it.
        matrix, right = (
            jnp.where(is_own, rows[k : k + 1] / pivot, rows - column * (rows[k : k + 1] / pivot))
            for rows in (matrix, right)
        )
    return right


def _solve_two(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """Solution of two equations, ``[2, 2]`` and ``[2, q]``, with pivoting."""
    exchange = jnp.abs(matrix[1, 0]) > jnp.abs(matrix[0, 0])
    upper, lower = (jnp.where(exchange, matrix[1 - k], matrix[k]) for k in range(2))
    first, second = (jnp.where(exchange, right[1 - k], right[k]) for k in range(2))
    factor = lower[0] / upper[0]
    y = (second - factor * first) / (lower[1] - factor * upper[1])
    return jnp.stack([(first - upper[1] * y) / upper[0], y])


def finite_or(values: jax.Array, fallback) -> jax.Array:
    """``values`` if all of them are finite, else the fallback."""
    return jnp.where(jnp.all(jnp.isfinite(values)), values, fallback)


def definite(matrix: jax.Array, fallback: jax.Array) -> jax.Array:
    """``matrix`` if it is positive definite in units of the fallback, else the fallback."""
    # An eigenvalue solver takes long to compile, even for one number.
    if matrix.size == 1:
        return jnp.where(matrix > 0.05 * fallback, matrix, fallback)
    unit = diagonal(fallback)
    scale = jnp.where(unit > 0, 1 / jnp.sqrt(jnp.where(unit > 0, unit, 1)), 1)
    least = jnp.min(jnp.linalg.eigvalsh(matrix * jnp.outer(scale, scale)))
    return jnp.where(least > 0.05, matrix, fallback)


def real_products(first: jax.Array, second: jax.Array) -> jax.Array:
    """Real part of the inner products of two stacks of arrays, real or complex."""
    products = inner_products(first.real, second.real)
    if jnp.iscomplexobj(first) and jnp.iscomplexobj(second):
        products = products + inner_products(first.imag, second.imag)
    return products
