"""The sums of a batch of pairs of one shape, spread over the devices of this process."""

import math
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gaussjax.dataset.equations import PairEquations, pair_equations
from gaussjax.dataset.estimating_equation import Root, find_root, root_errors
from gaussjax.dataset.instruments import Filters, Nuisances, PairSums, make_filters, pair_sums
from gaussjax.dataset.records import PairRecord, pair_record, root_estimate
from gaussjax.model.boundary import largest_margins
from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams
from gaussjax.model.response import BlurModel
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.numerics.precision import rounding_variance
from gaussjax.pair.frame import make_frame
from gaussjax.spectra.orientation import swap_pair, swap_params

# Pixels that a CPU works on at once: their arrays stay in its caches.
_PIXELS_AT_ONCE = 2**16
# Pairs are compared where a blur that is wider by this does not reach from beyond the edge.
_WIDER = 1.25
# Of itself that a pair's blur may differ from where its sums were made, and rounds to get there.
_NEAR, _ROUNDS = 0.1, 4


@dataclass(frozen=True)
class JointOptions:
    """The static options of a joint fit, hashable: each combination and shape compiles once.

    Attributes:
        family: of the Gaussian.
        kernel: the convention.
        boundary: "valid" or "periodic".
        nuisances: of every pair.
        swapped: the second images are the sharper ones.
    """

    family: str
    kernel: Kernel
    boundary: str
    nuisances: Nuisances
    swapped: bool = False

    def model(self, shape: tuple[int, ...]) -> BlurModel:
        """The blur of images of a shape."""
        periodic = self.boundary == "periodic"
        margins = tuple(shape) if periodic else largest_margins(shape)
        reach = max(margins)
        return BlurModel(self.family, self.kernel, reach + reach // 2 + 2, margins)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinearizationPoint:
    """Where a pass over the pairs stands.

    Attributes:
        vector: theta_0 of the oriented pairs, px^2, ``[p]``.
        unit: divides all images.
        noise: variance of the noise in the sharper images, in that unit; None: none.
    """

    vector: jax.Array
    unit: jax.Array
    noise: jax.Array | None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BatchSums:
    """What a batch adds to a joint fit.

    Attributes:
        coefficients: summed over the pairs, ``[p, *spectrum]``.
        equations: of every pair, leaves ``[n, ...]``.
        records: of every pair.
    """

    coefficients: jax.Array
    equations: PairEquations
    records: PairRecord


@partial(jax.jit, static_argnames=("options", "mesh"))
def batch_sums(
    references: jax.Array,
    blurreds: jax.Array,
    present: jax.Array,
    origin: LinearizationPoint,
    *,
    options: JointOptions,
    mesh: Mesh,
) -> BatchSums:
    """Sums and records of a batch.

    Args:
        references: A, ``[n, *shape]``; n a multiple of the number of devices.
        blurreds: B.
        present: False for what only fills up the batch, ``[n]``.
        origin: where the pass stands.
        options: of the fit (static).
        mesh: of one axis, "pairs", over the devices (static).
    """
    along, everywhere = PartitionSpec("pairs"), PartitionSpec()

    def on_device(references, blurreds, present, origin):
        sums = _device_sums(references, blurreds, present, origin, options)
        total = jax.lax.psum(sums.coefficients, "pairs")
        return BatchSums(total, sums.equations, sums.records)

    return jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(along, along, along, everywhere),
        out_specs=BatchSums(everywhere, along, along),  # pyright: ignore[reportArgumentType]
        check_vma=False,
    )(references, blurreds, present, origin)


