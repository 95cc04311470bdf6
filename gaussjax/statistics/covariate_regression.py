"""The sigmas of pairs against what is known of each: epoch, wavelength, distance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gaussjax.statistics.cluster_robust import cluster_robust
from gaussjax.statistics.number_format import with_errors
from gaussjax.statistics.quantiles import chi_square_tail, student_quantile, student_tail
from gaussjax.statistics.random_effects import random_effects, scatters_at

Total = Callable[[np.ndarray], np.ndarray]

# Share of a covariate, of standard deviation 1, that the others must leave over: the square root of
# what rounding leaves of one that they determine.
_INDEPENDENT = 1e-7


@dataclass(frozen=True)
class CovariateRegression:
    """Sigma as a linear function of covariates; arrays of coefficients are ``[k, ...]``.

    Attributes:
        names: of the coefficients: "mean", the sigma of a pair whose covariates are ``centres``,
            and the covariates, px per unit.
        centres: means of the covariates over the pairs, ``[k - 1]``.
        coefficients: with ``standard_error``, ``interval`` at 95 %, ``[2, k, ...]``, and
            ``p_value``, of no dependence; for "mean", of no blur.
        covariance: of the coefficients, ``[k, k, ...]``.
        freedom: degrees of freedom of the standard errors, which are by the scatter of the pairs.
        scatter: standard deviation of true sigmas about the line, px.
        scatter_p_value: probability of such deviations, or larger ones, by the error bars alone.
        explained: share of the squared scatter that the covariates explain; NaN where there is
            none to explain.
        num_pairs: in the regression.
    """

    names: tuple[str, ...]
    centres: np.ndarray
    coefficients: np.ndarray
    standard_error: np.ndarray
    interval: np.ndarray
    p_value: np.ndarray
    covariance: np.ndarray
    freedom: np.ndarray
    scatter: np.ndarray
    scatter_p_value: np.ndarray
    explained: np.ndarray
    num_pairs: int

    def __str__(self) -> str:
        """A line for every covariate, and one for what they leave over."""
        lines = []
        for k, name in enumerate(self.names[1:], 1):
            slopes = with_errors(self.coefficients[k], self.standard_error[k])
            p_values = ", ".join(f"{p:.2g}" for p in np.atleast_1d(self.p_value[k]))
            lines.append(f"{name}: {slopes} px per unit (p = {p_values})")
        scatter = ", ".join(f"{s:.4g}" for s in np.atleast_1d(self.scatter))
        shares = ", ".join(f"{100 * e:.3g} %" for e in np.atleast_1d(self.explained))
        lines.append(
            f"{scatter} px of scatter about the line of {self.num_pairs} pairs;"
            f" {shares} of the squared scatter explained"
        )
        return "\n".join(lines)

    def line(self, name: str, at: npt.ArrayLike, level: float = 0.95) -> np.ndarray:
        """Mean sigma at values of one covariate, the others at their means, px.

        Returns:
            Lower end of the interval, value, and upper end, ``[3, m, components]``.
        """
        k = self.names.index(name)
        away = np.asarray(at, float)[:, None] - self.centres[k - 1]
        size = len(self.names)
        coefficients, freedom = (x.reshape(size, -1) for x in (self.coefficients, self.freedom))
        covariance = self.covariance.reshape(size, size, -1)
        value = coefficients[0] + away * coefficients[k]
        square = covariance[0, 0] + 2 * away * covariance[0, k] + away**2 * covariance[k, k]
        # The degrees of freedom of a sum of two errors are not known: the fewer of theirs.
        few = np.minimum(freedom[0], freedom[k])
        half = student_quantile(level, few) * np.sqrt(np.maximum(square, 0))
        return np.stack([value - half, value, value + half])


def regress_on_covariates(
    values: npt.ArrayLike,
    errors: npt.ArrayLike,
    covariates: Mapping[str, npt.ArrayLike],
    total: Total = np.asarray,
) -> CovariateRegression:
    """Random-effects meta-regression of the pairs of all processes.

    ``value = mean + slopes (covariates - centres) + scatter + error``; every pair counts by ``1 /
    (scatter^2 + error^2)``, with the scatter about the line by Paule and Mandel's rule. Errors are
    CR2 with Satterthwaite's degrees of freedom: without covariates, those of
    :class:`~gaussjax.statistics.random_effects.RandomEffects`.

    Args:
        values: sigmas of the pairs of this process, ``[n, ...]``.
        errors: their standard errors.
        covariates: by name, ``[n]`` each; at least one.
        total: the sum of an array over the processes.

    Raises:
        ValueError: naming covariates that are not ``[n]`` finite numbers, are constant, follow from
            the others, or are too many for the pairs.

    Source: E. Tipton, "Small sample adjustments for robust variance estimation with
    meta-regression", Psychological Methods 20(3), 2015.
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    table = _table(covariates, len(values))
    design, centres, scales = _design(table, tuple(covariates), total)
    shape = values.shape[1:]
    columns = values.reshape(len(values), -1).T, errors.reshape(len(values), -1).T
    fits = [_fit(design, *column, total) for column in zip(*columns, strict=True)]
    coefficients, covariance, freedom, scatter, tail, explained = (
        np.stack(parts, axis=-1).reshape(parts[0].shape + shape)
        for parts in zip(*fits, strict=True)
    )
    units = 1 / np.concatenate([[1.0], scales]).reshape(-1, *np.ones(len(shape), int))
    coefficients, covariance = coefficients * units, covariance * units * units[:, None]
    standard_error = np.sqrt(np.einsum("kk...->k...", covariance))
    known = np.where(standard_error > 0, standard_error, np.nan)
    half = student_quantile(0.95, freedom) * standard_error
    return CovariateRegression(
        names=("mean", *covariates),
        centres=centres,
        coefficients=coefficients,
        standard_error=standard_error,
        interval=np.stack([coefficients - half, coefficients + half]),
        p_value=student_tail(coefficients / known, freedom),
        covariance=covariance,
        freedom=freedom,
        scatter=scatter,
        scatter_p_value=tail,
        explained=explained,
        num_pairs=int(total(np.asarray(float(len(values))))),
    )


