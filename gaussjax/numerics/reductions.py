"""Many sums of one size in a single pass over memory, and sums over blocks."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

# Sums that one loop makes at once: for more there are too few registers.
_AT_ONCE = 13


def totals(values: Sequence[jax.Array]) -> jax.Array:
    """Sum each array, all of one shape and type, over everything: ``[m]``.

    The rows' sums are added up together: one by one they would be as many programs to compile.
    """
    return jnp.sum(jnp.stack(row_sums([each[None] for each in values])), axis=(1, 2))


def row_sums(values: Sequence[jax.Array]) -> list[jax.Array]:
    """:func:`sums` over all but the first two axes, ``[i, j, ...] -> [i, j]``."""
    return sums(values, tuple(range(2, values[0].ndim)))


def block_sums(values: Sequence[jax.Array], length: int) -> jax.Array:
    """Sum each array over boxes of ``length`` px per axis, which it divides: ``[m, blocks]``."""
    *shape, last = values[0].shape
    # Along the rows side by side; what is left is small.
    parts = sums([x.reshape(*shape, last // length, length) for x in values], (len(shape) + 1,))
    found = jnp.stack(parts)
    for axis in range(1, len(shape) + 1):
        split = (*found.shape[:axis], -1, length, *found.shape[axis + 1 :])
        rows = jnp.moveaxis(found.reshape(split), axis + 1, 0)
        found = sum(rows[1:], rows[0])
    return found.reshape(len(values), -1)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def sums(values: Sequence[jax.Array], axes: tuple[int, ...]) -> list[jax.Array]:
    """Sum each array, all of one shape and type, over some axes.

    A loop makes some summands and adds them up side by side: on the CPU several times quicker than
    sums of their own, for which every summand and every slice in it would be written out.
    """

    def add(first, second):
        return [x + y for x, y in zip(first, second, strict=True)]

    loops = -(-len(values) // _AT_ONCE)
    found = []
    for k in range(loops):
        some = list(values[k * len(values) // loops : (k + 1) * len(values) // loops])
        found += jax.lax.reduce(some, [jnp.zeros((), x.dtype) for x in some], add, axes)
    return found


@sums.defjvp
def _jvp(axes, primals, tangents):
    # JAX differentiates no reduction of several arrays at once.
    return sums(*primals, axes), [jnp.sum(x, axis=axes) for x in tangents[0]]
