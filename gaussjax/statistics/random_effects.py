"""Random effects: the scatter of the sigmas of pairs beyond their error bars."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gaussjax.statistics.quantiles import (
    chi_square_quantile,
    chi_square_tail,
    normal_probability,
    normal_quantile,
    student_quantile,
)

Total = Callable[[np.ndarray], np.ndarray]

# Normal deviates at which the distribution of the scatter is taken; the trapezoidal rule.
_DEVIATES = np.linspace(-6, 6, 49)

# Steps to a root at most: Newton's method takes some ten, bisection a hundred from the largest to
# the smallest scatter that the deviates give two pairs.
_MAX_ROUNDS = 100


@dataclass(frozen=True)
class RandomEffects:
    """How the true sigmas of pairs scatter; each of the shape of a sigma, and NaN for one pair.

    Attributes:
        scatter: their standard deviation, px; 0 where chance explains it all.
        heterogeneity: Cochran's Q over its degrees of freedom: 1 for one sigma, up to
            ``sqrt(2 / (n - 1))``.
        p_value: probability of such a Q, or a larger one, if all pairs have one sigma.
        scatter_interval: of ``scatter`` at 95 %, ``[2, ...]``; begins at 0 where one sigma is
            possible.
        mean: of the population that the pairs are drawn from, px: every pair counts by its error
            bar and the scatter together. Of one pair, its sigma.
        mean_standard_error: of it, px.
        mean_freedom: degrees of freedom of that; n - 1 for error bars alike.
        mean_interval: of ``mean`` at 95 %, ``[2, ...]``, by Student's t.
        scatters: what ``scatter`` may be, px: quantiles of its confidence distribution, ``[k,
            ...]``, with ``means``, the mean that each implies and its variance, ``[2, k, ...]``.
        probabilities: of ``scatters``, ``[k]``.
    """

    scatter: np.ndarray
    heterogeneity: np.ndarray
    p_value: np.ndarray
    scatter_interval: np.ndarray
    mean: np.ndarray
    mean_standard_error: np.ndarray
    mean_freedom: np.ndarray
    mean_interval: np.ndarray
    scatters: np.ndarray = field(repr=False)
    means: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)

    def prediction_interval(
        self, level: float = 0.95, standard_error: npt.ArrayLike = 0.0
    ) -> np.ndarray:
        """Interval of the next pair's sigma, px, ``[2, ...]``.

        Args:
            level: probability that it lies inside.
            standard_error: 0 for its true sigma; the error bar of the next pair for its measured
                one.
        """
        centres, variances = self.means
        widths = np.sqrt(variances + self.scatters**2 + np.asarray(standard_error) ** 2)
        return _mixture_quantiles(centres, widths, self.probabilities, level)


def random_effects(
    sigma: npt.ArrayLike, error: npt.ArrayLike, centre: npt.ArrayLike, total: Total = np.asarray
) -> RandomEffects:
    """Scatter t of true sigmas: the root of ``Q(t) = sum (sigma - mean_t)^2 / (t^2 + error^2)``.

    ``mean_t`` has the same weights. They depend on t: where the pairs do scatter, the few that are
    known best do not outweigh the others. With the true t, Q is a chi-square variable of n - 1
    degrees of freedom, whatever the error bars are: its mean gives the scatter, its quantiles the
    interval, and all of it the distribution of t that predictions need.

    Args:
        sigma: of the pairs of this process, px, ``[n, ...]``.
        error: their standard errors, px.
        centre: a sigma near them, px, ``[...]``; their differences from it are summed.
        total: the sum of an array over the processes.

    Sources: R. C. Paule and J. Mandel, "Consensus values and weighting factors", J. Res. Natl. Bur.
    Stand. 87(5), 1982 (scatter); W. Viechtbauer, Statistics in Medicine 26(1), 2007 (its interval);
    E. Tipton, Psychological Methods 20(3), 2015 (the mean's); K. Nagashima, H. Noma and T. A.
    Furukawa, Stat. Methods Med. Res. 28(6), 2019 (prediction by the confidence distribution of t).
    """
    centre = np.nan_to_num(np.asarray(centre, float))
    away, squares = np.asarray(sigma, float) - centre, np.asarray(error, float) ** 2
    squares = np.maximum(squares, np.finfo(float).tiny ** 0.25)
    count, first = total(np.stack([np.ones_like(away).sum(0), away.sum(0)]))
    plain_mean = first / np.maximum(count, 1)
    spread = total(((away - plain_mean) ** 2).sum(0))
    pairs = Estimates(away, squares, total)
    alone, freedom = count < 2, np.maximum(count - 1, 1)

    weights = np.exp(-0.5 * _DEVIATES**2)
    levels = np.concatenate([[0.025, 0.975], normal_probability(_DEVIATES)])
    levels = levels.reshape(-1, *np.ones(freedom.ndim, int))
    targets = np.concatenate([freedom[None], chi_square_quantile(levels, freedom)])
    _, _, at_zero, _ = pairs.moments(np.zeros_like(targets[:1]))
    roots = scatters_at(lambda s: pairs.moments(s)[2:], targets, at_zero, spread)
    weight, mean, _, _ = (np.where(count > 0, each, np.nan) for each in pairs.moments(roots))
    scatters = np.where(alone, np.nan, np.sqrt(roots))
    error_of_mean, of_mean = pairs.mean_error(roots[0], weight[0], mean[0])
    centre = centre + mean
    half = student_quantile(0.95, of_mean) * error_of_mean
    return RandomEffects(
        scatter=scatters[0],
        heterogeneity=np.where(alone, np.nan, at_zero[0] / freedom),
        p_value=np.where(alone, np.nan, chi_square_tail(at_zero[0], freedom)),
        scatter_interval=scatters[[2, 1]],
        mean=centre[0],
        mean_standard_error=error_of_mean,
        mean_freedom=of_mean,
        mean_interval=np.stack([centre[0] - half, centre[0] + half]),
        scatters=scatters[3:],
        means=np.stack([centre[3:], 1 / weight[3:]]),
        probabilities=weights / weights.sum(),
    )


@dataclass(frozen=True)
class Estimates:
    """Sums over estimates of all processes, for trial values of the squared scatter."""

    away: np.ndarray  # [n, ...]
    squares: np.ndarray  # of the error bars
    total: Total

    def moments(self, scatters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Sum of the weights, weighted mean, Q, and -dQ/d scatter; of ``[k, ...]``."""

        def weighted(scatter):
            weights = 1 / (scatter + self.squares)
            return weights.sum(0), (weights * self.away).sum(0)

        def deviations(scatter, mean):
            weights = 1 / (scatter + self.squares)
            # Around their mean: its square subtracted from theirs would leave the rounding.
            parts = weights * (self.away - mean) ** 2
            return parts.sum(0), (weights * parts).sum(0)

        weight, first = np.moveaxis(self.total(np.stack([weighted(s) for s in scatters])), 1, 0)
        mean = first / np.where(weight > 0, weight, 1)
        both = [deviations(s, m) for s, m in zip(scatters, mean, strict=True)]
        chi_square, slope = np.moveaxis(self.total(np.stack(both)), 1, 0)
        return weight, mean, chi_square, slope

    def mean_error(self, scatter, weight, mean) -> tuple[np.ndarray, np.ndarray]:
        """Standard error of the weighted mean, CR2, and its degrees of freedom; NaN for one pair.

        What :func:`~gaussjax.statistics.cluster_robust.cluster_robust` gives for one parameter
        with these weights as slopes and their inverses as variances. The form of Hartung and Knapp,
        ``Q / (n - 1) / weight`` with n - 1, is the same for error bars alike; of 3 pairs whose
        error bars differ by up to a factor of 10 it covers .91, this .95 to .98.
        """
        share = 1 / (scatter + self.squares) / np.where(weight > 0, weight, 1)
        pull = share**2 / np.maximum(1 - share, np.finfo(float).eps)
        parts = share**2, pull, pull**2, pull * (self.away - mean) ** 2
        shares, pulls, squares, variance = self.total(np.stack([x.sum(0) for x in parts]))
        known = (shares > 0) & (shares < 1 - 4 * np.finfo(float).eps)
        # A pair that outweighs all others has terms that cancel, and one degree of freedom.
        across = np.maximum(pulls**2 - squares, 0) + 16 * np.finfo(float).eps * squares
        inverse = np.where(known, shares + across, np.nan)
        return np.where(known, np.sqrt(variance), np.nan), np.maximum(1 / inverse, 1)


def scatters_at(
    chi_square: Callable[[np.ndarray], tuple[np.ndarray, ...]],
    targets: np.ndarray,
    at_zero: np.ndarray,
    spread: np.ndarray,
) -> np.ndarray:
    """The squared scatters at which Q has these values, ``[k, ...]``; 0 where no scatter has.

    Newton's method on 1 / Q, which is a straight line for equal error bars and else concave; no
    root is larger than with error bars of 0, where it begins.

    Args:
        chi_square: Q and -dQ/d scatter of trial squared scatters ``[k, ...]``; Q falls.
        targets: ``[k, ...]``.
        at_zero: Q without scatter.
        spread: the sum of squared deviations, which Q times the squared scatter tends to.
    """
    low, high = np.zeros_like(targets), np.where(at_zero > targets, spread / targets, 0)
    largest = squared = high
    for _ in range(_MAX_ROUNDS):
        value, slope = chi_square(squared)
        low = np.where(value >= targets, np.maximum(low, squared), low)
        high = np.where(value <= targets, np.minimum(high, squared), high)
        step = (value - targets) * value / np.where(slope > 0, slope * targets, 1)
        trial = np.maximum(squared + step, low)
        trial = np.where(trial > high, 0.5 * (low + high), trial)
        moved = np.abs(trial - squared)
        squared = trial
        if np.all(moved <= 1e-10 * squared + 1e-14 * largest):
            break
    return squared


def _mixture_quantiles(
    centres: np.ndarray, widths: np.ndarray, probabilities: np.ndarray, level: float
) -> np.ndarray:
    """Ends of the central interval of a mixture of normal distributions, by bisection."""
    if not 0 < level < 1:
        raise ValueError(f"level must be a probability between 0 and 1, got {level}")
    reach = normal_quantile(level, float) * widths
    targets = np.asarray([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    targets = targets.reshape(2, *np.ones(widths.ndim - 1, int))
    low = np.broadcast_to((centres - reach).min(0), (2, *widths.shape[1:]))
    high = np.broadcast_to((centres + reach).max(0), (2, *widths.shape[1:]))
    for _ in range(_MAX_ROUNDS):
        middle = 0.5 * (low + high)
        below = normal_probability((middle[:, None] - centres) / widths)
        below = np.tensordot(below, probabilities, (1, 0)) < targets
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
