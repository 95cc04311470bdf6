"""Least squares on the compared pixels by Gauss-Newton: one pass is one prediction and its slopes.

With r = predicted - B and the fields J = d predicted / d theta the sum ``1/2 sum_x W r^2`` has the
gradient J' W r and, where the residual is small, the second derivative J' W J: both sums over
pixels, which add up over the parts of a frame. What the second derivative lacks, ``<W r, dJ>``, is
learnt from how the gradient changes between passes: a model that fits badly converges too.

Source: the correction is a symmetric rank-one update; see J. Nocedal and S. J. Wright, "Numerical
Optimization", 2nd ed., Springer 2006, ch. 6.2 and 10.3.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from gaussjax.model.window import Window
from gaussjax.numerics.linear_algebra import definite, diagonal, inner_products, inverse_small
from gaussjax.numerics.newton import bounded_step, field_scales, held_back, step_tolerance
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.reductions import row_sums
from gaussjax.pair.objective import Fit, Improvement, PixelObjective, Summary
from gaussjax.pair.prediction import residual_and_fields
from gaussjax.statistics.covariance import (
    fisher_covariance,
    sandwich_covariance,
    score_blocks,
    wider_covariance,
)
from gaussjax.statistics.residual_statistics import ResidualStatistics, inner, sampled

# Tolerances that a step has to be long for the change of the gradient along it to be no rounding.
_TELLING = 100.0
# The correction may be so many times what the bands say is lacking.
_ALLOWED = 2.0
# Of the bands that a verdict takes, one in so many tells how the fields turn.
_FEWER_BANDS = 8


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Moments:
    """Sums over pixels at a vector.

    Attributes:
        squares: ``sum W r^2``.
        gradient: ``J' W r``, ``[k]``.
        information: ``J' W J``, ``[k, k]``.
        scatter: inner products of the sums of the scores ``W r J`` over blocks, ``[k, k]``,
        num_blocks: about so many.
        turning: ``<W r, J'>``, J' by one more px^2 of blur, about; ``[k]``.
        num_pixels: compared.
    """

    squares: jax.Array
    gradient: jax.Array
    information: jax.Array
    scatter: jax.Array
    num_blocks: jax.Array
    turning: jax.Array
    num_pixels: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Linearization:
    """What is kept of a pass: sums at its end, and how the gradient stood at its beginning.

    Attributes:
        squares: ``sum W r^2`` at the end.
        information: ``J' W J``, ``[k, k]``.
        scatter: of the scores ``W r J``, ``[k, k]``.
        num_pixels: compared.
        rest: what the statistics for the verdict are made of: the residual at the end; of a frame
            that is streamed the statistics themselves.
        origin: the vector at the beginning, ``[k]``.
        gradient: there, ``[k]``.
        correction: of the information, that was used there, ``[k, k]``.
    """

    squares: jax.Array
    information: jax.Array
    scatter: jax.Array
    num_pixels: jax.Array
    rest: Any
    origin: jax.Array
    gradient: jax.Array
    correction: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Step:
    """One step from the moments at a vector.

    Attributes:
        vector: its end, ``[k]``.
        correction: of the information, that it used, ``[k, k]``.
        ahead: see :class:`~gaussjax.pair.objective.Improvement`.
        size: likewise.
    """

    vector: jax.Array
    correction: jax.Array
    ahead: jax.Array
    size: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LeastSquares(PixelObjective):
    """``1/2 sum_x W r^2``, a :class:`~gaussjax.pair.objective.Objective`."""

    def context(self, vector: jax.Array, margins: jax.Array, previous: jax.Array) -> jax.Array:
        """None is needed: ``[0]``."""
        return previous

    def blank(self, vector: jax.Array) -> Linearization:
        """Room for one."""
        k = vector.size
        number, row, square = (jax.lax.empty(n, vector.dtype) for n in ((), (k,), (k, k)))
        rest = self.blank_rest()
        return Linearization(number, square, square, number, rest, row, row, square)

    def improve(self, fit: Fit, lower, upper) -> Improvement:
        """One pass."""
        window = self.window(fit.margins)
        residual, fields = residual_and_fields(self.model, fit.vector, self.frame)
        sums = moments(residual, fields, window)
        step = next_step(sums, fit, lower, upper, self.model.num_variances)
        move = step.vector - fit.vector
        # Not a product with the stack of the fields, which would have to be made for it.
        residual += sum(part * x for part, x in zip(move, fields, strict=True))
        linear = self._linear(sums, fit.vector, step, residual, fields, window)
        return Improvement(step.vector, linear, step.ahead, step.size, jnp.int32(0))

    def linearize(self, vector: jax.Array, margins: jax.Array) -> Linearization:
        """The sums at a vector."""
        window = self.window(margins)
        residual, fields = residual_and_fields(self.model, vector, self.frame)
        sums = moments(residual, fields, window)
        zero = jnp.zeros((), vector.dtype)
        nowhere = Step(vector, jnp.zeros_like(sums.information), zero, zero)
        return self._linear(sums, vector, nowhere, residual, fields, window)

    def _linear(self, sums, origin, step, residual, fields, window) -> Linearization:
        """Linearization at the end of a step, where the residual is this."""
        blocks = score_blocks(residual, fields, window)
        rest = self.rest(step.vector, window, residual)
        return linearization(sums, origin, step, inner_products(blocks, blocks), rest)

    def rest(self, vector: jax.Array, window: Window, residual: jax.Array) -> Any:
        """What is kept of a pass for :meth:`statistics_of`, which only the last pass needs."""
        return residual

    def blank_rest(self) -> Any:
        """Room for it."""
        return jax.lax.empty(self.frame.blurred.shape, self.frame.blurred.dtype)

    def statistics_of(self, fit: Fit) -> ResidualStatistics:
        """For the verdict."""
        window, residual = self.window(fit.margins), fit.linear.rest
        return self.residual_statistics(fit.vector, window, residual, window.values * residual)

    def gradient(self, vector: jax.Array, margins: jax.Array, context: jax.Array) -> jax.Array:
        """J' W r."""
        residual, fields = residual_and_fields(self.model, vector, self.frame)
        weighted = self.window(margins).values * residual
        return inner_products(fields, weighted[None])[:, 0]

    def summary(self, fit: Fit) -> Summary:
        """``s^2 (J' W J)^-1``, or the sandwich where the residual is not white."""
        linear = fit.linear
        noise_variance = linear.squares / (linear.num_pixels - fit.vector.size)
        with_rounding = noise_variance + rounding_variance(fit.vector.dtype)
        classical = fisher_covariance(linear.information, with_rounding)
        sandwich = sandwich_covariance(linear.information, linear.scatter)
        return Summary(
            covariance=wider_covariance(classical, sandwich),
            loss=0.5 * linear.squares,
            noise_variance=noise_variance,
            chi_square=jnp.full_like(noise_variance, jnp.nan),
            noise=jnp.stack([jnp.zeros_like(noise_variance), noise_variance]),
            num_pixels=linear.num_pixels,
            everything=linear.squares,
            squares=linear.squares,
            outliers=jnp.zeros_like(noise_variance),
            residual_statistics=self.statistics_of(fit),
        )


