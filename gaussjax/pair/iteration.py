"""The loop around every fit: margins and contexts follow the estimate until nothing moves."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import inverse_small, solve_small
from gaussjax.pair.objective import Fit, Objective

MAX_PASSES = 40
# Passes in which the margin follows sigma both ways. After them it only grows, because a sigma
# whose margin sits at a rounding edge would move it back and forth for ever.
FOLLOWING_PASSES = 12


def iterate(
    objective: Objective, start: jax.Array, context: jax.Array, lower, upper, tolerance: float = 1.0
) -> Fit:
    """Minimise an objective from ``start`` and a first ``context``, by repeated passes.

    The vector and its bounds are ``[k]``. The tolerance, in units of the solver's, is for what
    another pass would change. The result is not differentiable: see :func:`implicit_fit`.
    """
    # Where a kernel is cut off every tap counts; else a pixel more or less does not, unless it is a
    # coarse one, which is many px.
    is_exact = objective.model.kernel.is_finite or objective.frame.grid is not None
    slack = 0 if is_exact else 1

    def unfinished(state):
        fit, count = state
        return ~fit.converged & (count < MAX_PASSES)

    def one_pass(state):
        fit, count = state
        follows = count < FOLLOWING_PASSES
        wanted = objective.frame.margins(objective.model, fit.vector)
        # A pixel too many is left as it is: back and forth would cost a pass each.
        outgrown = (wanted > fit.margins) | (wanted < fit.margins - slack) & follows
        margins = jnp.where(outgrown, wanted, fit.margins)
        context = objective.context(fit.vector, margins, fit.context)
        fit = objective.improve(replace(fit, margins=margins, context=context), lower, upper)
        wanted = objective.frame.margins(objective.model, fit.vector)
        fits = jnp.all((wanted <= margins + slack) & ((wanted >= margins - slack) | ~follows))
        converged = (fit.predicted_step <= tolerance) & fits
        return replace(fit, converged=converged, num_steps=fit.num_steps + 1), count + 1

    vector = jnp.clip(start, lower, upper)
    margins = jnp.full(objective.model.ndim, -1, start.dtype)
    infinite = jnp.full((), jnp.inf, start.dtype)
    # Room for what the first pass fills. Not `lax.empty`, which is batched wherever a `vmap` is, so
    # that `jacfwd` would find a batch in the value.
    like = jax.eval_shape(objective.linearize, vector, margins)
    room = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    no, none = jnp.asarray(False), jnp.asarray(0, jnp.int32)
    initial = Fit(vector, context, margins, room, infinite, infinite, no, none)
    fit, _ = loops.while_loop(unfinished, one_pass, (initial, jnp.asarray(0)))
    return fit


def implicit_fit(objective: Objective, fit: Fit) -> Fit:
    """The same fit, differentiable by what the objective holds.

    The optimum solves ``G(x; data) = 0`` with x the vector and the context, so that
    ``dx = -(dG / dx)^-1 dG``: no step of the solver is unrolled. Margins count as constant. Nothing
    of this is looked at unless a derivative is asked for.
    """
    fit = jax.lax.stop_gradient(fit)
    unknowns = jnp.concatenate([fit.vector, fit.context])
    unknowns = _optimum(unknowns, objective, fit.margins)
    vector, context = jnp.split(unknowns, [fit.vector.size])
    linear = _linearization(fit.linear, objective, vector, fit.margins)
    return replace(fit, vector=vector, context=context, linear=linear)


@jax.custom_jvp
def _optimum(unknowns: jax.Array, objective: Objective, margins: jax.Array) -> jax.Array:
    """``unknowns``, vector and context at the optimum, with their derivatives."""
    return unknowns


@_optimum.defjvp
def _optimum_jvp(primals, tangents):
    unknowns, objective, margins = primals
    # Once more, so that derivatives of this derivative know how the unknowns move.
    unknowns = _optimum(unknowns, objective, margins)

    def by_objective(objective):
        return _stationarity(unknowns, objective, margins)

    _, drift = jax.jvp(by_objective, (objective,), (tangents[1],))
    # A few unknowns: the dense matrix is the simplest solver. Where the pair does not determine
    # them, nothing is known of the derivative either: zero, which poisons no sum of a batch.
    matrix = jax.jacfwd(_stationarity)(unknowns, objective, margins)
    regular = jnp.all(jnp.isfinite(inverse_small(jax.lax.stop_gradient(matrix))))
    matrix = jnp.where(regular, matrix, jnp.eye(len(matrix), dtype=matrix.dtype))
    return unknowns, jnp.where(regular, -solve_small(matrix, drift), 0)


def _stationarity(unknowns: jax.Array, objective: Objective, margins: jax.Array) -> jax.Array:
    """G: the gradient by the vector, and how far the context is from what follows from it."""
    vector, context = jnp.split(unknowns, [objective.model.num_parameters])
    gradient = objective.gradient(vector, margins, context)
    drift = context - objective.context(vector, margins, context)
    return jnp.concatenate([gradient, drift])


@jax.custom_jvp
def _linearization(linear: Any, objective: Objective, vector: jax.Array, margins: jax.Array) -> Any:
    """``linear``, which is known to be the objective's at the vector, with its derivatives."""
    return linear


@_linearization.defjvp
def _linearization_jvp(primals, tangents):
    linear, *at = primals

    def function(objective, vector, margins):
        return objective.linearize(vector, margins)

    _, tangent = jax.jvp(function, tuple(at), tuple(tangents[1:]))
    return linear, tangent
