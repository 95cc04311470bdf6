"""Solvers that know no images: damped Newton, Gauss-Newton, and gradient descent on vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from gaussjax.numerics.linear_algebra import (
    diagonal,
    diagonal_matrix,
    finite_or,
    inner_products,
    solve_small,
)

if TYPE_CHECKING:
    import optax


# px^2 (a variance), px (a shift) or 1 (a gain) on which the fields of a narrow blur change.
FIELD_SCALE = 0.25


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Evaluation:
    """What a solver asks of an objective at one point.

    Attributes:
        cost: the objective, scalar; NaN outside of its domain.
        gradient: of the cost, ``[p]``.
        curvature: positive semi-definite model of its second derivatives, ``[p, p]``.
    """

    cost: jax.Array
    gradient: jax.Array
    curvature: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SolverState:
    """Where a run of :func:`newton` stands.

    Attributes:
        params: the best point so far, ``[p]``.
        evaluation: of the objective there; the cost is infinite before the first.
        damping: relative to the diagonal of the curvature.
        step_size: the last *proposed* step over its tolerance, accepted or not, or zero when the
            decrease that it promised is below what rounding lets the cost show.
        num_steps: evaluations of the objective.
    """

    params: jax.Array
    evaluation: Evaluation
    damping: jax.Array
    step_size: jax.Array
    num_steps: jax.Array

    @property
    def converged(self) -> jax.Array:
        """True when the last proposed step was too small to matter."""
        return self.within(1)

    def within(self, tolerance: float) -> jax.Array:
        """True when it was no longer than so many tolerances."""
        return (self.step_size <= tolerance) & jnp.isfinite(self.evaluation.cost)


def step_tolerance(params: jax.Array) -> jax.Array:
    """Size below which a step no longer matters: eps^(3/4) relative, with a floor near zero.

    Newton's error after a step is far below the step itself, so this leaves full precision,
    while eps would wait for steps that rounding never lets through.
    """
    eps = jnp.finfo(params.dtype).eps
    return eps**0.75 * (jnp.abs(params) + 1e-3)


def coarse_tolerance(dtype) -> float:
    """Tolerances of a step whose square is one: Newton's next step would be the last."""
    return 0.1 * float(jnp.finfo(dtype).eps) ** -0.375


def newton_init(start: jax.Array) -> SolverState:
    """State at ``start``, not yet evaluated: the first step proposes the start itself."""
    return SolverState(
        params=start,
        evaluation=Evaluation(
            cost=jnp.full((), jnp.inf, start.dtype),
            gradient=jnp.zeros_like(start),
            curvature=jnp.eye(start.size, dtype=start.dtype),
        ),
        damping=jnp.full((), 1e-6, start.dtype),
        step_size=jnp.full((), jnp.inf, start.dtype),
        num_steps=jnp.zeros((), jnp.int32),
    )


def newton_step(
    evaluate: Callable[[jax.Array], Evaluation],
    state: SolverState,
    lower: jax.Array,
    upper: jax.Array,
    magnitude: jax.Array | float,
    uncertainty: jax.Array | float = 0.0,
) -> SolverState:
    """One step: solve (H + damping diag(H)) d = -g, project on the box, keep if better."""
    params, here = state.params, state.evaluation
    wanted = bounded_step(params, here.gradient, here.curvature, lower, upper, state.damping)
    proposal = jnp.clip(params + wanted, lower, upper)
    # One evaluation a step, of value and derivatives together: a refused proposal wastes its
    # derivatives, but refusals are rare and the compiled program is half as long.
    there = evaluate(proposal)
    # NaN compares false: a step out of the model's domain is refused like an uphill one.
    drop = here.cost - there.cost
    # Where rounding hides the drop, both gradients tell it: the trapezoidal rule along the step.
    downhill = jnp.sum((here.gradient + there.gradient) * (proposal - params)) <= 0
    better = jnp.where(jnp.abs(drop) < uncertainty, downhill, drop >= 0)
    eps = jnp.finfo(params.dtype).eps
    # Of the step before it was clipped, because a clipped one may well lead uphill.
    promised = -jnp.sum(wanted * here.gradient) - 0.5 * jnp.sum(wanted * (here.curvature @ wanted))
    visible = promised > eps * jnp.maximum(here.cost, 0) + (8 * eps * magnitude) ** 2
    step_size = jnp.where(visible, jnp.max(jnp.abs(proposal - params) / step_tolerance(params)), 0)
    damping = jnp.where(better, state.damping / 10, jnp.maximum(state.damping, 1e-4) * 8)

    def keep(new, old):
        return jnp.where(better, new, old)

    return SolverState(
        params=keep(proposal, params),
        evaluation=jax.tree.map(keep, there, here),
        damping=jnp.clip(damping, 1e-12, 1e12),
        step_size=jnp.where(state.num_steps == 0, jnp.inf, step_size),
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
    magnitude: jax.Array | float = 0.0,
    uncertainty: jax.Array | float = 0.0,
    tolerance: float = 1.0,
    max_steps: int = 100,
) -> SolverState:
    """Minimise an objective by damped Newton steps with box bounds.

    Args:
        evaluate: value, gradient and curvature of the objective at a vector ``[p]``.
        start: shape ``[p]``; clipped to the box.
        lower: least value of each parameter.
        upper: largest value of each parameter.
        magnitude: norm of the terms whose difference the residual is. Rounding leaves a residual
            of eps times this, and a step that promises no more is taken as convergence.
        uncertainty: differences of the cost below this are rounding; the gradients decide then.
        tolerance: of the proposed step, in units of :func:`step_tolerance`.
        max_steps: evaluations after which the state is returned not converged.

    Returns:
        The final state. It stops when the proposed step is below the tolerance.

    Source: K. Levenberg 1944; D. W. Marquardt, J. SIAM 11(2), 1963.
    """
    lower = jnp.broadcast_to(jnp.asarray(lower, start.dtype), start.shape)
    upper = jnp.broadcast_to(jnp.asarray(upper, start.dtype), start.shape)

    def unfinished(state: SolverState) -> jax.Array:
        return ~state.within(tolerance) & (state.num_steps < max_steps)

    def step(state: SolverState) -> SolverState:
        return newton_step(evaluate, state, lower, upper, magnitude, uncertainty)

    return jax.lax.while_loop(unfinished, step, newton_init(jnp.clip(start, lower, upper)))


def gauss_newton(residual: Callable, start: jax.Array, **options) -> SolverState:
    """Minimise ``1/2 ||residual(params)||^2``: :func:`newton` with the curvature ``J'J``.

    Args:
        residual: real array of any shape from a vector ``params`` of shape ``[p]``.
        start: shape ``[p]``.
        **options: of :func:`newton`.
    """

    def evaluate(params):
        jacobian, value = jax.jacfwd(lambda p: (residual(p),) * 2, has_aux=True)(params)
        jacobian = jnp.moveaxis(jacobian, -1, 0)
        return Evaluation(
            cost=0.5 * jnp.sum(value**2),
            gradient=inner_products(jacobian, value[None])[:, 0],
            curvature=inner_products(jacobian, jacobian),
        )

    return newton(evaluate, start, **options)


def gradient_descent(
    objective: Callable,
    start,
    optimizer: "optax.GradientTransformation",
    num_steps: int,
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

    (params, _), trace = jax.lax.scan(step, (start, optimizer.init(start)), None, length=num_steps)
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
