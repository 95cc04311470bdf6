"""From the last round of a transfer function to its estimate: error bars and coherence."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import multiply, squared_magnitude
from gaussjax.model.transfer_crossing import crossing, spline_values
from gaussjax.model.transfer_spline import spline_rows
from gaussjax.numerics.linear_algebra import diagonal, diagonal_matrix, product
from gaussjax.pair.transfer_equations import TransferEquations
from gaussjax.pair.transfer_frame import TransferOptions
from gaussjax.pair.transfer_noise import levels_covariance, residual_power
from gaussjax.pair.transfer_rounds import PRIOR, Solved, TransferState, solved
from gaussjax.statistics.transfer_estimate import TransferEstimate

# Standard error of T above which the pair has no information on it.
_NOTHING = 1.0


def estimate_of(
    equations: TransferEquations, state: TransferState, options: TransferOptions
) -> TransferEstimate:
    """The estimate at the end of the rounds, with the covariance of its spline."""
    found = solved(equations, state, total=True)
    dtype, bins = found.level.dtype, options.num_bins
    scatter = equations.scatter(found.instrument, found.level)
    scatter = scatter + diagonal_matrix((PRIOR * found.ridge.reshape(-1)) ** 2)
    inverse = jnp.linalg.inv(found.matrix)
    covariance = product(product(inverse, scatter), inverse.T)
    if options.estimate_noise:
        covariance = covariance + _by_levels(equations, found, state.error, inverse)
    size = bins + 2  # up to pi, of the first term: along the axis, or along all
    coefficients, covariance = 1 + state.change[0, :size], covariance[:size, :size]
    covariance = covariance + diagonal_matrix(_spline_error(coefficients) ** 2)
    knots = jnp.asarray(np.arange(bins + 1), dtype)
    rows, _ = spline_rows(knots, size)
    values, errors = spline_values(rows, coefficients, covariance)
    level, level_error = values[0], errors[0]
    if options.gain:
        turn = jnp.asarray(np.eye(size), dtype) - jnp.outer(coefficients / level, rows[0])
        coefficients = coefficients / level
        covariance = product(product(turn, covariance), turn.T) / level**2
        values, errors = spline_values(rows, coefficients, covariance)
    unknown = errors > _NOTHING
    values, errors = jnp.where(unknown, jnp.nan, values), jnp.where(unknown, jnp.inf, errors)
    place, place_error = crossing(coefficients, covariance, 0.5)
    cycles = 1 / (2 * bins)
    window, residual = equations.window, found.residual
    left = jnp.sqrt(jnp.sum(window * residual**2) / jnp.maximum(jnp.sum(window), 1))
    noise = jnp.sqrt(equations.frame.noise) if options.bent else jnp.stack([0 * left, left])
    shift = shift_error = None
    if options.shift:
        shift = state.shift
        added = equations.spline.combine(equations.terms, state.change)
        spread = equations.shift_step(added, residual)[1]
        shift_error = left * jnp.sqrt(diagonal(spread))
    return TransferEstimate(
        frequency=knots[1:] * (math.pi / bins),
        transfer=values[1:],
        standard_error=errors[1:],
        coherence=_coherence(equations, found)[1 : bins + 1],
        mtf50=place * cycles,
        mtf50_standard_error=place_error * cycles,
        gain=level,
        gain_standard_error=level_error,
        shift=shift,
        shift_standard_error=shift_error,
        noise_std=noise * equations.frame.scale,
        num_pixels=jnp.sum(window > 0),
        coefficients=coefficients,
        covariance=covariance,
        pixel_size=jnp.ones((), dtype),
    )


def _by_levels(
    equations: TransferEquations, found: Solved, error: jax.Array, inverse: jax.Array
) -> jax.Array:
    """Covariance of the coefficients by the error of noise levels that were estimated.

    At their root only the ratio of the levels moves them: by the noise that the instrument would
    then have in common with the residual.
    """
    layout, frame, spline = equations.layout, equations.frame, equations.spline
    transfer = spline.combine(equations.terms, found.trusted)
    v_a, v_b = frame.noise
    turn = jnp.stack([v_b, -v_a]) / (v_a + v_b)
    weights = layout.product_weights(transfer.dtype)
    shared = spline.sums(equations.terms, weights * layout.with_noise_gain(transfer))
    moved = product(inverse, jnp.sum(equations.window) * shared.reshape(-1))
    change = transfer * spline.combine(equations.terms, moved.reshape(found.change.shape))
    imitated = layout.noise_power(2 * change)
    seen = residual_power(equations, found.trusted, error)
    spread = levels_covariance(seen, frame.noise, frame.ceiling, imitated)
    return jnp.outer(moved, moved) * jnp.sum(product(spread, turn) * turn)


def _spline_error(coefficients: jax.Array) -> jax.Array:
    """What a cubic spline leaves of a smooth curve at every coefficient: spacing^4 T'''' / 720."""
    left = jnp.flip(coefficients[1:3])
    right = coefficients[-2:-4:-1]
    padded = jnp.concatenate([left, coefficients, right])
    for _ in range(4):
        padded = padded[1:] - padded[:-1]
    return jnp.abs(padded) / 720


def _coherence(equations: TransferEquations, found: Solved) -> jax.Array:
    """|C|^2 / (P Q) at every B-spline of the first term.

    Across grids Q holds what else folds into the frequency.
    """
    layout, moved = equations.layout, equations.moved
    transfer = 1 + equations.spline.combine(equations.terms, found.change)
    passed = multiply(transfer, moved)
    all_passed = layout.tiled(layout.folded(passed))
    v_a = equations.frame.levels[0]
    noise = layout.with_noise_gain(v_a * jnp.ones_like(transfer))
    filtered = layout.tiled(layout.folded(noise * transfer**2))
    ones, own, passed, seen, filtered, noise = (
        equations.powers(values)[0]
        for values in (
            jnp.ones_like(transfer),
            squared_magnitude(moved),
            squared_magnitude(passed),
            squared_magnitude(all_passed),
            filtered.real,
            noise,
        )
    )
    ones = jnp.where(ones > 0, ones, 1)
    energy = ones * layout.energy(ones.dtype)
    own, passed, seen = (values / energy for values in (own, passed, seen))
    some = jnp.where(own > 0, own, 1)
    signal = jnp.maximum(1 - noise / (ones * some), 0)  # A's power that is no noise
    by_a = filtered / ones
    whole = jnp.maximum(seen - by_a, 0) + jnp.maximum(found.level[0] - by_a, 0)
    return passed * signal**2 / jnp.where(whole > 0, whole, 1)
