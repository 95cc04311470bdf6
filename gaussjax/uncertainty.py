"""Error bars of estimates that minimise a sum over pixels."""

import jax
import jax.numpy as jnp

from gaussjax.linear_algebra import inner_products, inverse_small

# Blocks of the sandwich, over all axes together: their sums tell a variance to sqrt(2 / 256).
NUM_BLOCKS = 256
# The sandwich replaces the classical form where it is this much wider in variance, several of its
# own standard errors: where it is not, the classical form is the more precise of the two.
DEPENDENT_FROM = 1.5


def fisher_covariance(curvature: jax.Array, noise_variance: jax.Array) -> jax.Array:
    """Covariance ``s^2 H^-1`` of least squares with independent noise, ``[k, k]``."""
    return noise_variance * inverse_small(curvature)


def sandwich_covariance(curvature: jax.Array, sums: jax.Array) -> jax.Array:
    """Covariance ``H^-1 S H^-1``, S from sums of the scores over blocks of neighbours.

    Right where the residuals of neighbouring pixels depend on each other, as they do when the
    model is not the truth: a block holds most neighbours of its pixels.

    Args:
        curvature: H, second derivative of the objective, ``[k, k]``.
        sums: of the derivatives of the pixels' losses, by :func:`block_sums`, ``[k, *blocks]``.

    Source: H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50(1),
    1982; the blocks as in K.-Y. Liang and S. L. Zeger, Biometrika 73(1), 1986.
    """
    inverse = inverse_small(curvature)
    return inverse @ inner_products(sums, sums) @ inverse


def block_sums(fields: jax.Array) -> jax.Array:
    """Sums of ``[k, *frame]`` over about ``NUM_BLOCKS`` blocks, ``[k, *blocks]``."""
    shape = fields.shape[1:]
    per_axis = round(NUM_BLOCKS ** (1 / len(shape)))
    for axis, n in enumerate(shape, start=1):
        blocks = min(per_axis, n)
        length = -(-n // blocks)
        padding = [(0, 0)] * fields.ndim
        padding[axis] = (0, blocks * length - n)
        padded = jnp.pad(fields, padding)
        split = (*padded.shape[:axis], blocks, length, *padded.shape[axis + 1 :])
        fields = jnp.sum(padded.reshape(split), axis=axis + 1)
    return fields


def wider_covariance(classical: jax.Array, sandwich: jax.Array) -> jax.Array:
    """The sandwich where it says that the classical form is too narrow, else the classical."""
    ratio = jnp.diag(sandwich) / jnp.where(jnp.diag(classical) > 0, jnp.diag(classical), 1)
    return jnp.where(jnp.max(ratio) > DEPENDENT_FROM, sandwich, classical)
