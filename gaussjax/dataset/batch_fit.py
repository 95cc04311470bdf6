"""The sums of a batch of pairs of one shape, spread over the devices of this process."""

import math
from dataclasses import replace
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gaussjax.dataset.equations import PairEquations, PairEvidence
from gaussjax.dataset.estimating_equation import Root, find_root
from gaussjax.dataset.instruments import PairSums, pair_sums
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.result import PairRecord
from gaussjax.model.window import everywhere, interior_window
from gaussjax.numerics.linear_algebra import diagonal, inverse_small, product
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.crop import most_informative_crop
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.extent import is_seamless
from gaussjax.pair.fit import Judged, Optimum, estimate_at, find_optimum, judged
from gaussjax.pair.frame import Frame, Pair, Usable, frame_window
from gaussjax.pair.iteration import iterate
from gaussjax.pair.least_squares import LeastSquares, Linearization, frame_equations
from gaussjax.pair.objective import Fit
from gaussjax.spectra.orientation import swap_pair
from gaussjax.spectra.pooled_transfer import RingSums
from gaussjax.spectra.ring_sums import noise_probes, ring_sums
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.goodness_of_fit import Adequacy
from gaussjax.statistics.quantisation import quantisation_steps, rounding_noise
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

# Pixels that a CPU works on at once: their arrays stay in its caches.
_PIXELS_AT_ONCE = 2**16
# The margins are those of a blur that is wider by this factor.
_WIDER = 1.02
# A pair is linearized anew where its variance differs by more than this part of itself, or where it
# is better known by more than two standard errors, up to a largest part; at most so many times.
_NEAR, _NOT_FAR, _ROUNDS = 0.04, 0.1, 4
# Images are unrelated if the joint blur leaves over this part of the contrast of B, and neighbours
# share this part of what it leaves.
_UNRELATED, _STRUCTURED = 0.5, 0.25
# Standard errors by which a refused pair has to contradict the joint blur.
_AGAINST = 5.0


@pytree
class LinearizationPoint:
    """Where a pass linearizes all pairs."""

    vector: jax.Array  # theta_0 of the oriented pairs, px^2, `[p]`
    unit: jax.Array  # divides all images
    # variances of the noise in the sharper and in the softer images, in that unit, `[2]`; None: it
    # is in the softer ones alone, and not known
    noise: jax.Array | None
    # tells batches apart, each of which draws noise of its own
    number: jax.Array


@pytree
class BatchSums:
    """What a batch adds to a joint fit."""

    # summed over the pairs that count, and over those that are set aside, `[2, p, *spectrum]`
    coefficients: jax.Array
    equations: PairEquations  # of every pair, leaves `[n, ...]`
    evidence: PairEvidence  # likewise
    records: PairRecord  # likewise
    rings: RingSums  # likewise


