"""The estimates of all tiles of a map, a batch of tiles at a time."""

from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp

from gaussjax.maps.sensitivity import Sensitivity, sensitivity
from gaussjax.maps.tile_grid import TileGrid
from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.folding import CoarseGrid
from gaussjax.pair.estimate import estimate_blur
from gaussjax.pair.informative_crop import Crop
from gaussjax.statistics.result import BlurEstimate

_BATCH = 64  # tiles at once: all wait for the slowest, and all are in memory


@partial(jax.jit, static_argnames=("grid", "coarse", "options"))
def estimate_tiles(
    maps,
    arguments: dict[str, Any],
    *,
    grid: TileGrid,
    coarse: CoarseGrid | None,
    options: tuple[tuple[str, Any], ...],
) -> tuple[BlurEstimate, Sensitivity]:
    """Estimates and what they see, positions in the frame, with leading axes ``[ny, nx]``.

    ``maps`` are reference, blurred, the pair of what is known of them, and weights, of the frame;
    the ``coarse`` grid is that of the last three on that of the reference. Of every
    ``estimate_blur`` ``arguments`` may be traced, ``options`` are hashable and win over them.
    """
    given = arguments | dict(options)

    def one(corner):
        sharp = Crop(corner, grid.tile)
        soft = sharp if coarse is None else sharp.on_coarse_grid(coarse)
        reference, blurred, known, weights = maps
        reference, blurred = sharp.of(reference), soft.of(blurred)
        known = jax.tree.map(sharp.of, known[0]), jax.tree.map(soft.of, known[1])
        weights = jax.tree.map(soft.of, weights)
        estimate = estimate_blur(reference, blurred, mask=known, weights=weights, **given)
        seen = sensitivity(
            fill_with_mean(reference, known[0]),
            fill_with_mean(blurred, known[1]),
            estimate,
            known,
            weights,
            coarse,
        )
        position = corner.astype(seen.position.dtype) + seen.position
        return estimate, replace(seen, position=position)

    corners = jnp.asarray(list(product(*grid.corners)))
    found = jax.lax.map(one, corners, batch_size=_BATCH)
    return jax.tree.map(lambda leaf: leaf.reshape(*grid.counts, *leaf.shape[1:]), found)
