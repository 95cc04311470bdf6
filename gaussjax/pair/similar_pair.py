"""A pair whose images are turned and scaled against each other, brought to one grid.

B is resampled, which is the smoother image. Across grids B has frequencies that folded into others,
which no interpolation moves: there A is, on its own grid, of which blur and coarse pixels pass
little of what an interpolator gets wrong.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.folding import CoarseGrid, on_coarse_grid
from gaussjax.model.options import MOTIONS, check_option
from gaussjax.model.similarity_transform import Similarity
from gaussjax.numerics.compilation import compiled
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.alignment import align
from gaussjax.pair.frame import Usable
from gaussjax.statistics.result import BlurEstimate, scaled


@pytree
class SimilarPair:
    """One image on the grid of the other, up to a motion in which the pair is linear."""

    reference: jax.Array
    blurred: jax.Array
    usable: Usable
    similarity: Similarity  # that was undone


def check_motion(
    motion: str, shape: tuple[int, ...], boundary: str, noise_std, grid: CoarseGrid | None
) -> None:
    """Raise ValueError where no motion can be fitted."""
    check_option(motion, MOTIONS, "motion")
    if len(shape) != 2:
        raise ValueError(f"motion={motion!r} is of images with two axes, got {len(shape)}")
    if boundary != "valid":
        raise ValueError(f"motion={motion!r} goes with boundary='valid', got {boundary!r}")
    if noise_std is not None:
        raise ValueError(
            f"motion={motion!r} takes noise to be in blurred only: leave out noise_std, or resample"
            " the images to one grid before"
        )
    if grid is not None and len(set(grid.ratios)) > 1:
        raise ValueError(
            f"motion={motion!r} turns square pixels: it takes one sampling of all axes, got"
            f" {grid.steps}"
        )


@compiled(static_argnames="grid")
def similar_pair(
    reference: jax.Array, blurred: jax.Array, usable: Usable, *, grid: CoarseGrid | None
) -> SimilarPair:
    """The pair with B resampled to the grid of A, or across grids A to that of B.

    Where a tap of the resampling meets a missing pixel, or one beyond the edge, the image is
    missing.
    """
    if grid is not None:
        return _across_grids(reference, blurred, usable, grid)
    known = usable.blurred
    images = fill_with_mean(reference, usable.reference), fill_with_mean(blurred, known)
    both = [mask for mask in (usable.reference, known) if mask is not None]
    seen = jnp.min(jnp.stack(both), axis=0) if both else None
    similarity = jax.lax.stop_gradient(align(*images, seen))
    moved, inside = similarity.resample(images[1], known)
    weights = usable.weights
    if weights is not None:
        weights = jnp.maximum(similarity.resample(weights)[0], 0)
    usable = replace(usable, blurred=inside, weights=weights)
    return SimilarPair(reference, moved, usable, similarity)


def _across_grids(
    reference: jax.Array, blurred: jax.Array, usable: Usable, grid: CoarseGrid
) -> SimilarPair:
    a = fill_with_mean(reference, usable.reference)
    b = fill_with_mean(blurred, usable.blurred)
    seen = usable.blurred
    if usable.reference is not None:
        covered = grid.covered(usable.reference, jnp.zeros(2, a.dtype))
        seen = covered if seen is None else seen * covered
    found = jax.lax.stop_gradient(align(on_coarse_grid(grid, a, b.shape), b, seen))
    similarity = found.in_pixels(grid.steps[0], grid.starts)
    moved, inside = similarity.inverse.resample(a, usable.reference)
    return SimilarPair(moved, blurred, replace(usable, reference=inside), similarity)


def with_similarity(
    estimate: BlurEstimate, similarity: Similarity, grid: CoarseGrid | None
) -> BlurEstimate:
    """The estimate of a resampled pair with the whole motion: undone before, and fitted."""
    found, shift = estimate.motion, estimate.params.shift
    if found is None or shift is None:
        raise ValueError("the estimate holds no motion")
    rest = Similarity(found.angle, found.scale, shift)
    if grid is None:
        whole = rest.before(similarity)
    else:
        # The fit saw A as large as B shows it, and turned about the middle of B's pixels.
        whole = similarity.before(rest.about(grid.starts))
        estimate = scaled(estimate, 1 / similarity.scale)
    motion = replace(
        found,
        angle=whole.angle,
        scale=whole.scale,
        scale_standard_error=similarity.scale * found.scale_standard_error,
    )
    return replace(estimate, motion=motion, params=replace(estimate.params, shift=whole.shift))
