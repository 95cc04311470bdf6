"""The normal equations of pairs, with the scatter of their scores; sums over pixels and pairs."""

from dataclasses import dataclass

import jax

from gaussjax.statistics.normal_equations import NormalEquations


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PairEquations(NormalEquations):
    """Of one or many pairs at a linearization point, by the variances.

    With u the scores and their slopes of a block of pixels, or of a pair, in one vector
    ``[p + p^2]``:

    Attributes:
        of_blocks: sum of ``u u'`` over the blocks of all pairs.
        of_pairs: sum of ``u u'`` over the pairs.
        change: ``sum W (B - A)^2``.
        structure: ``sum W r r'`` with r' the next pixel's, mean over the axes: 0 for white noise.
        num_pairs: that have pixels to compare.
    """

    of_blocks: jax.Array
    of_pairs: jax.Array
    change: jax.Array
    structure: jax.Array
    num_pairs: jax.Array
