"""Equations of a grid, row by row: block tridiagonal matrices, their solution and inverse."""

import jax
import jax.numpy as jnp

from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import product


def solve_block_tridiagonal(
    diagonal: jax.Array, upper: jax.Array, right: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Solution of ``P X = B`` and the diagonal of ``P^-1``, P symmetric and positive definite.

    Block elimination from the first row down and from the last row up. With ``A_k`` the blocks of
    the diagonal, ``S_k`` and ``T_k`` what either elimination leaves of them, and F and G what it
    leaves of B,

        (P^-1)_kk = (S_k + T_k - A_k)^-1,    X_k = (P^-1)_kk (F_k + G_k - B_k).

    Args:
        diagonal: ``A_k``, ``[m, n, n]``.
        upper: the blocks right of the diagonal, ``[m - 1, n, n]``.
        right: B, ``[m, n, columns]``.

    Returns:
        X and the diagonal of the inverse, ``[m, n]``; not finite where P is singular.

    Source: Golub & Van Loan, "Matrix Computations", 4th ed., 2013, sec. 4.5.1.
    """
    lower = upper.transpose(0, 2, 1)
    down, f = _eliminate(diagonal, lower, right)
    up, g = (part[::-1] for part in _eliminate(diagonal[::-1], upper[::-1], right[::-1]))
    inverse = jnp.linalg.inv(down + up - diagonal)
    return product(inverse, f + g - right), jnp.diagonal(inverse, axis1=1, axis2=2)


def _eliminate(diagonal, before, right):
    """What is left of the diagonal's blocks and of B; ``before`` couple a row to the one before."""

    def step(carry, row):
        block, value = carry
        own, coupling, wanted = row
        factor = product(coupling, jnp.linalg.inv(block))
        left = own - product(factor, coupling.T), wanted - product(factor, value)
        return left, left

    first = diagonal[0], right[0]
    _, rest = loops.scan(step, first, (diagonal[1:], before, right[1:]))
    return tuple(jnp.concatenate([a[None], b]) for a, b in zip(first, rest, strict=True))
