"""Solvers that know no images: damped Newton, and gradient descent."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import (
    diagonal,
    diagonal_matrix,
    finite_or,
    solve_small,
)
from gaussjax.numerics.pytree import pytree

if TYPE_CHECKING:
    import optax


# Scale on which the fields of a narrow blur change, in px^2 (variance), px (shift) or 1 (gain).
FIELD_SCALE = 0.25
# Added to the size of a parameter, so that steps are not relative to zero.
_FLOOR = 1e-3


@pytree
class Evaluation:
    """What a solver asks of an objective at one point."""

    cost: jax.Array  # the objective, scalar; NaN outside of its domain
    gradient: jax.Array  # of the cost, `[p]`
    curvature: jax.Array  # positive semi-definite model of its second derivatives, `[p, p]`
    # relative part of the second derivatives that the curvature may lack: 0 for Newton's method, 1
    # for Gauss-Newton's, whose steps need not shrink faster than linearly
    lacking: jax.Array | float = 1.0
    # norm of the terms whose difference is the residual: rounding leaves eps times this of it, and
    # a step that promises no more means convergence
    magnitude: jax.Array | float = 0.0
    # differences of the cost below this are rounding; the gradients decide then
    uncertainty: jax.Array | float = 0.0
    sums: Any = None  # what the caller needs of the last point


@pytree
class SolverState:
    """Where a run of :func:`newton` stands."""

    params: jax.Array  # the best point so far, `[p]`
    evaluation: Evaluation  # of the objective there; the cost is infinite before the first
    step: jax.Array  # to the next proposal, `[p]`
    # length of the step after that one, over its tolerance; zero where the cost is too rounded to
    # show what the step promises
    predicted: jax.Array
    damping: jax.Array  # relative to the diagonal of the curvature
    num_steps: jax.Array  # evaluations of the objective

    @property
    def converged(self) -> jax.Array:
        """True when nothing beyond the step matters."""
        return (self.predicted <= 1) & jnp.isfinite(self.evaluation.cost)


def step_tolerance(params: jax.Array) -> jax.Array:
    """Size below which a step no longer matters: eps^(3/4) relative, with a floor near zero.

    Newton's error after a step is far below the step itself, so this leaves full precision,
    while eps would wait for steps that rounding never lets through.
    """
    eps = jnp.finfo(params.dtype).eps
    return eps**0.75 * (jnp.abs(params) + _FLOOR)


def predicted_step(
    step: jax.Array, scales: jax.Array, lacking: jax.Array | float = 0.0
) -> jax.Array:
    """About how far the next step goes, ``[p]``: the stopping rule of every fit.

    Newton's next step is to this one as this one is to the scale on which the curvature changes,
    or as what the curvature lacks is to it, if that is more.
    """
    step = jnp.abs(step)
    return step * jnp.maximum(jnp.max(step / scales), lacking)


def coarse_tolerance(dtype) -> float:
    """A step, in tolerances, after which Newton's next one is below the tolerance."""
    return 0.1 * float(jnp.finfo(dtype).eps) ** -0.375


def newton_init(evaluate: Callable[[jax.Array], Evaluation], start: jax.Array) -> SolverState:
    """State at ``start``, not yet evaluated: the first step proposes the start itself."""
    shapes = jax.eval_shape(evaluate, start)
    # In the precision of the start: a plain number of an evaluation would bring in that of JAX.
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, start.dtype), shapes)
    infinite = jnp.full((), jnp.inf, start.dtype)
    return SolverState(
        params=start,
        evaluation=replace(nothing, cost=infinite),
        step=jnp.zeros_like(start),
        predicted=infinite,
        damping=jnp.full((), 1e-6, start.dtype),
        num_steps=jnp.zeros((), jnp.int32),
    )


def newton_step(
    evaluate: Callable[[jax.Array], Evaluation],
    state: SolverState,
    lower: jax.Array | float,
    upper: jax.Array | float,
) -> SolverState:
    """One evaluation, kept if better; and the step from there, ``(H + damping diag(H)) d = -g``."""
    here = state.evaluation
    proposal = jnp.clip(state.params + state.step, lower, upper)
    # One evaluation a step, of value and derivatives together: a refused proposal wastes its
    # derivatives, but refusals are rare and the compiled program is half as long.
    there = evaluate(proposal)
    # NaN compares false: a step out of the model's domain is refused like an uphill one.
    drop = here.cost - there.cost
    # Where rounding hides the drop, the gradients tell it by the trapezoidal rule along the step.
    downhill = jnp.sum((here.gradient + there.gradient) * (proposal - state.params)) <= 0
    better = jnp.where(jnp.abs(drop) < there.uncertainty, downhill, drop >= 0)
    params, evaluation = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), (proposal, there), (state.params, here)
    )
    damping = jnp.where(better, state.damping / 10, jnp.maximum(state.damping, 1e-4) * 8)
    damping = jnp.clip(damping, 1e-12, 1e12)
    gradient, curvature = evaluation.gradient, evaluation.curvature
    wanted = bounded_step(params, gradient, curvature, lower, upper, damping)
    # What the step promises before it is clipped: a clipped one may lead uphill.
    promised = -jnp.sum(wanted * gradient) - 0.5 * jnp.sum(wanted * (curvature @ wanted))
    eps = jnp.finfo(params.dtype).eps
    invisible = eps * jnp.maximum(evaluation.cost, 0) + (8 * eps * evaluation.magnitude) ** 2
    step = jnp.clip(params + wanted, lower, upper) - params
    # Damping leaves that part of the way.
    lacking = jnp.maximum(evaluation.lacking, jnp.minimum(damping, 1))
    predicted, square = (
        jnp.max(predicted_step(step, jnp.abs(params) + _FLOOR, part) / step_tolerance(params))
        for part in (lacking, 0)
    )
    visible = promised > invisible
    return SolverState(
        params=params,
        evaluation=evaluation,
        # Where the cost shows no decrease a short step is still right; a long one has no direction.
        step=jnp.where(visible | (square <= 1), step, 0),
        predicted=jnp.where(visible, predicted, 0),
        damping=damping,
        num_steps=state.num_steps + 1,
    )


