"""The sums of a batch of pairs of one shape, spread over the devices of this process."""

import math
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gaussjax.dataset.equations import PairEquations
from gaussjax.dataset.estimating_equation import Root, find_root, root_errors, root_estimate
from gaussjax.dataset.instruments import PairSums, pair_sums
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.result import PairRecord
from gaussjax.model.params import BlurParams
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.frame import make_frame
from gaussjax.spectra.orientation import swap_pair, swap_params
from gaussjax.statistics.status import Status

# Pixels that a CPU works on at once: their arrays stay in its caches.
_PIXELS_AT_ONCE = 2**16
# The margins are those of a blur that is wider by this factor.
_WIDER = 1.25
# A pair is linearized anew where its blur differs by more than this part of itself; at most so
# many times.
_NEAR, _ROUNDS = 0.1, 4


@pytree
class LinearizationPoint:
    """Where a pass linearizes all pairs."""

    vector: jax.Array  # theta_0 of the oriented pairs, px^2, `[p]`
    unit: jax.Array  # divides all images
    noise: jax.Array | None  # variance of the noise in the sharper images, in that unit; None: none


@pytree
class BatchSums:
    """What a batch adds to a joint fit."""

    coefficients: jax.Array  # summed over the pairs, `[p, *spectrum]`
    equations: PairEquations  # of every pair, leaves `[n, ...]`
    records: PairRecord  # of every pair


