"""Solvers that know no images: damped Gauss-Newton and gradient descent on plain vectors."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from gaussjax.linear_algebra import inner_products


class Status(enum.IntEnum):
    """Outcome of an estimate; 0 means that the number can be used with its error bar."""

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
    " contrast, or the kernel is too narrow to differ from no blur at all",
    Status.TOO_SMALL: "the frame is too small for a blur this wide: use a larger frame, a"
    " full-frame boundary, or for padded boundaries raise the upper bound",
    Status.NOT_FINITE: "the images contain NaN or infinite pixels",
    Status.AT_BOUND: "the estimate sits on a bound: widen bounds if the bound is not physical",
}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GaussNewtonState:
    """Where a Gauss-Newton run stands.

    ``step_size`` is the last proposed step over its tolerance, or zero when the decrease that the
    step promised is below what rounding lets the cost show.
    """

    params: jax.Array
    cost: jax.Array
    damping: jax.Array
    step_size: jax.Array
    num_steps: jax.Array

    @property
    def converged(self) -> jax.Array:
        """True when the last *proposed* step was below the tolerance, accepted or not."""
        return self.step_size <= 1


def step_tolerance(params: jax.Array) -> jax.Array:
    """Size below which a step no longer matters: eps^(3/4) relative, with a floor near zero.

    Gauss-Newton's error after a step is far below the step itself, so this leaves full precision,
    while eps would wait for steps that rounding never lets through.
    """
    eps = jnp.finfo(params.dtype).eps
    return eps**0.75 * (jnp.abs(params) + 1e-3)


def gauss_newton_init(residual: Callable, start: jax.Array) -> GaussNewtonState:
    """State at ``start``; see :func:`gauss_newton`."""
    dtype = start.dtype
    return GaussNewtonState(
        params=start,
        cost=_half_sum_of_squares(residual(start)),
        damping=jnp.asarray(1e-6, dtype),
        step_size=jnp.asarray(jnp.inf, dtype),
        num_steps=jnp.asarray(0, jnp.int32),
    )


def gauss_newton_step(
    residual: Callable,
    state: GaussNewtonState,
    lower: jax.Array,
    upper: jax.Array,
    magnitude: jax.Array | float,
) -> GaussNewtonState:
    """One step: solve (J'J + damping diag(J'J)) d = -J'r, project on the box, keep if better.

    A parameter that sits on its bound and is pushed outwards is held for this step: clipping the
    full step instead would spoil the others, which are correlated with it.
    """
    params = state.params
    value = residual(params)
    jacobian = jnp.moveaxis(jax.jacfwd(residual)(params), -1, 0)
    gradient = inner_products(jacobian, value[None])[:, 0]
    normal = inner_products(jacobian, jacobian)
    held = ((params <= lower) & (gradient > 0)) | ((params >= upper) & (gradient < 0))
    free = ~held
    # Scaling by the diagonal makes the damping free of units. A parameter without any influence
    # gets a unit row, so that its step is zero instead of 0/0.
    diagonal = jnp.diag(normal)
    scale = jnp.where(free & (diagonal > 0), jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1)), 1)
    mask = (free & (diagonal > 0)).astype(params.dtype)
    scaled = normal / jnp.outer(scale, scale) * jnp.outer(mask, mask)
    scaled = scaled + jnp.diag(1 - mask) + state.damping * jnp.eye(params.size, dtype=params.dtype)
    step = -jnp.linalg.solve(scaled, mask * gradient / scale) / scale
    proposal = jnp.clip(params + step, lower, upper)
    step = proposal - params
    cost = _half_sum_of_squares(residual(proposal))
    # NaN compares false: a step out of the model's domain is refused like an uphill one.
    better = cost <= state.cost
    promised = -jnp.sum(step * gradient) - 0.5 * jnp.sum(step * (normal @ step))
    eps = jnp.finfo(params.dtype).eps
    visible = promised > eps * state.cost + (8 * eps * magnitude) ** 2
    step_size = jnp.max(jnp.abs(step) / step_tolerance(params))
    damping = jnp.where(better, state.damping / 10, jnp.maximum(state.damping, 1e-4) * 8)
    return GaussNewtonState(
        params=jnp.where(better, proposal, params),
        cost=jnp.where(better, cost, state.cost),
        damping=jnp.clip(damping, 1e-12, 1e12),
        step_size=jnp.where(visible, step_size, 0),
        num_steps=state.num_steps + 1,
    )


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
        max_steps: steps after which the state is returned not converged.

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

    initial = gauss_newton_init(residual, jnp.clip(start, lower, upper))
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


def _half_sum_of_squares(residual: jax.Array) -> jax.Array:
    return 0.5 * jnp.sum(residual**2)