def bounded_step(
    params: jax.Array,
    gradient: jax.Array,
    curvature: jax.Array,
    lower: jax.Array | float,
    upper: jax.Array | float,
    damping: jax.Array | float = 0.0,
) -> jax.Array:
    """Levenberg-Marquardt step on the parameters that may move, not yet clipped, ``[p]``.

    A parameter that sits on its bound and is pushed outwards is held for this step: clipping the
    full step instead would spoil the others, which are correlated with it.
    """
    held = ((params <= lower) & (gradient > 0)) | ((params >= upper) & (gradient < 0))
    # Scaling by the diagonal makes the damping free of units. A parameter without any influence
    # gets a unit row, so that its step is zero instead of 0/0.
    own = diagonal(curvature)
    moves = ~held & (own > 0)
    scale = jnp.where(moves, jnp.sqrt(jnp.where(own > 0, own, 1)), 1)
    free = moves.astype(params.dtype)
    scaled = curvature / jnp.outer(scale, scale) * jnp.outer(free, free)
    scaled = scaled + diagonal_matrix(1 - free + damping)
    return -solve_small(scaled, free * gradient / scale) / scale


def newton(
    evaluate: Callable[[jax.Array], Evaluation],
    start: jax.Array,
    *,
    lower: jax.Array | float = -jnp.inf,
    upper: jax.Array | float = jnp.inf,
    max_steps: int = 100,
) -> SolverState:
    """Minimise an objective of a vector ``[p]`` by damped Newton steps within a box.

    ``start`` is clipped to the box; after ``max_steps`` evaluations the state is returned not
    converged. It stops when the predicted step is below the tolerance; the step before that one is
    taken without another evaluation, so that the state's is of the point before.

    Source: K. Levenberg 1944; D. W. Marquardt, J. SIAM 11(2), 1963.
    """

    def unfinished(state: SolverState) -> jax.Array:
        return ~state.converged & (state.num_steps < max_steps)

    def step(state: SolverState) -> SolverState:
        return newton_step(evaluate, state, lower, upper)

    first = newton_init(evaluate, jnp.clip(start, lower, upper))
    last = loops.while_loop(unfinished, step, first)
    moved = jnp.clip(last.params + last.step, lower, upper)
    return replace(last, params=jnp.where(last.converged, moved, last.params))


def gradient_descent(
    objective: Callable, start, optimizer: "optax.GradientTransformation", num_steps: int
):
    """Run ``num_steps`` of any optax transformation on a scalar ``objective`` of a pytree.

    Returns:
        The last parameters and the trace of objective values before each step, ``[num_steps]``.
    """
    import optax  # see fit_optax

    optimizer = optax.with_extra_args_support(optimizer)
    value_and_grad = jax.value_and_grad(objective)

    def step(carry, _):
        params, state = carry
        value, grad = value_and_grad(params)
        # Line searches (optax.lbfgs) need the value and the function; the others ignore them.
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=objective
        )
        return (optax.apply_updates(params, updates), state), value

    (params, _), trace = loops.scan(step, (start, optimizer.init(start)), None, length=num_steps)
    return params, trace


def held_back(step: jax.Array, vector: jax.Array) -> jax.Array:
    """A Newton step of finite length, no longer than what the fields at ``vector`` can tell of."""
    longest = 0.5 * jnp.abs(vector) + FIELD_SCALE
    return jnp.clip(finite_or(step, 0), -longest, longest)


def field_scales(vector: jax.Array, num_variances: int) -> tuple[jax.Array, jax.Array]:
    """How far each parameter goes until the fields change, and its size for a tolerance, ``[k]``.

    A covariance may be near zero beside the variances, and a shift by itself.
    """
    sizes = jnp.abs(vector)
    is_variance = jnp.arange(sizes.size) < num_variances
    sizes = jnp.where(is_variance, jnp.max(sizes[:num_variances]), sizes)
    scales = sizes + FIELD_SCALE
    return scales, jnp.where(is_variance, sizes, scales)
