"""The tiles of a map, one estimate each, a batch of them at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.maps.sensitivity import sensitive_position
from gaussjax.maps.tile_grid import TileGrid
from gaussjax.pair.crop import Crop
from gaussjax.pair.estimate import estimate_blur
from gaussjax.statistics.result import BlurEstimate

# Tiles estimated at once: all wait for the slowest, and all are in memory.
_BATCH = 64


@dataclass(frozen=True)
class TileOptions:
    """The static options of the estimates, hashable; as in ``estimate_blur``."""

    family: str
    kernel: str
    truncate: float
    radius: int | Callable | None
    loss: str | Callable
    gain: bool
    offset: bool
    shift: bool
    estimate_noise: bool


@partial(jax.jit, static_argnames=("grid", "options"))
def estimate_tiles(
    maps, noise, bounds, initial, *, grid: TileGrid, options: TileOptions
) -> tuple[BlurEstimate, jax.Array]:
    """Estimates with leading axes ``[ny, nx]``, and where in the frame they look, ``[ny, nx, 2]``.

    Args:
        maps: reference, blurred, the pair of what is known of them, and weights, of the frame.
        noise: standard deviations, ``[2]``, or None.
        bounds: as in ``estimate_blur``, for every tile.
        initial: likewise.
        grid: where the tiles lie.
        options: of the estimates.
    """
    if options.estimate_noise:
        noise = "estimate"

    def one(corner):
        reference, blurred, known, weights = jax.tree.map(Crop(corner, grid.tile).of, maps)
        estimate = estimate_blur(
            reference,
            blurred,
            family=options.family,
            kernel=options.kernel,
            truncate=options.truncate,
            radius=options.radius,
            loss=options.loss,
            gain=options.gain,
            offset=options.offset,
            shift=options.shift,
            noise_std=noise,
            bounds=bounds,
            mask=known,
            weights=weights,
            initial=initial,
        )
        position = sensitive_position(
            _filled(reference, known[0]), _filled(blurred, known[1]), estimate, known, weights
        )
        return estimate, corner.astype(position.dtype) + position

    corners = np.stack(np.meshgrid(*grid.corners, indexing="ij"), -1).reshape(-1, len(grid.shape))
    found = jax.lax.map(one, jnp.asarray(corners), batch_size=_BATCH)
    return jax.tree.map(lambda leaf: leaf.reshape(*grid.counts, *leaf.shape[1:]), found)


def _filled(image: jax.Array, known: jax.Array | None) -> jax.Array:
    """The image with its mean where it is not known and may be NaN."""
    if known is None:
        return image
    return jnp.where(known > 0, image, jnp.mean(image, where=known > 0))
