"""The normal equations of pairs at one blur, with the scatter of their scores; additive."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.dataset.instruments import PairSums
from gaussjax.numerics.linear_algebra import inner_products
from gaussjax.statistics.normal_equations import NormalEquations


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PairEquations(NormalEquations):
    """Sums of one or many pairs at theta_0, by the variances.

    With u the scores and their slopes, of a block of pixels or a pair, in one vector ``[p + p^2]``:

    Attributes:
        of_blocks: sum of ``u u'`` over the blocks of all pairs.
        of_pairs: sum of ``u u'`` over the pairs.
        change: ``sum W (B - A)^2``.
        structure: see :class:`~gaussjax.dataset.instruments.PairSums`.
        num_pairs: that have pixels to compare.
    """

    of_blocks: jax.Array
    of_pairs: jax.Array
    change: jax.Array
    structure: jax.Array
    num_pairs: jax.Array


def pair_equations(sums: PairSums) -> PairEquations:
    """Of one pair."""
    total = jnp.sum(sums.blocks, axis=1)
    return PairEquations(
        squares=sums.squares,
        gradient=sums.gradient,
        information=sums.slope,
        num_pixels=sums.num_pixels.astype(total.dtype),
        of_blocks=inner_products(sums.blocks, sums.blocks),
        of_pairs=jnp.outer(total, total),
        change=sums.change,
        structure=sums.structure,
        num_pairs=(sums.num_pixels > 0).astype(total.dtype),
    )
