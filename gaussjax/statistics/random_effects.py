"""Random effects: the scatter of the sigmas of pairs beyond their error bars."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Trial values of the scatter, and how often the interval between two of them is divided anew.
_TRIALS, _ROUNDS = 33, 8


@dataclass(frozen=True)
class RandomEffects:
    """How the true sigmas of pairs scatter; each of the shape of a sigma.

    Attributes:
        scatter: their standard deviation, px; 0 where chance explains it all, NaN for one pair.
        heterogeneity: Cochran's Q over its degrees of freedom: 1 for one sigma, up to
            ``sqrt(2 / (n - 1))``; NaN for one pair.
    """

    scatter: np.ndarray
    heterogeneity: np.ndarray


def random_effects(
    sigma: npt.ArrayLike,
    error: npt.ArrayLike,
    centre: npt.ArrayLike,
    total: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> RandomEffects:
    """Scatter t of true sigmas: the root of ``sum (sigma - mean_t)^2 / (t^2 + error^2) = n - 1``.

    ``mean_t`` has the same weights. They depend on t: where the pairs do scatter, the few that are
    known best do not outweigh the others.

    Args:
        sigma: of the pairs of this process, px, ``[n, ...]``.
        error: their standard errors, px.
        centre: a sigma near them, px, ``[...]``; their differences from it are summed.
        total: the sum of an array over the processes.

    Source: R. C. Paule and J. Mandel, "Consensus values and weighting factors", J. Res. Natl. Bur.
    Stand. 87(5), 1982.
    """
    away, squares = np.asarray(sigma, float) - np.asarray(centre), np.asarray(error, float) ** 2
    squares = np.maximum(squares, np.finfo(float).tiny)

    def sums(*powers: np.ndarray) -> np.ndarray:
        return total(np.stack(powers))

    count, first, second = sums(np.ones_like(away).sum(0), away.sum(0), (away**2).sum(0))
    freedom = np.maximum(count - 1, 1)

    def excess(scatters: np.ndarray) -> np.ndarray:
        """Q less its mean, for trial scatters ``[k, ...]``."""
        weights = 1 / (scatters[:, None] ** 2 + squares[None])
        weight, mean, square = sums(
            weights.sum(1), (weights * away[None]).sum(1), (weights * away[None] ** 2).sum(1)
        )
        return square - mean**2 / np.where(weight > 0, weight, 1) - freedom

    # With all weights alike the root is the standard deviation itself, and no root is larger.
    low = np.zeros_like(first)
    high = np.sqrt(np.maximum(second - first**2 / np.maximum(count, 1), 0) / freedom)
    at_zero = excess(low[None])[0]
    for _ in range(_ROUNDS):
        trials = np.linspace(low, high, _TRIALS)
        # Q falls: the last trial whose Q is too large, and the next one.
        last = np.clip(np.sum(excess(trials) > 0, axis=0) - 1, 0, _TRIALS - 2)
        low, high = (np.take_along_axis(trials, last[None] + k, 0)[0] for k in range(2))
    alone = count < 2
    return RandomEffects(
        scatter=np.where(alone, np.nan, np.where(at_zero > 0, 0.5 * (low + high), 0)),
        heterogeneity=np.where(alone, np.nan, 1 + at_zero / freedom),
    )
