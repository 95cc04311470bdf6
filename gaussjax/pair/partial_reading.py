"""An estimate to a given precision, from as few tiles of a frame as that takes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial, wraps
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.checks import as_positive, masks_of_both
from gaussjax.io.numpy_files import cut_mapped
from gaussjax.model.arguments import as_pair
from gaussjax.model.array_checks import as_real, is_traced
from gaussjax.model.options import GENERALISED
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.part_read import FramePart
from gaussjax.statistics.quantiles import chi_square_tail, normal_quantile, student_quantile
from gaussjax.statistics.random_effects import Estimates
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import TRUSTED, Verdict

F = TypeVar("F", bound=Callable[..., Any])
Corner = tuple[int, ...]

# px per axis of the tiles of a signal, an image, a volume; and tiles of the first look.
_SIZES, _FIRST = (4096, 256, 64), 3
# More tiles than this had better be larger, by this factor per axis, up to so many px.
_MANY, _GROWTH, _LARGEST = 64, 4, 2**21
# Tiles after which a model error that is larger than that by chance ends the search.
_ENOUGH = 16
# Tiles, and rows of each, whose gradients tell what a good tile is: one with this part of the best.
_LOOKED_AT, _ROWS, _GOOD = 24, 16, 0.25
# Tiles of these statuses have a value.
_TELLING = (Status.ESTIMATED, Status.AT_BOUND, Status.NOISE_NOT_SEPARABLE)
# A blur varies if chance makes tiles differ as much so seldom, and if they do by this part of it.
_ONE_BLUR, _TOLERABLE = 0.01, 0.005


def to_precision(estimate: F) -> F:
    """Read only as much of a frame as ``precision`` asks for, if it is given."""

    @wraps(estimate)
    def wrapped(reference, blurred, *, precision=None, **options):
        if precision is None:
            return estimate(reference, blurred, **options)
        if is_traced(precision, reference, blurred, options):
            raise ValueError(
                "precision decides by the values how much is read, which jax.jit, vmap and grad do"
                " not know: leave it out there"
            )
        asked = as_positive(precision, "precision")
        if (boundary := options.get("boundary", "valid")) != "valid":
            raise ValueError(
                "precision reads tiles, whose edges are not the frame's: leave out precision or"
                f" boundary={boundary!r}"
            )
        if options.get("motion") is not None:
            raise ValueError("precision reads tiles, which no motion is told of: leave one out")
        if options.get("family") == GENERALISED:
            raise ValueError(
                "precision reads tiles, which cut off the tail of family='generalised'"
            )
        mask = options.pop("mask", None)
        if options.get("sampling") is not None:
            raise ValueError("precision reads tiles of one grid: leave out precision or sampling")
        given = reference, blurred, *masks_of_both(mask), options.pop("weights", None)
        names = "reference", "blurred", "mask of reference", "mask of blurred", "weights"
        maps: list[Any] = [
            x if x is None or isinstance(getattr(x, "dtype", None), np.dtype) else as_real(x, name)
            for x, name in zip(given, names, strict=True)
        ]
        # The checks of the front door, without the pixels.
        jax.eval_shape(as_pair, *(jax.ShapeDtypeStruct(x.shape, _native(x)) for x in maps[:2]))
        if any(x is not None and x.shape != maps[0].shape for x in maps):
            raise ValueError(f"mask and weights must have the shape of the images, {maps[0].shape}")
        if any(isinstance(x, np.ma.MaskedArray) for x in maps):
            raise TypeError("a masked array is not read: pass its data, and mask=~array.mask")
        return _search(partial(estimate, **options), maps, asked)

    return wrapped  # pyright: ignore[reportReturnType]


def _native(image: Any) -> Any:
    """The dtype of an image in the byte order of this machine."""
    return image.dtype.newbyteorder("=") if isinstance(image.dtype, np.dtype) else image.dtype


def _search(estimate: Callable[..., BlurEstimate], maps: list[Any], asked: float) -> BlurEstimate:
    """An estimate of tiles, of larger ones where those tell too little, or of a small frame."""
    shape, size = maps[0].shape, _SIZES[len(maps[0].shape) - 1]
    while True:
        tile = tuple(size if n >= 2 * size else n for n in shape)
        few = math.prod(n // t for n, t in zip(shape, tile, strict=True)) < 2 * _FIRST
        found = _by_tiles(estimate, maps, shape if few else tile, asked)
        if found is not None:
            return found
        size *= _GROWTH


def _by_tiles(estimate: Callable, maps: list[Any], tile: Corner, asked) -> BlurEstimate | None:
    """The estimate of tiles of one shape; None where larger tiles would tell more."""
    may_grow = tile != maps[0].shape and math.prod(tile) < _LARGEST
    count = math.prod(n // t for n, t in zip(maps[0].shape, tile, strict=True))
    source, corners, estimates, first, wanted = _corners(maps, tile), [], [], 0, _FIRST
    while True:
        corners += islice(source, wanted - len(corners))
        for corner in corners[len(estimates) :]:
            reference, blurred, *mask, weights = (_cut(each, corner, tile) for each in maps)
            known = None if mask[0] is None and mask[1] is None else tuple(mask)
            found = estimate(reference, blurred, mask=known, weights=weights)
            estimates.append(jax.device_get(found))
        if not estimates:
            raise ValueError("mask and weights leave no pixel; give True where one may be used")
        usable = [each for each in estimates if int(each.status) in _TELLING]
        first = first or (len(usable) if len(usable) > 1 else 0)
        joint = _joined(usable, first) if first else (usable or estimates)[0]
        by_chance, by_model, by_noise = (
            _relative_errors(joint, usable) if usable else (1e6, 0.0, 1e6)
        )
        precision = math.hypot(by_chance, by_model)
        # By the noise, not by the scatter: whether an interval counts must not depend on its width.
        if may_grow and len(estimates) * min(by_noise / asked, 1e3) ** 2 > min(_MANY, count / 2):
            return None
        # More tiles do not make a model error smaller, if it is one.
        if precision <= asked or (by_model > by_chance and len(estimates) >= _ENOUGH):
            break
        is_last = len(corners) < wanted
        factor = max(min(by_chance / asked, 1e3) ** 2, 1.1 if first else 2)
        wanted = math.ceil(len(corners) * factor)
        too_small = tile != maps[0].shape and int(joint.status) == Status.TOO_SMALL
        if too_small or (may_grow and is_last):
            return None
        if is_last:
            break
    numbers = jnp.asarray(corners, jnp.int32), jnp.asarray(precision, joint.sigma.dtype)
    part = FramePart(*numbers, tile=tile, shape=tuple(maps[0].shape), asked=asked)
    return replace(jax.tree.map(jnp.asarray, joint), part=part)


def _corners(maps: list[Any], tile: Corner) -> Iterator[Corner]:
    """Corners of tiles in random order, the good ones first, those without known pixels never.

    A choice by the difference of the images would bias the estimate: it is by the reference alone.
    """
    shape = maps[0].shape
    counts = [n // length for n, length in zip(shape, tile, strict=True)]
    steps = [n // count for n, count in zip(shape, counts, strict=True)]
    order = np.random.default_rng(0).permutation(math.prod(counts))
    places = (tuple(map(int, np.unravel_index(k, counts))) for k in order)
    corners = (tuple(k * step for k, step in zip(place, steps, strict=True)) for place in places)
    if tile == shape:
        yield next(corners)
        return
    looked_at = ((_gradient_power(maps, corner, tile), corner) for corner in corners)
    some = list(islice(looked_at, _LOOKED_AT))
    least, others = _GOOD * max(some)[0], []
    for power, corner in chain(some, looked_at):
        if power >= max(least, 0):
            yield corner
        elif power >= 0:
            others.append((power, corner))
    yield from (corner for _, corner in sorted(others, reverse=True))


def _gradient_power(maps: list[Any], corner: Corner, tile: Corner) -> float:
    """Mean square of the reference's differences along rows; -1 where no pixel is known."""
    step = max(tile[0] // _ROWS, 1) if len(tile) > 1 else 1
    reference, *known = (_cut(each, corner, tile, step) for each in (maps[0], *maps[2:]))
    squares = np.diff(np.asarray(reference, np.float32)) ** 2
    some = [np.asarray(each) > 0 for each in known if each is not None]
    if not all(each.any() for each in some):
        return -1.0
    for each in some:
        squares = np.where(each[..., 1:] & each[..., :-1], squares, 0)
    # Tiles with NaN are read late, and then reported.
    return float(np.nan_to_num(np.mean(squares), posinf=0))


def _cut(image, corner: Corner, shape: Corner, step: int = 1):
    """A box of an image, or every so many rows of it."""
    if image is None or isinstance(image, jax.Array):  # other slices would be other programs
        return None if image is None else jax.lax.dynamic_slice(image, corner, shape)[::step]
    first, *others = (slice(c, c + n) for c, n in zip(corner, shape, strict=True))
    return cut_mapped(image, (slice(first.start, first.stop, step), *others))


def _relative_errors(found: BlurEstimate, told: list[BlurEstimate]) -> tuple[float, float, float]:
    """Errors of the largest sigma: by Student's over the normal interval, model, and noise alone.

    The last is that of the first if the tiles lay apart by their noise.
    """
    sigma, stretch = max(np.max(np.abs(found.sigma)), 1e-30), 1.0
    if found.freedom is not None:
        stretch = student_quantile(0.95, found.freedom) / normal_quantile(0.95, float)
    errors = np.stack([np.maximum(each.sigma_standard_error, 1e-30) for each in told])
    by_noise = (1 / errors.astype(float) ** 2).sum(0) ** -0.5
    sizes = found.sigma_standard_error * stretch, found.sigma_model_error, by_noise * stretch
    by_chance, by_model, by_noise = (float(np.max(size) / sigma) for size in sizes)
    return by_chance, by_model, by_noise


class _Mean(NamedTuple):
    """The mean of one number over many tiles; arrays of its shape."""

    value: np.ndarray
    error: np.ndarray
    freedom: np.ndarray  # of the error
    varies: np.ndarray  # the tiles differ by more than chance allows, and it matters

    @classmethod
    def of(cls, values: np.ndarray, errors: np.ndarray, first: int) -> "_Mean":
        """The mean, weighted by what each tile tells; the scatter is that of the first ones.

        Every tile has a value of its own. How far they lie apart beyond their error bars, and the
        error bar of their mean (CR2, with Student's t), is that of the tiles by which it was
        decided how many are read. By that of all, the search would end where it happens to be
        small: intervals of 95 % then cover 91 to 94, these 95 (by simulation).

        Sources: C. Stein, Ann. Math. Statist. 16(3), 1945 (the first ones); R. DerSimonian and N.
        Laird, Controlled Clinical Trials 7(3), 1986 (the scatter).
        """
        squares = np.maximum(errors, 1e-30) ** 2
        tiles = Estimates(values[:first] - values[0], squares[:first], np.asarray)
        weight, _, chi_square, _ = (x[0] for x in tiles.moments(np.zeros_like(values[:1])))
        rest = weight - (1 / squares[:first] ** 2).sum(0) / weight
        scatter = np.maximum(chi_square - (first - 1), 0) / rest
        weight, mean, _, _ = (x[0] for x in tiles.moments(scatter[None]))
        error, freedom = tiles.mean_error(scatter, weight, mean)
        weights = 1 / (scatter + squares)
        total = weights.sum(0)
        known = np.isfinite(error)  # or one tile tells all that is known
        value = values[0] + (weights * (values - values[0])).sum(0) / total
        unlike = chi_square_tail(chi_square, first - 1) < _ONE_BLUR
        return cls(
            value=value,
            error=np.where(known, error * np.sqrt(weight / total), total**-0.5),
            freedom=np.where(known, freedom, np.inf),
            varies=unlike & (scatter**0.5 > _TOLERABLE * np.max(np.abs(value))),
        )


def _joined(told: list[BlurEstimate], first: int) -> BlurEstimate:
    """The joint estimate of several tiles."""
    like, ndim = told[0], told[0].covariance_matrix.shape[-1]
    many = jax.tree.map(lambda *leaves: np.stack(leaves).astype(float), *told)
    pairs = map(jax.tree.leaves, (many.params, many.standard_error))
    means = [_Mean.of(value, error, first) for value, error in zip(*pairs, strict=True)]
    by_root = _Mean.of(many.sigma, many.sigma_standard_error, first)
    params, errors = (
        jax.tree.structure(like.params).unflatten([each.astype(like.sigma.dtype) for each in some])
        for some in ([mean.value for mean in means], [mean.error for mean in means])
    )
    by_pixels = partial(np.average, axis=0, weights=many.num_pixels)
    assert many.adequacy is not None  # the pixels were seen
    codes = many.status, many.adequacy.verdict, many.adequacy.cause
    status, verdict, cause = (np.bincount(x.astype(int)).argmax() for x in codes)
    if np.any(by_root.varies) and verdict in TRUSTED:
        verdict, cause = Verdict.EXPLAINED_POORLY, Cause.VARYING_BLUR
    # Twice the median of p-values is one, too, however they depend on each other.
    p_value = np.minimum(2 * np.median(many.adequacy.p_value), 1)
    told_by_each = 1 / np.maximum(many.sigma_standard_error, 1e-30) ** 2
    numbers = {
        "sigma": params.sigma(ndim),
        "sigma_standard_error": by_root.error,
        "sigma_model_error": np.average(many.sigma_model_error, axis=0, weights=told_by_each),
        "covariance_matrix": params.covariance_matrix(ndim),
        "loss": many.loss.sum(),
        "noise_variance": by_pixels(many.noise_variance),
        "noise_std": by_pixels(many.noise_std**2) ** 0.5,
        "freedom": by_root.freedom,
        "adequacy": replace(jax.tree.map(by_pixels, many.adequacy), p_value=p_value),
    }
    numbers = jax.tree.map(lambda x: np.asarray(x, like.sigma.dtype), numbers)
    codes = {"verdict": np.int32(verdict), "cause": np.int32(cause)}
    numbers["adequacy"] = replace(numbers["adequacy"], **codes)
    count = np.int32(min(many.num_pixels.sum(), 2**31 - 1))
    both = {"params": params, "standard_error": errors}
    both |= {"parameter_covariance": None, "told_by": None}  # of one tile
    return replace(like, num_pixels=count, status=np.int32(status), **both, **numbers)
