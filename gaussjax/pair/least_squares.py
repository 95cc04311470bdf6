"""Least squares on the compared pixels by Gauss-Newton: one pass is one prediction and its slopes.

With r = predicted - B and the fields J = d predicted / d theta the sum ``1/2 sum_x W r^2`` has the
gradient J' W r and, where the residual is small, the second derivative J' W J: sums over pixels,
which add up over the tiles of a frame. The second-order term that J' W J leaves out, ``<W r, dJ>``,
is estimated from the change of the gradient between passes, so that a model that fits badly
converges too.

Source: the term is kept as a symmetric rank-one update; see J. Nocedal and S. J. Wright, "Numerical
Optimization", 2nd ed., Springer 2006, ch. 6.2 and 10.3.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.window import Window
from gaussjax.numerics.linear_algebra import definite, diagonal, inner_products, inverse_small
from gaussjax.numerics.newton import (
    bounded_step,
    field_scales,
    held_back,
    predicted_step,
    step_tolerance,
)
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals
from gaussjax.pair.objective import Fit, Objective
from gaussjax.pair.prediction import residual_and_fields
from gaussjax.statistics.normal_equations import NormalEquations
from gaussjax.statistics.optimum_summary import Summary
from gaussjax.statistics.residual_statistics import ResidualStatistics, inner, sampled

# Length of a step, in tolerances, from which the change of the gradient along it is no rounding.
_TELLING = 100.0
# The second-order term is limited to this multiple of its estimate from row bands.
_ALLOWED = 2.0
# One in this many of the verdict's row bands serves for that estimate.
_FEWER_BANDS = 8


@pytree
class FrameEquations(NormalEquations):
    """Normal equations of a frame at a vector, and what a step takes besides."""

    bending: jax.Array  # `<W r, dJ/dv>` from row bands, v a variance added along all axes, `[k]`


@pytree
class Step:
    """One step from the equations at a vector."""

    vector: jax.Array  # its end, `[k]`
    second_order: jax.Array  # the second-order term of the curvature that it used, `[k, k]`
    length: jax.Array  # in units of the solver's tolerance
    predicted: jax.Array  # length of the next one


@pytree
class Linearization:
    """What is kept of a pass: its equations, and how the residual stands at its end."""

    point: jax.Array  # the vector at the beginning, `[k]`
    equations: FrameEquations  # at that point
    second_order: jax.Array  # the second-order term that the step used, `[k, k]`
    squares: jax.Array  # `sum W r^2` at the end
    # residual at the end and fields at the beginning; of a frame that is cut into tiles, the
    # statistics of the residual
    kept: Any


@pytree
class LeastSquares(Objective):
    """``1/2 sum_x W r^2``, an :class:`~gaussjax.pair.objective.Objective`."""

    def improve(self, fit: Fit, lower, upper) -> Fit:
        """One pass."""
        window = self.window(fit.margins)
        residual, fields = residual_and_fields(self.model, fit.vector, self.frame)
        equations = frame_equations(residual, fields, window, ratios=self.frame.ratios)
        step = next_step(equations, fit, lower, upper, self.model.num_variances)
        move = step.vector - fit.vector
        # Not a product with the stack of the fields, which would have to be made for it.
        residual += sum(part * x for part, x in zip(move, fields, strict=True))
        linear = Linearization(
            point=fit.vector,
            equations=equations,
            second_order=step.second_order,
            squares=equations.squares_after(move),
            kept=self.kept(step.vector, window, residual, fields),
        )
        return fit.moved(step.vector, linear, step.length, step.predicted)

    def linearize(self, vector: jax.Array, margins: jax.Array) -> Linearization:
        """The equations at a vector, as after a step of no length."""
        window = self.window(margins)
        residual, fields = residual_and_fields(self.model, vector, self.frame)
        equations = frame_equations(residual, fields, window, ratios=self.frame.ratios)
        return Linearization(
            point=vector,
            equations=equations,
            second_order=jnp.zeros_like(equations.information),
            squares=equations.squares,
            kept=self.kept(vector, window, residual, fields),
        )

    def kept(self, vector: jax.Array, window: Window, residual, fields) -> Any:
        """What will be needed of this pass, if it is the last."""
        return residual, fields

    def prediction(self, fit: Fit) -> tuple[jax.Array, jax.Array]:
        """The prediction as kept: the last step is too short to change the fields."""
        return fit.linear.kept

    def final_statistics(self, fit: Fit) -> ResidualStatistics:
        """Statistics of the residual at the end of the last pass."""
        window, (residual, _) = self.window(fit.margins), fit.linear.kept
        return self.residual_statistics(fit.vector, window, residual, window.values * residual)

    def gradient(self, vector: jax.Array, margins: jax.Array, context: jax.Array) -> jax.Array:
        """J' W r."""
        residual, fields = residual_and_fields(self.model, vector, self.frame)
        weighted = self.window(margins).values * residual
        return inner_products(fields, weighted[None])[:, 0]

    def summary(self, fit: Fit) -> Summary:
        """``H = J' W J`` and ``S = s^2 J' W J``."""
        linear = fit.linear
        information, num_pixels = linear.equations.information, linear.equations.num_pixels
        noise_variance = linear.squares / (num_pixels - fit.vector.size)
        inverse = inverse_small(information)
        return Summary(
            inverse=inverse,
            scatter=noise_variance * information,
            rounding=rounding_variance(fit.vector.dtype) * inverse,
            loss=0.5 * linear.squares,
            noise_variance=noise_variance,
            chi_square=jnp.full_like(noise_variance, jnp.inf),
            noise=jnp.stack([jnp.zeros_like(noise_variance), noise_variance]),
            num_pixels=num_pixels,
            certainty=jnp.full_like(noise_variance, jnp.inf),
            squares=linear.squares,
            clipped_squares=linear.squares,
            outliers=jnp.zeros_like(noise_variance),
            residual_statistics=self.final_statistics(fit),
        )


