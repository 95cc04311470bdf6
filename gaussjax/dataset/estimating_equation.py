"""The blur at which the sums of pairs balance, its error bars and its estimate."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gaussjax.dataset.equations import PairEquations
from gaussjax.dataset.options import JointOptions
from gaussjax.model.params import BlurParams
from gaussjax.model.response import BlurModel
from gaussjax.model.transfer import axis_margins
from gaussjax.numerics.linear_algebra import diagonal, product, solve_small
from gaussjax.numerics.newton import FIELD_SCALE, held_back, predicted_step, step_tolerance
from gaussjax.numerics.pytree import pytree
from gaussjax.spectra.orientation import swap_params
from gaussjax.statistics.covariance import fisher_covariance, sandwich_covariance, wider_covariance
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, is_too_small

MAX_STEPS = 20
# A step below this part of the standard error changes nothing.
_NEGLIGIBLE = 1e-3
# From so many pairs on, their scores show how they scatter.
_MANY_PAIRS = 16


@pytree
class Root:
    """Where a search for the root of F ended."""

    vector: jax.Array  # theta, px^2, `[p]`
    slope: jax.Array  # of F before the last step, `[p, p]`
    predicted_step: jax.Array  # about how far the next step would go, `[p]`
    num_steps: jax.Array  # of Newton's method


def find_root(project: Callable, gradient: jax.Array, slope: jax.Array, point: jax.Array) -> Root:
    """Newton's method on ``F(theta) = project(theta) - project(point) + gradient``.

    Args:
        project: ``sum_w Re c (T_theta - 1)``, ``[p] -> [p]``.
        gradient: F at the point, ``[p]``.
        slope: of F there, ``[p, p]``.
        point: where the method begins, ``[p]``.
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
        return Root(vector + step, slope, next_step, num_steps)

    def one_step(root: Root):
        return step_from(root.vector, *with_slope(root.vector), root.num_steps + 1)

    first_step = step_from(point, slope, gradient, jnp.asarray(1, jnp.int32))
    return jax.lax.while_loop(unfinished, one_step, first_step)


@pytree
class RootErrors:
    """How precisely the equations determine a root."""

    covariance: jax.Array  # of the variances, px^4, `[p, p]`
    squares: jax.Array  # `sum W r^2` at the root
    noise_variance: jax.Array  # per pixel, in the scale of the frames


def root_errors(
    root: Root,
    equations: PairEquations,
    point: jax.Array,
    options: JointOptions,
    rounding: jax.Array | float,
) -> RootErrors:
    """Error bars of a root: ``s^2 F'^-1``, or the sandwich where that is wider.

    With noise in A always the sandwich: that noise is in the slopes too.

    Args:
        root: of the equations.
        equations: at the linearization point.
        point: theta_0.
        options: of the fit (static).
        rounding: variance of the residual that rounding leaves.
    """
    p = point.size
    move = root.vector - point
    squares = equations.squares_after(move)
    freedom = equations.num_pixels - options.num_nuisances * equations.num_pairs - p
    noise_variance = squares / jnp.where(freedom > 0, freedom, 1)
    classical = fisher_covariance(root.slope, noise_variance + rounding)
    # The scores at the root are those at the point plus their slopes times the move.
    by_slopes = jnp.kron(jnp.eye(p, dtype=move.dtype), move[None])
    moved = jnp.concatenate([jnp.eye(p, dtype=move.dtype), by_slopes], axis=1)

    def sandwich(scatter):
        return sandwich_covariance(root.slope, product(product(moved, scatter), moved.T))

    by_blocks = sandwich(equations.of_blocks)
    within = by_blocks if options.noisy else wider_covariance(classical, by_blocks)
    # Wider still where the pairs do not have one blur.
    between = wider_covariance(within, sandwich(equations.of_pairs))
    covariance = jnp.where(equations.num_pairs >= _MANY_PAIRS, between, within)
    return RootErrors(covariance, squares, noise_variance)


def root_estimate(
    root: Root,
    errors: RootErrors,
    num_pixels: jax.Array,
    model: BlurModel,
    unit: jax.Array,
    *,
    swapped: bool,
    problems: dict[Status, jax.Array],
) -> BlurEstimate:
    """The estimate at a root, of one pair or of many.

    Args:
        root: of the equations.
        errors: of the root.
        num_pixels: compared.
        model: of the blur.
        unit: by which the images were divided.
        swapped: the second images are the sharper ones (static).
        problems: that the equations do not show.
    """
    oriented = BlurParams(root.vector, family=model.family)
    margins = axis_margins(oriented, model.kernel, model.ndim)
    # Another step would be large, and large against the error bars.
    bars = jnp.sqrt(jnp.abs(diagonal(errors.covariance)))
    largest = jnp.maximum(step_tolerance(root.vector), _NEGLIGIBLE * bars)
    unfinished = ~jnp.all(root.predicted_step <= largest)
    return make_estimate(
        swap_params(swapped, oriented),
        ndim=model.ndim,
        covariance=errors.covariance,
        loss=0.5 * unit**2 * errors.squares,
        noise_variance=unit**2 * errors.noise_variance,
        num_pixels=num_pixels,
        num_steps=root.num_steps,
        kernel=model.kernel,
        problems={
            **problems,
            Status.TOO_SMALL: is_too_small(
                margins, model.largest_margins, num_pixels, root.vector.size
            ),
            Status.NOT_CONVERGED: unfinished | problems.get(Status.NOT_CONVERGED, False),
        },
    )
