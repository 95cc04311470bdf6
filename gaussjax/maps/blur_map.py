"""A blur that varies over the frame: an estimate per tile, and a smoothed map of them."""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.maps.markov_field import smooth
from gaussjax.maps.tile_estimates import estimate_tiles
from gaussjax.maps.tile_grid import TileGrid, make_grid
from gaussjax.maps.variogram import Observations
from gaussjax.model.arguments import (
    as_mask_pair,
    as_noise,
    as_pair,
    as_weights,
    check_fit_options,
    is_traced,
)
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.params import namespace, signed_sqrt, signed_square
from gaussjax.numerics.pytree import pytree, static
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.statistics.covariance import sigma_error, variance_error
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status


@pytree
class BlurMap:
    """Blur over the frame, tile by tile.

    Attributes:
        estimates: of the tiles, with leading axes ``[ny, nx]``; values stand beside their status.
        positions: where in the frame each estimate looks, px from the centre of the first pixel,
            ``[ny, nx, 2]`` (y, x): the centroid of its sensitivity to the blur.
        shrunk_sigma: at the centres of the tiles, px, ``[ny, nx]``; None unless asked for.
        shrunk_standard_error: of ``shrunk_sigma``, px; None unless asked for.
        grid: where the tiles lie (static).
    """

    estimates: BlurEstimate
    positions: jax.Array
    shrunk_sigma: jax.Array | None
    shrunk_standard_error: jax.Array | None
    grid: TileGrid = static()

    @property
    def sigma(self) -> jax.Array:
        """Px, ``[ny, nx]`` before the axes of a sigma; NaN where the status is not 0."""
        return self._where_estimated(self.estimates.sigma)

    @property
    def sigma_standard_error(self) -> jax.Array:
        """Of ``sigma``, px; NaN where the status is not 0."""
        return self._where_estimated(self.estimates.sigma_standard_error)

    @property
    def status(self) -> jax.Array:
        """Of every tile, ``[ny, nx]``; 0 = estimated."""
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
        sigma = np.asarray(self.sigma)[np.asarray(self.status) == Status.ESTIMATED]
        text += f", {len(sigma)} estimated"
        return text + (f": sigma {sigma.min():.4g} to {sigma.max():.4g} px" if sigma.size else "")

    def _where_estimated(self, values: jax.Array) -> jax.Array:
        fine = self.status == Status.ESTIMATED
        fine = fine.reshape(fine.shape + (1,) * (values.ndim - fine.ndim))
        return namespace(values).where(fine, values, np.nan)


@automatic_sharding
def blur_map(
    reference,
    blurred,
    *,
    tile=64,
    step=None,
    shrink: bool = False,
    family: str = "isotropic",
    kernel: str | Kernel = "continuous",
    truncate: float = 4.0,
    radius=None,
    loss: str | Callable = "squared",
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    noise_std=None,
    bounds=None,
    mask=None,
    weights=None,
    initial=None,
) -> BlurMap:
    """Estimate the Gaussian blur that takes ``reference`` to ``blurred`` on tiles of the frame.

    The model is ``B(x) = sum_y g(x - y; sigma(x)) A(y) + noise``. Every tile gets the estimate of
    :func:`~gaussjax.estimate_blur` on the pixels that its blur cannot reach from beyond
    its own edge. Where sigma varies inside of a tile, the estimate is its variance at the tile's
    entry of ``positions``, to first order, not at its centre. Pure: works under ``jax.jit`` with
    static ``tile``, ``step`` and ``shrink``.

    With ``shrink`` the variances are smoothed to the centres of the tiles and across those that
    were refused (which keep their status), by :func:`~gaussjax.maps.markov_field.smooth`: the less
    they vary beyond their error bars, the more. A step in sigma between tiles stays. A tile that
    lies across a step is a mixture, with ``shrink`` or without: use smaller tiles there.

    Args:
        reference: A, real, two axes.
        blurred: B, of the same shape.
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
        bounds: (low, high) in sigma, px.
        mask: True where a pixel of the frame may be used, for ``blurred`` or for both.
        weights: of the pixels of ``blurred``.
        initial: start, sigma in px or BlurParams.

    Returns:
        BlurMap. NaN pixels are a status of their tiles.

    Raises:
        TypeError: images that are not arrays of real numbers.
        ValueError: images without two axes, a tile larger than the frame, a step of more than a
            tile, ``shrink`` of another family or where no two tiles lie apart, and what
            ``estimate_blur`` refuses.
    """
    reference, blurred = as_pair(reference, blurred)
    if reference.ndim != 2:
        raise ValueError(
            f"a map is of images, with two axes; got shape {reference.shape}: cut signals and"
            " volumes into parts, and map estimate_blur over these"
        )
    check_fit_options(family, bounds)
    grid = make_grid(reference.shape, tile, step)
    if shrink:
        _check_shrinkable(grid, family)
    noise, estimate_noise = as_noise(noise_std, reference.dtype)
    options = {
        "family": family,
        "kernel": as_kernel(kernel, truncate, radius),
        "loss": loss,
        "gain": gain,
        "offset": offset,
        "shift": shift,
    }
    if estimate_noise:
        options["noise_std"] = "estimate"
    maps = reference, blurred, as_mask_pair(mask, reference), as_weights(weights, blurred)
    arguments = {"noise_std": noise, "bounds": bounds, "initial": initial}
    estimates, positions = estimate_tiles(
        maps, arguments, grid=grid, options=tuple(options.items())
    )
    sigma, error = _shrink(estimates, positions, grid) if shrink else (None, None)
    return BlurMap(estimates, positions, sigma, error, grid)


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


@partial(jax.jit, static_argnames="grid")
def _shrink(
    estimates: BlurEstimate, positions: jax.Array, grid: TileGrid
) -> tuple[jax.Array, jax.Array]:
    """Sigma at the centres of the tiles and its standard error, smoothed as variances."""
    sigma, error = estimates.sigma, estimates.sigma_standard_error
    fine = (estimates.status == Status.ESTIMATED) & jnp.isfinite(error) & (error > 0)
    # A pixel that several tiles compare counts as one.
    covered = estimates.num_pixels.astype(sigma.dtype) / math.prod(grid.spacings)
    variance = variance_error(sigma, error) ** 2 * jnp.maximum(covered, 1)
    first = jnp.asarray([centres[0] for centres in grid.centres], sigma.dtype)
    spacings = jnp.asarray(grid.spacings, sigma.dtype)
    seen = Observations(
        value=jnp.where(fine, signed_square(sigma), 0),
        variance=jnp.where(fine, variance, jnp.inf),
        place=(positions - first[None, None]) / spacings[None, None],
    )
    mean, deviation = smooth(seen, _lags(grid))
    shrunk = signed_sqrt(mean)
    return shrunk, sigma_error(shrunk, deviation)
