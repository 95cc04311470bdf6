"""The blur at which the sums of pairs balance, and how well they tell it."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.dataset.instruments import PairSums
from gaussjax.numerics.linear_algebra import (
    diagonal,
    inner_products,
    inverse_small,
    product,
    solve_small,
)
from gaussjax.numerics.newton import FIELD_SCALE, held_back, step_tolerance
from gaussjax.statistics.covariance import wider_covariance

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
        # Newton's error after a step is to the step as that is to the scale of the function.
        ahead = step**2 / (jnp.max(jnp.abs(vector)) + FIELD_SCALE)
        return Root(vector + step, slope, jnp.where(jnp.isfinite(ahead), ahead, jnp.inf), num_steps)

    def one_step(root: Root):
        return step_from(root.vector, *with_slope(root.vector), root.num_steps + 1)

    first_step = step_from(origin, slope, gradient, jnp.asarray(1, jnp.int32))
    return jax.lax.while_loop(unfinished, one_step, first_step)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Figures:
    """The small sums of one or many pairs at theta_0, additive.

    With u the scores and slopes of a block, or of a pair, in one vector ``[p + p^2]``:

    Attributes:
        total: sum of u.
        of_blocks: sum of ``u u'`` over the blocks of all pairs.
        of_pairs: over the pairs.
        squares: ``sum W r^2``.
        change: ``sum W (B - A)^2``.
        structure: see :class:`~gaussjax.dataset.instruments.PairSums`.
        num_pixels: compared.
        num_pairs: that have pixels to compare.
    """

    total: jax.Array
    of_blocks: jax.Array
    of_pairs: jax.Array
    squares: jax.Array
    change: jax.Array
    structure: jax.Array
    num_pixels: jax.Array
    num_pairs: jax.Array

    @property
    def num_variances(self) -> int:
        """P."""
        return round((self.total.shape[0] + 0.25) ** 0.5 - 0.5)

    @property
    def gradient(self) -> jax.Array:
        """F at theta_0, ``[p]``."""
        return self.total[: self.num_variances]

    @property
    def slope(self) -> jax.Array:
        """Of F at theta_0, ``[p, p]``."""
        p = self.num_variances
        return self.total[p:].reshape(p, p)


def figures(sums: PairSums) -> Figures:
    """Of one pair."""
    p = len(sums.scores)
    flat = jnp.concatenate([sums.scores.reshape(p, -1), sums.slopes.reshape(p * p, -1)])
    total = jnp.sum(flat, axis=1)
    return Figures(
        total=total,
        of_blocks=inner_products(flat, flat),
        of_pairs=jnp.outer(total, total),
        squares=sums.squares,
        change=sums.change,
        structure=sums.structure,
        num_pixels=sums.num_pixels.astype(total.dtype),
        num_pairs=(sums.num_pixels > 0).astype(total.dtype),
    )


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
    sums: Figures,
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
    change = 2 * move @ sums.gradient + move @ sums.slope @ move
    squares = jnp.maximum(sums.squares + change, 0)
    freedom = sums.num_pixels - num_nuisances * sums.num_pairs - p
    noise_variance = squares / jnp.where(freedom > 0, freedom, 1)
    inverse = inverse_small(root.slope)
    classical = (noise_variance + rounding) * 0.5 * (inverse + inverse.T)
    # The scores at the root are those at the origin and their slopes times the way.
    onwards = jnp.kron(jnp.eye(p, dtype=move.dtype), move[None])
    moved = jnp.concatenate([jnp.eye(p, dtype=move.dtype), onwards], axis=1)

    def sandwich(scatter):
        filled = product(inverse, product(product(moved, scatter), moved.T))
        return product(filled, inverse.T)

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
