"""Sums over the pixels of each grey level of the sharper image."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import inverse_transforms, multiply
from gaussjax.pair.frame import Frame
from gaussjax.statistics.grey_levels import LevelSums

# Levels of 16 bits that are so many apart share their sums.
_LEVELS = 256


def grey_levels(image: jax.Array, frame: Frame, rounding: jax.Array) -> jax.Array:
    """The level of every pixel of an image of the frame whose rounding has this variance."""
    step = jnp.sqrt(12 * rounding)
    levels = (image + frame.centre / frame.scale) / jnp.where(step > 0, step, 1)
    return jnp.round(levels).astype(jnp.int32) % _LEVELS


def sums_by_level(levels: jax.Array, summands: Sequence[jax.Array]) -> jax.Array:
    """Of each image, ``[m, levels]``."""
    rows = jnp.stack([each.reshape(-1) for each in summands], axis=1)
    empty = jnp.zeros((_LEVELS, len(summands)), rows.dtype)
    return empty.at[levels.reshape(-1)].add(rows, mode="promise_in_bounds").T


def level_sums(
    levels: tuple[jax.Array, jax.Array],
    weights: jax.Array,
    fields: jax.Array,
    score: jax.Array,
    influence: jax.Array,
    response: jax.Array,
    transforms: Sequence[jax.Array],
) -> LevelSums:
    """The sums of a fit.

    Args:
        levels: of the pixels of A and of B.
        weights: W.
        fields: J, ``[k, *frame]``.
        score: W r.
        influence: of the fields on the first parameter, ``[k]``.
        response: T, with gain and shift.
        transforms: of W J.
    """
    own = sum(part * field for part, field in zip(influence, fields, strict=True))
    back = [multiply(jnp.conj(response), each) for each in transforms]
    passed = inverse_transforms(back, weights.shape)
    scores, power = score * own, weights * own**2
    sums = sums_by_level(levels[0], [scores, power, weights * own, *passed])
    of_blurred = sums_by_level(levels[1], [scores, power])
    return LevelSums(sums[0], sums[1], sums[2], sums[3:], of_blurred)