def frame_equations(
    residual: jax.Array,
    fields: jax.Array,
    window: Window,
    parts: int = 1,
    ratios: Sequence[float] = (1, 1, 1),
) -> FrameEquations:
    """The sums of a residual and its fields, ``[k, *frame]``, of one of ``parts`` of a frame.

    A pixel is so many px, in which variances are, wide along every axis.
    """
    k = len(fields)
    products = [residual * field for field in fields]
    products += [fields[i] * fields[j] for i in range(k) for j in range(i + 1)]
    sums = window.totals([residual**2, *products])
    # Rows of the lower triangle: to pick element by element is a kernel each.
    ends = 1 + k + np.cumsum(np.arange(k + 1))
    rows = [jnp.pad(sums[ends[i] : ends[i + 1]], (0, k - 1 - i)) for i in range(k)]
    lower = jnp.stack(rows)
    return FrameEquations(
        squares=sums[0],
        gradient=sums[1 : 1 + k],
        information=lower + jnp.tril(lower, -1).T,
        num_pixels=window.num_pixels.astype(residual.dtype),
        bending=_bending(window, residual, fields, parts, ratios),
    )


def _bending(
    window: Window, residual: jax.Array, fields: jax.Array, parts: int, ratios: Sequence[float]
) -> jax.Array:
    """``<W r, dJ/dv>``, ``[k]``: a variance dv along all axes adds half the Laplacian times dv.

    From a few row bands, because it only limits the second-order term.
    """
    parts, size = _FEWER_BANDS * parts, window.size
    bands = sampled(window.values * residual, parts, size)
    summands = []
    for field in fields:
        sample = sampled(field, parts, size)
        for axis in range(field.ndim):
            bend = inner(sample, axis, -1) - 2 * inner(sample) + inner(sample, axis, 1)
            summands.append(0.5 / ratios[axis] ** 2 * inner(bands) * bend)
    # Made and added up in one loop, so that no slice is written out.
    found = totals(summands).reshape(len(fields), -1)
    part = max(summands[0].size, 1) / residual.size
    if size is not None and len(bands) > 1:
        part = part * len(residual) / size[0].astype(residual.dtype)
    return jnp.sum(found, axis=1) / part


def next_step(
    equations: FrameEquations, fit: Fit, lower: jax.Array, upper: jax.Array, num_variances: int
) -> Step:
    """A Newton step from the equations at ``fit.vector``, and the length of the next one."""
    vector, information = fit.vector, equations.information
    own = diagonal(information)
    own = jnp.where(own > 0, own, 1)
    lacking = jnp.max(jnp.abs(equations.bending) / own)
    second_order = _second_order(equations, fit)
    # After a long step the gradient has changed by more than its slope: the bands set a limit.
    part = jnp.max(jnp.abs(second_order) / jnp.sqrt(jnp.outer(own, own)))
    second_order *= jnp.minimum(1, _ALLOWED * lacking / jnp.where(part > 0, part, 1))
    curvature = definite(information + second_order, information)
    step = bounded_step(vector, equations.gradient, curvature, lower, upper)
    found = jnp.clip(vector + held_back(step, vector), lower, upper)
    move = found - vector
    scales, sizes = field_scales(found, num_variances)
    length = jnp.max(jnp.abs(move) / step_tolerance(sizes))
    following = jnp.max(predicted_step(move, scales, lacking) / step_tolerance(sizes))
    # No next step is worth it where the objective falls by rounding alone.
    decrease = 0.5 * move @ information @ move
    magnitude = equations.squares + vector @ information @ vector
    visible = decrease > (64 * jnp.finfo(found.dtype).eps) ** 2 * magnitude
    return Step(found, second_order, length, jnp.where(visible, following, 0))


def _second_order(equations: FrameEquations, fit: Fit) -> jax.Array:
    """The second-order term of the curvature, updated by the change since the last pass."""
    last = fit.linear
    move = fit.vector - last.point
    change = equations.gradient - last.equations.gradient - equations.information @ move
    unknown = change - last.second_order @ move
    along = unknown @ move
    # The update divides by this product: not where the two are nearly orthogonal.
    lengths = unknown @ inverse_small(equations.information) @ unknown
    lengths *= move @ equations.information @ move
    is_known = (along**2 > 0.01 * lengths) & (fit.step > _TELLING) & jnp.isfinite(fit.step)
    update = jnp.outer(unknown, unknown) / jnp.where(is_known, along, 1)
    kept = jnp.where(jnp.isfinite(fit.step), last.second_order, 0)
    return jnp.where(is_known, kept + update, kept)
