"""Which of several fits best predicts pixels that it was not fitted to.

With r the residual of a fit on a window, J its derivatives, and sums over a block b of pixels

    g_b = J' W r,   H_b = J' W J,   H = sum_b H_b

the fit without block b leaves there, to first order and exactly where the model is linear,

    |r - J d|^2,    d = -(H - H_b)^-1 g_b                                (PRESS, block by block)

Two fits are compared by the sum of the differences of these squares. In a pixel the difference is
e^2 + 2 e r with e = r' - r: the scene is given, and r is noise where it is that of the better fit.
So the variance of the sum is 4 s^2 sum W e^2, times a factor for noise that is uneven or that
neighbours share: the squares of u_b = 2 sum_b W e r, and products of neighbours by Bartlett's
weights, over what white noise leads to. It is drawn to 1 as far as chance alone may have moved it.

Source: D. M. Allen, Technometrics 16(1), 1974 (PRESS); Q. H. Vuong, Econometrica 57(2), 1989 (tests
of differences); W. K. Newey and K. D. West, Econometrica 55(3), 1987; S. Holm, Scandinavian J. of
Statistics 6(2), 1979.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from gaussjax.statistics.long_run_covariance import drawn_to_one

# Probability of a standard normal deviate above 2.
LEVEL = 0.5 * math.erfc(math.sqrt(2))


@dataclass(frozen=True)
class HeldOut:
    """Sums over blocks of pixels."""

    squares: np.ndarray  # of residuals of the fit without the block
    residual: np.ndarray  # of the fit to all, times the square root of the window
    num_parameters: int  # that were fitted


def block_sums(values: np.ndarray, size: int) -> np.ndarray:
    """Sums over blocks of ``size`` px along every axis; the last ones are smaller."""
    for axis, length in enumerate(values.shape):
        values = np.add.reduceat(values, np.arange(0, length, size), axis)
    return values


def held_out(rows: np.ndarray, noise: np.ndarray, window: np.ndarray, size: int) -> HeldOut:
    """What the fits without each block of ``size`` px leave in it.

    The rows are residual and derivatives, ``[1 + parameters, *shape]``; ``noise`` are products of
    them per pixel that are known to be noise, and subtracted.
    """
    count = block_sums(window, size)
    k = len(rows)
    products = np.empty((count.size, k, k))
    for i in range(k):
        for j in range(i, k):
            found = block_sums(window * rows[i] * rows[j], size) - noise[i, j] * count
            products[:, i, j] = products[:, j, i] = found.ravel()
    squares, gradient, matrix = products[:, 0, 0], products[:, 1:, 0], products[:, 1:, 1:]
    total = np.sum(matrix, axis=0)
    unit = np.sqrt(np.maximum(np.diag(total), 0))
    unit = np.where(unit > 0, unit, 1)
    gradient, matrix = gradient / unit, matrix / np.outer(unit, unit)
    # Directions that the window does not determine stay where they are.
    without = total / np.outer(unit, unit) + 1e-9 * np.eye(k - 1) - matrix
    step = np.linalg.solve(without, gradient[..., None])[..., 0]
    change = 2 * np.sum(gradient * step, -1) + np.einsum("bi,bij,bj->b", step, matrix, step)
    return HeldOut((squares + change).reshape(count.shape), np.sqrt(window) * rows[0], k - 1)


def excess(others: Sequence[HeldOut], best: HeldOut, size: int, variance: float) -> np.ndarray:
    """How far held-out squares exceed those of the best fit, and standard errors, ``[2, fits]``.

    ``size`` is that of the blocks, ``variance`` that of the noise in a pixel.
    """
    found = []
    for other in others:
        change = other.residual - best.residual
        content = block_sums(change**2, size)
        total = float(np.sum(content))
        known = 4 * variance * total
        seen = bartlett_sum(2 * block_sums(change * best.residual, size), 0.5)
        chance = 2 * bartlett_sum(content / total, 0.25) if total > 0 else 1.0
        spare = 2 * variance**2 * max(other.num_parameters, best.num_parameters, 1)
        found.append((np.sum(other.squares - best.squares), known, seen, chance, spare))
    difference, known, seen, chance, spare = np.array(found).T
    ratio = np.divide(seen, known, out=np.ones(len(found)), where=known > 0)
    factor = np.asarray(drawn_to_one(jnp.asarray(ratio), jnp.asarray(chance)), float)
    # Parameters that nothing asks for change the squares by a chi-square each.
    return np.stack([difference, np.sqrt(known * np.maximum(factor, 0) + spare)])


def bartlett_sum(values: np.ndarray, side: float) -> float:
    """Sum of products of a field with itself and, by a weight per step, with its neighbours."""
    smooth = values
    for axis in range(values.ndim):
        padded = np.pad(smooth, [(int(k == axis),) * 2 for k in range(values.ndim)])
        n = values.shape[axis]
        before, after = (np.take(padded, range(k, k + n), axis) for k in (0, 2))
        smooth = smooth + side * (before + after)
    return float(np.sum(values * smooth))


def holm(deviates: Sequence[float] | np.ndarray) -> np.ndarray:
    """P-values of one-sided normal deviates, adjusted for their number."""
    p_values = np.array([0.5 * math.erfc(z / math.sqrt(2)) for z in deviates])
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1)
    return adjusted
