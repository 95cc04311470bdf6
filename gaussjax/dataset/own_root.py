"""The own blur of a pair: the root of its sums, from a linearization that follows it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from gaussjax.dataset.estimating_equation import Root, find_root
from gaussjax.dataset.instruments import PairSums, pair_sums
from gaussjax.dataset.noisy_instruments import noisy_pair_sums
from gaussjax.dataset.options import JointOptions
from gaussjax.model.folding import on_coarse_grid
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import diagonal, finite_or, inverse_small, solve_small
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals
from gaussjax.pair.frame import Frame, Pair, frame_window
from gaussjax.pair.informative_crop import Crop, informative_crop
from gaussjax.pair.least_squares import LeastSquares, Linearization, frame_equations
from gaussjax.pair.objective import Fit
from gaussjax.pair.optimum import Optimum, find_optimum

# A pair is linearized anew where its variance differs by more than this part of itself, or where it
# is better known by more than two standard errors, up to a largest part; at most so many times.
NEAR, _NOT_FAR, _ROUNDS = 0.04, 0.1, 4


# Variances of the noise of A and of B, ``[2]``, and its autocorrelations; None: it is white.
Noise = tuple[jax.Array, jax.Array | None]


@pytree
class Linearized:
    """A pair at a point, and where its own root is from there."""

    sums: PairSums
    point: jax.Array  # `[p]`
    root: Root

    @property
    def bars(self) -> jax.Array:
        """Standard errors of the variances by white noise, ``[p]``."""
        equations = self.sums.equations
        noise = equations.squares / jnp.maximum(equations.num_pixels, 1)
        return jnp.sqrt(jnp.abs(noise * diagonal(inverse_small(equations.information))))

    @property
    def is_known(self) -> jax.Array:
        """The root is finite."""
        return jnp.all(jnp.isfinite(self.root.vector))

    def blurs(self, model: BlurModel) -> jax.Array:
        """The root is that of a blur."""
        covariance = model.params(self.root.vector).covariance_matrix(model.ndim)
        return self.is_known & jnp.all(diagonal(covariance) > 0)

    def is_far(self, model: BlurModel, near: float) -> jax.Array:
        """The sums say too little about the root of a blur."""
        found = self.root.vector
        size = jnp.max(jnp.abs(found)) + FIELD_SCALE
        allowed = jnp.clip(2 * self.bars / size, near, _NOT_FAR)
        return self.blurs(model) & jnp.any(jnp.abs(found - self.point) > allowed * size)


def compared_margins(frame: Frame, model: BlurModel, vector: jax.Array) -> jax.Array:
    """Margins at a vector: no wider, so that a set of one pair compares what its pair does."""
    return model.margins(vector) if frame.grid is None else frame.margins(model, vector)


def linearized(
    frame: Frame,
    filters: tuple[jax.Array, jax.Array],
    vector: jax.Array,
    noise: Noise | None,
    model: BlurModel,
    options: JointOptions,
) -> Linearized:
    """A pair at a vector.

    Args:
        frame: of the pair.
        filters: T there, and its derivatives.
        vector: the point, ``[p]``.
        noise: variances of the noise in A and in B, in the scale of the frame, with its
            autocorrelations (None: white); or None.
        model: of the blur.
        options: of the nuisances.
    """
    margins = compared_margins(frame, model, vector)
    if noise is None:
        sums = pair_sums(frame, filters, options, margins)
    else:
        own = replace(model, gain=options.gain, offset=options.offset)
        sums = noisy_pair_sums(frame, vector, filters, own, margins, *noise)
    project = partial(model.project, sums.coefficients, shape=frame.reference_shape)
    equations, least = sums.equations, options.least(model, vector.dtype)
    root = find_root(project, equations.gradient, equations.information, vector, least)
    return Linearized(sums, vector, root)


def followed(
    frames: Frame,
    first: Linearized,
    noise: Noise | None,
    model: BlurModel,
    options: JointOptions,
    mapped: Callable = jax.vmap,
    near: float = NEAR,
) -> Linearized:
    """Pairs at points near their own roots, without coefficients.

    As long as one of them is far, all are linearized anew together; those that are near stay as
    they are, so that no pair's result depends on which others share its batch.

    Args:
        frames: of the pairs.
        first: the pairs at some point.
        noise: as of :func:`linearized`.
        model: likewise.
        options: likewise.
        mapped: ``jax.vmap``, or for a single pair the identity.
        near: part of its variance up to which a pair is near.
    """

    def again(frame: Frame, now: Linearized) -> Linearized:
        vector = jnp.where(now.blurs(model), now.root.vector, now.point)
        there = model.responses(vector, frame.reference_shape)
        new = without_coefficients(linearized(frame, there, vector, noise, model, options))
        far = now.is_far(model, near)
        return jax.tree.map(lambda after, before: jnp.where(far, after, before), new, now)

    def unfinished(state):
        now, count = state
        far = mapped(partial(Linearized.is_far, model=model, near=near))(now)
        return jnp.any(far) & (count < _ROUNDS)

    def one_round(state):
        now, count = state
        return mapped(again)(frames, now), count + 1

    state = without_coefficients(first), jnp.asarray(0, jnp.int32)
    return loops.while_loop(unfinished, one_round, state)[0]


def crop_of(pair: Pair) -> Crop:
    """The part of a pair's frame in which its evidence is looked for."""
    images = pair.reference, pair.blurred
    if pair.grid is not None:
        images = on_coarse_grid(pair.grid, pair.reference, pair.shape), pair.blurred
    return informative_crop(*images, pair.usable.size, pair.grid)