def _device_sums(
    references, blurreds, present, origin: LinearizationPoint, options: JointOptions
) -> BatchSums:
    """A few pairs at a time, so that what is made of them stays in the caches of a CPU."""
    count, shape = len(references), references.shape[1:]
    # The same for all pairs: outside of the loop.
    filters = make_filters(options.model(shape), origin.vector, shape)

    def one(reference, blurred, here):
        return _searched(reference, blurred, here, filters, origin, options)

    at_once = count
    if jax.default_backend() == "cpu":
        at_once = math.gcd(count, max(_PIXELS_AT_ONCE // math.prod(shape), 1))

    def together(first):
        if at_once == 1:
            coefficients, searched = one(references[first], blurreds[first], present[first])
            return coefficients, jax.tree.map(lambda leaf: leaf[None], searched)
        images = (references, blurreds, present)
        some = [jax.lax.dynamic_slice_in_dim(x, first, at_once) for x in images]
        coefficients, searched = jax.vmap(one)(*some)
        return jnp.sum(coefficients, axis=0), searched

    def step(k, state):
        total, everything = state
        coefficients, searched = together(k * at_once)
        place = partial(jax.lax.dynamic_update_slice_in_dim, start_index=k * at_once, axis=0)
        return total + coefficients, jax.tree.map(place, everything, searched)

    like = jax.eval_shape(jax.vmap(one), references, blurreds, present)[1]
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    total = jnp.zeros(filters.slopes.shape, filters.slopes.dtype)
    # The places that are taken come first: no further than that.
    steps = -(-jnp.sum(present) // at_once)
    total, searched = jax.lax.fori_loop(0, steps, step, (total, nothing))
    # Small arrays, of all pairs at once: one by one each operation would cost as much as for all.
    judged = partial(_judged, origin=origin, options=options, shape=shape)
    counted, records = jax.vmap(judged)(searched)
    return BatchSums(total, counted, records)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Searched:
    """A pair whose root has been found.

    Attributes:
        sums: of the pair at the origin of the pass, without the coefficients.
        own: at an origin of its own, near its root.
        centre: of the sharper image.
        finite: all pixels are.
        tells: the pair counts.
    """

    sums: PairSums
    own: "_Own"
    centre: jax.Array
    finite: jax.Array
    tells: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Own:
    """A pair by itself.

    Attributes:
        origin: ``[p]``.
        sums: there, without the coefficients.
        root: of them.
        num_rounds: in which the origin has followed the root.
    """

    origin: jax.Array
    sums: PairSums
    root: Root
    num_rounds: jax.Array


def _searched(
    reference, blurred, present, filters: Filters, origin: LinearizationPoint, options: JointOptions
):
    """Coefficients and root of one pair."""
    model = options.model(reference.shape)
    sharp, soft = swap_pair(options.swapped, reference, blurred)
    centre = jnp.mean(sharp)
    frame = make_frame(
        sharp, soft, soft - sharp, options.boundary, 0, centre=centre, scale=origin.unit
    )

    def at(vector, filters):
        margins = model.margins(_WIDER**2 * vector)
        sums = pair_sums(frame, filters, options.nuisances, margins, origin.noise)
        project = partial(model.project, sums.coefficients, shape=reference.shape)
        root = find_root(project, sums.gradient, sums.slope, vector)
        bare = replace(sums, coefficients=None)  # pyright: ignore[reportArgumentType]
        return sums.coefficients, _Own(vector, bare, root, jnp.asarray(0, jnp.int32))

    coefficients, first = at(origin.vector, filters)
    sums = first.sums
    finite = jnp.isfinite(centre) & jnp.isfinite(sums.change)
    # One NaN would spoil the sums of all; and of a flat image, which has no gain, they are.
    tells = present & finite & jnp.isfinite(jnp.sum(sums.blocks))

    def is_far(own: _Own):
        found = own.root.vector
        blurs = diagonal(model.params(found).covariance_matrix(model.ndim)) > 0
        near = jnp.abs(found - own.origin) <= _NEAR * (jnp.max(jnp.abs(found)) + FIELD_SCALE)
        # NaN is not far.
        return tells & jnp.all(blurs) & jnp.any(~near) & (own.num_rounds < _ROUNDS)

    def follow(own: _Own):
        vector = own.root.vector
        _, found = at(vector, make_filters(model, vector, reference.shape))
        better = jnp.all(jnp.isfinite(found.root.vector))
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), found, own)
        return replace(kept, num_rounds=own.num_rounds + 1)

    # What holds in the neighbourhood of the joint fit is too little for a pair far from it.
    own = jax.lax.while_loop(is_far, follow, first)
    found = _Searched(sums, own, centre, finite | ~present, tells)
    return jnp.where(tells, coefficients, 0), found


def _judged(
    pair: _Searched, origin: LinearizationPoint, options: JointOptions, shape: tuple[int, ...]
):
    """Equations and record of one pair."""
    own, model = pair.own, options.model(shape)
    counted, alone = (
        jax.tree.map(lambda x: jnp.where(pair.tells, x, 0), pair_equations(sums))
        for sums in (pair.sums, own.sums)
    )
    noisy, count = origin.noise is not None, options.nuisances.count
    rounding = rounding_variance(origin.vector.dtype)
    errors = root_errors(own.root, alone, own.origin, count, noisy, rounding)
    estimate = root_estimate(
        own.root, errors, alone, model, origin.unit, swapped=options.swapped, finite=pair.finite
    )
    offset = origin.unit * own.sums.level - (own.sums.gain - 1) * pair.centre
    params = BlurParams(own.root.vector, own.sums.gain, offset, family=options.family)
    params = swap_params(options.swapped, params)
    # What the joint blur leaves over, not the pair's own.
    misfit = counted.structure / jnp.where(counted.change > 0, counted.change, 1)
    return counted, pair_record(estimate, params, misfit)
