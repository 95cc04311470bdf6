"""The sums of a batch of pairs of one shape, spread over the devices of this process."""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gaussjax.boundary import largest_margins
from gaussjax.kernels import Kernel
from gaussjax.model import BlurModel
from gaussjax.pair_record import PairFit, PairRecord, pair_record
from gaussjax.pair_root import Figures, figures, find_root, root_errors
from gaussjax.pair_sums import Nuisances, pair_sums
from gaussjax.residuals import make_frame
from gaussjax.result import rounding_variance

# Pixels that a CPU works on at once: their arrays stay in its caches.
_PIXELS_AT_ONCE = 2**16
# Pairs are compared where a blur that is wider by this does not reach from beyond the edge.
_WIDER = 1.25


@dataclass(frozen=True)
class JointOptions:
    """The static options of a joint fit, hashable: each combination and shape compiles once.

    Attributes:
        family: of the Gaussian.
        kernel: the convention.
        boundary: "valid" or "periodic".
        nuisances: of every pair.
        exchanged: the second images are the sharper ones.
    """

    family: str
    kernel: Kernel
    boundary: str
    nuisances: Nuisances
    exchanged: bool = False

    def model(self, shape: tuple[int, ...]) -> BlurModel:
        """The blur of images of a shape."""
        periodic = self.boundary == "periodic"
        margins = tuple(shape) if periodic else largest_margins(shape)
        reach = max(margins)
        return BlurModel(self.family, self.kernel, reach + reach // 2 + 2, margins)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Origin:
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
        figures: of every pair, leaves ``[n, ...]``.
        records: of every pair.
    """

    coefficients: jax.Array
    figures: Figures
    records: PairRecord


@partial(jax.jit, static_argnames=("options", "mesh"))
def batch_sums(
    references: jax.Array,
    blurreds: jax.Array,
    present: jax.Array,
    origin: Origin,
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
        return BatchSums(total, sums.figures, sums.records)

    return jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(along, along, along, everywhere),
        out_specs=BatchSums(everywhere, along, along),  # pyright: ignore[reportArgumentType]
        check_vma=False,
    )(references, blurreds, present, origin)


def _device_sums(references, blurreds, present, origin: Origin, options: JointOptions) -> BatchSums:
    """A few pairs at a time, so that what is made of them stays in the caches of a CPU."""
    shape = references.shape[1:]
    model = options.model(shape)
    one = partial(_pair_fit, origin=origin, options=options)

    def fitted(pairs):
        coefficients, fits = jax.vmap(one)(*pairs)
        return jnp.sum(coefficients, axis=0), fits

    def some(total, pairs):
        like = jax.eval_shape(fitted, pairs)
        # Nothing is computed for places that are not taken.
        coefficients, fits = jax.lax.cond(
            jnp.any(pairs[2]),
            fitted,
            lambda _: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like),
            pairs,
        )
        return total + coefficients, fits

    count = len(references)
    at_once = count
    if jax.default_backend() == "cpu":
        at_once = math.gcd(count, max(_PIXELS_AT_ONCE // math.prod(shape), 1))
    pairs = (references, blurreds, present)
    split = jax.tree.map(lambda x: x.reshape(-1, at_once, *x.shape[1:]), pairs)
    like = jax.eval_shape(one, *jax.tree.map(lambda x: x[0], pairs))[0]
    total, fits = jax.lax.scan(some, jnp.zeros(like.shape, like.dtype), split)
    fits = jax.tree.map(lambda x: x.reshape(count, *x.shape[2:]), fits)
    judge = partial(pair_record, model=model, unit=origin.unit, exchanged=options.exchanged)
    records = jax.vmap(judge)(fits)
    return BatchSums(total, fits.sums, records)


def _pair_fit(reference, blurred, present, origin: Origin, options: JointOptions):
    """Coefficients and fit of one pair."""
    model = options.model(reference.shape)
    sharp, soft = (blurred, reference) if options.exchanged else (reference, blurred)
    # One NaN would spoil the sums of all.
    finite = jnp.isfinite(jnp.sum(reference) + jnp.sum(blurred))
    counts = finite & present
    sharp, soft = (jnp.where(counts, image, 0) for image in (sharp, soft))
    centre = jnp.mean(sharp)
    frame = make_frame(sharp, soft, options.boundary, 0, centre=centre, scale=origin.unit)
    margins = model.margins(_WIDER**2 * origin.vector)
    sums = pair_sums(frame, model, options.nuisances, origin.vector, margins, origin.noise)
    counted, coefficients = figures(sums), sums.coefficients
    # A flat image has no gain.
    tells = counts & jnp.all(jnp.isfinite(counted.total)) & jnp.isfinite(jnp.sum(coefficients))
    counted, coefficients = jax.tree.map(lambda x: jnp.where(tells, x, 0), (counted, coefficients))
    project = partial(model.project, coefficients, shape=reference.shape)
    root = find_root(project, counted.gradient, origin.vector)
    rounding = rounding_variance(sharp.dtype) * jnp.var(sharp) / origin.unit**2
    errors = root_errors(
        root, counted, counted.of_blocks, origin.vector, options.nuisances.count, rounding
    )
    offset = origin.unit * sums.level - (sums.gain - 1) * centre
    return coefficients, PairFit(root, errors, counted, sums.gain, offset, finite)
