"""A blur that varies over the frame: an estimate per tile, and a smoothed map of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import as_flag
from gaussjax.maps.agreement import judged_together, one_blur_p_value
from gaussjax.maps.markov_field import smooth
from gaussjax.maps.sensitivity import Sensitivity
from gaussjax.maps.tile_estimates import estimate_tiles
from gaussjax.maps.tile_grid import TileGrid, make_grid
from gaussjax.maps.variogram import Observations
from gaussjax.model.arguments import Mask, as_noise, check_fit_options
from gaussjax.model.array_checks import as_flags, is_traced
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.noise_correlation import as_noise_correlation
from gaussjax.model.options import Family, KernelName, LossName, Pixel
from gaussjax.model.params import BlurParams, check_initial, namespace, signed_sqrt, signed_square
from gaussjax.numerics.pytree import pytree, static
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.pair.grids import on_grids
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.covariance import sigma_error, variance_error
from gaussjax.statistics.number_format import span
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status


@pytree
class BlurMap:
    """Blur over the frame, tile by tile.

    Attributes:
        estimates: of the tiles, with leading axes ``[ny, nx]``; values stand beside their status.
            Each has a verdict of its own, but where many tiles show that the kernel is no Gaussian,
            all are doubted.
        positions: where in the frame each estimate looks, px from the centre of the first pixel,
            ``[ny, nx, 2]`` (y, x): the centroid of its sensitivity to the blur.
        noise_part: of the variance of each estimate, ``[ny, nx]``, what remains when a blur that
            varies linearly over the tile is not taken for noise; 1 where it does not.
        second_order: px^2 by which that blur moves each estimate to second order, ``[ny, nx]``.
        one_blur_p_value: probability that tiles of one true blur differ as much as these, or more.
        shrunk_sigma: at the centres of the tiles, px, ``[ny, nx]``; None unless asked for.
        shrunk_standard_error: of ``shrunk_sigma``, px, with what a blur that varies inside of tiles
            adds to second order; None unless asked for.
        grid: where the tiles lie (static).
    """

    estimates: BlurEstimate
    positions: jax.Array
    noise_part: jax.Array
    second_order: jax.Array
    one_blur_p_value: jax.Array
    shrunk_sigma: jax.Array | None
    shrunk_standard_error: jax.Array | None
    grid: TileGrid = static()

    @property
    def sigma(self) -> jax.Array:
        """Px, ``[ny, nx]`` before the axes of a sigma; NaN where the status is not 0."""
        return self._where_estimated(self.estimates.sigma)

    @property
    def sigma_standard_error(self) -> jax.Array:
        """Standard error of ``sigma`` at its position, px; NaN where the status is not 0.

        By noise and by what a blur that varies over the tile adds to second order. Less than that
        of the estimate where it varies, which takes the variation for noise: see ``noise_part``.
        """
        noise = _noise_error(self.estimates, self.noise_part)
        moved = self.second_order.reshape(self.status.shape + (1,) * (noise.ndim - 2))
        error = namespace(noise).hypot(noise, moved)
        return self._where_estimated(sigma_error(self.estimates.sigma, error))

    @property
    def verdict(self) -> jax.Array:
        """The verdict on every tile, a :class:`~gaussjax.Verdict`, ``[ny, nx]``."""
        assert self.estimates.adequacy is not None  # the pixels were seen
        return self.estimates.adequacy.verdict

    @property
    def status(self) -> jax.Array:
        """The status of every tile, ``[ny, nx]``; 0 = estimated."""
        return self.estimates.status

    @property
    def centres(self) -> tuple[tuple[float, ...], ...]:
        """Centres of the tiles in y and in x, px from the centre of the first pixel."""
        return self.grid.centres

    def __str__(self) -> str:
        """A line; a traced map prints its shapes instead."""
        ny, nx = self.grid.counts
        text = f"{ny} x {nx} tiles of {' x '.join(map(str, self.grid.tile))} px"
        if is_traced(self.status):
            return f"BlurMap({text})"
        fine = np.asarray(self.status) == Status.ESTIMATED
        sigma, errors = (np.asarray(x)[fine] for x in (self.sigma, self.sigma_standard_error))
        text += f", {len(sigma)} estimated"
        if not sigma.size:
            return text
        text += f": sigma {span(sigma, np.median(errors))} px"
        return text + f", p = {float(self.one_blur_p_value):.2g} for one blur"

    def _where_estimated(self, values: jax.Array) -> jax.Array:
        fine = self.status == Status.ESTIMATED
        fine = fine.reshape(fine.shape + (1,) * (values.ndim - fine.ndim))
        return namespace(values).where(fine, values, np.nan)


@automatic_sharding
def blur_map(
    reference: ArrayLike,
    blurred: ArrayLike,
    *,
    tile: int | Sequence[int] = 64,
    step: int | Sequence[int] | None = None,
    shrink: bool = False,
    family: Family = "isotropic",
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    loss: LossName | Callable = "squared",
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    noise_std: Literal["estimate"] | ArrayLike | None = None,
    noise_correlation: Sequence[ArrayLike | None] | None = None,
    bounds: ArrayLike | None = None,
    mask: Mask | None = None,
    weights: ArrayLike | None = None,
    sampling: float | Fraction | Sequence[float | Fraction] | None = None,
    pixel: Pixel = "area",
    centre: Literal["area", "first"] | float | Sequence[float] = "area",
    initial: BlurParams | ArrayLike | None = None,
) -> BlurMap:
    """Estimate the Gaussian blur that takes ``reference`` to ``blurred`` on tiles of the frame.

    The model is ``B(x) = sum_y g(x - y; sigma(x)) A(y) + noise``. Every tile gets the estimate of
    :func:`~gaussjax.estimate_blur` on the pixels that its blur cannot reach from beyond
    its own edge. Where sigma varies inside of a tile, the estimate is its variance at the tile's
    entry of ``positions``, to first order, not at its centre. Pure: works under ``jax.jit`` with
    static ``tile``, ``step`` and ``shrink``.

    With ``shrink`` the variances are smoothed to the centres of the tiles and across those that
    were refused (which keep their status), by :func:`~gaussjax.maps.markov_field.smooth`: a surface
    and a field, the smoother the less they vary beyond their error bars. A step in sigma between
    tiles stays. A tile that lies across a step is a mixture, with ``shrink`` or without: use
    smaller tiles there.

    Args:
        reference: A, real, two axes.
        blurred: B, of the same shape, or on a coarser grid (``sampling``).
        tile: px, an int or one per axis. A tile holds a sigma of up to its size over 11.
        step: px from tile to tile, an int or one per axis, at most; the tiles are spread evenly
            over the whole frame. None is half a tile.
        shrink: smooth; "isotropic" only.
        family: "isotropic", "axis_aligned" or "full"; this and all below as in ``estimate_blur``,
            for every tile alike.
        kernel: a name or a Kernel.
        truncate: "sampled" only.
        radius: "sampled" only.
        loss: "squared", "absolute", "huber", or a function.
        gain: fit a factor between the images.
        offset: fit a constant between them.
        shift: fit a displacement.
        noise_std: None, ``(std_reference, std_blurred)`` or "estimate".
        noise_correlation: of neighbours, with ``noise_std``; None: white.
        bounds: (low, high) in sigma, px.
        mask: True where a pixel of the frame may be used, for ``blurred`` or for both.
        weights: of the pixels of ``blurred``.
        sampling: pixels of the reference per pixel of ``blurred``, as are ``pixel`` and ``centre``
            of :func:`~gaussjax.estimate_blur`. Tiles, steps, positions and sigmas are in px of the
            reference; a tile is widened to whole coarse px, and the frame is what both images hold.
        pixel: of ``blurred``, "area" or "point".
        centre: of its first pixel, "area", "first" or a number.
        initial: start, sigma in px or BlurParams.

    Returns:
        BlurMap. NaN pixels are a status of their tiles.

    Raises:
        TypeError: images that are not arrays of real numbers, and options of another type.
        ValueError: images without two axes, a tile larger than the frame, a step of more than a
            tile, ``shrink`` of another family or where no two tiles lie apart, and what
            ``estimate_blur`` refuses.
    """
    check_fit_options(family, bounds, loss=loss)
    gain, offset, shift = as_flags(gain=gain, offset=offset, shift=shift)
    convention, shrink = as_kernel(kernel, truncate, radius), as_flag(shrink, "shrink")
    on_grid = (mask, weights), (sampling, pixel, centre), "valid", bounds
    reference, blurred, usable, coarse = on_grids(reference, blurred, *on_grid)
    _check_image(reference)
    check_initial(initial, 2, reference.dtype)
    unit = None if coarse is None else tuple(r.numerator for r in coarse.ratios)
    grid = make_grid(reference.shape, tile, step, unit)
    if shrink:
        _check_shrinkable(grid, family)
    noise, estimate_noise = as_noise(noise_std, reference.dtype)
    correlation = as_noise_correlation(noise_correlation, noise_std, reference)
    options = {
        "family": family,
        "kernel": convention,
        "loss": loss,
        "gain": gain,
        "offset": offset,
        "shift": shift,
    }
    if estimate_noise:
        options["noise_std"] = "estimate"
    if coarse is not None:
        options |= {"sampling": coarse.ratios, "pixel": coarse.pixel, "centre": coarse.first}
    maps = reference, blurred, (usable.reference, usable.blurred), usable.weights
    arguments = {"noise_std": noise, "bounds": bounds, "initial": initial}
    arguments["noise_correlation"] = None if correlation is None else tuple(correlation)
    static_options = {"grid": grid, "coarse": coarse, "options": tuple(options.items())}
    estimates, sensitivities = estimate_tiles(maps, arguments, **static_options)
    if noise is not None or loss != "squared":
        # Another residual than that of least squares.
        sensitivities = replace(sensitivities, noise_part=jnp.ones_like(sensitivities.noise_part))
    estimates, p_value, sigma, error = _joined(estimates, sensitivities, grid, shrink)
    judged = estimates, sensitivities.position, sensitivities.noise_part, sensitivities.second_order
    return BlurMap(*judged, p_value, sigma, error, grid)


def _check_image(reference: jax.Array) -> None:
    if reference.ndim != 2:
        raise ValueError(
            "a map is of images, with two axes; got reference and blurred of shape"
            f" {reference.shape}: cut signals and volumes into parts, and map estimate_blur over"
            " these"
        )


def _check_shrinkable(grid: TileGrid, family: str) -> None:
    if family != "isotropic":
        raise ValueError(f"shrink smooths one sigma per tile: family='isotropic'; got {family!r}")
    if all(lag >= count for lag, count in zip(_lags(grid), grid.counts, strict=True)):
        raise ValueError(
            "shrink compares tiles that do not overlap, and there are none: use a smaller tile;"
            f" got {grid.tile} in a frame of {grid.shape}"
        )


def _lags(grid: TileGrid) -> tuple[int, ...]:
    """Tiles from which on two do not overlap, per axis; a px of rounding does not count."""
    pairs = zip(grid.tile, grid.spacings, strict=True)
    return tuple(math.ceil((tile - 1) / spacing) for tile, spacing in pairs)


def _noise_error(estimates: BlurEstimate, noise_part: jax.Array) -> jax.Array:
    """Standard error by noise of the variances, px^2, of the shape of the sigmas."""
    error = variance_error(estimates.sigma, estimates.sigma_standard_error)
    xp = namespace(error)
    return error * xp.sqrt(noise_part).reshape(noise_part.shape + (1,) * (error.ndim - 2))


@partial(jax.jit, static_argnames=("grid", "shrink"))
def _joined(estimates: BlurEstimate, seen: Sensitivity, grid: TileGrid, shrink: bool):
    """Estimates judged together, p-value of one blur, and sigma and its error as shrunk."""
    together, p_value = judged_together(estimates), _one_blur(estimates, seen, grid)
    if not shrink:
        return together, p_value, None, None
    observed = observations(estimates, seen, grid)
    # A pixel that several tiles compare counts as one.
    each = math.prod(estimates.sampling or ())  # px of the reference in one that is compared
    covered = each * estimates.num_pixels.astype(p_value.dtype) / math.prod(grid.spacings)
    shared = replace(observed, variance=observed.variance * jnp.maximum(covered, 1))
    centres = jnp.stack(jnp.meshgrid(*map(jnp.asarray, grid.centres), indexing="ij"), -1)
    mean, deviation = smooth(shared, _lags(grid), _in_nodes(centres.astype(p_value.dtype), grid))
    # Neighbours are moved alike, so that no mean over them makes that smaller.
    known = jnp.isfinite(observed.variance)
    moved = jnp.where(known, seen.second_order, jnp.nan)
    moved = jnp.where(known, seen.second_order, jnp.nanmedian(moved))
    shrunk = signed_sqrt(mean)
    return together, p_value, shrunk, sigma_error(shrunk, jnp.hypot(deviation, moved))


def _one_blur(estimates: BlurEstimate, seen: Sensitivity, grid: TileGrid) -> jax.Array:
    """The p-value of one blur over the frame, of the least of all sigmas of a tile."""
    sigma, model, adequacy = estimates.sigma, estimates.sigma_model_error, estimates.adequacy
    assert adequacy is not None  # the pixels were seen
    # A model that fails everywhere alike makes tiles differ by their content, and not by their
    # blur.
    varies = adequacy.cause == Cause.VARYING_BLUR
    varies = varies.reshape(varies.shape + (1,) * (sigma.ndim - 2))
    model = jnp.where(varies, 0, variance_error(sigma, model))
    variance = _noise_error(estimates, seen.noise_part) ** 2 + model**2
    fine = (estimates.status == Status.ESTIMATED)[..., None]
    values, variances = (a.reshape(*grid.counts, -1) for a in (signed_square(sigma), variance))
    fine = fine & jnp.isfinite(variances) & (variances > 0)
    values, variances = jnp.where(fine, values, 0), jnp.where(fine, variances, jnp.inf)
    count = values.shape[-1]
    found = [one_blur_p_value(values[..., k], variances[..., k], _lags(grid)) for k in range(count)]
    return jnp.minimum(count * jnp.min(jnp.stack(found)), 1)


def observations(estimates: BlurEstimate, seen: Sensitivity, grid: TileGrid) -> Observations:
    """The variances of the tiles, of one sigma each, as seen from the grid of their centres."""
    error = _noise_error(estimates, seen.noise_part)
    fine = (estimates.status == Status.ESTIMATED) & jnp.isfinite(error) & (error > 0)
    return Observations(
        value=jnp.where(fine, signed_square(estimates.sigma), 0),
        variance=jnp.where(fine, error**2, jnp.inf),
        place=_in_nodes(seen.position, grid),
    )


def _in_nodes(position: jax.Array, grid: TileGrid) -> jax.Array:
    """Px of the frame, ``[ny, nx, 2]``, as multiples of the mean distance of two centres."""
    first = jnp.asarray([centres[0] for centres in grid.centres], position.dtype)
    spacings = jnp.asarray(grid.spacings, position.dtype)
    return (position - first[None, None]) / spacings[None, None]
