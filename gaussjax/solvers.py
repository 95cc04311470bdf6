"""Solvers that know no images: damped Gauss-Newton and gradient descent on plain vectors."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from gaussjax.linear_algebra import inner_products, solve_small


class Status(enum.IntEnum):
    """Outcome of an estimate: 0 when the fit found what it looked for, else why it did not.

    A status judges the fit, not the model: a shift, a difference in level or a blur that is no
    Gaussian can be fitted well and wrongly.
    """

    ESTIMATED = 0
    NOT_CONVERGED = 1
    NOT_IDENTIFIABLE = 2
    TOO_SMALL = 3
    NOT_FINITE = 4
    AT_BOUND = 5

    @property
    def message(self) -> str:
        """One sentence that says what happened and what to do."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.ESTIMATED: "estimated",
    Status.NOT_CONVERGED: "the solver did not converge; the value is its last iterate",
    Status.NOT_IDENTIFIABLE: "the pair does not determine the blur: the reference has too little"
    " contrast, the kernel is too narrow to differ from no blur, or the levels do not match",
    Status.TOO_SMALL: "the frame is too small for a blur this wide: use a larger frame, a"
    " full-frame boundary, or for padded boundaries raise the upper bound; or the images do not"
    " match in level or scene",
    Status.NOT_FINITE: "the images contain NaN or infinite pixels",
    Status.AT_BOUND: "the estimate sits on a bound: widen bounds if the bound is not physical",
}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GaussNewtonState:
    """Where a Gauss-Newton run stands.

    Attributes:
        params: the best point so far, ``[p]``.
        cost: ``1/2 ||r||^2`` there; infinite before the first evaluation.
        gradient: ``J'r`` there, ``[p]``.
        normal: ``J'J`` there, ``[p, p]``.
        damping: relative to the diagonal of ``normal``.
        step_size: the last *proposed* step over its tolerance, accepted or not, or zero when the
            decrease that it promised is below what rounding lets the cost show.
        num_steps: evaluations of the residual and its Jacobian.
    """

    params: jax.Array
    cost: jax.Array
    gradient: jax.Array
    normal: jax.Array
    damping: jax.Array
    step_size: jax.Array
    num_steps: jax.Array

    @property
    def converged(self) -> jax.Array:
        """True when the last proposed step was too small to matter."""
        return (self.step_size <= 1) & jnp.isfinite(self.cost)


def step_tolerance(params: jax.Array) -> jax.Array:
    """Size below which a step no longer matters: eps^(3/4) relative, with a floor near zero.

    Gauss-Newton's error after a step is far below the step itself, so this leaves full precision,
    while eps would wait for steps that rounding never lets through.
    """
    eps = jnp.finfo(params.dtype).eps
    return eps**0.75 * (jnp.abs(params) + 1e-3)


def gauss_newton_init(start: jax.Array) -> GaussNewtonState:
    """State at ``start``, not yet evaluated: the first step proposes the start itself."""
    return GaussNewtonState(
        params=start,
        cost=jnp.full((), jnp.inf, start.dtype),
        gradient=jnp.zeros_like(start),
        normal=jnp.eye(start.size, dtype=start.dtype),
        damping=jnp.full((), 1e-6, start.dtype),
        step_size=jnp.full((), jnp.inf, start.dtype),
        num_steps=jnp.zeros((), jnp.int32),
    )


