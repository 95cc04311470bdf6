"""Many sums of one size in a single pass over memory, and sums over blocks."""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

# Sums that one loop makes at once: for more there are too few registers.
_AT_ONCE = 13
# Rows that one loop adds up: those of a small image alone are over too soon.
_ROWS = 8


def totals(values: Sequence[jax.Array]) -> jax.Array:
    """Sum each array, all of one shape and type, over everything: ``[m]``.

    The sums of some rows each are added up together: one by one they would be as many programs to
    compile.
    """
    rows, *others = values[0].shape
    together = math.gcd(rows, _ROWS)
    shape = rows // together, together, *others
    found = sums([each.reshape(shape) for each in values], tuple(range(1, len(shape))))
    return jnp.sum(jnp.stack(found), axis=1)


def row_sums(values: Sequence[jax.Array]) -> list[jax.Array]:
    """:func:`sums` over all but the first two axes, ``[i, j, ...] -> [i, j]``."""
    return sums(values, tuple(range(2, values[0].ndim)))


def block_sums(values: Sequence[jax.Array], length: int) -> jax.Array:
    """Sum each array over boxes of ``length`` px per axis, which it divides: ``[m, blocks]``."""
    split = [n for size in values[0].shape for n in (size // length, length)]
    # Along the rows alone a loop would be over before its sums are worth their registers.
    inside = tuple(range(1, len(split), 2))
    return jnp.stack(sums([x.reshape(split) for x in values], inside)).reshape(len(values), -1)


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
