"""Sums over all frequencies of a spectrum times functions of single axes, by thin products."""

import functools
import itertools
import operator

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import angular_frequencies, half_plane_weights
from gaussjax.numerics.linear_algebra import product

# In the frequencies (rad/px): coefficients by exponents, one exponent for each axis.
Polynomial = dict[tuple[int, ...], float]


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


def polynomial_sums(
    values: jax.Array,
    polynomials: list[Polynomial],
    image_shape: tuple[int, ...],
    smoothing: jax.Array | None = None,
) -> jax.Array:
    """``sum m values x`` for each polynomial x of the frequencies, ``[k]``.

    Of products of the transforms of two images, both blurred before by ``smoothing`` px.
    """
    needed = sorted({e for x in polynomials for several in x for e in several})
    vectors = []
    for w in angular_frequencies(image_shape, values.dtype):
        columns = jnp.stack([w.reshape(-1) ** e for e in needed], axis=1)
        if smoothing is not None:
            columns = columns * jnp.exp(-((smoothing * w.reshape(-1, 1)) ** 2))
        vectors.append(columns)
    form = bilinear_form(values, vectors, image_shape)

    def total(x: Polynomial) -> jax.Array:
        terms = [factor * form[tuple(map(needed.index, e))] for e, factor in x.items()]
        return functools.reduce(operator.add, terms)

    return jnp.stack([total(x) for x in polynomials])


def polynomial_product(x: Polynomial, y: Polynomial) -> Polynomial:
    """``x y``."""
    found: Polynomial = {}
    for (e, a), (f, b) in itertools.product(x.items(), y.items()):
        both = tuple(map(operator.add, e, f))
        found[both] = found.get(both, 0.0) + a * b
    return found


def frequency_product(i: int, j: int, ndim: int, factor: float) -> Polynomial:
    """``factor w_i w_j``."""
    return {tuple((k == i) + (k == j) for k in range(ndim)): factor}
