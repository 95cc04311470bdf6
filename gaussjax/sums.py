"""Many sums of one size in a single pass over memory."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


@jax.custom_jvp
def sums_of_rows(values: Sequence[jax.Array]) -> list[jax.Array]:
    """Sum each array, all of one shape and type, over its axis -2; ``[..., rows, n] -> [..., n]``.

    One loop makes the summands and adds them up side by side: on the CPU many times quicker than
    sums of their own, for arrays that stay in the first cache. It goes down column by column, so
    that of large spectra products of matrices are the quicker way.
    """
    axis = values[0].ndim - 2
    zeros = [jnp.zeros((), x.dtype) for x in values]

    def add(first, second):
        return [x + y for x, y in zip(first, second, strict=True)]

    return list(jax.lax.reduce(list(values), zeros, add, (axis,)))


@sums_of_rows.defjvp
def _jvp(primals, tangents):
    # JAX differentiates no reduction of several arrays at once.
    return sums_of_rows(*primals), [jnp.sum(x, axis=-2) for x in tangents[0]]
