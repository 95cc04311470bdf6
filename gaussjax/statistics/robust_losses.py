"""Robust losses of a standardised residual z: absolute, Huber's, or a function of the user's.

A function rho takes z to the loss of every pixel; it should be convex, even, and ``z^2 / 2`` near
zero. ``psi = rho'`` is its influence function.

Source: P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35(1), 1964.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gaussjax.numerics import loops
from gaussjax.numerics.reductions import row_sums

# 95 % efficient where the noise is normal.
HUBER_THRESHOLD = 1.345
# Standard deviations in a median absolute deviation of normal noise.
STD_PER_MAD = 1.4826
# "absolute" is smooth within this part of the residual's scale, so that it has a curvature.
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

    Its derivative is that of the distribution's median, a mean over the pixels near the median:
    the sample median's own jumps from one pixel to the next.
    """
    size = jnp.abs(residual)
    fixed = jax.lax.stop_gradient(size)
    median = _median(fixed, window > 0)
    distance = (fixed - median) / (_MEDIAN_WIDTH * jnp.where(median > 0, median, 1))
    near = jnp.where(window > 0, jnp.exp(-0.5 * distance**2), 0)
    change = jnp.sum(near * (size - fixed)) / jnp.maximum(jnp.sum(near), 1)
    return STD_PER_MAD * (median + change)


def _median(values: jax.Array, inside: jax.Array) -> jax.Array:
    """The least value that half of those ``inside`` do not exceed; 0 of none. No value is negative.

    Such floats are ordered as their bits are: the bits of the median are found by counts, two at a
    time from the first to the last. A sort takes a hundred times as long.
    """
    digits = 8 * values.dtype.itemsize - 1
    integer = {31: jnp.int32, 63: jnp.int64}[digits]
    bits = jax.lax.bitcast_convert_type(values, integer)
    bits = jnp.where(inside, bits, jnp.iinfo(integer).max)
    half = (jnp.sum(inside) + 1) // 2

    def two_more(k, least):
        width = jnp.left_shift(integer(1), jnp.maximum(digits - 2 * (k + 1), 0).astype(integer))
        thresholds = [least + count * width for count in (1, 2, 3)]
        rows = row_sums([(bits < each).astype(values.dtype)[None] for each in thresholds])
        passed = [jnp.sum(below.astype(jnp.int32)) < half for below in rows]
        return least + width * sum(each.astype(integer) for each in passed)

    least = loops.fori_loop(0, -(-digits // 2), two_more, integer(0))
    return jax.lax.bitcast_convert_type(least, values.dtype)
