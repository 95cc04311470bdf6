"""The normal equations of least squares: sums that add up over pixels, tiles and pairs."""

import operator
from typing import Self

import jax
import jax.numpy as jnp

from gaussjax.numerics.pytree import pytree


@pytree
class NormalEquations:
    """The sum ``1/2 r' W r`` and its derivatives by the parameters, at one point."""

    squares: jax.Array  # `r' W r`, r = predicted - B
    gradient: jax.Array  # `J' W r`, `[k]`
    information: jax.Array  # `J' W J`, `[k, k]`
    num_pixels: jax.Array  # compared

    def __add__(self, other: Self) -> Self:
        """The sums over the pixels of both."""
        return jax.tree.map(operator.add, self, other)

    def squares_after(self, move: jax.Array) -> jax.Array:
        """``r' W r`` once the parameters have moved, to second order; rounding leaves no less."""
        change = 2 * move @ self.gradient + move @ self.information @ move
        return jnp.maximum(self.squares + change, 0)
