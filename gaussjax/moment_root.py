"""The root of the moments of instruments, and what the Jacobian has turned to on the way there."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gaussjax.linear_algebra import finite_or, inverse_small
from gaussjax.solvers import gauss_newton

# Each leaves a part of the error as large as the way is long.
_NUM_CHORDS = 5


class MomentRoot(NamedTuple):
    """A root of the moments.

    Attributes:
        params: ``[k]``.
        turned: what makes the Jacobian there of that at the start, ``[k, k]``.
        information: ``J' W J`` there.
        magnitude: norm of the terms whose difference the moments are, in units of the information.
        at_once: nothing is left to find: the start was the root to within rounding.
        num_steps: of the search.
    """

    params: jax.Array
    turned: jax.Array
    information: jax.Array
    magnitude: jax.Array
    at_once: jax.Array
    num_steps: jax.Array


def root_by_newton(moments: Callable, start: jax.Array, target, lower, upper) -> MomentRoot:
    """The root within bounds, by damped Gauss-Newton steps; of moments that are cheap to derive.

    Args:
        moments: F, ``[k] -> [k]``.
        start: where the instruments were taken, ``[k]``.
        target: constant term of F, ``[k]``.
        lower: bounds, ``[k]``.
        upper: likewise.
    """
    # <Z_k, J_l(theta)>, exact for any theta. Jitted, so that it is traced once.
    overlap = jax.jit(jax.jacfwd(moments))
    information = overlap(start)
    scale = _reciprocal_root(jnp.diag(information))
    magnitude = jnp.linalg.norm(scale * target)
    state = gauss_newton(
        lambda theta: scale * moments(theta), start, lower=lower, upper=upper, magnitude=magnitude
    )
    # What the fields have turned to on the way, within their own span: the rest is of second order
    # in the way and at right angles to them.
    turned = inverse_small(information) @ overlap(state.params)
    turned = finite_or(turned, jnp.eye(start.size, dtype=start.dtype))
    # A root found at once is as good as rounding allows, however far the last digits move.
    at_once = state.converged & (state.num_steps <= 2)
    information = turned.T @ information @ turned
    return MomentRoot(state.params, turned, information, magnitude, at_once, state.num_steps)


def root_by_chords(moments: Callable, start: jax.Array, target, information) -> MomentRoot:
    """The root near the start, by steps with the Jacobian there, ``information``, held fixed."""
    inverse = finite_or(inverse_small(information), 0)
    params = jax.lax.fori_loop(
        0, _NUM_CHORDS, lambda _, theta: theta - inverse @ moments(theta), start
    )
    return MomentRoot(
        # Out of the model's domain the Newton step from the start is all there is.
        finite_or(params, start),
        jnp.eye(start.size, dtype=start.dtype),
        information,
        jnp.linalg.norm(_reciprocal_root(jnp.diag(information)) * target),
        jnp.asarray(False),
        jnp.asarray(_NUM_CHORDS, jnp.int32),
    )


def _reciprocal_root(values: jax.Array) -> jax.Array:
    """1 / sqrt where positive, else 0."""
    return jnp.where(values > 0, 1 / jnp.sqrt(jnp.where(values > 0, values, 1)), 0)
