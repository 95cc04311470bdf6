"""Many sums of one size in a single pass over memory, and sums over blocks."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.numerics.linear_algebra import product

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


def block_sums(values: Sequence[jax.Array], length: int) -> list[jax.Array]:
    """Sums over boxes of ``length`` px per axis, ``[m, *shape] -> [m, blocks]``.

    ``length`` divides every axis but the first.
    """
    count, *shape = values[0].shape
    split = [part for size in shape for part in (size // length, length)]
    # The last axis of several comes last: the loop that runs along it is vectorised, a sum is not.
    axes = tuple(range(2, len(split) + (len(shape) == 1), 2))
    found = sums([each.reshape(count, *split) for each in values], axes)
    if len(shape) > 1:
        member = np.arange(shape[-1])[:, None] // length == np.arange(shape[-1] // length)
        rows = [each.reshape(count, -1, shape[-1]) for each in found]
        found = [product(each, jnp.asarray(member, each.dtype)) for each in rows]
    return [each.reshape(count, -1) for each in found]


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