@partial(jax.jit, static_argnames=("options", "mesh"))
def batch_sums(
    references: jax.Array,
    blurreds: jax.Array,
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
        present: False for what only fills up the batch, ``[n]``; these come last.
        point: of the pass.
        options: of the fit (static).
        mesh: of one axis, "pairs", over the devices (static).
    """
    split, same = PartitionSpec("pairs"), PartitionSpec()

    def on_device(references, blurreds, present, point):
        sums = _device_sums(references, blurreds, present, point, options)
        return replace(sums, coefficients=jax.lax.psum(sums.coefficients, "pairs"))

    return jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(split, split, split, same),
        out_specs=BatchSums(same, split, split),  # pyright: ignore[reportArgumentType]
        check_vma=False,
    )(references, blurreds, present, point)


def _device_sums(
    references, blurreds, present, point: LinearizationPoint, options: JointOptions
) -> BatchSums:
    """A few pairs at a time, so that their arrays stay in the caches of a CPU."""
    count, shape = len(references), references.shape[1:]
    # The same for all pairs: outside of the loop.
    filters = options.model(shape).responses(point.vector, shape)
    at_once = count
    if jax.default_backend() == "cpu":
        at_once = math.gcd(count, max(_PIXELS_AT_ONCE // math.prod(shape), 1))

    def one(reference, blurred, here):
        return _fit_pair(reference, blurred, here, filters, point, options)

    def some(first):
        if at_once == 1:
            coefficients, fit = one(references[first], blurreds[first], present[first])
            return coefficients, jax.tree.map(lambda leaf: leaf[None], fit)
        arrays = (references, blurreds, present)
        sliced = [jax.lax.dynamic_slice_in_dim(x, first, at_once) for x in arrays]
        coefficients, fits = jax.vmap(one)(*sliced)
        return jnp.sum(coefficients, axis=0), fits

    def step(k, state):
        total, fits = state
        coefficients, found = some(k * at_once)
        place = partial(jax.lax.dynamic_update_slice_in_dim, start_index=k * at_once, axis=0)
        return total + coefficients, jax.tree.map(place, fits, found)

    shapes = jax.eval_shape(jax.vmap(one), references, blurreds, present)[1]
    fits = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    total = jnp.zeros_like(filters[1])
    # No further than the last pair that is present.
    steps = -(-jnp.sum(present) // at_once)
    total, fits = jax.lax.fori_loop(0, steps, step, (total, fits))
    # Small arrays, of all pairs at once: one by one each operation would cost as much as for all.
    records = jax.vmap(partial(_record, point=point, options=options, shape=shape))(fits)
    return BatchSums(total, fits.joint, records)


@pytree
class _PairFit:
    """A pair, linearized at the point of the pass and at one near its own root."""

    joint: PairEquations  # its equations at the point of the pass
    own: PairSums  # its sums at its own point, without the coefficients
    point: jax.Array  # its own, `[p]`
    root: Root  # of its own sums
    num_rounds: jax.Array  # in which its point was moved to the root
    centre: jax.Array  # of the sharper image
    finite: jax.Array  # all its pixels are


def _fit_pair(
    reference, blurred, present, filters, point: LinearizationPoint, options: JointOptions
) -> tuple[jax.Array, _PairFit]:
    """Coefficients and root of one pair."""
    model = options.model(reference.shape)
    sharp, soft = swap_pair(options.swapped, reference, blurred)
    centre = jnp.mean(sharp)
    frame = make_frame(
        sharp, soft, soft - sharp, options.boundary, 0, centre=centre, scale=point.unit
    )

    def fit_at(vector, filters) -> tuple[PairSums, Root]:
        margins = model.margins(_WIDER**2 * vector)
        sums = pair_sums(frame, filters, options, margins, point.noise)
        project = partial(model.project, sums.coefficients, shape=reference.shape)
        return sums, find_root(project, sums.equations.gradient, sums.equations.information, vector)

    sums, root = fit_at(point.vector, filters)
    finite = jnp.isfinite(centre) & jnp.isfinite(sums.equations.change)
    # One NaN would spoil the sums of all; those of a flat image, which has no gain, are NaN.
    derivatives = sums.equations.gradient, sums.equations.information
    counts = present & finite & jnp.isfinite(sum(jnp.sum(each) for each in derivatives))

    def counted(values):
        return jax.tree.map(lambda x: jnp.where(counts, x, 0), values)

    def own_sums(sums: PairSums) -> PairSums:
        return replace(sums, coefficients=None, equations=counted(sums.equations))  # pyright: ignore

    def is_far(fit: _PairFit):
        found = fit.root.vector
        blurs = diagonal(model.params(found).covariance_matrix(model.ndim)) > 0
        near = jnp.abs(found - fit.point) <= _NEAR * (jnp.max(jnp.abs(found)) + FIELD_SCALE)
        return counts & jnp.all(blurs) & jnp.any(~near) & (fit.num_rounds < _ROUNDS)

    def follow(fit: _PairFit) -> _PairFit:
        vector = fit.root.vector
        sums, root = fit_at(vector, model.responses(vector, reference.shape))
        moved = replace(fit, own=own_sums(sums), point=vector, root=root)
        better = jnp.all(jnp.isfinite(root.vector))
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), moved, fit)
        return replace(kept, num_rounds=fit.num_rounds + 1)

    first = _PairFit(
        joint=counted(sums.equations),
        own=own_sums(sums),
        point=point.vector,
        root=root,
        num_rounds=jnp.asarray(0, jnp.int32),
        centre=centre,
        finite=finite,
    )
    # Sums at the point of the pass say too little about a pair whose blur is far from it.
    return counted(sums.coefficients), jax.lax.while_loop(is_far, follow, first)


def _record(
    fit: _PairFit, point: LinearizationPoint, options: JointOptions, shape: tuple[int, ...]
) -> PairRecord:
    """The record of one pair."""
    own, model = fit.own, options.model(shape)
    rounding = rounding_variance(point.vector.dtype)
    errors = root_errors(fit.root, own.equations, fit.point, options, rounding)
    estimate = root_estimate(
        fit.root,
        errors,
        own.equations.num_pixels,
        model,
        point.unit,
        swapped=options.swapped,
        problems={Status.NOT_FINITE: ~fit.finite},
    )
    offset = point.unit * own.level - (own.gain - 1) * fit.centre
    params = BlurParams(fit.root.vector, own.gain, offset, family=options.family)
    params = swap_params(options.swapped, params)
    error = estimate.sigma_standard_error
    # What the joint blur leaves over, not the pair's own.
    misfit = fit.joint.structure / jnp.where(fit.joint.change > 0, fit.joint.change, 1)
    return PairRecord(
        sigma=jnp.where(jnp.isfinite(error), estimate.sigma, jnp.nan),
        standard_error=error,
        status=estimate.status,
        misfit=misfit,
        noise_std=jnp.sqrt(estimate.noise_variance),
        gain=params.gain,  # pyright: ignore[reportArgumentType]
        offset=params.offset,  # pyright: ignore[reportArgumentType]
    )
