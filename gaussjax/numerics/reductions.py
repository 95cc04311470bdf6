"""Many sums of one size in a single pass over memory, and sums over blocks."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

# Sums that one loop makes at once: for more there are too few registers.
_AT_ONCE = 13


def block_members(size: int, count: int) -> np.ndarray:
    """Which of ``count`` blocks of an axis each of its pixels lies in, ``[count, size]``."""
    return np.arange(size) // -(-size // count) == np.arange(count)[:, None]


@jax.custom_jvp
def row_sums(values: Sequence[jax.Array]) -> list[jax.Array]:
    """Sum each array, all of one shape and type, over all but two axes: ``[i, j, ...] -> [i, j]``.

    A loop makes some summands and adds them up side by side: on the CPU several times quicker than
    sums of their own, for which every summand and every slice in it would be written out.
    """
    axes = _axes(values)

    def add(first, second):
        return [x + y for x, y in zip(first, second, strict=True)]

    loops = -(-len(values) // _AT_ONCE)
    found = []
    for k in range(loops):
        some = list(values[k * len(values) // loops : (k + 1) * len(values) // loops])
        found += jax.lax.reduce(some, [jnp.zeros((), x.dtype) for x in some], add, axes)
    return found


@row_sums.defjvp
def _jvp(primals, tangents):
    # JAX differentiates no reduction of several arrays at once.
    return row_sums(*primals), [jnp.sum(x, axis=_axes(tangents[0])) for x in tangents[0]]


def _axes(values: Sequence[jax.Array]) -> tuple[int, ...]:
    return tuple(range(2, values[0].ndim))
