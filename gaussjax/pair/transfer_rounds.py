"""Rounds of the equations of a transfer function: coefficients, shift, and their margin."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.transfer_crossing import UNKNOWN, first_below
from gaussjax.model.transfer_spline import NUM_ORDERS, spline_rows
from gaussjax.numerics.linear_algebra import diagonal, diagonal_matrix, product
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.transfer_equations import TransferEquations
from gaussjax.pair.transfer_frame import TransferOptions
from gaussjax.pair.transfer_noise import noise_levels, residual_power

# Prior standard deviation of T about 1, for where the pair has no information on it.
PRIOR = 10.0
# Frequency at which a Gaussian of 1 px has fallen by half, rad/px.
_HALF = math.sqrt(2 * math.log(2))


@pytree
class TransferState:
    """The state of the rounds."""

    change: jax.Array  # coefficients of T - 1, ``[terms, size]``
    error: jax.Array  # about the standard errors of these
    shift: jax.Array  # px, ``[ndim]``
    margins: jax.Array  # px of B per axis, ``[ndim]``
    noise: jax.Array  # (v_A, v_B), ``[2]``


@pytree
class Solved:
    """The equations at some coefficients."""

    change: jax.Array
    residual: jax.Array
    instrument: jax.Array
    trusted: jax.Array  # coefficients of T as far as it is known, 0 elsewhere
    level: jax.Array  # of the noise
    variance: jax.Array  # of a coefficient, about, times its diagonal element
    ridge: jax.Array  # precision of the prior, times the level
    score: jax.Array
    matrix: jax.Array  # minus its derivative


def solved(equations: TransferEquations, state: TransferState, *, total: bool) -> Solved:
    """The equations at the coefficients of a round; ``total``: with the full derivative."""
    spline, terms = equations.spline, equations.terms
    added = spline.combine(terms, state.change)
    # A T that is hardly known would add more noise to the instrument than it removes.
    leading = np.arange(spline.num_terms) % NUM_ORDERS == 0
    constant = jnp.asarray(leading[:, None], added.dtype)
    transfer = state.change + constant
    some = jnp.where(transfer != 0, transfer, 1)
    distance = jnp.where(transfer != 0, state.error / some, jnp.inf)
    known = 1 / (1 + distance**4)
    trusted = known * transfer
    instrument = equations.instrument(spline.combine(terms, trusted))
    residual = equations.residual(added)
    level = equations.noise_level(residual)
    slopes = equations.slopes(instrument, total=total)
    # What no image holds stays at 1, however exact the rest is.
    least = jnp.finfo(added.dtype).eps * jnp.max(jnp.abs(slopes))
    # Variance of the equations over their slopes, as of least squares, where it is the level.
    variance = level * _excess(equations, instrument)
    own = diagonal(slopes).reshape(level.shape)
    ridge = variance / PRIOR**2 + jnp.maximum(-2 * own, 0) + jnp.where(least > 0, least, 1)
    transform = equations.layout.transform(equations.window * residual)
    score = equations.products(instrument, transform)
    return Solved(
        change=state.change,
        residual=residual,
        instrument=instrument,
        trusted=trusted,
        level=level,
        variance=variance,
        ridge=ridge,
        score=score - ridge * state.change,
        matrix=slopes + diagonal_matrix(ridge.reshape(-1)),
    )


def improved(
    equations: TransferEquations, state: TransferState, options: TransferOptions
) -> TransferState:
    """One round: coefficients, shift, and the margin that they ask for."""
    found = solved(equations, state, total=False)
    change, residual = found.change, found.residual
    step = jnp.linalg.solve(found.matrix, found.score.reshape(-1))
    change = change + jnp.clip(step.reshape(change.shape), -PRIOR, PRIOR)
    precision = diagonal(found.matrix).reshape(change.shape)
    error = jnp.sqrt(found.variance / precision)
    shift = state.shift
    if options.shift:
        added = equations.spline.combine(equations.terms, state.change)
        shift = shift + equations.shift_step(added, residual)[0]
    margins = state.margins
    if options.margin is None:
        reach = _reach(change[0], error[0], options.num_bins)
        reach = reach + jnp.ceil(jnp.abs(shift))
        margins = equations.layout.margins(reach).astype(jnp.int32)
    noise = state.noise
    if options.estimate_noise:
        observed = residual_power(equations, found.trusted, state.error)
        levels = noise_levels(observed, noise, equations.frame.ceiling)
        # At first the residual is all that T is going to explain.
        noise = jnp.where(jnp.all(jnp.isinf(state.error)), noise, levels)
    return TransferState(change, error, shift, margins, noise)


def _excess(equations: TransferEquations, instrument: jax.Array) -> jax.Array:
    """Power of the instrument over its product with A, at every B-spline; 1 where it is A."""
    moved = equations.moved
    both = equations.products(instrument, moved)
    own, other = (equations.products(x, x) for x in (instrument, moved))
    least = 0.01 * jnp.sqrt(own * other)  # of noise the product may be anything
    both = jnp.maximum(both, jnp.where(least > 0, least, 1))
    return own / both


def _reach(change: jax.Array, error: jax.Array, num_bins: int) -> jax.Array:
    """How far a Gaussian reaches whose transfer turns as early as this one, px.

    At half of the largest change, so that a kernel that sharpens, or only adds a halo, has a width.
    """
    knots = jnp.asarray(np.arange(num_bins + 1), change.dtype)
    values = product(spline_rows(knots, change.size)[0], change)
    error = error[: num_bins + 1]
    known = error < UNKNOWN
    moved = jnp.where(known, jnp.abs(values - values[0]), 0)
    half = jnp.maximum(jnp.max(moved) / 2, 3 * jnp.max(jnp.where(known, error, 0)))
    knot = first_below(-moved, -half)
    frequency = jnp.where(jnp.isnan(knot), num_bins, jnp.maximum(knot, 0.25)) * (math.pi / num_bins)
    return jnp.ceil(4 * _HALF / frequency) + 1