def without_coefficients(at: Linearized) -> Linearized:
    """The same without what only the root is found from."""
    return replace(at, sums=replace(at.sums, coefficients=None))  # pyright: ignore[reportArgumentType]


def own_vector(own: Linearized, options: JointOptions) -> tuple[jax.Array, jax.Array]:
    """The vector of a pair with its nuisances, and the residual there."""
    sums, root = own.sums, own.root
    residual, nuisances = sums.moved(jnp.where(own.is_known, root.vector - own.point, 0))
    levels = [sums.gain] * options.gain + [sums.level] * options.offset
    vector = jnp.where(own.is_known, root.vector, own.point)
    if levels:
        vector = jnp.concatenate([vector, jnp.stack(levels) + nuisances])
    return vector, residual


def own_optimum(
    pair: Pair,
    frame: Frame,
    own: Linearized,
    rounding: jax.Array,
    model: BlurModel,
    options: JointOptions,
) -> Optimum:
    """What there is to see at a pair's own optimum.

    That of least squares on the pixels of its own margins: a step from the root of its sums, whose
    instruments and pixels are those of a blur near by.

    Args:
        pair: as it was framed.
        frame: of the pair.
        own: near its root.
        rounding: variance of the rounding of the sharper image's grey levels.
        model: with the nuisances.
        options: likewise.
    """
    vector, residual = own_vector(own, options)
    margins, fields = compared_margins(frame, model, vector), own.sums.jacobian
    window = frame_window(frame, margins)
    equations = frame_equations(residual, fields, window, ratios=frame.ratios)
    # At the root the gradient is 0 on the window of the point, by the fields there.
    others = window.values - frame_window(frame, compared_margins(frame, model, own.point)).values
    gradient = totals([others * residual * field for field in fields])
    at = vector[: own.point.size], own.point
    ends = (diagonal(model.params(v).covariance_matrix(model.ndim)) for v in at)
    gradient += equations.bending * jnp.mean(jnp.subtract(*ends))
    move = finite_or(-solve_small(equations.information, gradient), 0)
    linear = Linearization(
        point=vector,
        equations=equations,
        second_order=jnp.zeros_like(equations.information),
        squares=replace(equations, gradient=gradient).squares_after(move),
        kept=(residual + sum(part * x for part, x in zip(move, fields, strict=True)), fields),
    )
    nothing, done = jnp.zeros(0, vector.dtype), jnp.zeros((), vector.dtype)
    settled = own.is_known & own.root.is_settled(own.bars) & ~own.is_far(model, NEAR)
    found = jnp.maximum(vector + move, options.least(model, vector.dtype))
    fit = Fit(found, nothing, margins, linear, done, done, settled, own.root.num_steps)
    crop = crop_of(pair)
    return find_optimum(LeastSquares(frame, model), pair, fit, crop, rounding)
