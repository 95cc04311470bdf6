"""Is the kernel a Gaussian? The exponent of a generalised one, its error, and the test of p = 2."""

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.array_checks import as_probability, is_traced
from gaussjax.model.params import BlurParams, namespace
from gaussjax.numerics.linear_algebra import product
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.departures import LEVEL, WORTH_TELLING, Departures
from gaussjax.statistics.number_format import as_error, with_errors
from gaussjax.statistics.quantiles import normal_probability, normal_quantile


@pytree
class Gaussianity:
    """The exponent p of ``T = exp(-(s |w|)^p / 2)``, which is a Gaussian for p = 2 alone.

    Attributes:
        exponent: the estimate of p.
        standard_error: by noise, from the covariance that also gives sigma's.
        model_error: by which the most harmful significant departure from the model may move p.
        correlation: of the errors by noise of s and p.
    """

    exponent: jax.Array
    standard_error: jax.Array
    model_error: jax.Array
    correlation: jax.Array

    @property
    def p_value(self) -> jax.Array:
        """Probability that a Gaussian would have shown an exponent as far from 2, by noise alone.

        ``2 Q(|p - 2| / standard_error)``. A model error, which it leaves out, widens the interval.
        """
        xp = namespace(self.exponent)
        known = self.standard_error > 0
        z = abs(self.exponent - 2) / xp.where(known, self.standard_error, 1)
        below = jax.scipy.special.ndtr if xp is jnp else normal_probability
        return xp.where(known, 2 * below(-z), xp.nan)

    def __str__(self) -> str:
        """The exponent, its errors and what the test says; a batch or a traced one: its shapes."""
        if is_traced(self.exponent) or np.ndim(self.exponent):
            return f"Gaussianity(exponent={self.exponent})"
        is_doubted = bool(self.model_error > WORTH_TELLING * self.standard_error)
        other = self.model_error if is_doubted else 0.0
        text = with_errors(self.exponent, self.standard_error, other)
        if is_doubted:
            text += f" (noise) +- {as_error(self.model_error)} (model)"
        p_value = float(self.p_value)
        # Where a model error may be all that keeps p from 2, noise alone is no proof.
        low, high = map(float, self.interval(1 - LEVEL))
        if not p_value < LEVEL:
            return f"{text}; as of a Gaussian, 2 (p-value {p_value:.2g})"
        if low <= 2 <= high:
            return f"{text}; 2, a Gaussian, within noise and model error (p-value {p_value:.2g})"
        return f"{text}; no Gaussian, whose is 2 (p-value {p_value:.2g})"

    def interval(self, level: float = 0.95) -> tuple[jax.Array, jax.Array]:
        """Confidence interval of p, (low, high), of noise and model error together.

        Raises:
            ValueError: ``level`` is a number that is not between 0 and 1.
        """
        level = as_probability(level, "level")
        xp = jnp if is_traced(level) else namespace(self.exponent)
        half = normal_quantile(level, self.exponent.dtype)
        half = half * xp.hypot(self.standard_error, self.model_error)
        return self.exponent - half, self.exponent + half


def gaussianity(
    params: BlurParams, covariance: jax.Array, departures: Departures | None
) -> Gaussianity | None:
    """The test of an estimate's parameters, as it was given; None where they have no exponent.

    The covariance is that of their leaves by noise; departures have effects on the vector of the
    fit.
    """
    if params.exponent is None:
        return None
    error = jnp.sqrt(covariance[-1, -1])
    model_error = jnp.zeros_like(error)
    if departures is not None:
        effects = jnp.abs(departures.left[_exponent_row(params)])
        model_error = jnp.max(jnp.where(departures.possible, effects, 0))
    _, correlation = scale_errors(params, covariance)
    return Gaussianity(params.exponent, error, model_error, correlation)


def scale_errors(params: BlurParams, covariance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Standard error of ``s |s|``, px^2, and the correlation of its error with that of p."""
    slopes = jnp.stack(_squared_scale_slopes(params, jnp.sqrt(covariance[0, 0])))
    # u and p are the first and the last of the leaves.
    step = len(covariance) - 1
    mixed = product(covariance[::step, ::step], slopes)
    error = jnp.sqrt(slopes @ mixed)
    scale = error * jnp.sqrt(covariance[-1, -1])
    return error, mixed[1] / jnp.where(scale > 0, scale, 1)


def scale_effects(params: BlurParams, effects: jax.Array) -> jax.Array:
    """Sizes of changes of ``s |s|``, px^2, ``[m]``, from those of the vector, ``[k, m]``."""
    # The vector is that of a positive u, whichever image is the sharper one.
    by_u, by_exponent = _squared_scale_slopes(params, jnp.zeros_like(params.variance[0]))
    by_exponent = by_exponent * jnp.sign(params.variance[0])
    return jnp.abs(by_u * effects[0] + by_exponent * effects[_exponent_row(params)])


def _exponent_row(params: BlurParams) -> int:
    """The place of the exponent in the vector of a fit: see ``BlurModel``."""
    return 1 + (params.gain is not None) + (params.offset is not None)


def _squared_scale_slopes(params: BlurParams, error: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Derivatives of ``s |s|``, px^2, by u = s^p and by p.

    No nearer to u = 0 than ``error``, the standard error of u: there a slope is infinite or zero,
    and no measure of an error of finite size.
    """
    assert params.exponent is not None
    u, p = params.variance[0], params.exponent
    size = jnp.maximum(jnp.abs(u), error)
    size = jnp.where(size > 0, size, 1)
    square = size ** (2 / p)
    return 2 / p * square / size, -jnp.sign(u) * 2 / p**2 * square * jnp.log(size)