def gauss_newton_step(
    residual: Callable,
    state: GaussNewtonState,
    lower: jax.Array,
    upper: jax.Array,
    magnitude: jax.Array | float,
) -> GaussNewtonState:
    """One step: solve (J'J + damping diag(J'J)) d = -J'r, project on the box, keep if better."""
    params = state.params
    wanted = _damped_step(state, lower, upper)
    proposal = jnp.clip(params + wanted, lower, upper)
    # One evaluation a step, of value and Jacobian together: a refused proposal wastes its
    # Jacobian, but refusals are rare and the compiled program is half as long.
    jacobian, value = jax.jacfwd(lambda p: (residual(p),) * 2, has_aux=True)(proposal)
    jacobian = jnp.moveaxis(jacobian, -1, 0)
    cost = 0.5 * jnp.sum(value**2)
    # NaN compares false: a step out of the model's domain is refused like an uphill one.
    better = cost <= state.cost
    eps = jnp.finfo(params.dtype).eps
    # Of the step before it was clipped, because a clipped one may well lead uphill.
    promised = -jnp.sum(wanted * state.gradient) - 0.5 * jnp.sum(wanted * (state.normal @ wanted))
    visible = promised > eps * state.cost + (8 * eps * magnitude) ** 2
    step_size = jnp.where(visible, jnp.max(jnp.abs(proposal - params) / step_tolerance(params)), 0)
    damping = jnp.where(better, state.damping / 10, jnp.maximum(state.damping, 1e-4) * 8)

    def keep(new, old):
        return jnp.where(better, new, old)

    return GaussNewtonState(
        params=keep(proposal, params),
        cost=keep(cost, state.cost),
        gradient=keep(inner_products(jacobian, value[None])[:, 0], state.gradient),
        normal=keep(inner_products(jacobian, jacobian), state.normal),
        damping=jnp.clip(damping, 1e-12, 1e12),
        step_size=jnp.where(state.num_steps == 0, jnp.inf, step_size),
        num_steps=state.num_steps + 1,
    )


def _damped_step(state: GaussNewtonState, lower: jax.Array, upper: jax.Array) -> jax.Array:
    """Levenberg-Marquardt step on the parameters that may move.

    A parameter that sits on its bound and is pushed outwards is held for this step: clipping the
    full step instead would spoil the others, which are correlated with it.
    """
    params, gradient = state.params, state.gradient
    held = ((params <= lower) & (gradient > 0)) | ((params >= upper) & (gradient < 0))
    # Scaling by the diagonal makes the damping free of units. A parameter without any influence
    # gets a unit row, so that its step is zero instead of 0/0.
    diagonal = jnp.diag(state.normal)
    moves = ~held & (diagonal > 0)
    scale = jnp.where(moves, jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1)), 1)
    free = moves.astype(params.dtype)
    scaled = state.normal / jnp.outer(scale, scale) * jnp.outer(free, free)
    scaled = scaled + jnp.diag(1 - free + state.damping)
    return -solve_small(scaled, free * gradient / scale) / scale


def gauss_newton(
    residual: Callable,
    start: jax.Array,
    *,
    lower: jax.Array | float = -jnp.inf,
    upper: jax.Array | float = jnp.inf,
    magnitude: jax.Array | float = 0.0,
    max_steps: int = 100,
) -> GaussNewtonState:
    """Minimise ``1/2 ||residual(params)||^2`` by damped Gauss-Newton with box bounds.

    Args:
        residual: real array of any shape from a vector ``params`` of shape ``[p]``.
        start: shape ``[p]``; clipped to the box.
        lower: least value of each parameter.
        upper: largest value of each parameter.
        magnitude: norm of the terms whose difference the residual is. Rounding leaves a residual
            of eps times this, and a step that promises no more is taken as convergence.
        max_steps: evaluations after which the state is returned not converged.

    Returns:
        The final state. It stops when the proposed step is below :func:`step_tolerance`.

    Source: K. Levenberg 1944; D. W. Marquardt, J. SIAM 11(2), 1963.
    """
    lower = jnp.broadcast_to(jnp.asarray(lower, start.dtype), start.shape)
    upper = jnp.broadcast_to(jnp.asarray(upper, start.dtype), start.shape)

    def unfinished(state: GaussNewtonState) -> jax.Array:
        return ~state.converged & (state.num_steps < max_steps)

    def step(state: GaussNewtonState) -> GaussNewtonState:
        return gauss_newton_step(residual, state, lower, upper, magnitude)

    initial = gauss_newton_init(jnp.clip(start, lower, upper))
    return jax.lax.while_loop(unfinished, step, initial)


def gradient_descent(
    objective: Callable,
    start,
    optimizer: optax.GradientTransformation,
    num_steps: int,
):
    """Run ``num_steps`` of any optax transformation on a scalar ``objective`` of a pytree.

    Returns:
        The last parameters and the trace of objective values before each step, ``[num_steps]``.
    """
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
