"""The blur at which the sums of pairs balance, and how well they tell it."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.dataset.equations import PairEquations
from gaussjax.numerics.linear_algebra import (
    diagonal,
    product,
    solve_small,
)
from gaussjax.numerics.newton import FIELD_SCALE, held_back, predicted_step, step_tolerance
from gaussjax.statistics.covariance import fisher_covariance, sandwich_covariance, wider_covariance

MAX_STEPS = 20
# A step of so many standard errors is as good as none.
_NEGLIGIBLE = 1e-3
# So many pairs tell by their scores how they scatter.
_MANY_PAIRS = 16


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Root:
    """Where a search for the root of F ended.

    Attributes:
        vector: theta, px^2, ``[p]``.
        slope: of F before the last step, ``[p, p]``.
        ahead: what another step would move, about, ``[p]``.
        num_steps: Newton's.
    """

    vector: jax.Array
    slope: jax.Array
    ahead: jax.Array
    num_steps: jax.Array


def find_root(project: Callable, gradient: jax.Array, slope: jax.Array, origin: jax.Array) -> Root:
    """Newton's method on ``F(theta) = project(theta) - project(origin) + gradient``.

    Args:
        project: ``sum_w Re c (T_theta - 1)``, ``[p] -> [p]``.
        gradient: F at the origin, ``[p]``.
        slope: of F there, ``[p, p]``.
        origin: where to begin, ``[p]``.
    """
    first = project(origin)

    def with_slope(vector):
        slope, value = jax.jacfwd(lambda v: (project(v),) * 2, has_aux=True)(vector)
        return slope, value - first + gradient

    def unfinished(root: Root):
        return ~jnp.all(root.ahead <= step_tolerance(root.vector)) & (root.num_steps < MAX_STEPS)

    def step_from(vector, slope, value, num_steps):
        step = held_back(-solve_small(slope, value), vector)
        ahead = predicted_step(step, jnp.max(jnp.abs(vector)) + FIELD_SCALE)
        return Root(vector + step, slope, jnp.where(jnp.isfinite(ahead), ahead, jnp.inf), num_steps)

    def one_step(root: Root):
        return step_from(root.vector, *with_slope(root.vector), root.num_steps + 1)

    first_step = step_from(origin, slope, gradient, jnp.asarray(1, jnp.int32))
    return jax.lax.while_loop(unfinished, one_step, first_step)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RootErrors:
    """What the figures tell of a root.

    Attributes:
        covariance: of the variances, px^4, ``[p, p]``.
        squares: ``sum W r^2`` at the root.
        noise_variance: per pixel, in the scale of the frames.
    """

    covariance: jax.Array
    squares: jax.Array
    noise_variance: jax.Array


def root_errors(
    root: Root,
    sums: PairEquations,
    origin: jax.Array,
    num_nuisances: int,
    noisy: bool,
    rounding: jax.Array | float,
) -> RootErrors:
    """Error bars of a root: ``s^2 F'^-1``, or the sandwich where that is wider.

    With noise in A always the sandwich: that noise is in the slopes too.

    Args:
        root: of the sums.
        sums: at the origin.
        origin: theta_0.
        num_nuisances: per pair.
        noisy: A is (static).
        rounding: variance of the residual that rounding leaves.
    """
    p = origin.size
    move = root.vector - origin
    squares = sums.squares_after(move)
    freedom = sums.num_pixels - num_nuisances * sums.num_pairs - p
    noise_variance = squares / jnp.where(freedom > 0, freedom, 1)
    classical = fisher_covariance(root.slope, noise_variance + rounding)
    # The scores at the root are those at the origin and their slopes times the way.
    onwards = jnp.kron(jnp.eye(p, dtype=move.dtype), move[None])
    moved = jnp.concatenate([jnp.eye(p, dtype=move.dtype), onwards], axis=1)

    def sandwich(scatter):
        return sandwich_covariance(root.slope, product(product(moved, scatter), moved.T))

    by_blocks = sandwich(sums.of_blocks)
    within = by_blocks if noisy else wider_covariance(classical, by_blocks)
    # Wider still where the pairs do not have one blur.
    between = wider_covariance(within, sandwich(sums.of_pairs))
    covariance = jnp.where(sums.num_pairs >= _MANY_PAIRS, between, within)
    return RootErrors(covariance, squares, noise_variance)


def has_converged(root: Root, covariance: jax.Array) -> jax.Array:
    """Another step would be small, or small against the error bars."""
    errors = jnp.sqrt(jnp.abs(diagonal(covariance)))
    return jnp.all(root.ahead <= jnp.maximum(step_tolerance(root.vector), _NEGLIGIBLE * errors))