def as_numbers(name: str, column: npt.ArrayLike) -> np.ndarray:
    """A covariate in float64; ValueError for what is no number."""
    try:
        return np.asarray(column, float)
    except (TypeError, ValueError):
        raise ValueError(
            f"covariates: {name!r} must be numbers; give a category as columns of 0 and 1, one for"
            " each of its values but one"
        ) from None


def _table(covariates: Mapping[str, npt.ArrayLike], count: int) -> np.ndarray:
    """The covariates as columns, ``[n, k - 1]``."""
    if not covariates:
        raise ValueError("covariates must name at least one")
    columns = []
    for name, column in covariates.items():
        numbers = as_numbers(name, column)
        if numbers.shape != (count,):
            raise ValueError(
                f"covariates: {name!r} must have a value for each of the {count} pairs; got an"
                f" array of shape {numbers.shape}"
            )
        columns.append(numbers)
    return np.stack(columns, axis=1)


def _design(table: np.ndarray, names: tuple[str, ...], total: Total):
    """Columns of 1 and of the covariates, centred and scaled, ``[n, k]``; centres and scales."""
    unknown = total(np.sum(~np.isfinite(table), axis=0, dtype=float))
    count = total(np.asarray(float(len(table))))
    if np.any(unknown):
        listed = ", ".join(
            f"{name!r} of {int(n)}" for name, n in zip(names, unknown, strict=True) if n
        )
        raise ValueError(f"covariates must be finite; not so of {int(count)} pairs: {listed}")
    if count < len(names) + 2:
        raise ValueError(
            f"{len(names)} covariates need at least {len(names) + 2} pairs with a sigma of their"
            f" own; got {int(count)}"
        )
    centres = total(table.sum(0)) / count
    # Once more: the first mean of numbers far from zero, like Julian dates, is a rounded one.
    centres = centres + total((table - centres).sum(0)) / count
    scales = np.sqrt(total(((table - centres) ** 2).sum(0)) / count)
    constant = scales <= 16 * np.finfo(float).eps * np.abs(centres)
    if np.any(constant):
        listed = ", ".join(repr(name) for name, same in zip(names, constant, strict=True) if same)
        raise ValueError(f"covariates must differ between the pairs; all alike: {listed}")
    scaled = (table - centres) / scales
    parts, directions = np.linalg.eigh(total(scaled.T @ scaled) / count)
    if parts[0] < _INDEPENDENT**2:
        part = np.abs(directions[:, 0]) > np.sqrt(_INDEPENDENT)
        listed = ", ".join(repr(name) for name, in_it in zip(names, part, strict=True) if in_it)
        raise ValueError(f"covariates must not follow from each other; these do: {listed}")
    return np.concatenate([np.ones((len(table), 1)), scaled], axis=1), centres, scales


def _fit(design, values, errors, total: Total) -> tuple[np.ndarray, ...]:
    """Regression of one component, ``design [n, k]``, ``values [n]``.

    Coefficients, covariance, degrees of freedom, scatter, its p-value and the share explained.
    """
    squares = np.maximum(errors**2, np.finfo(float).tiny ** 0.25)
    count = total(np.asarray(float(len(values))))
    freedom = count - design.shape[1]
    centre = total(values.sum()) / count
    away = values - centre

    def solve(weights):
        weighted = design * weights[:, None]
        both = total(np.concatenate([weighted.T @ design, (weighted.T @ away)[:, None]], axis=1))
        return np.linalg.solve(both[:, :-1], both[:, -1])

    def chi_square(scatters):
        weights = 1 / (scatters + squares)
        squared = weights * (away - design @ solve(weights)) ** 2
        value, slope = total(np.stack([squared.sum(), (weights * squared).sum()]))
        return value, slope

    at_zero, _ = chi_square(np.zeros(()))
    plain = total(np.sum((away - design @ solve(np.ones_like(away))) ** 2))
    scatter = scatters_at(chi_square, np.asarray(freedom), at_zero, plain)
    weights = 1 / (scatter + squares)
    coefficients = solve(weights)
    slopes = (design * weights[:, None])[:, :, None] * design[:, None]
    scores = (design * weights[:, None]) * (design @ coefficients - away)[:, None]
    # A pair's slope is of rank 1: its inverse where it has one.
    lengths = np.sum(design**2, axis=1)
    variances = slopes / (weights * lengths)[:, None, None] ** 2
    robust = cluster_robust(scores, slopes, variances, total)
    coefficients[0] += centre
    without = random_effects(values, errors, centre, total).scatter ** 2
    explained = np.clip(1 - scatter / without, 0, 1) if without > 0 else np.nan
    return (
        coefficients,
        robust.covariance,
        robust.freedom,
        np.sqrt(scatter),
        chi_square_tail(at_zero, freedom),
        np.asarray(explained),
    )
