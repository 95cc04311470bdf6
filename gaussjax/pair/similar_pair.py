"""A pair whose images are turned and scaled against each other, brought to one grid."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.options import MOTIONS, check_option
from gaussjax.model.similarity import Similarity
from gaussjax.numerics.programs import compiled
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.alignment import align
from gaussjax.pair.frame import Usable
from gaussjax.statistics.result import BlurEstimate


@pytree
class SimilarPair:
    """B on the grid of A, up to a motion in which it is linear."""

    blurred: jax.Array
    usable: Usable
    similarity: Similarity  # that was undone


def check_motion(motion: str, shape: tuple[int, ...], boundary: str, noise_std) -> None:
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


@compiled()
def similar_pair(reference: jax.Array, blurred: jax.Array, usable: Usable) -> SimilarPair:
    """The pair with B resampled to the grid of A.

    Where a tap of the resampling would meet a missing pixel, or one beyond the edge, B is missing.
    """
    known = usable.blurred
    images = fill_with_mean(reference, usable.reference), fill_with_mean(blurred, known)
    both = [mask for mask in (usable.reference, known) if mask is not None]
    seen = jnp.min(jnp.stack(both), axis=0) if both else None
    similarity = jax.lax.stop_gradient(align(*images, seen))
    moved, inside = similarity.resample(images[1], known)
    weights = usable.weights
    if weights is not None:
        weights = jnp.maximum(similarity.resample(weights)[0], 0)
    return SimilarPair(moved, replace(usable, blurred=inside, weights=weights), similarity)


def with_similarity(estimate: BlurEstimate, similarity: Similarity) -> BlurEstimate:
    """The estimate of a resampled pair with the whole motion: undone before, and fitted."""
    found, shift = estimate.motion, estimate.params.shift
    if found is None or shift is None:
        raise ValueError("the estimate holds no motion")
    whole = similarity.after(found.angle, jnp.log(found.scale), shift)
    motion = replace(
        found,
        angle=whole.angle,
        scale=whole.scale,
        scale_standard_error=similarity.scale * found.scale_standard_error,
    )
    return replace(estimate, motion=motion, params=replace(estimate.params, shift=whole.shift))
