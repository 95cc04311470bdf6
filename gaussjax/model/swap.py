"""A pair of images with its roles swapped: from B to A instead of from A to B."""

import jax
import jax.numpy as jnp

from gaussjax.model.params import BlurParams

# A forward model with negative variance multiplies by exp(|v| w^2 / 2) and soon amplifies
# rounding. Below this variance (px^2) the pair is fitted with its roles swapped instead, and
# negated. Not at zero: there noise in B, which looks like sharpness, would pull the estimate away
# from no blur. Down to it the noise of A is amplified by less than e.
SWAP_BELOW = -0.1


def is_swapped(covariance_matrix: jax.Array) -> jax.Array:
    """True where an estimate says that B is the sharper image, by its mean variance."""
    return jnp.trace(covariance_matrix) < SWAP_BELOW * len(covariance_matrix)


def swap_pair(swapped: jax.Array | bool, first, second):
    """``(first, second)``, in the other order where ``swapped``; arrays, or pytrees of them."""

    def chosen(kept, other):
        return jax.tree.map(lambda x, y: jnp.where(swapped, y, x), kept, other)

    return chosen(first, second), chosen(second, first)


def swap_params(swapped: jax.Array | bool, params: BlurParams) -> BlurParams:
    """The parameters, or where ``swapped`` those that take B to A."""
    return swap_pair(swapped, params, params.inverse())[0]


def swap_bounds(lower, upper, swapped) -> tuple[jax.Array, jax.Array]:
    """Bounds on the variance, or where ``swapped`` those on that from B to A."""
    return swap_pair(swapped, (lower, upper), (-upper, -lower))[0]
