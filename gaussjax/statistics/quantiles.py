"""Quantiles and tails of Student's t, chi-square and the normal distribution."""

import math
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from gaussjax.model.array_checks import is_traced
from gaussjax.numerics import loops


def _special() -> Any:
    """SciPy's special functions; imported where they are needed, for few programs need them."""
    import scipy.special  # noqa: TID251, the one place

    return scipy.special


def normal_quantile(level, dtype) -> Any:
    """Half-width of the central interval of a standard normal variable at probability ``level``."""
    if is_traced(level):
        return jax.scipy.special.ndtri(jnp.asarray(0.5 + 0.5 * level, dtype))
    return NormalDist().inv_cdf(0.5 + 0.5 * float(level))


def normal_probability(z: npt.ArrayLike) -> np.ndarray:
    """Probability of a standard normal variable below z."""
    return np.asarray(_special().ndtr(np.asarray(z, float)))


def chi_square_quantile(probability: npt.ArrayLike, freedom: npt.ArrayLike) -> np.ndarray:
    """The value that a chi-square variable stays below with that probability."""
    return np.asarray(2 * _special().gammaincinv(np.asarray(freedom, float) / 2, probability))


def chi_square_tail(value: npt.ArrayLike, freedom: npt.ArrayLike) -> np.ndarray:
    """Probability of a chi-square variable above a value."""
    half = np.asarray(freedom, float) / 2
    return np.asarray(_special().gammaincc(half, np.asarray(value, float) / 2))


def student_quantile(level, freedom) -> Any:
    """Half-width of the central interval of Student's t at probability ``level``.

    At least 1 degree of freedom; infinitely many for the normal distribution, and NaN gives NaN.
    NumPy arrays give NumPy arrays in float64; traced ones traced ones.
    """
    if is_traced(level, freedom):
        return _traced_student_quantile(jnp.asarray(level, jnp.result_type(freedom)), freedom)
    freedom = np.asarray(freedom, float)
    finite = np.where(np.isfinite(freedom), freedom, 1)
    of_student = _special().stdtrit(finite, 0.5 + 0.5 * np.asarray(level, float))
    unlimited = np.where(np.isposinf(freedom), normal_quantile(level, float), np.nan)
    return np.where(np.isfinite(freedom), of_student, unlimited)


def student_tail(value: npt.ArrayLike, freedom: npt.ArrayLike) -> np.ndarray:
    """Probability of a variable of Student's t beyond ``value`` on either side."""
    return np.asarray(2 * _special().stdtr(np.asarray(freedom, float), -np.abs(value)))


def _traced_student_quantile(level: jax.Array, freedom: jax.Array) -> jax.Array:
    """The quantile, by bisection between those of the normal and the Cauchy distribution."""
    freedom = jnp.asarray(freedom)

    def probability(t, freedom):
        t, freedom = jnp.broadcast_arrays(t, freedom)
        half = jnp.full_like(freedom, 0.5)
        rest = freedom + t**2
        # Two forms of one number: the first cancels in the tail, the second in the middle.
        near = jax.scipy.special.betainc(half, freedom / 2, t**2 / rest)
        far = 1 - jax.scipy.special.betainc(freedom / 2, half, freedom / rest)
        return jnp.where(t**2 < freedom, near, far)

    def halve(_, bounds):
        low, high = bounds
        middle = jnp.sqrt(low * high)  # in the logarithm: at level .9999 they are 1600 apart
        below = probability(middle, fixed) < jax.lax.stop_gradient(level)
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    z = jax.scipy.special.ndtri(0.5 + 0.5 * level)
    few = jnp.minimum(freedom, 100)
    fixed = jax.lax.stop_gradient(few)
    bounds = jax.lax.stop_gradient((z, jnp.tan(0.5 * jnp.pi * level)))
    bounds = tuple(jnp.broadcast_to(bound, fixed.shape) for bound in bounds)
    low, high = loops.fori_loop(0, 50, halve, bounds)
    middle = 0.5 * (low + high)
    log_beta = jax.scipy.special.gammaln((fixed + 1) / 2) - jax.scipy.special.gammaln(fixed / 2)
    density = 2 * jnp.exp(log_beta) / jnp.sqrt(math.pi * fixed)
    density = density * (1 + middle**2 / fixed) ** (-(fixed + 1) / 2)
    # A step of Newton's method, by which the derivative with respect to the level is known, too.
    exact = middle + (level - probability(middle, few)) / density
    # A series for many degrees of freedom: float32's incomplete beta function is too coarse.
    terms = z**3 + z, 5 * z**5 + 16 * z**3 + 3 * z, 3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z
    first, second, third = (term / scale for term, scale in zip(terms, (4, 96, 384), strict=True))
    series = z + (first + (second + third / freedom) / freedom) / freedom
    return jnp.where(freedom > 100, series, exact)


def binomial_tail(count: int, trials: int, probability: float) -> float:
    """Probability of at least ``count`` successes in so many trials."""
    return float(_special().bdtrc(count - 1, trials, probability)) if count > 0 else 1.0