def moments(residual: jax.Array, fields: jax.Array, window: Window, parts: int = 1) -> Moments:
    """The sums of a residual and its fields, ``[k, *frame]``, in a window.

    Of a frame, or of one that is one of several ``parts``.
    """
    blocks = score_blocks(residual, fields, window, parts)
    k = len(fields)
    pairs = [(i, j) for i in range(k) for j in range(i + 1)]
    squares, *totals = window.totals([residual**2, *(fields[i] * fields[j] for i, j in pairs)])
    entries = [totals[pairs.index((max(i, j), min(i, j)))] for i in range(k) for j in range(k)]
    information = jnp.stack(entries).reshape(k, k)
    return Moments(
        squares=squares,
        gradient=jnp.sum(blocks, axis=tuple(range(1, blocks.ndim))),
        information=information,
        scatter=inner_products(blocks, blocks),
        turning=_turning(window.values * residual, fields, parts),
        num_pixels=window.num_pixels.astype(residual.dtype),
        num_blocks=window.num_pixels * (blocks[0].size / residual.size),
    )


def linearization(sums: Moments, origin, step: Step, scatter, rest) -> Linearization:
    """What a step from ``origin`` leaves."""
    move = step.vector - origin
    change = 2 * move @ sums.gradient + move @ sums.information @ move
    return Linearization(
        squares=jnp.maximum(sums.squares + change, 0),
        information=sums.information,
        scatter=scatter,
        num_pixels=sums.num_pixels,
        rest=rest,
        origin=origin,
        gradient=sums.gradient,
        correction=step.correction,
    )


