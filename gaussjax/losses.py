"""Losses of a standardised residual z: squared, absolute, Huber's, or a function of the user's.

A rho function gives the loss of every pixel, from an array to an array of the same shape; it
should be convex, even, and ``z^2 / 2`` near zero. ``psi = rho'`` is its influence.

Source: P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35(1), 1964.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

LOSSES = ("squared", "absolute", "huber")
# 95 % efficient where the noise is normal.
HUBER_THRESHOLD = 1.345
# Standard deviations in a median absolute deviation of normal noise.
STD_PER_MAD = 1.4826
# "absolute" is rounded off within this part of the residual's scale, so that it has a curvature.
ABSOLUTE_ROUNDING = 0.01
# Pixels are near the median within this part of it.
_MEDIAN_WIDTH = 0.1


def smooth_absolute(z: jax.Array) -> jax.Array:
    """sqrt(1 + z^2) - 1, without its cancellation: |z| but for |z| <~ 1."""
    return z**2 / (1 + jnp.sqrt(1 + z**2))


def huber(z: jax.Array) -> jax.Array:
    """z^2 / 2 within the threshold, linear beyond it."""
    size = jnp.abs(z)
    tail = HUBER_THRESHOLD * (size - 0.5 * HUBER_THRESHOLD)
    return jnp.where(size <= HUBER_THRESHOLD, 0.5 * z**2, tail)


def influence(rho: Callable, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Psi = rho' and its slope, not below 0, element by element."""

    def psi(values):
        return jax.grad(lambda v: jnp.sum(rho(v)))(values)

    value, slope = jax.jvp(psi, (z,), (jnp.ones_like(z),))
    return value, jnp.maximum(slope, 0)


def median_scale(residual: jax.Array, window: jax.Array) -> jax.Array:
    """Standard deviation of the residual over the window, from its median absolute value.

    Its derivative is that of the median of the distribution that the sample stands for: a mean
    over the pixels near the median. The sample's own jumps from one pixel to the next.
    """
    size = jnp.abs(residual)
    fixed = jax.lax.stop_gradient(size)
    median = jnp.nanmedian(jnp.where(window > 0, fixed, jnp.nan))
    distance = (fixed - median) / (_MEDIAN_WIDTH * jnp.where(median > 0, median, 1))
    near = jnp.where(window > 0, jnp.exp(-0.5 * distance**2), 0)
    change = jnp.sum(near * (size - fixed)) / jnp.maximum(jnp.sum(near), 1)
    return STD_PER_MAD * (median + change)
