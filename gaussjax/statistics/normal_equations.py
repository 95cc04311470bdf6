"""The normal equations of least squares: sums that add up over pixels, tiles and pairs."""

import operator
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NormalEquations:
    """The sum ``1/2 r' W r`` and its derivatives by the parameters, at one point.

    Attributes:
        squares: ``r' W r``, r = predicted - B.
        gradient: ``J' W r``, ``[k]``.
        information: ``J' W J``, ``[k, k]``.
        num_pixels: compared.
    """

    squares: jax.Array
    gradient: jax.Array
    information: jax.Array
    num_pixels: jax.Array

    def __add__(self, other: Self) -> Self:
        """Of the pixels of both."""
        return jax.tree.map(operator.add, self, other)

    def squares_after(self, move: jax.Array) -> jax.Array:
        """``r' W r`` once the parameters have moved, to second order; rounding leaves no less."""
        change = 2 * move @ self.gradient + move @ self.information @ move
        return jnp.maximum(self.squares + change, 0)
