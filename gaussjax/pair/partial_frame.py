"""An estimate to a given precision, from as few tiles of a frame as tell sigma so well."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial, wraps
from itertools import chain, islice
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.arguments import as_pair, is_traced
from gaussjax.model.params import BlurParams
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.frame_part import FramePart
from gaussjax.statistics.goodness_of_fit import Adequacy
from gaussjax.statistics.quantiles import chi_square_tail, normal_quantile, student_quantile
from gaussjax.statistics.random_effects import Estimates
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

F = TypeVar("F", bound=Callable[..., Any])
Corner = tuple[int, ...]

# px per axis of the tiles of a signal, an image, a volume; and tiles of the first look.
_SIZES, _FIRST = (4096, 256, 64), 3
# More tiles than this had better be larger, by this factor per axis, up to so many px.
_MANY, _GROWTH, _LARGEST = 64, 4, 2**21
# Tiles after which a model error that is larger than what was asked for ends the search.
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
        asked = np.asarray(precision)
        if asked.shape or asked.dtype.kind not in "iuf" or not 0 < asked < np.inf:
            raise ValueError(f"precision must be a number above 0 such as 1e-3; got {precision!r}")
        if (boundary := options.get("boundary", "valid")) != "valid":
            raise ValueError(
                "precision reads tiles, whose edges are not the frame's: leave out precision or"
                f" boundary={boundary!r}"
            )
        mask = options.pop("mask", None)
        masks = tuple(mask) if isinstance(mask, tuple | list) and len(mask) == 2 else (None, mask)
        known = [np.asarray(x) if isinstance(x, list) else x for x in masks]
        maps = [reference, blurred, *known, options.pop("weights", None)]
        # The checks of the front door, without the pixels.
        jax.eval_shape(as_pair, *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in maps[:2]))
        if any(x is not None and x.shape != reference.shape for x in maps):
            raise ValueError(f"mask and weights must have the shape of the images, {blurred.shape}")
        if any(isinstance(x, np.ma.MaskedArray) for x in maps):
            raise TypeError("a masked array is not read: pass its data, and mask=~array.mask")
        return _search(partial(estimate, **options), maps, float(asked))

    return wrapped  # pyright: ignore[reportReturnType]


def _search(estimate: Callable[..., BlurEstimate], maps: list[Any], asked: float) -> BlurEstimate:
    """Of tiles, of larger ones where those tell too little, or of all of a small frame."""
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
    source, corners, seen, first, wanted = _corners(maps, tile), [], [], 0, _FIRST
    while True:
        corners += islice(source, wanted - len(corners))
        for corner in corners[len(seen) :]:
            reference, blurred, *mask, weights = (_cut(each, corner, tile) for each in maps)
            known = None if mask[0] is None and mask[1] is None else tuple(mask)
            found = estimate(reference, blurred, mask=known, weights=weights)
            seen.append(jax.device_get(found))
        if not seen:
            raise ValueError("mask and weights leave no pixel; give True where one may be used")
        told = [each for each in seen if int(each.status) in _TELLING]
        first = first or (len(told) if len(told) > 1 else 0)
        joint = _joined(told, first) if first else (told or seen)[0]
        by_chance, by_model = _relative_errors(joint) if told else (1e6, 0.0)
        precision = math.hypot(by_chance, by_model)
        # More tiles do not make a model error smaller, if it is one.
        if precision <= asked or (by_model > asked and len(seen) >= _ENOUGH):
            break
        is_last = len(corners) < wanted
        factor = max(min(by_chance / asked, 1e3) ** 2, 1.1 if first else 2)
        wanted = math.ceil(len(corners) * factor)
        too_small = tile != maps[0].shape and int(joint.status) == Status.TOO_SMALL
        if too_small or (may_grow and (is_last or wanted > _MANY)):
            return None
        if is_last:
            break
    numbers = jnp.asarray(corners, jnp.int32), jnp.asarray(precision, joint.sigma.dtype)
    part = FramePart(*numbers, tile=tile, shape=tuple(maps[0].shape), asked=asked)
    return replace(jax.tree.map(jnp.asarray, joint), part=part)


def _corners(maps: list[Any], tile: Corner) -> Iterator[Corner]:
    """Corners of tiles in random order, the good ones first, those without known pixels never.

    What the images differ by is what the estimate is of, and would bias it: the choice is by the
    reference alone.
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
    return float(np.mean(squares))


def _cut(image, corner: Corner, shape: Corner, step: int = 1):
    """A box of an image, or every so many rows of it."""
    if image is None or isinstance(image, jax.Array):  # other slices would be other programs
        return None if image is None else jax.lax.dynamic_slice(image, corner, shape)[::step]
    first, *others = (slice(c, c + n) for c, n in zip(corner, shape, strict=True))
    return image[(slice(first.start, first.stop, step), *others)]


