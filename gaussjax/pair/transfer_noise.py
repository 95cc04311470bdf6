"""Levels of white noise in both images, from the residual of a transfer function of any shape.

With the levels v_A and v_B the residual ``d = B - T * A`` has the power ``D = v_B + v_A |T|^2``.
Given their ratio, T follows at every frequency by itself; with a wrong ratio D would be another
function of T than this one. So the levels are found by regression of the residual's power on
(|T|^2, 1), the better the more T differs between frequencies: for T = 1 everywhere only their sum.

Source: W. A. Fuller, "Measurement Error Models", Wiley 1987, ch. 3; R. Pintelon & J. Schoukens,
"System Identification: A Frequency Domain Approach", 2nd ed., Wiley 2012, ch. 9 (levels that are
estimated beside the system).
"""

import math

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import (
    angular_frequencies,
    forward_transform,
    half_plane_weights,
    squared_magnitude,
)
from gaussjax.numerics.linear_algebra import inverse_small
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.transfer_equations import TransferEquations
from gaussjax.statistics.noise_levels import noise_regression
from gaussjax.statistics.noise_weighted_sums import leaked

# Lowest frequencies, in those of the shortest axis, that are left out: there the window leaks, and
# the scene is so strong that the slightest fault of T counts.
_LOWEST = 2


@pytree
class ResidualPower:
    """The power of a residual, and that of white noise of A in it; on the half plane of B."""

    power: jax.Array  # per px
    gain: jax.Array  # of noise of A, per v_A
    gain_error: jax.Array  # variance of that, by the errors of T
    counted: jax.Array  # weights of the frequencies, of sum 1 but for those that are left out
    num_pixels: jax.Array  # independent ones in the window


def residual_power(
    equations: TransferEquations, coefficients: jax.Array, error: jax.Array
) -> ResidualPower:
    """The power of the residual that T leaves.

    Its coefficients are 0 where it is not known, ``[terms, size]``: there B is all noise. Their
    standard errors are infinite where nothing is known.
    """
    layout, spline, terms = equations.layout, equations.spline, equations.terms
    transfer = spline.combine(terms, coefficients)
    residual = equations.residual(transfer - 1)
    variance = jnp.minimum(error, jnp.abs(coefficients)) ** 2
    spread = 4 * transfer**2 * spline.combine(terms, variance)
    window = layout.embedded(equations.window)
    energy = jnp.sum(window**2)
    energy = jnp.where(energy > 0, energy, 1)
    transform = forward_transform(layout.embedded(equations.window * residual), window.ndim)
    gain = layout.noise_power(transfer**2)
    waves = angular_frequencies(layout.whole, window.dtype)
    radius = jnp.sqrt(sum(wave**2 for wave in waves))
    lowest = 2 * math.pi * _LOWEST / min(layout.shape)
    counted = jnp.where(radius > lowest, half_plane_weights(layout.whole, window.dtype), 0)
    fourth = jnp.sum(window**4)
    return ResidualPower(
        power=squared_magnitude(transform) / energy,
        gain=leaked(gain[None], window)[0],
        gain_error=layout.noise_power(spread),
        counted=counted,
        num_pixels=energy**2 / jnp.where(fourth > 0, fourth, 1),
    )


def noise_levels(observed: ResidualPower, noise: jax.Array, ceiling: jax.Array) -> jax.Array:
    """(v_A, v_B) by regression, ``[2]``, at most the ceiling; ``noise`` tells the weights."""
    weights = observed.counted / _density(observed, noise) ** 2
    return noise_regression(observed.power, observed.gain, weights, ceiling)


def levels_covariance(
    observed: ResidualPower, noise: jax.Array, ceiling: jax.Array, imitated: jax.Array
) -> jax.Array:
    """Covariance of the levels ``noise``, ``[2, 2]``; by ``ceiling`` where the pair has none.

    ``imitated`` is how the gain changes as T follows a change of the levels' ratio. For two
    exposures of one scene a wrong ratio makes T fall where noise hides the scene, and the residual
    then seems to confirm that ratio: variation of the gain along this change is no information.
    """
    weights = 0.5 * observed.num_pixels * observed.counted / _density(observed, noise) ** 2
    total, first = jnp.sum(weights), jnp.sum(weights * observed.gain)
    mean = first / jnp.where(total > 0, total, 1)
    # Errors of T make it differ between frequencies, too, which is no information.
    information = jnp.sum(weights * ((observed.gain - mean) ** 2 - observed.gain_error))
    imitated = imitated - jnp.sum(weights * imitated) / jnp.where(total > 0, total, 1)
    power, along = (jnp.sum(weights * imitated * x) for x in (imitated, observed.gain))
    information = information - along**2 / jnp.where(power > 0, power, 1)
    second = jnp.maximum(information, 0) + mean * first
    least = jnp.sqrt(jnp.finfo(noise.dtype).tiny)
    known_a, known_b = 1 / jnp.maximum(ceiling, least) ** 2
    matrix = [[second + known_a, first], [first, total + known_b]]
    return inverse_small(jnp.stack([jnp.stack(row) for row in matrix]))


def _density(observed: ResidualPower, noise: jax.Array) -> jax.Array:
    """D, which rounding of what leaks may not make 0."""
    v_a, v_b = noise
    total = jnp.maximum(jnp.max(noise), jnp.finfo(noise.dtype).tiny)
    return jnp.maximum(v_b + v_a * observed.gain, 1e-3 * total)
