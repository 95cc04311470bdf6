"""Error bars of sigma from those of the variance, and back."""

import jax
import jax.numpy as jnp


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
