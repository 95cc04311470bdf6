"""The sums of a batch of pairs of one shape, spread over the devices of this process."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gaussjax.dataset.chunks import in_chunks, num_at_once
from gaussjax.dataset.held_instruments import held_pair_sums, nuisance_factors
from gaussjax.dataset.instruments import PairSums
from gaussjax.dataset.noisy_instruments import noisy_pair_sums
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.own_fit import OwnFit, own_fit
from gaussjax.dataset.own_root import (
    Linearized,
    Noise,
    crop_of,
    followed,
    linearized,
    own_optimum,
    own_vector,
)
from gaussjax.dataset.pair_judgement import PairFit, judge
from gaussjax.dataset.pair_sums import PairEquations, PairEvidence
from gaussjax.dataset.pooled_transfer import RingSums
from gaussjax.dataset.result import PairRecord
from gaussjax.dataset.ring_sums import in_rings, noise_probes, ring_sums
from gaussjax.model.noise_correlation import noise_colour
from gaussjax.model.swap import swap_pair
from gaussjax.model.window import everywhere, interior_window
from gaussjax.numerics.compilation import compiled
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.coarse_start import RINGING_VARIANCE
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.frame import Frame, Pair, Usable, frame_window
from gaussjax.pair.iteration import iterate
from gaussjax.pair.kernel_extent import is_seamless
from gaussjax.pair.least_squares import LeastSquares
from gaussjax.pair.optimum import Optimum, find_optimum
from gaussjax.pair.prediction import images_of
from gaussjax.pair.robust import Robust
from gaussjax.statistics.quantisation import quantisation_steps, rounding_noise


@pytree
class LinearizationPoint:
    """The point where a pass linearizes all pairs."""

    vector: jax.Array  # theta_0 of the oriented pairs, px^2, `[p]`
    unit: jax.Array  # divides all images
    # variances of the noise in the sharper and in the softer images, in that unit, `[2]`; None: it
    # is in the softer ones alone, and not known
    noise: jax.Array | None
    # tells batches apart, each of which draws noise of its own
    number: jax.Array
    # of that noise, autocorrelations of the noise in both, `[2, *lags]`; None: white
    correlation: jax.Array | None = None

    def colour_of_blurred(self, frame_shape: tuple[int, ...]) -> jax.Array | None:
        """Power of the noise of the softer images, per variance; None: white."""
        return None if self.correlation is None else noise_colour(self.correlation[1], frame_shape)

    @property
    def levels(self) -> Noise | None:
        """Variances of the noise, and of rounding, with its autocorrelations; None as there."""
        if self.noise is None:
            return None
        return self.noise + rounding_variance(self.vector.dtype), self.correlation

    def told(self, swapped: bool) -> Noise | None:
        """Standard deviations in the unit and the order of the images as they came; likewise."""
        if self.noise is None:
            return None
        order, correlation = slice(None, None, -1 if swapped else 1), self.correlation
        levels = self.unit * jnp.sqrt(self.noise[order])
        return levels, None if correlation is None else correlation[order]


@pytree
class BatchSums:
    """What a batch adds to a joint fit."""

    # summed over the pairs that count, and over those that are set aside, `[2, p, *spectrum]`
    coefficients: jax.Array
    equations: PairEquations  # of every pair, leaves `[n, ...]`
    evidence: PairEvidence  # likewise
    records: PairRecord  # likewise
    rings: RingSums  # likewise


@compiled(static_argnames=("options", "mesh"))
def batch_sums(
    references,
    blurreds,
    usable: Usable,
    present,
    point: LinearizationPoint,
    *,
    options: JointOptions,
    mesh: Mesh,
) -> BatchSums:
    """Sums and records of a batch.

    Args:
        references: A, ``[n, *shape]``; n a multiple of the number of devices.
        blurreds: B.
        usable: which of their pixels, ``[n, *shape]``.
        present: False for what only fills up the batch, ``[n]``; these come last.
        point: of the pass.
        options: of the fit (static).
        mesh: of one axis, "pairs", over the devices (static).
    """
    split, same = PartitionSpec("pairs"), PartitionSpec()

    def on_device(references, blurreds, usable, present, point):
        sums = _device_sums((references, blurreds, usable, present), point, options)
        return replace(sums, coefficients=jax.lax.psum(sums.coefficients, "pairs"))

    return jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(split, split, split, split, same),
        out_specs=BatchSums(same, split, split, split, split),  # pyright: ignore[reportArgumentType]
        check_vma=False,
    )(references, blurreds, usable, present, point)


def _device_sums(arrays, point: LinearizationPoint, options: JointOptions) -> BatchSums:
    references, present = arrays[0], arrays[-1]
    shape = references.shape[1:]
    # The same for all pairs: outside of the loop.
    frame = options.frame_shape(shape)
    filters, rings = options.model(shape).responses(point.vector, frame), None
    if options.sampling is None:
        by_ring = tuple(in_rings(each, frame) for each in filters)
        rings = by_ring, _probes(point, options, shape)
    shared = filters, rings

    def fit_some(mapped, some):
        return _fit_pairs(mapped, some, shared, point, options)

    # No further than the last pair that is present.
    at_once = num_at_once(len(references), shape)
    fits = in_chunks(fit_some, arrays, at_once, jnp.sum(present))
    # Small arrays, of all pairs at once: one by one each operation would cost as much as for all.
    evidence, records = jax.vmap(partial(judge, unit=point.unit, options=options))(fits, present)
    groups = jnp.stack([records.counted, ~records.counted]).astype(fits.coefficients.dtype)
    coefficients = jnp.tensordot(groups, fits.coefficients, 1, precision="highest")
    return BatchSums(coefficients, fits.joint, evidence, records, fits.rings)


def _ring_margins(
    point: LinearizationPoint, options: JointOptions, shape: tuple[int, ...], size=None
):
    """Margins of the blur, and ramps from there to the middle; px per axis, ``[ndim]``."""
    margins = options.model(shape).margins(point.vector)
    whole = jnp.asarray(shape if size is None else size, point.vector.dtype)
    return margins, 0.5 * whole - margins


def _probes(point: LinearizationPoint, options: JointOptions, shape: tuple[int, ...]) -> jax.Array:
    """White noise for the pairs of a batch, in the window that they share."""
    margins, ramps = _ring_margins(point, options, shape)
    window = everywhere(shape, point.vector.dtype)
    if options.boundary != "periodic":
        pad = options.pad(shape)
        window = interior_window(shape, pad, margins, point.vector.dtype, ramps)
    colour = point.colour_of_blurred(window.shape)
    return noise_probes(jax.random.key(point.number), window, colour)


def _rings(
    frame: Frame,
    sums: PairSums,
    moved: jax.Array | None,
    rings,
    point: LinearizationPoint,
    options: JointOptions,
):
    """Spectra of a pair and of what the blur at the point of the pass leaves over.

    ``moved`` is the spectrum of the reference where the pair has a shift.
    """
    none = RingSums.none(len(point.vector), frame.blurred.dtype)
    if rings is None:
        return none
    filters, probes = rings
    window = frame_window(frame, *_ring_margins(point, options, frame.image_shape, frame.size))
    colour = point.colour_of_blurred(window.shape)
    if frame.size is not None:
        probes = noise_probes(jax.random.key(point.number), window, colour)
    # The probes know no other window than the one of whole frames.
    alike = frame.known is None and frame.weights is None and not frame.pad
    sharp = frame.blurred - frame.difference
    if moved is not None:
        sharp = sharp + images_of(frame, [moved - frame.spectrum])[0]
    # A gain is the pair's own, no part of the transfer function.
    gain = jnp.where(sums.gain == 0, 1, sums.gain)
    images = sharp, frame.blurred / gain, -sums.residual / gain
    if alike:
        return ring_sums(*images, filters, window, probes, colour)
    return none


def _fit_pairs(
    mapped: Callable,
    some: tuple[jax.Array, jax.Array, Usable, jax.Array],
    shared,
    point: LinearizationPoint,
    options: JointOptions,
) -> PairFit:
    """Coefficients, equations and own optima of some pairs.

    ``mapped`` is ``jax.vmap``, or the identity for a single pair; ``some`` are images, which of
    their pixels, and who is present; ``shared`` the filters at the point of the pass, and what
    they and probes are ring by ring.
    """
    model = options.model(some[0].shape[-shared[0][0].ndim :])
    noise = point.levels

    def begin(reference, blurred, usable, present):
        pair = _oriented(reference, blurred, usable, point, options)
        frame = pair.frame()
        first = own = moved = None
        if options.one_by_one:
            own = own_fit((reference, blurred), usable, point.told(options.swapped), options)
            sums, moved = _held(frame, own, shared[0], point, options)
        else:
            first = linearized(frame, shared[0], point.vector, noise, model, options)
            sums = first.sums
        equations = sums.equations
        finite = jnp.isfinite(frame.centre) & jnp.isfinite(equations.change)
        # One NaN would spoil the sums of all; those of a flat image, which has no gain, are NaN.
        derivatives = equations.gradient, equations.information
        counts = present & finite & jnp.isfinite(sum(jnp.sum(each) for each in derivatives))
        rings = _rings(frame, sums, moved, shared[1], point, options)
        sums = sums.coefficients, equations, rings
        sums = jax.tree.map(lambda x: jnp.where(counts, x, 0), sums)
        return pair, frame, first, own, counts, *sums

    pairs, frames, first, own, counts, coefficients, equations, rings = mapped(begin)(*some)
    if first is not None:
        # Sums at the point of the pass say too little about a pair whose blur is far from it.
        near = followed(frames, first, noise, model, options, mapped)
        own = mapped(partial(_own, point=point, options=options))(pairs, frames, near)
    return PairFit(coefficients, equations, rings, own, counts)


def _held(
    frame: Frame,
    own: OwnFit,
    filters: tuple[jax.Array, jax.Array],
    point: LinearizationPoint,
    options: JointOptions,
) -> tuple[PairSums, jax.Array | None]:
    """The sums of a pair that was fitted by itself, and the spectrum of a moved reference."""
    model = replace(
        options.model(frame.image_shape),
        gain=options.gain,
        offset=options.offset,
        shift=options.shift,
    )
    vector = own.vector(frame, point.vector, options)
    margins = frame.margins(model, vector)
    _, moved = nuisance_factors(model, vector, frame)
    if point.noise is not None:
        levels, correlation = cast(Noise, point.levels)
        if options.estimates_noise:
            levels = own.noise(frame, options)
        sums = noisy_pair_sums(frame, vector, filters, model, margins, levels, correlation)
    elif options.loss == "squared":
        sums = held_pair_sums(LeastSquares(frame, model), vector, margins)
    else:
        sums = held_pair_sums(Robust(frame, model, options.loss), vector, margins)
    return sums, moved if options.shift else None


def _oriented(
    reference, blurred, usable: Usable, point: LinearizationPoint, options: JointOptions
) -> Pair:
    """The pair, in the unit of all pairs and with its own centre."""
    sharp, grid = blurred if options.swapped else reference, options.grid(reference.ndim)
    seamless = is_seamless(options.boundary, options.kernel, options.family)
    inside, rings = None, None
    if usable.size is not None:
        inside = everywhere(sharp.shape, sharp.dtype, usable.size).values > 0
    if grid is not None:
        rings = jnp.all(point.vector < RINGING_VARIANCE)
    return Pair(
        reference,
        blurred,
        usable,
        jnp.asarray(options.swapped),
        jnp.mean(sharp, where=inside),
        point.unit,
        boundary=options.boundary,
        pad=options.pad(reference.shape),
        seamless=seamless and (grid is None or grid.is_local),
        rings=rings,
        grid=grid,
    )


def _own(
    pair: Pair, frame: Frame, near: Linearized, point: LinearizationPoint, options: JointOptions
) -> OwnFit:
    """The fit of a pair alone, from its own root."""
    at = _optimum(pair, frame, near, point, options)
    least = options.least(at.model, at.vector.dtype)
    return OwnFit(at, jnp.asarray(options.swapped), least, jnp.full_like(at.vector, jnp.inf))


def _optimum(
    pair: Pair, frame: Frame, own: Linearized, point: LinearizationPoint, options: JointOptions
) -> Optimum:
    """What there is to see at a pair's own root."""
    shape = pair.reference.shape
    model = replace(options.model(shape), gain=options.gain, offset=options.offset)
    images = map(pair.usable.filling, (pair.reference, pair.blurred))
    steps = quantisation_steps(*images).astype(own.point.dtype)
    rounding = rounding_noise(swap_pair(options.swapped, *steps)[0] / frame.scale)
    if point.noise is None:
        return own_optimum(pair, frame, own, rounding, model, options)
    vector, _ = own_vector(own, options)
    levels, correlation = cast(Noise, point.levels)
    least, most = options.least(model, vector.dtype), jnp.full_like(vector, jnp.inf)
    limits = jnp.inf * levels
    objective = ErrorsInVariables(frame, model, False, levels, limits, correlation)
    fit = iterate(objective, vector, levels, least, most)
    return find_optimum(objective, pair, fit, crop_of(pair), rounding)
