"""Error bars of estimates that minimise a sum over pixels."""

import jax
import jax.numpy as jnp

from gaussjax.numerics.linear_algebra import diagonal, inverse_small, product

# Blocks of the sandwich in a frame; they determine a variance to sqrt(2 / 256).
NUM_BLOCKS = 256
# The sandwich replaces the classical form where its variance is larger by this factor, several of
# its own standard errors. Elsewhere the classical form is the more precise of the two.
DEPENDENT_FROM = 1.5


def fisher_covariance(curvature: jax.Array, noise_variance: jax.Array) -> jax.Array:
    """Covariance ``s^2 H^-1`` of least squares with independent noise, ``[k, k]``; made symmetric.

    The H of an estimating equation need not be.
    """
    inverse = inverse_small(curvature)
    return noise_variance * 0.5 * (inverse + inverse.T)


def sandwich_covariance(curvature: jax.Array, scatter: jax.Array) -> jax.Array:
    """Covariance ``H^-1 S H^-T``, S from sums of the scores over blocks of neighbours.

    Valid where the residuals of neighbouring pixels depend on each other, as they do when the model
    is wrong: most neighbours of a pixel lie in its block.

    Args:
        curvature: H, second derivative of the objective, ``[k, k]``.
        scatter: S, inner products of the sums of the derivatives of the pixels' losses over
            blocks, ``[k, k]``.

    Source: H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50(1),
    1982; the blocks as in K.-Y. Liang and S. L. Zeger, Biometrika 73(1), 1986.
    """
    inverse = inverse_small(curvature)
    return product(product(inverse, scatter), inverse.T)


def block_counts(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Number of blocks along each axis of a frame."""
    per_axis = round(NUM_BLOCKS ** (1 / len(shape)))
    return tuple(min(per_axis, n) for n in shape)


def wider_covariance(classical: jax.Array, sandwich: jax.Array) -> jax.Array:
    """The sandwich where it shows that the classical form is too narrow, else the classical."""
    wanted, given = diagonal(sandwich), diagonal(classical)
    ratio = wanted / jnp.where(given > 0, given, 1)
    return jnp.where(jnp.max(ratio) > DEPENDENT_FROM, sandwich, classical)


def sigma_error(sigma: jax.Array, variance_se: jax.Array) -> jax.Array:
    """Standard error of |sigma| from that of the variance: sqrt(sigma^2 + se) - |sigma|.

    se / (2 sigma) to first order, but finite at zero blur.
    """
    root = jnp.sqrt(sigma**2 + variance_se)
    # The difference of roots, written without its cancellation.
    return variance_se / jnp.where(root > 0, root + jnp.abs(sigma), 1)


def variance_error(sigma: jax.Array, sigma_se: jax.Array) -> jax.Array:
    """Inverse of :func:`sigma_error`."""
    return sigma_se * (2 * abs(sigma) + sigma_se)
