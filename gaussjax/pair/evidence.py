"""Evidence for and against a fit, gathered at its optimum from pixels and from one spectrum."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial, reduce
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import along_axis, forward_transform, squared_magnitude
from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics.linear_algebra import product
from gaussjax.numerics.pytree import pytree, static
from gaussjax.numerics.reductions import block_sums, totals
from gaussjax.pair.departure_fields import HALO, box_shape, by_variances, directions, smears
from gaussjax.pair.edge_information import RIM, EdgeInformation, edge_information
from gaussjax.pair.filtered_noise import noise_gains
from gaussjax.pair.informative_crop import Crop, densest_box
from gaussjax.pair.level_sums import grey_levels, level_sums, sums_by_level
from gaussjax.pair.objective import View
from gaussjax.pair.other_conventions import REACH, of_box, of_frame, other_conventions
from gaussjax.pair.prediction import level_of
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.curvature import squared_frequencies
from gaussjax.statistics.departures import (
    BesideTheFit,
    Departures,
    DepartureSums,
    Spread,
    alternatives,
    beside_the_fit,
)
from gaussjax.statistics.grey_levels import Coherence, LevelSums
from gaussjax.statistics.long_run_covariance import Unevenness, long_run, unevenness
from gaussjax.statistics.noise_weighted_sums import ReferenceNoise, reference_noise

# Departures are tested on about so many pixels: all of a frame of 90 x 90 px.
_PIXELS = 2**13
# px per axis of its blocks of neighbours, by its number of axes.
_BLOCK = {1: 16, 2: 8, 3: 4}
# Directions that are no finite differences, so that a constant may resemble them.
_LEVELLED = (Cause.GAIN, Cause.OFFSET, Cause.SHADING, Cause.TONE)


@pytree
class Evidence:
    """What the pixels show besides the estimate."""

    # variance of each parameter's score over that of white noise, by the residual's spectrum, `[k]`
    correlated: jax.Array
    uneven: Unevenness  # likewise over that of noise of even strength, by where its squares lie
    departures: DepartureSums
    # of the same pair read with the other kernel conventions, and how they would change the vector
    conventions: DepartureSums
    changes: jax.Array
    noise: ReferenceNoise  # in the sharper image, as the residual's spectrum tells it
    # where the kernel rings at the frame's edge and nuisances are fitted; None of a crop
    edge: EdgeInformation | None
    # mean and variance of the squared frequencies of each field, `[k, 2]`
    frequencies: jax.Array
    levels: LevelSums | None = None  # of integers, of which it is known which pixels share a level

    def with_coherence(self, found: Coherence) -> Self:
        """The same, where rounding by grey levels adds this to the variances of scores."""
        changed = {}
        for name in ("departures", "conventions"):
            sums = getattr(self, name)
            added = found.by_power * sums.variance * sums.beside.power
            added += found.by_level * sums.coherent
            changed[name] = replace(sums, coherent=added)
        return replace(self, **changed)


def gather_evidence(
    seen: View,
    model: BlurModel,
    vector: jax.Array,
    *,
    extents: tuple[float, ...] | None = None,
    known: tuple[jax.Array, jax.Array] | None = None,
) -> Evidence:
    """Evidence on a fit at its optimum.

    Args:
        seen: the optimum.
        model: of its blur.
        vector: of the model.
        extents: of the frame, per axis, in those of what is seen of it; None: all is seen.
        known: of integers, the variance of the rounding of A and the influence of the fitted fields
            on the first parameter, ``[k]``; else None.
    """
    frame, residual, fields, score = seen.frame, seen.residual, seen.fields, seen.score
    ndim, weights = model.ndim, seen.window.values
    power = squared_magnitude(forward_transform(score, ndim))
    transforms = [forward_transform(weights * field, ndim) for field in fields]
    spectra = [squared_magnitude(each) for each in transforms]
    shape, size = frame.blurred.shape, frame.size
    sharp = frame.blurred - frame.difference
    predicted = frame.blurred + residual - level_of(model, vector, frame)
    box = Box.densest(weights * fields[0] ** 2, size)
    # Pixels that see beyond the edge of a valid region are not compared.
    around = partial(box.around, wraps=frame.boundary != "valid")
    if frame.grid is None:
        filtered = partial(of_box, around(sharp, REACH))
    else:
        # Filters are on the grid of the reference.
        def filtered(gain, taps):
            return [box.of(image) for image in of_frame(frame, gain, taps)]

    others, changes = other_conventions(model, vector, filtered)
    position = box.positions(predicted.dtype)
    kinds, found = directions(model, around(predicted, HALO), frame.centre / frame.scale, position)
    levelled = [k for k, cause in enumerate(kinds) if cause in _LEVELLED]
    response, slopes = model.responses(vector, frame.reference_shape)
    levels, by_level = None, None
    if known is not None:
        levels = grey_levels(sharp, frame, known[0])
        both = levels, grey_levels(frame.blurred, frame, known[0])
        by_level = level_sums(both, weights, fields, score, known[1], response, transforms)
    sums = _departure_sums(box, weights, fields, -score, [*found, *others], levelled, levels)
    ones = (1.0,) * ndim
    steps = ones if frame.grid is None else frame.grid.steps
    smeared = jnp.asarray(smears(model, kinds, steps, extents or ones), vector.dtype)
    gains = noise_gains(frame, response, slopes)
    count = seen.window.num_pixels.astype(power.dtype)
    edge, rings = None, frame.boundary == "valid" and not model.kernel.is_finite
    # Another part of the frame than a crop may tell more.
    if extents is None and rings and len(fields) > 1 and not model.has_exponent:
        own, inside = [box.of(x) for x in fields], box.inside(RIM, weights.dtype)
        local = by_variances(model, around(sharp, HALO))
        edge = edge_information(own, box.of(weights), inside, local)
    correlated = long_run(power, spectra, shape, jnp.maximum(count, 1))
    return Evidence(
        correlated=correlated.factors,
        uneven=unevenness(score, list(fields), weights, correlated.alike),
        departures=replace(sums.part(slice(0, len(found))), smears=smeared),
        conventions=sums.part(slice(len(found), None)),
        changes=changes,
        noise=reference_noise(power, *gains, shape, count, size),
        edge=edge,
        frequencies=squared_frequencies(spectra, shape),
        levels=by_level,
    )


def causes(model: BlurModel) -> list[Cause]:
    """The causes of :func:`directions`, in their order."""
    box = jax.ShapeDtypeStruct((1 + 2 * HALO,) * model.ndim, jnp.float32)
    position = [jax.ShapeDtypeStruct((1,) * model.ndim, jnp.float32)] * model.ndim
    found: list[Cause] = []

    def list_them(image, x):
        found.extend(directions(model, image, 0.0, x)[0])

    jax.eval_shape(list_them, box, position)
    return found


def with_conventions(found: Departures, evidence: Evidence, rounding: float) -> Departures:
    """The departures, and the other kernel conventions if there are any."""
    if not evidence.changes.shape[1]:
        return found
    others = alternatives(evidence.conventions, rounding, evidence.changes, Cause.CONVENTION)
    return found.joined(others)


def _departure_sums(box: "Box", weights, fields, score, found, levelled, grey) -> DepartureSums:
    """The sums of a score, fitted fields and directions, the last of them on the box.

    The means of the directions in ``levelled`` are not negligible; ``grey`` are the grey levels of
    the sharper image, or None where they are not known.
    """
    weights, score, *fields = (box.of(image) for image in (weights, score, *fields))
    k, count = len(fields), jnp.sum(weights > 0).astype(score.dtype)
    columns = [*fields, *found]
    # All summands of a direction side by side, so that a fused loop computes it once. No stack of
    # directions: to write that out would take as long as all sums.
    summands = [
        [*(weights * field * x for field in fields), weights * x**2, score * x] for x in columns
    ]
    levels = [weights * found[j] for j in levelled]
    blocks = block_sums([each for row in [*summands, levels] for each in row], _BLOCK[score.ndim])
    rows = blocks[: len(columns) * (k + 2)].reshape(len(columns), k + 2, -1)
    inner, none = jnp.sum(rows, axis=2), jnp.zeros((), blocks.dtype)
    levels = list(jnp.sum(blocks[len(columns) * (k + 2) :], axis=1))
    levels = [levels[levelled.index(j)] if j in levelled else none for j in range(len(found))]
    beside = beside_the_fit(inner[:k, :k].T, inner[k:, :k].T, inner[k:, k], inner[:, k + 1])
    coherent = None
    if grey is not None:
        by_level = sums_by_level(box.of(grey), [weights * x for x in columns])
        left = by_level[k:] - product(beside.coefficients.T, by_level[:k])
        coherent = jnp.sum(left**2, axis=1)
    return DepartureSums(
        beside=beside,
        mixed=inner[k:, :k].T,
        powers=inner[k:, k],
        levels=jnp.stack(levels),
        spread=_spread(beside, rows, weights, fields, score, found),
        variance=jnp.sum(score**2) / jnp.maximum(count - k, 1),
        num_pixels=count,
        coherent=coherent,
    )


def _spread(beside: BesideTheFit, rows, weights, fields, score, found) -> Spread:
    """How the scores of the directions spread over blocks and pixels of a box in whole blocks.

    ``rows`` are the sums over each block, of fields and directions ``[k + m]``, of their products
    with the weighted fields, themselves and the score ``[k + 2]``: those of what is left of a
    direction beside the fields follow without another pass over pixels.
    """
    k, coefficients = len(fields), beside.coefficients
    strengths = beside.strengths
    both, mixed = rows[:k, :k], rows[k:, :k]
    imitated = jnp.einsum("ij,ilb->jlb", coefficients, both, precision="highest")
    power = rows[k:, k] + jnp.sum(coefficients.T[..., None] * (imitated - 2 * mixed), axis=1)
    of_fields = jnp.einsum("ij,ib->jb", coefficients, rows[:k, k + 1], precision="highest")
    own = rows[k:, k + 1] - of_fields - strengths[:, None] * power
    summands = []
    for j, direction in enumerate(found):
        left = direction
        for i, field in enumerate(fields):
            left = left - coefficients[i, j] * field
        here = weights * left**2
        summands += [(score * left - strengths[j] * here) ** 2, here**2]
    pixels = totals(summands).reshape(len(found), 2)
    return Spread(
        squares=jnp.stack([jnp.sum(own**2, axis=1), pixels[:, 0]]),
        powers=jnp.stack([jnp.sum(power**2, axis=1), pixels[:, 1]]),
    )


@pytree
class Box:
    """The pixels of a frame that are looked at, in whole blocks.

    The last blocks are filled up with zeros, which add nothing to any sum. That is done to images,
    not to the directions made of them, which would all have to be written out for it.
    """

    corner: jax.Array  # index of the first, `[ndim]`
    shape: tuple[int, ...] = static()
    frame: tuple[int, ...] = static()  # shape of the whole frame
    size: jax.Array | None = None  # px per axis of the image in the frame; None: it fills it

    @classmethod
    def densest(cls, energy: jax.Array, size: jax.Array | None = None) -> "Box":
        """The box that holds most of an energy; of an image of this size in its frame."""
        most = box_shape(bucket_shape(energy.shape), _PIXELS)
        shape = tuple(map(min, most, energy.shape))
        # Where there is room its halo lies in the frame.
        whole = jnp.asarray(energy.shape, jnp.int32) if size is None else size
        free = jnp.maximum(whole - jnp.asarray(shape, whole.dtype), 0)
        least = jnp.where(free >= 2 * REACH, REACH, 0)
        corner = jnp.clip(densest_box(energy, shape, size=size), least, free - least)
        return cls(corner, shape, energy.shape, size)

    @property
    def _room(self) -> list[tuple[int, int]]:
        """Px beyond the last pixel, by axis."""
        return [(0, -n % _BLOCK[len(self.shape)]) for n in self.shape]

    def of(self, image: jax.Array) -> jax.Array:
        """Its pixels."""
        return jnp.pad(Crop(self.corner, self.shape).of(image), self._room)

    def around(self, image: jax.Array, halo: int, *, wraps: bool = True) -> jax.Array:
        """Its pixels and so many px more on every side.

        Where the frame has no room for them: those at the opposite edge, or 0.
        """
        wide = tuple(n + 2 * halo for n in self.shape)
        fits = [m - n >= 2 * REACH for m, n in zip(self.frame, self.shape, strict=True)]
        if self.size is not None:
            fits = [False] * len(fits)  # not known
        room = [(0 if fit else halo,) * 2 for fit in fits]
        padded = jnp.pad(image, room, mode="wrap" if wraps else "constant")
        first = self.corner - jnp.asarray(np.where(fits, halo, 0), self.corner.dtype)
        return jnp.pad(Crop(first, wide).of(padded), self._room)

    def _places(self) -> Iterator[tuple[jax.Array, jax.Array, jax.Array]]:
        """By axis: of every pixel its index in the box and in the frame, and the frame's length."""
        whole = jnp.asarray(self.frame, jnp.int32) if self.size is None else self.size
        for axis, (own, (_, more)) in enumerate(zip(self.shape, self._room, strict=True)):
            index = jnp.arange(own + more, dtype=self.corner.dtype)
            yield index, self.corner[axis] + index, whole[axis]

    def inside(self, rim: int, dtype) -> jax.Array:
        """1 on pixels ``rim`` px inside of the frame and not at the edge of the box; else 0."""
        found = []
        for axis, (own, index, length) in enumerate(self._places()):
            here = (index >= rim) & (index < length - rim)
            here &= (own > 0) & (own < self.shape[axis] - 1)
            found.append(along_axis(here, axis, len(self.shape)))
        return reduce(jnp.logical_and, found).astype(dtype)

    def positions(self, dtype) -> list[jax.Array]:
        """Coordinates along every axis, from -1 to 1 over the frame, to broadcast."""
        found = []
        for axis, (_, index, length) in enumerate(self._places()):
            place = (2 * index - (length - 1)).astype(dtype) / length.astype(dtype)
            found.append(along_axis(place, axis, len(self.shape)))
        return found