@partial(jax.jit, static_argnames=("options", "mesh"))
def batch_sums(
    references: jax.Array,
    blurreds: jax.Array,
    usable: Usable,
    present: jax.Array,
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
    """A few pairs at a time, so that their arrays stay in the caches of a CPU."""
    references, present = arrays[0], arrays[-1]
    count, shape = len(references), references.shape[1:]
    # The same for all pairs: outside of the loop.
    filters = options.model(shape).responses(point.vector, options.frame_shape(shape))
    probes = _probes(point, options, shape)
    at_once = count
    if jax.default_backend() == "cpu":
        at_once = math.gcd(count, max(_PIXELS_AT_ONCE // math.prod(shape), 1))

    def one(reference, blurred, usable, here):
        return _fit_pair(reference, blurred, usable, here, (filters, probes), point, options)

    def some(first):
        if at_once == 1:
            fit = one(*jax.tree.map(lambda x: x[first], arrays))
            return jax.tree.map(lambda leaf: leaf[None], fit)
        cut = partial(jax.lax.dynamic_slice_in_dim, start_index=first, slice_size=at_once)
        return jax.vmap(one)(*jax.tree.map(cut, arrays))

    def step(k, fits):
        place = partial(jax.lax.dynamic_update_slice_in_dim, start_index=k * at_once, axis=0)
        return jax.tree.map(place, fits, some(k * at_once))

    shapes = jax.eval_shape(jax.vmap(one), *arrays)
    fits = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    # No further than the last pair that is present.
    steps = -(-jnp.sum(present) // at_once)
    fits = jax.lax.fori_loop(0, steps, step, fits)
    # Small arrays, of all pairs at once: one by one each operation would cost as much as for all.
    evidence, records = jax.vmap(partial(_judge, point=point, options=options))(fits, present)
    groups = jnp.stack([records.counted, ~records.counted]).astype(fits.coefficients.dtype)
    coefficients = jnp.tensordot(groups, fits.coefficients, 1, precision="highest")
    return BatchSums(coefficients, fits.joint, evidence, records, fits.rings)


@pytree
class _PairFit:
    """A pair, linearized at the point of the pass and at one near its own root."""

    coefficients: jax.Array  # at the point of the pass, `[p, *spectrum]`
    joint: PairEquations  # its equations there
    rings: RingSums  # its spectra there
    optimum: Optimum  # its own
    finite: jax.Array  # all its pixels are, and its sums


@pytree
class _Followed:
    """A pair whose linearization point follows its own root."""

    sums: PairSums  # at the point, without coefficients
    point: jax.Array  # `[p]`
    root: Root  # of the sums
    num_rounds: jax.Array  # in which the point was moved to the root


def _ring_margins(
    point: LinearizationPoint, options: JointOptions, shape: tuple[int, ...], size=None
):
    """Margins of the blur, and ramps from there to the middle; px per axis, ``[ndim]``."""
    margins = options.model(shape).margins(_WIDER**2 * point.vector)
    whole = jnp.asarray(shape if size is None else size, point.vector.dtype)
    return margins, 0.5 * whole - margins


def _probes(point: LinearizationPoint, options: JointOptions, shape: tuple[int, ...]) -> jax.Array:
    """White noise for the pairs of a batch, in the window that they share."""
    margins, ramps = _ring_margins(point, options, shape)
    window = everywhere(shape, point.vector.dtype)
    if options.boundary != "periodic":
        pad = options.pad(shape)
        window = interior_window(shape, pad, margins, point.vector.dtype, ramps)
    return noise_probes(jax.random.key(point.number), window)


def _rings(frame: Frame, sums: PairSums, shared, point: LinearizationPoint, options: JointOptions):
    """Spectra of a pair and of what the blur at the point of the pass leaves over."""
    filters, probes = shared
    window = frame_window(frame, *_ring_margins(point, options, frame.image_shape, frame.size))
    if frame.size is not None:
        probes = noise_probes(jax.random.key(point.number), window)
    # The probes know no other window than the one of whole frames.
    alike = frame.known is None and frame.weights is None and not frame.pad
    sharp = frame.blurred - frame.difference
    # A gain is the pair's own, no part of the transfer function.
    gain = jnp.where(sums.gain == 0, 1, sums.gain)
    images = sharp, frame.blurred / gain, -sums.residual / gain
    if alike:
        return ring_sums(*images, filters, window, probes)
    like = jax.eval_shape(partial(ring_sums, window=window), *images, filters, probes=probes)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)


def _fit_pair(
    reference,
    blurred,
    usable: Usable,
    present,
    shared,
    point: LinearizationPoint,
    options: JointOptions,
) -> _PairFit:
    """Coefficients, equations and own optimum of one pair.

    ``shared`` are the filters at the point of the pass, and the probes.
    """
    model = options.model(reference.shape)
    pair = _oriented(reference, blurred, usable, point.unit, options)
    frame = pair.frame()
    shape = frame.blurred.shape

    def fit_at(vector, filters) -> tuple[PairSums, Root]:
        margins = model.margins(_WIDER**2 * vector)
        noise = None if point.noise is None else point.noise[0]
        sums = pair_sums(frame, filters, options, margins, noise)
        project = partial(model.project, sums.coefficients, shape=shape)
        return sums, find_root(project, sums.equations.gradient, sums.equations.information, vector)

    sums, root = fit_at(point.vector, shared[0])
    rings = _rings(frame, sums, shared, point, options)
    equations = sums.equations
    finite = jnp.isfinite(frame.centre) & jnp.isfinite(equations.change)
    # One NaN would spoil the sums of all; those of a flat image, which has no gain, are NaN.
    derivatives = equations.gradient, equations.information
    counts = present & finite & jnp.isfinite(sum(jnp.sum(each) for each in derivatives))

    def counted(values):
        return jax.tree.map(lambda x: jnp.where(counts, x, 0), values)

    def is_far(now: _Followed):
        found = now.root.vector
        blurs = diagonal(model.params(found).covariance_matrix(model.ndim)) > 0
        size = jnp.max(jnp.abs(found)) + FIELD_SCALE
        allowed = jnp.clip(2 * _bars(now.sums.equations) / size, _NEAR, _NOT_FAR)
        near = jnp.abs(found - now.point) <= allowed * size
        return counts & jnp.all(blurs) & jnp.any(~near) & (now.num_rounds < _ROUNDS)

    def follow(now: _Followed) -> _Followed:
        vector = now.root.vector
        sums, root = fit_at(vector, model.responses(vector, shape))
        moved = _Followed(replace(sums, coefficients=None), vector, root, now.num_rounds)  # pyright: ignore[reportArgumentType]
        better = jnp.all(jnp.isfinite(root.vector))
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), moved, now)
        return replace(kept, num_rounds=now.num_rounds + 1)

    none = jnp.asarray(0, jnp.int32)
    own = _Followed(replace(sums, coefficients=None), point.vector, root, none)  # pyright: ignore[reportArgumentType]
    # Sums at the point of the pass say too little about a pair whose blur is far from it.
    own = jax.lax.while_loop(is_far, follow, own)
    optimum = _optimum(pair, frame, own, point, options)
    return _PairFit(counted(sums.coefficients), counted(equations), counted(rings), optimum, counts)


def _oriented(reference, blurred, usable: Usable, unit, options: JointOptions) -> Pair:
    """The pair, in the unit of all pairs and with its own centre."""
    sharp, _ = swap_pair(options.swapped, reference, blurred)
    inside = None
    if usable.size is not None:
        inside = everywhere(sharp.shape, sharp.dtype, usable.size).values > 0
    return Pair(
        reference,
        blurred,
        usable,
        jnp.asarray(options.swapped),
        jnp.mean(sharp, where=inside),
        unit,
        boundary=options.boundary,
        pad=options.pad(reference.shape),
        seamless=is_seamless(options.boundary, options.kernel, options.family, gain=options.gain),
    )


def _bars(equations: PairEquations) -> jax.Array:
    """Standard errors of the variances by white noise, ``[p]``."""
    noise = equations.squares / jnp.maximum(equations.num_pixels, 1)
    return jnp.sqrt(jnp.abs(noise * diagonal(inverse_small(equations.information))))


def _optimum(
    pair: Pair, frame: Frame, own: _Followed, point: LinearizationPoint, options: JointOptions
) -> Optimum:
    """What there is to see at a pair's own root."""
    sums, root = own.sums, own.root
    model = replace(options.model(pair.shape), gain=options.gain, offset=options.offset)
    known = jnp.all(jnp.isfinite(root.vector))
    residual, nuisances = sums.moved(jnp.where(known, root.vector - own.point, 0))
    levels = [sums.gain] * options.gain + [sums.level] * options.offset
    vector = jnp.where(known, root.vector, own.point)
    vector = jnp.concatenate([vector, jnp.stack(levels) + nuisances]) if levels else vector
    margins = model.margins(_WIDER**2 * own.point)
    images = map(pair.usable.filling, (pair.reference, pair.blurred))
    steps = quantisation_steps(*images).astype(vector.dtype)
    rounding = rounding_noise(swap_pair(options.swapped, *steps)[0] / frame.scale)
    crop = most_informative_crop(pair.reference, pair.blurred, pair.usable.size)
    if point.noise is not None:
        levels = point.noise + rounding_variance(vector.dtype)
        limits = jnp.full(vector.size, jnp.inf, vector.dtype)
        objective = ErrorsInVariables(frame, model, False, levels, jnp.inf * levels)
        fit = iterate(objective, vector, levels, -limits, limits)
        return find_optimum(objective, pair, fit, crop, rounding)
    equations = frame_equations(residual, sums.jacobian, frame_window(frame, margins))
    linear = Linearization(
        point=vector,
        equations=equations,
        second_order=jnp.zeros_like(equations.information),
        squares=equations.squares,
        kept=(residual, sums.jacobian),
    )
    nothing = jnp.zeros(0, vector.dtype)
    settled = known & root.is_settled(_bars(sums.equations))
    done = jnp.zeros((), vector.dtype)
    fit = Fit(vector, nothing, margins, linear, done, done, settled, root.num_steps)
    return find_optimum(LeastSquares(frame, model), pair, fit, crop, rounding)


def _judge(
    fit: _PairFit, present, point: LinearizationPoint, options: JointOptions
) -> tuple[PairEvidence, PairRecord]:
    """Evidence and record of one pair."""
    at, joint, p = fit.optimum, fit.joint, len(fit.joint.gradient)
    found = judged(at)
    limits = jnp.full(at.vector.size, jnp.inf, at.vector.dtype)
    estimate = estimate_at(at, found, options.swapped, -limits, limits)
    departures, adequacy = found.departures, cast(Adequacy, estimate.adequacy)
    information = joint.information
    # What moves the own root is a score at its own information; only that of least squares is in
    # the unit of the joint one.
    own = information
    if at.departures is None:
        own = inverse_small(at.summary.inverse[:p, :p])

    def finite(values):
        return jnp.where(fit.finite & jnp.isfinite(values), values, 0)

    # A pair without a root of its own shows nothing there.
    told = fit.finite & (estimate.status == Status.ESTIMATED)

    def seen(values):
        return jnp.where(told, finite(values), 0)

    evidence = PairEvidence(
        within=finite(_score_covariance(at, found, information)),
        common=seen(product(own, found.common[:p])),
        displacement=seen(adequacy.displacement * joint.num_pixels),
        additive=seen(departures.additive),
        squares=seen(departures.additive**2),
        effects=seen(product(own, departures.effects[:p])),
        shares=seen(departures.shares),
        num_told=told.astype(information.dtype),
        trials=departures.trials,
        causes=departures.causes,
    )
    # What the joint blur leaves over, not the pair's own.
    misfit = joint.structure / jnp.where(joint.change > 0, joint.change, 1)
    params, error = estimate.params, estimate.sigma_standard_error
    one, zero = jnp.ones_like(misfit), jnp.zeros_like(misfit)
    known = jnp.isfinite(error)
    record = PairRecord(
        sigma=jnp.where(known, estimate.sigma, jnp.nan),
        standard_error=error,
        model_error=jnp.where(known, estimate.sigma_model_error, jnp.nan),
        status=estimate.status,
        verdict=adequacy.verdict,
        cause=adequacy.cause,
        counted=fit.finite & ~_stands_aside(joint, estimate.status, adequacy),
        misfit=misfit,
        noise_std=jnp.sqrt(estimate.noise_variance),
        gain=one if params.gain is None else params.gain,
        offset=zero if params.offset is None else params.offset,
        score=joint.gradient,
        score_error=jnp.sqrt(jnp.maximum(diagonal(evidence.within), 0)),
        slope=information,
    )
    # NaN is what is not known of a pair; of what fills up the batch there is nothing to know.
    return evidence, jax.tree.map(lambda x: jnp.where(present, x, jnp.zeros_like(x)), record)


def _score_covariance(at: Optimum, found: Judged, information: jax.Array) -> jax.Array:
    """Of the gradient at the point of the pass by the noise of the pair, ``[p, p]``.

    Not by the information at the pair's own optimum: a pair that says little has it anywhere.
    """
    p = len(information)
    if at.departures is not None:
        return product(product(information, found.covariance[:p, :p]), information.T)
    factors = jnp.sqrt(at.evidence.correlated * at.evidence.uneven)[:p]
    return at.summary.noise_variance * information * jnp.outer(factors, factors)


def _stands_aside(joint: PairEquations, status: jax.Array, adequacy: Adequacy) -> jax.Array:
    """The pair does not belong: unrelated, misaligned, inverted, or refused against all others.

    A pair that is refused because it says little stays: left out for what noise did to it, it
    would bias the others' mean.
    """
    # Noise that is as strong as the image is white; another image's residual is not.
    is_visible = joint.squares > _UNRELATED * joint.contrast
    unrelated = is_visible & (joint.structure > _STRUCTURED * joint.squares)
    moved = (status == Status.ESTIMATED) & (adequacy.verdict == Verdict.MISALIGNED)
    inverted = adequacy.cause == Cause.INVERTED
    noise = joint.squares / jnp.maximum(joint.num_pixels, 1)
    against = joint.gradient @ inverse_small(joint.information) @ joint.gradient
    refused = (status != Status.ESTIMATED) & (against > _AGAINST**2 * noise)
    return unrelated | moved | inverted | refused
