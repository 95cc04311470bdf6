"""The blurs of a stack of small pairs, each its own: one instrument pass, in chunks.

What :func:`~gaussjax.estimate_blur` asks of a pair beside its transforms, a start of its own and
a loop that runs to the slowest of a batch, costs more than the fit. Here all pairs share a start,
and find their own roots from sums that are exact whatever the start
(:mod:`gaussjax.dataset.instruments`). The few that this does not settle go through
``estimate_blur`` itself.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from inspect import Parameter, signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import as_flag, did_you_mean, masks_of_both
from gaussjax.dataset.chunks import in_chunks, num_at_once
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.own_root import followed, linearized, own_optimum
from gaussjax.dataset.start import spectral_start
from gaussjax.model.arguments import (
    as_image,
    as_mask_pair,
    as_noise,
    as_pair,
    as_weights,
    check_fit_options,
    check_no_channels,
)
from gaussjax.model.array_checks import as_array, as_real, is_traced
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.kernels import as_kernel
from gaussjax.model.noise_correlation import as_noise_correlation
from gaussjax.model.options import GENERALISED
from gaussjax.model.params import check_initial, project_family
from gaussjax.model.sampling import as_coarse_grid
from gaussjax.model.swap import SWAP_BELOW, swap_pair
from gaussjax.model.transfer import axis_margins
from gaussjax.numerics import loops
from gaussjax.numerics.compilation import compiled
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.pair.estimate import estimate_blur
from gaussjax.pair.frame import Pair, Usable, centre_and_scale
from gaussjax.pair.grids import shapes_across_grids
from gaussjax.pair.judgement import judged_estimate
from gaussjax.pair.kernel_extent import is_seamless
from gaussjax.pair.similar_pair import check_motion
from gaussjax.pair.spacing import check_spacing
from gaussjax.statistics.quantisation import known_steps, quantisation_steps, rounding_noise
from gaussjax.statistics.result import BlurEstimate

# Pairs of more pixels gain nothing.
_LARGEST = 2**15
# Pairs from which all start.
_SAMPLE = 16
# Part of its variance that a pair may be away from where it is linearized: a tenth of an error bar.
_NEAR = 0.02
# Options that are arrays, and those of a plain fit; for one the others are as by default.
_ARRAYS = ("noise_std", "noise_correlation", "initial", "mask", "weights")
_KERNEL = ("kernel", "truncate", "radius")
_GRID = ("sampling", "pixel", "centre")
_PLAIN = ("family", "gain", "offset", *_KERNEL)
_DEFAULTS = {name: each.default for name, each in signature(estimate_blur).parameters.items()}
_OPTIONS = {name: value for name, value in _DEFAULTS.items() if value is not Parameter.empty}
_FLAGS = [name for name, value in _OPTIONS.items() if isinstance(value, bool)]


@automatic_sharding
def estimate_blurs(references: ArrayLike, blurreds: ArrayLike, **options: Any) -> BlurEstimate:
    """Estimate the blur of every pair of two stacks: the way for many small pairs.

    The same estimates, error bars, statuses and verdicts as of ``jax.vmap(estimate_blur)``, to a
    small part of an error bar, in a half (64 pairs of 32 px) to a sixth (1,000 of 64 px) of the
    time. Works under ``jax.jit``, not differentiable by reverse mode.

    Args:
        references: A, ``[n, *shape]``, of images of rank 1 to 3.
        blurreds: B, of the same shape, or on a coarser grid (``sampling``).
        **options: of :func:`~gaussjax.estimate_blur`; ``mask`` and ``weights`` are stacks, too. A
            plain fit is quick: a shift, noise levels, bounds, a start, masks, weights, another loss
            or boundary, two grids, or images of more than 32,768 px take as long as
            ``estimate_blur``, in chunks.

    Returns:
        A BlurEstimate whose leaves have a leading axis of n.

    Raises:
        TypeError: not real numbers, or an unknown option or one of another type.
        ValueError: as ``estimate_blur``, or stacks without a leading axis of at least one pair.
    """
    stacks = as_real(references, "references"), as_real(blurreds, "blurreds")
    shape, other = (stack.shape for stack in stacks)
    are_stacks = 2 <= len(shape) <= 4 and shape[0] and len(shape) == len(other)
    grid = _grid(shape[1:], other[1:], options) if are_stacks else None
    if not are_stacks or shape[0] != other[0] or (grid is None and shape != other):
        raise ValueError(
            "references and blurreds must be stacks [n, *shape] of images of rank 1 to 3, of one"
            " shape (or of two grids, by sampling) and with n >= 1; got shapes"
            f" {shape} and {other}"
        )
    options = _checked(options, stacks, grid)
    fixed = {
        name: value
        for name, value in options.items()
        if (name not in _ARRAYS or isinstance(value, str | None)) and not is_traced(value)
    }
    arrays = {k: v for k, v in options.items() if k not in fixed}
    how = tuple(sorted(fixed.items()))
    if grid is None and not arrays and math.prod(shape[1:]) <= _LARGEST and _is_plain(fixed):
        estimates, others = _together(*stacks, how)
        if is_traced(others) or np.any(others):
            estimates = _one_by_one(*stacks, arrays, estimates, others, how)
    else:
        estimates = _one_by_one(*stacks, arrays, None, None, how)
    if any(isinstance(x, np.ndarray) for x in jax.tree.leaves((stacks, arrays))):
        # A program reads NumPy's memory while it runs, and the caller may fill it anew. Stacks are
        # too large to copy.
        jax.block_until_ready(estimates)
    narrowed = any(np.dtype(x.dtype) == np.float64 for x in stacks)
    return replace(estimates, narrowed=narrowed and estimates.sigma.dtype != jnp.float64)


def _grid(reference: tuple[int, ...], blurred: tuple[int, ...], options) -> CoarseGrid | None:
    """The grid of the blurred images on that of the references; None: they share one."""
    return as_coarse_grid(reference, blurred, *((_OPTIONS | options)[name] for name in _GRID))


def _checked(options: dict[str, Any], stacks, grid: CoarseGrid | None) -> dict[str, Any]:
    """The options of ``estimate_blur`` that are given, checked before any program is made."""
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(
                f"estimate_blurs takes no {name!r}{did_you_mean(name, tuple(_OPTIONS))}"
            )
    given = _OPTIONS | options
    if given["precision"] is not None:
        raise ValueError("precision is of one large frame, of which a part is read: leave it out")
    check_fit_options(
        given["family"],
        given["bounds"],
        boundary=given["boundary"],
        loss=given["loss"],
        generalised=True,
    )
    checked: dict[str, Any] = {
        name: as_flag(options[name], name) for name in _FLAGS if name in options
    }
    if given["bounds"] is not None and not is_traced(given["bounds"]):
        checked["bounds"] = tuple(map(float, given["bounds"]))
    checked["kernel"] = as_kernel(*(given[name] for name in _KERNEL))
    shape = stacks[0].shape[1:]
    for name, stack in zip(("references", "blurreds"), stacks, strict=True):
        one = jax.ShapeDtypeStruct(stack.shape[1:], stack.dtype)
        jax.eval_shape(partial(as_image, name=name), one)
    how = given["family"], checked["kernel"], given["boundary"], given["spacing"]
    check_no_channels("references", shape, *how)
    if given["spacing"] is not None:
        checked["spacing"] = check_spacing(given["spacing"], len(shape), given)
    if given["motion"] is not None:
        check_motion(given["motion"], shape, given["boundary"], given["noise_std"], grid)
    check_initial(given["initial"], len(shape), np.float32)
    as_noise(given["noise_std"], np.float32)
    one = jax.ShapeDtypeStruct(shape, np.float32)
    as_noise_correlation(given["noise_correlation"], given["noise_std"], one)
    both = [jax.ShapeDtypeStruct(stack.shape, np.float32) for stack in stacks]
    as_mask_pair(given["mask"], *both)
    as_weights(given["weights"], both[1])
    # Programs take arrays of NumPy and JAX only.
    if given["mask"] is not None:
        masks = masks_of_both(given["mask"])
        checked["mask"] = tuple(None if x is None else as_array(x, "mask") for x in masks)
    if given["weights"] is not None:
        checked["weights"] = as_array(given["weights"], "weights")
    if grid is not None:
        how = given["boundary"], given["bounds"]
        shapes_across_grids(grid, (shape, stacks[1].shape[1:]), *how)
        checked |= {"sampling": grid.ratios, "pixel": grid.pixel, "centre": grid.first}
    return {k: v for k, v in options.items() if k not in (*_KERNEL, *_GRID)} | checked


def _is_plain(fixed: dict[str, Any]) -> bool:
    # The common pass knows variances and gain only.
    has_exponent = fixed.get("family") == GENERALISED
    plain = all(k in _PLAIN or v == _DEFAULTS.get(k, fixed) for k, v in fixed.items())
    return plain and not has_exponent


@compiled(static_argnames="how")
def _together(references, blurreds, how) -> tuple[BlurEstimate, jax.Array]:
    """Estimates of plain fits, and where they are not settled, ``[n]``."""
    given = _DEFAULTS | dict(how)
    kernel = as_kernel(*(given[name] for name in _KERNEL))
    gain, offset = (bool(given[name]) for name in ("gain", "offset"))
    options = JointOptions(given["family"], kernel, "valid", gain, offset)
    few = np.linspace(0, len(references) - 1, min(_SAMPLE, len(references))).astype(int)
    sample = [
        jnp.nan_to_num(x[few].astype(jnp.result_type(float, x))) for x in (references, blurreds)
    ]
    variance, _, swapped = spectral_start(*sample, None, None, options=options)
    model = options.model(references.shape[1:])
    own = replace(model, gain=gain, offset=offset)
    widths = model.params(variance).covariance_matrix(model.ndim)
    usable = jnp.all(jnp.isfinite(variance)) & jnp.all(diagonal(widths) > 0)
    one = project_family(jnp.eye(model.ndim, dtype=variance.dtype), model.family)
    point = jnp.where(usable, variance, one)
    filters = model.responses(point, references.shape[1:])

    def begin(reference, blurred):
        images = as_pair(reference, blurred)
        sharp, _ = swap_pair(swapped, *images)
        unit = centre_and_scale(sharp)
        seamless = is_seamless("valid", kernel, options.family)
        usable = Usable(None, None, None)
        pair = Pair(*images, usable, swapped, *unit, boundary="valid", pad=0, seamless=seamless)
        pair = replace(pair, integers=known_steps(reference, blurred) is not None)
        frame = pair.frame()
        steps = quantisation_steps(reference, blurred).astype(sharp.dtype)
        rounding = rounding_noise(swap_pair(swapped, *steps)[0] / unit[1])
        return pair, frame, linearized(frame, filters, point, None, model, options), rounding

    def finish(pair, frame, now, rounding):
        at = own_optimum(pair, frame, now, rounding, own, options)
        params = model.params(at.vector)
        widths = diagonal(params.covariance_matrix(model.ndim))
        # Near zero blur the order of the images is the pair's own.
        blurs = jnp.all(widths > jnp.where(swapped, -SWAP_BELOW, 0))
        fits = jnp.all(axis_margins(params, kernel, model.ndim) <= at.largest_margins)
        return at, at.converged & blurs & fits & ~now.is_far(model, _NEAR)

    def fit_some(mapped, some):
        pairs, frames, first, roundings = mapped(begin)(*some)
        now = followed(frames, first, None, model, options, mapped, _NEAR)
        return mapped(finish)(pairs, frames, now, roundings)

    arrays, count = (references, blurreds), len(references)
    optima, settled = in_chunks(fit_some, arrays, num_at_once(count, references.shape[1:]), count)
    limits = jnp.full(optima.vector.shape[1], jnp.inf, variance.dtype)
    judge = partial(judged_estimate, swapped=swapped, low=-limits, high=limits)
    return jax.vmap(judge)(optima), ~settled


@compiled(static_argnames="how")
def _one_by_one(references, blurreds, arrays, estimates, others, how) -> BlurEstimate:
    """The estimates, in whose stead those of ``others`` are made anew; of all if there are none."""
    count, shape = len(references), references.shape[1:]
    at_once = num_at_once(count, shape)
    maps = {k: arrays[k] for k in ("mask", "weights") if k in arrays}
    alike = {k: v for k, v in arrays.items() if k not in maps} | dict(how)

    def fit(reference, blurred, maps):
        return estimate_blur(reference, blurred, **maps, **alike)

    data = references, blurreds, maps
    if others is None:
        return in_chunks(lambda mapped, some: mapped(fit)(*some), data, at_once, count)
    order = jnp.argsort(~others)

    def step(k, estimates):
        chosen = jax.lax.dynamic_slice_in_dim(order, k * at_once, at_once)
        found = jax.vmap(fit)(*jax.tree.map(lambda x: x[chosen], data))
        return jax.tree.map(lambda old, new: old.at[chosen].set(new), estimates, found)

    return loops.fori_loop(0, -(-jnp.sum(others) // at_once), step, estimates)
