"""The loop around every fit: margins and contexts follow the estimate until nothing moves."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from gaussjax.criterion import Criterion, Fit
from gaussjax.linear_algebra import inverse_small, solve_small

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

    def unfinished(state):
        fit, count = state
        return ~fit.converged & (count < MAX_PASSES)

    def one_pass(state):
        fit, count = state
        follows = count < FOLLOWING_PASSES
        margins = jnp.where(follows, criterion.model.margins(fit.vector), fit.margins)
        context = criterion.context(fit.vector, margins, fit.context)
        fit = replace(fit, margins=margins, context=context)
        better = criterion.improve(fit, lower, upper)
        wanted = criterion.model.margins(better.vector)
        # Of a kernel that is cut off every tap counts; of others a pixel more or less does not.
        if criterion.model.kernel.is_finite:
            fits = jnp.all(margins == wanted)
        else:
            fits = jnp.all(jnp.abs(margins - wanted) <= 1)
        fits = fits | ~follows
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
    margins = jnp.full(criterion.model.ndim, -1, start.dtype)
    like = jax.eval_shape(criterion.linearize, vector, margins)
    initial = Fit(
        vector=vector,
        context=context,
        margins=margins,
        linear=jax.tree.map(lambda leaf: jax.lax.empty(leaf.shape, leaf.dtype), like),
        size=jnp.full((), jnp.inf, start.dtype),
        converged=jnp.asarray(False),
        num_steps=jnp.asarray(0, jnp.int32),
    )
    fit, _ = jax.lax.while_loop(unfinished, one_pass, (initial, jnp.asarray(0)))
    return fit


def implicit_fit(criterion: Criterion, fit: Fit) -> Fit:
    """The same fit, differentiable by whatever the criterion depends on.

    The optimum solves ``G(x; data) = 0`` with x the vector and the context, so that
    ``dx = -(dG / dx)^-1 dG``: no step of the solver is unrolled. Margins count as constant.
    """
    size = fit.vector.size
    margins = jax.lax.stop_gradient(fit.margins)

    def stationarity(unknowns):
        vector, context = unknowns[:size], unknowns[size:]
        gradient = criterion.gradient(vector, margins, context)
        drift = context - criterion.context(vector, margins, context)
        return jnp.concatenate([gradient, drift])

    def tangent_solve(linear, right_hand_side):
        # A few unknowns: the dense matrix is the simplest solver. Where the pair does not determine
        # them, nothing is known of the derivative either: zero, which poisons no sum of a batch.
        matrix = jax.jacfwd(linear)(right_hand_side)
        regular = jnp.all(jnp.isfinite(inverse_small(jax.lax.stop_gradient(matrix))))
        matrix = jnp.where(regular, matrix, jnp.eye(len(matrix), dtype=matrix.dtype))
        return jnp.where(regular, solve_small(matrix, right_hand_side), 0)

    solution = jax.lax.stop_gradient(jnp.concatenate([fit.vector, fit.context]))
    solution = jax.lax.custom_root(stationarity, solution, lambda _, x: x, tangent_solve)
    vector = solution[:size]
    linear = _known(
        lambda frame, *at: replace(criterion, frame=frame).linearize(*at),  # pyright: ignore
        jax.lax.stop_gradient(fit.linear),
        criterion.frame,
        vector,
        margins,
    )
    still = jax.lax.stop_gradient(replace(fit, vector=None, context=None, linear=None))
    return replace(still, vector=vector, context=solution[size:], linear=linear)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _known(function, value, *arguments):
    """``value``, which is known to be ``function(*arguments)``, with the derivatives of that."""
    return value


@_known.defjvp
def _known_jvp(function, primals, tangents):
    value, *arguments = primals
    _, tangent = jax.jvp(function, tuple(arguments), tuple(tangents[1:]))
    return value, tangent
