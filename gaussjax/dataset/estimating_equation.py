"""The estimating equation of a joint fit, F(theta) = 0, and its root."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import solve_small
from gaussjax.numerics.newton import FIELD_SCALE, held_back, predicted_step, step_tolerance
from gaussjax.numerics.pytree import pytree

MAX_STEPS = 20
# A step below this part of the standard error changes nothing.
_NEGLIGIBLE = 1e-3


@pytree
class Root:
    """The end of a search for the root of F."""

    vector: jax.Array  # theta, px^2, `[p]`
    slope: jax.Array  # of F before the last step, `[p, p]`
    predicted_step: jax.Array  # about how far the next step would go, `[p]`
    num_steps: jax.Array  # of Newton's method

    def is_settled(self, bars: jax.Array) -> jax.Array:
        """Another step would be short, or short against the error bars, ``[p]``."""
        largest = jnp.maximum(step_tolerance(self.vector), _NEGLIGIBLE * bars)
        return jnp.all(self.predicted_step <= largest)


def find_root(
    project: Callable,
    gradient: jax.Array,
    slope: jax.Array,
    point: jax.Array,
    least: jax.Array | float = -jnp.inf,
) -> Root:
    """Newton's method on ``F(theta) = project(theta) - project(point) + gradient``.

    Args:
        project: ``sum_w Re c (T_theta - 1)``, ``[p] -> [p]``.
        gradient: F at the point, ``[p]``.
        slope: of F there, ``[p, p]``.
        point: where the method begins, ``[p]``.
        least: lower bound on the root, ``[p]``.
    """
    first = project(point)

    def with_slope(vector):
        slope, value = jax.jacfwd(lambda v: (project(v),) * 2, has_aux=True)(vector)
        return slope, value - first + gradient

    def unfinished(root: Root):
        return ~jnp.all(root.predicted_step <= step_tolerance(root.vector)) & (
            root.num_steps < MAX_STEPS
        )

    def step_from(vector, slope, value, num_steps):
        step = held_back(-solve_small(slope, value), vector)
        next_step = predicted_step(step, jnp.max(jnp.abs(vector)) + FIELD_SCALE)
        next_step = jnp.where(jnp.isfinite(next_step), next_step, jnp.inf)
        moved = jnp.maximum(vector + step, least)
        stays = (vector <= least) & (moved <= least)
        return Root(moved, slope, jnp.where(stays, 0, next_step), num_steps)

    def one_step(root: Root):
        return step_from(root.vector, *with_slope(root.vector), root.num_steps + 1)

    first_step = step_from(point, slope, gradient, jnp.asarray(1, jnp.int32))
    return loops.while_loop(unfinished, one_step, first_step)
