"""The loop around every fit: margins and contexts follow the estimate until nothing moves."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from gaussjax.numerics.linear_algebra import inverse_small, solve_small
from gaussjax.pair.objective import Criterion, Fit

MAX_PASSES = 40
# Passes in which the margin still follows sigma. After them it stays, because a sigma whose
# margin sits at a rounding edge would move it back and forth for ever.
FOLLOWING_PASSES = 4


def fit_passes(
    criterion: Criterion, start: jax.Array, context: jax.Array, lower, upper, tolerance: float = 1.0
) -> Fit:
    """Minimise a criterion from ``start`` and a first ``context``, by repeated passes.

    The result is not differentiable: see :func:`implicit_fit`.

    Args:
        criterion: what is minimised.
        start: of the vector, ``[k]``.
        context: of the criterion, to begin with.
        lower: bounds on the vector, ``[k]``.
        upper: likewise.
        tolerance: in units of the solver's, of what another pass would change.
    """
    # Of a kernel that is cut off every tap counts; of others a pixel more or less does not.
    slack = 0 if criterion.model.kernel.is_finite else 1

    def unfinished(state):
        fit, count = state
        return ~fit.converged & (count < MAX_PASSES)

    def one_pass(state):
        fit, count = state
        follows = count < FOLLOWING_PASSES
        wanted = criterion.model.margins(fit.vector)
        # A pixel too many is left as it is: back and forth would cost a pass each.
        outgrown = (wanted > fit.margins) | (wanted < fit.margins - slack)
        margins = jnp.where(follows & outgrown, wanted, fit.margins)
        context = criterion.context(fit.vector, margins, fit.context)
        fit = replace(fit, margins=margins, context=context)
        better = criterion.improve(fit, lower, upper)
        wanted = criterion.model.margins(better.vector)
        fits = jnp.all(jnp.abs(margins - wanted) <= slack) | ~follows
        found = replace(
            fit,
            vector=better.vector,
            linear=better.linear,
            size=better.size,
            converged=(better.ahead <= tolerance) & fits,
            num_steps=fit.num_steps + 1 + better.num_steps,
        )
        return found, count + 1

    vector = jnp.clip(start, lower, upper)
    initial = Fit(
        vector=vector,
        context=context,
        margins=jnp.full(criterion.model.ndim, -1, start.dtype),
        linear=criterion.blank(vector),
        size=jnp.full((), jnp.inf, start.dtype),
        converged=jnp.asarray(False),
        num_steps=jnp.asarray(0, jnp.int32),
    )
    fit, _ = jax.lax.while_loop(unfinished, one_pass, (initial, jnp.asarray(0)))
    return fit


def implicit_fit(criterion: Criterion, fit: Fit) -> Fit:
    """The same fit, differentiable by what the criterion holds.

    The optimum solves ``G(x; data) = 0`` with x the vector and the context, so that
    ``dx = -(dG / dx)^-1 dG``: no step of the solver is unrolled. Margins count as constant. Nothing
    of this is looked at unless a derivative is asked for.
    """
    fit = jax.lax.stop_gradient(fit)
    unknowns = jnp.concatenate([fit.vector, fit.context])
    unknowns = _optimum(unknowns, criterion, fit.margins)
    vector, context = jnp.split(unknowns, [fit.vector.size])
    linear = _linearization(fit.linear, criterion, vector, fit.margins)
    return replace(fit, vector=vector, context=context, linear=linear)


@jax.custom_jvp
def _optimum(unknowns: jax.Array, criterion: Criterion, margins: jax.Array) -> jax.Array:
    """``unknowns``, vector and context at the optimum, with their derivatives."""
    return unknowns


@_optimum.defjvp
def _optimum_jvp(primals, tangents):
    unknowns, criterion, margins = primals
    # Once more, so that derivatives of this derivative know how the unknowns move.
    unknowns = _optimum(unknowns, criterion, margins)

    def by_criterion(criterion):
        return _stationarity(unknowns, criterion, margins)

    _, drift = jax.jvp(by_criterion, (criterion,), (tangents[1],))
    # A few unknowns: the dense matrix is the simplest solver. Where the pair does not determine
    # them, nothing is known of the derivative either: zero, which poisons no sum of a batch.
    matrix = jax.jacfwd(_stationarity)(unknowns, criterion, margins)
    regular = jnp.all(jnp.isfinite(inverse_small(jax.lax.stop_gradient(matrix))))
    matrix = jnp.where(regular, matrix, jnp.eye(len(matrix), dtype=matrix.dtype))
    return unknowns, jnp.where(regular, -solve_small(matrix, drift), 0)


def _stationarity(unknowns: jax.Array, criterion: Criterion, margins: jax.Array) -> jax.Array:
    """G: the gradient by the vector, and how far the context is from what follows from it."""
    vector, context = jnp.split(unknowns, [criterion.model.num_parameters])
    gradient = criterion.gradient(vector, margins, context)
    drift = context - criterion.context(vector, margins, context)
    return jnp.concatenate([gradient, drift])


@jax.custom_jvp
def _linearization(linear: Any, criterion: Criterion, vector: jax.Array, margins: jax.Array) -> Any:
    """``linear``, which is known to be the criterion's at the vector, with its derivatives."""
    return linear


@_linearization.defjvp
def _linearization_jvp(primals, tangents):
    linear, *at = primals

    def function(criterion, vector, margins):
        return criterion.linearize(vector, margins)

    _, tangent = jax.jvp(function, tuple(at), tuple(tangents[1:]))
    return linear, tangent