def _relative_errors(found: BlurEstimate) -> tuple[float, float]:
    """Of the largest sigma: half of Student's interval over the normal one's, and by the model."""
    stretch = 1.0
    if found.freedom is not None:
        stretch = student_quantile(0.95, found.freedom) / normal_quantile(0.95, float)
    by_chance = np.max(found.sigma_standard_error * stretch)
    sigma = np.maximum(np.max(np.abs(found.sigma)), 1e-30)
    return float(by_chance / sigma), float(np.max(found.sigma_model_error) / sigma)


def _joined(told: list[BlurEstimate], first: int) -> BlurEstimate:
    """What the estimates of tiles say together: their mean by what each tells, and its scatter.

    Every tile has a blur of its own. How far they lie apart beyond their error bars, and the error
    bar of their mean (CR2, with Student's t), is that of the first ones, by which it was decided
    how many are read. By that of all, the search would end where it happens to be small: intervals
    of 95 % then cover 91 to 94, these 95 (by simulation).

    Sources: C. Stein, Ann. Math. Statist. 16(3), 1945 (the first ones); R. DerSimonian and N.
    Laird, Controlled Clinical Trials 7(3), 1986 (the scatter).
    """
    many = jax.tree.map(lambda *leaves: np.stack(leaves).astype(float), *told)
    values, errors = (
        np.concatenate([leaf.reshape(len(told), -1) for leaf in jax.tree.leaves(each)], axis=1)
        for each in (
            (many.params, many.sigma),
            (many.standard_error, many.sigma_standard_error),
        )
    )
    squares = np.maximum(errors, 1e-30) ** 2
    pairs = Estimates(values[:first] - values[0], squares[:first], np.asarray)
    weight, _, chi_square, _ = (each[0] for each in pairs.moments(np.zeros_like(values[:1])))
    rest = weight - (1 / squares[:first] ** 2).sum(0) / weight
    scatter = np.maximum(chi_square - (first - 1), 0) / rest
    weight, mean, _, _ = (each[0] for each in pairs.moments(scatter[None]))
    error, freedom = pairs.mean_error(scatter, weight, mean)
    shares = 1 / (scatter + squares)
    total = shares.sum(0)
    known = np.isfinite(error)  # or one tile tells all that is known
    freedom = np.where(known, freedom, np.inf)
    error = np.where(known, error * np.sqrt(weight / total), total**-0.5)
    mean = (shares * values).sum(0) / total
    like, m = told[0], told[0].sigma.size
    as_params = partial(_unraveled, like.params)
    params, sigma_error = as_params(mean), error[-m:].reshape(like.sigma.shape)
    by_pixels = partial(np.average, axis=0, weights=many.num_pixels)
    by_noise = (1 / squares[:, -m:]).reshape(many.sigma.shape)
    unlike = chi_square_tail(chi_square, first - 1) < _ONE_BLUR
    varies = bool(np.any((unlike & (scatter**0.5 > _TOLERABLE * np.abs(mean[-m:]).max()))[-m:]))
    numbers = {
        "sigma": params.sigma(like.covariance_matrix.shape[-1]),
        "sigma_standard_error": sigma_error,
        "sigma_model_error": np.average(many.sigma_model_error, axis=0, weights=by_noise),
        "covariance_matrix": params.covariance_matrix(like.covariance_matrix.shape[-1]),
        "loss": many.loss.sum(),
        "noise_variance": by_pixels(many.noise_variance),
        "noise_std": by_pixels(many.noise_std**2) ** 0.5,
        "freedom": freedom[-m:].reshape(like.sigma.shape),
    }
    return replace(
        like,
        params=params,
        standard_error=as_params(error),
        num_pixels=np.asarray(min(many.num_pixels.sum(), 2**31 - 1), np.int32),
        status=_most_common(many.status),
        adequacy=_joint_adequacy(many.adequacy, by_pixels, varies),
        **{name: np.asarray(each, like.sigma.dtype) for name, each in numbers.items()},
    )


def _unraveled(like: BlurParams, row: np.ndarray) -> BlurParams:
    leaves, structure = jax.tree.flatten(like)
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = zip(leaves, np.split(row, ends), strict=False)
    return structure.unflatten([x.reshape(leaf.shape).astype(leaf.dtype) for leaf, x in parts])


def _most_common(codes: Any) -> Any:
    return np.bincount(codes.astype(int)).argmax().astype(np.int32)


def _joint_adequacy(many: Adequacy, mean: Callable, varies: bool) -> Adequacy:
    """The mean of the tiles, with what most of them say."""
    verdict, cause = _most_common(many.verdict), _most_common(many.cause)
    if varies and verdict in (Verdict.EXPLAINED, Verdict.SHARPER):
        verdict, cause = np.int32(Verdict.EXPLAINED_POORLY), np.int32(Cause.VARYING_BLUR)
    joint = jax.tree.map(lambda leaf: np.asarray(mean(leaf), np.float32), many)
    # Twice the median of p-values is one (Rueschendorf 1982), however they depend on each other.
    p_value = np.minimum(2 * np.median(many.p_value), 1).astype(np.float32)
    return replace(joint, p_value=p_value, verdict=verdict, cause=cause)