def _turning(weighted: jax.Array, fields: jax.Array, parts: int) -> jax.Array:
    """``<W r, dJ / d variance>``: a blur wider by dv adds half the Laplacian times dv, ``[k]``.

    By a few bands of rows: it only has to tell how far a step can be trusted.
    """
    parts = _FEWER_BANDS * parts
    bands = sampled(weighted, parts)
    summands = []
    for field in fields:
        sample = sampled(field, parts)
        for axis in range(field.ndim):
            bend = inner(sample, axis, -1) - 2 * inner(sample) + inner(sample, axis, 1)
            summands.append(0.5 * inner(bands) * bend)
    # Made and added up in one loop, so that no slice is written out.
    totals = jnp.stack([jnp.sum(x) for x in row_sums(summands)]).reshape(len(fields), -1)
    return weighted.size / max(summands[0].size, 1) * jnp.sum(totals, axis=1)


def next_step(
    sums: Moments, fit: Fit, lower: jax.Array, upper: jax.Array, num_variances: int
) -> Step:
    """A Newton step from the moments at ``fit.vector``, and what it leaves to do."""
    vector, information = fit.vector, sums.information
    own = diagonal(information)
    own = jnp.where(own > 0, own, 1)
    lacking = jnp.max(jnp.abs(sums.turning) / own)
    correction = _corrected(sums, fit)
    # Over a long way the gradient changes by more than its slope: no more than is lacking counts.
    part = jnp.max(jnp.abs(correction) / jnp.sqrt(jnp.outer(own, own)))
    correction = correction * jnp.minimum(1, _ALLOWED * lacking / jnp.where(part > 0, part, 1))
    curvature = definite(information + correction, information)
    step = bounded_step(vector, sums.gradient, curvature, lower, upper)
    found = jnp.clip(vector + held_back(step, vector), lower, upper)
    move = found - vector
    scales, sizes = field_scales(found, num_variances)
    size = jnp.max(jnp.abs(move) / step_tolerance(sizes))
    # The next step is to this one as the way is to the scale on which the fields change, or as
    # what the information lacks is to it.
    far = jnp.max(jnp.abs(move) / scales)
    # Unless rounding is all that it moves.
    decrease = 0.5 * move @ information @ move
    magnitude = sums.squares + vector @ information @ vector
    visible = decrease > (64 * jnp.finfo(found.dtype).eps) ** 2 * magnitude
    ahead = jnp.where(visible, size * jnp.maximum(far, lacking), 0)
    return Step(found, correction, ahead, size)


def _corrected(sums: Moments, fit: Fit) -> jax.Array:
    """The correction of the information, from the last pass to this one."""
    last = fit.linear
    way = fit.vector - last.origin
    change = sums.gradient - last.gradient - sums.information @ way
    rest = change - last.correction @ way
    along = rest @ way
    # In units of the information the rest must not be at right angles to the way.
    lengths = (rest @ inverse_small(sums.information) @ rest) * (way @ sums.information @ way)
    tells = (along**2 > 0.01 * lengths) & (fit.size > _TELLING) & jnp.isfinite(fit.size)
    update = jnp.outer(rest, rest) / jnp.where(tells, along, 1)
    kept = jnp.where(jnp.isfinite(fit.size), last.correction, 0)
    return jnp.where(tells, kept + update, kept)
