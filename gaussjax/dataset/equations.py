"""The normal equations of pairs, with the scatter of their scores; sums over pixels and pairs."""

import jax

from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.normal_equations import NormalEquations


@pytree
class PairEquations(NormalEquations):
    """Of one or many pairs at a linearization point, by the variances.

    With u the scores and their slopes of a block of pixels, or of a pair, in one vector
    ``[p + p^2]``:
    """

    of_blocks: jax.Array  # sum of `u u'` over the blocks of all pairs
    of_pairs: jax.Array  # sum of `u u'` over the pairs
    change: jax.Array  # `sum W (B - A)^2`
    # `sum W r r'` with r' the next pixel's, mean over the axes: 0 for white noise
    structure: jax.Array
    num_pairs: jax.Array  # that have pixels to compare
