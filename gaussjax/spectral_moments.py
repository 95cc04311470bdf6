"""Sums over all frequencies of a spectrum times functions of single axes, by thin products."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp

from gaussjax.grid import angular_frequencies, half_plane_weights
from gaussjax.linear_algebra import product


def bilinear_form(
    values: jax.Array, vectors: list[jax.Array], image_shape: tuple[int, ...]
) -> jax.Array:
    """``sum m values x_0 x_1 ...`` for all columns of every axis, ``[n_j, k] -> [k, ..., k]``."""
    *others, last = vectors
    last = half_plane_weights(image_shape, values.dtype).reshape(-1, 1) * last
    total = product(values, last)
    for axis in reversed(range(len(others))):
        total = jnp.tensordot(total, others[axis], axes=(axis, 0), precision="highest")
        total = jnp.moveaxis(total, -1, axis)
    return total


def frequency_moments(
    values: jax.Array,
    exponents: Iterable[tuple[int, ...]],
    image_shape: tuple[int, ...],
    smoothing: jax.Array | None = None,
) -> dict[tuple[int, ...], jax.Array]:
    """``sum m values prod_j w_j^e_j`` (w in rad/px) by the exponents e, one for each axis.

    Of products of the transforms of two images, both blurred before by ``smoothing`` px.
    """
    exponents = set(exponents)
    needed = sorted({e for several in exponents for e in several})
    vectors = []
    for w in angular_frequencies(image_shape, values.dtype):
        columns = jnp.stack([w.reshape(-1) ** e for e in needed], axis=1)
        if smoothing is not None:
            columns = columns * jnp.exp(-((smoothing * w.reshape(-1, 1)) ** 2))
        vectors.append(columns)
    form = bilinear_form(values, vectors, image_shape)
    return {several: form[tuple(map(needed.index, several))] for several in exponents}
