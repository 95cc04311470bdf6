"""Which family of Gaussians explains a pair best, by Akaike's information criterion (AIC)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial, reduce
from typing import Literal

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from gaussjax.checks import check_option
from gaussjax.model.arguments import Mask
from gaussjax.model.folding import noise_power
from gaussjax.model.fourier import forward_transform, half_plane_weights, squared_magnitude
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import (
    BOUNDARIES,
    FAMILIES,
    PADDED_BOUNDARIES,
    Boundary,
    KernelName,
    Pixel,
)
from gaussjax.model.params import BlurParams
from gaussjax.model.transfer import known_reach, system_response
from gaussjax.pair.estimate import estimate_blur
from gaussjax.pair.grids import on_grids
from gaussjax.pair.oriented_pair import ROUNDING, OrientedPair, orient
from gaussjax.statistics.information_criterion import FamilyComparison
from gaussjax.statistics.noise_levels import floored_noise
from gaussjax.statistics.noise_weighted_sums import leaked
from gaussjax.statistics.result import BlurEstimate

_NO_SIGMA = 0.01  # px: as good as no blur


def compare_families(
    reference: ArrayLike,
    blurred: ArrayLike,
    *,
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    boundary: Boundary = "valid",
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    noise_std: Literal["estimate"] | ArrayLike | None = None,
    mask: Mask | None = None,
    weights: ArrayLike | None = None,
    sampling: float | Fraction | Sequence[float | Fraction] | None = None,
    pixel: Pixel = "area",
    centre: Literal["area", "first"] | float | Sequence[float] = "area",
) -> FamilyComparison:
    """Compare no blur, one sigma, one per axis and a full covariance by AIC on the same pixels.

    ``AIC = n ln(RSS / n) + 2 k``, with the sum of squared residuals over the n pixels that every
    family's fit can compare, and k the number of variances and nuisances. With ``noise_std`` it is
    ``chi^2 + 2 k``, the residual being measured by the noise that both images leave in it.

    AIC takes residuals to be white, and the model to be right but for its family: where a Gaussian
    is the wrong model (see the verdict of an estimate), every further parameter imitates some of
    the misfit, and the richest family wins; :func:`~gaussjax.compare_kernels` tells other shapes.
    Not for use under ``jit``.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        kernel: as all options, see :func:`~gaussjax.estimate_blur`; "integrated" has no
            full covariance.
        truncate: "sampled" only.
        radius: "sampled" only.
        boundary: of the fits; pixels near the edge do not enter the comparison.
        gain: fit a factor between the images, in every family.
        offset: fit a constant between them.
        shift: fit a displacement.
        noise_std: None, ``(std_reference, std_blurred)``, or "estimate", which takes the levels
            that the richest family finds.
        mask: True where a pixel may be used.
        weights: of the pixels of ``blurred``.
        sampling: pixels of the reference per pixel of ``blurred``, whose pixels are compared.
        pixel: of ``blurred``, "area" or "point".
        centre: of its first pixel.

    Returns:
        FamilyComparison of "none", "isotropic" and, for more than one axis, "axis_aligned" and
        "full".

    Raises:
        TypeError: images that are not arrays of real numbers, and options of another type.
        ValueError: what ``estimate_blur`` raises.

    Source: H. Akaike, "A new look at the statistical model identification", IEEE Trans. Automatic
    Control 19(6), 1974.
    """
    convention = as_kernel(kernel, truncate, radius)
    check_option(boundary, BOUNDARIES, "boundary")
    grids = sampling, pixel, centre
    image, _, usable, _ = on_grids(reference, blurred, (mask, weights), grids, boundary)
    fit = partial(
        estimate_blur,
        reference,
        blurred,
        kernel=convention,
        boundary=boundary,
        gain=gain,
        offset=offset,
        shift=shift,
        mask=mask,
        weights=weights,
        sampling=sampling,
        pixel=pixel,
        centre=centre,
    )
    names = _names(image.ndim, convention)
    if isinstance(noise_std, str):
        noise_std = _levels(fit, names, noise_std)
    # Bounds that do not bind let both fits of one sigma share a compiled program. Where they would
    # set how far the frame is extended there are none.
    wide = None if boundary in PADDED_BOUNDARIES else 1.0 * max(image.shape)
    estimates = [_fit_family(fit, name, noise_std, wide) for name in names]
    found = [each for each in estimates if _is_finite((each.params, each.loss))] or estimates[:1]
    pair = orient(reference, blurred, found[-1], mask)
    margins = reduce(jnp.maximum, (pair.margins(pair.params(each), convention) for each in found))
    # Where the noise is coloured a sharp edge leaks, as in the fit.
    ramps = None if noise_std is None else 2 + 0.5 * margins.astype(pair.sharp.dtype)
    window = pair.window(margins, ramps)
    if usable.weights is not None:
        window = window * usable.weights.astype(window.dtype)
    levels = None if noise_std is None else jnp.asarray(noise_std, window.dtype)
    params = [pair.params(each) for each in estimates]
    aic = [_deviance(pair, each, convention, window, levels) for each in params]
    num_params = [sum(leaf.size for leaf in jax.tree.leaves(each)) for each in params]
    num_params[0] -= 1  # the variance of "none" is given
    aic = jnp.stack(aic)
    return FamilyComparison(aic=aic + 2 * jnp.asarray(num_params, aic.dtype), names=names)


def _names(ndim: int, kernel: Kernel) -> tuple[str, ...]:
    """The families that images of so many axes can have."""
    if ndim == 1:
        return "none", "isotropic"
    return "none", *(name for name in FAMILIES if (name, kernel.name) != ("full", "integrated"))


def _levels(
    fit: Callable[..., BlurEstimate], names: tuple[str, ...], noise_std: str
) -> tuple[float, ...]:
    """The noise levels estimated by the richest family whose fit succeeds."""
    levels: tuple[float, ...] = ()
    for name in reversed(names[1:]):
        levels = tuple(float(level) for level in fit(family=name, noise_std=noise_std).noise_std)
        if all(map(math.isfinite, levels)):
            break
    return levels


def _fit_family(
    fit: Callable[..., BlurEstimate], name: str, noise_std, wide: float | None
) -> BlurEstimate:
    """The fit of a family; that of "none" is of the nuisances alone."""
    if name != "none":
        bounds = (-wide, wide) if wide and name == "isotropic" else None
        return fit(family=name, noise_std=noise_std, bounds=bounds)
    estimate = fit(family="isotropic", noise_std=noise_std, bounds=(-_NO_SIGMA, _NO_SIGMA))
    params = replace(estimate.params, variance=0 * estimate.params.variance)
    return replace(estimate, params=params)


def _is_finite(values) -> bool:
    return all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(values))


def _deviance(
    pair: OrientedPair,
    params: BlurParams,
    kernel: Kernel,
    window: jax.Array,
    levels: jax.Array | None,
) -> jax.Array:
    """-2 ln likelihood up to a constant, as in :mod:`~gaussjax.pair.errors_in_variables`."""
    if not _is_finite(params):
        return jnp.full((), jnp.nan, window.dtype)
    residual = pair.soft - pair.predicted(params, kernel)
    if levels is None:
        num_pixels = jnp.sum(window > 0).astype(window.dtype)
        rounding = (ROUNDING * float(jnp.finfo(window.dtype).eps)) ** 2 * jnp.var(pair.sharp)
        return num_pixels * jnp.log(jnp.sum(window * residual**2) / num_pixels + rounding)
    unit = jnp.std(pair.sharp)
    unit = jnp.where(unit > 0, unit, 1)
    noise = unit**2 * floored_noise((levels[::-1] if pair.is_swapped else levels) ** 2 / unit**2)
    shape, grid = pair.sharp.shape, pair.grid
    response = system_response(params, shape, kernel, known_reach(params, kernel, shape))
    gain = noise_power(grid, squared_magnitude(response), pair.shape)
    density = noise[1] + noise[0] * leaked(gain[None], window)[0]
    power = squared_magnitude(forward_transform(window * residual, window.ndim))
    return jnp.sum(half_plane_weights(pair.shape, window.dtype) * power / density)
