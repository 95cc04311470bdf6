"""Power spectra of pairs: all that least squares without borders needs, and additive."""

from __future__ import annotations

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import as_count, check_type, shown
from gaussjax.model.arguments import as_pair
from gaussjax.model.array_checks import as_shape, kind_of
from gaussjax.model.fourier import forward_transform, multiply, squared_magnitude
from gaussjax.model.window import Window
from gaussjax.numerics.pytree import pytree, static
from gaussjax.numerics.sharding import automatic_sharding


@pytree
class Spectra:
    """Sufficient statistics of one or many pairs, with a, b the transforms of A and B.

    ``P = sum |a|^2``, ``C = sum conj(a) b``, ``R = sum |b - H a|^2`` with ``H = C / P``.

    Attributes:
        reference_power: P, half-plane, real.
        cross_power: C, complex.
        unexplained_power: R, what no linear filter explains; zero for a single pair. It is kept
            instead of Q = sum |b|^2 because Q - |C|^2 / P would lose it to cancellation.
        num_pairs: how many pairs were added, scalar.
        image_shape: of the images (static).
    """

    reference_power: jax.Array
    cross_power: jax.Array
    unexplained_power: jax.Array
    num_pairs: jax.Array
    image_shape: tuple[int, ...] = static()

    @property
    def blurred_power(self) -> jax.Array:
        """Q = R + |C|^2 / P, the power spectrum of the blurred images."""
        return self.unexplained_power + squared_magnitude(self.transfer) * self.reference_power

    @property
    def transfer(self) -> jax.Array:
        """Empirical transfer function H1 = C / P; 0 where the reference has no power."""
        return _ratio(self.cross_power, self.reference_power)

    @property
    def inverse_noise_transfer(self) -> jax.Array:
        """Empirical transfer function H2 = Q / conj(C), unbiased when only A is noisy."""
        return _ratio(self.blurred_power, jnp.conj(self.cross_power))

    @property
    def coherence(self) -> jax.Array:
        """|C|^2 / (P Q), in [0, 1]; 1 for a single pair, because nothing was averaged."""
        return _ratio(
            squared_magnitude(self.cross_power), self.reference_power * self.blurred_power
        )

    @property
    def is_finite(self) -> jax.Array:
        """False where a pixel was NaN or infinite; it enters every frequency, the zero one too."""
        zero = (0,) * len(self.image_shape)
        return jnp.isfinite(self.reference_power[zero] + self.cross_power[zero].real)

    def folded(self, least: int = 128) -> Spectra:
        """The spectra of the images as :func:`folded_image` makes them, for a start."""
        steps = _fold_counts(self.image_shape, as_count(least, "least", 1))
        kept = tuple(slice(None, None, step) for step in steps)
        return replace(
            self,
            reference_power=self.reference_power[kept],
            cross_power=self.cross_power[kept],
            unexplained_power=self.unexplained_power[kept],
            image_shape=tuple(n // k for n, k in zip(self.image_shape, steps, strict=True)),
        )

    def swapped(self) -> Spectra:
        """The same pairs with the roles of reference and blurred swapped."""
        blurred_power = self.blurred_power
        # P - |C|^2 / Q without the cancellation.
        unexplained = _ratio(self.reference_power * self.unexplained_power, blurred_power)
        return replace(
            self,
            reference_power=blurred_power,
            cross_power=jnp.conj(self.cross_power),
            unexplained_power=unexplained,
        )


def folded_image(image: jax.Array, least: int = 128) -> jax.Array:
    """The image folded to a size of ``least`` or a little more.

    Adding up the pixels that lie n / k apart keeps every k-th frequency of an axis as it is, and
    commutes with a periodic blur: a pair of folded images is a small pair with the same blur.
    Signals, and lengths without a divisor k, stay as they are.
    """
    for axis, count in enumerate(_fold_counts(image.shape, least)):
        # Slices are added up in one pass; a sum over a new axis takes many times longer.
        image = functools.reduce(jnp.add, jnp.split(image, count, axis))
    return image


def _fold_counts(shape: tuple[int, ...], least: int) -> list[int]:
    """Number of pieces of each axis that are added up."""
    if len(shape) == 1:
        return [1]
    return [max(k for k in range(1, max(n // least, 1) + 1) if n % k == 0) for n in shape]


def check_spectra(spectra: Spectra, name: str = "spectra", *, batched: bool = False) -> None:
    """Refuse what is no Spectra of images of one shape; ``batched``: with a leading axis.

    TypeError for no Spectra, or not of arrays of the right dtypes; ValueError for other shapes.
    """
    check_type(spectra, Spectra, name, "from pair_spectra")
    *rows, last = as_shape(spectra.image_shape, f"{name}.image_shape")
    half_plane = (*rows, last // 2 + 1)
    lead = tuple(np.shape(spectra.reference_power))[:1] if batched else ()
    for field, kind, shape in (
        ("reference_power", "f", half_plane),
        ("cross_power", "c", half_plane),
        ("unexplained_power", "f", half_plane),
        ("num_pairs", "iu", ()),
    ):
        array = getattr(spectra, field)
        if not hasattr(array, "dtype") or kind_of(array.dtype) not in kind:
            raise TypeError(f"{name}.{field} has another type than in Spectra; got {shown(array)}")
        if array.shape != lead + shape:
            advice = "one leading axis, as jax.vmap(pair_spectra) returns them"
            if not batched:
                advice = "no leading axis: add up a batch by sum_spectra, or use jax.vmap"
            raise ValueError(
                f"{name} must be Spectra of images of shape {spectra.image_shape} with {advice};"
                f" got {name}.{field} of shape {array.shape}"
            )


@automatic_sharding
def pair_spectra(reference: ArrayLike, blurred: ArrayLike) -> Spectra:
    """Spectra of one pair: ``P = |a|^2``, ``C = conj(a) b`` with a, b the half-plane FFTs.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.

    Returns:
        Spectra, whose arrays have the shape ``[..., n // 2 + 1]``, n the length of the last axis.

    Raises:
        TypeError: not real numbers.
        ValueError: shapes differ, rank 0 or above 3, empty or size-1 axes.
    """
    return _pair_spectra(*as_pair(reference, blurred))


@jax.jit
def _pair_spectra(reference: jax.Array, blurred: jax.Array) -> Spectra:
    # Two FFTs, not one of a stack, which would have to be copied together first.
    a, b = (forward_transform(image, image.ndim) for image in (reference, blurred))
    # Without the barriers a fit in the same program computes the powers again for every sum.
    power = jax.lax.optimization_barrier(squared_magnitude(a))
    cross = jax.lax.complex(a.real * b.real + a.imag * b.imag, a.real * b.imag - a.imag * b.real)
    return Spectra(
        reference_power=power,
        cross_power=jax.lax.optimization_barrier(cross),
        unexplained_power=jnp.where(power > 0, 0, squared_magnitude(b)),
        num_pairs=jnp.ones((), jnp.int32),
        image_shape=reference.shape,
    )


def windowed_spectra(
    reference: jax.Array,
    blurred: jax.Array,
    window: Window,
    *,
    levels_differ: bool,
    folded: bool = False,
) -> Spectra:
    """Spectra of a pair times a window, which hides the edge, about its mean there.

    ``levels_differ``: each image has a mean of its own, else A's is B's too. ``folded``: as by
    :func:`folded_image`.
    """
    total = window.sum()
    total = jnp.where(total > 0, total, 1)
    centre, other = (each / total for each in window.totals([reference, blurred]))
    other = other if levels_differ else centre
    images = window.values * (reference - centre), window.values * (blurred - other)
    return pair_spectra(*(map(folded_image, images) if folded else images))


@automatic_sharding
def sum_spectra(batch: Spectra) -> Spectra:
    """Sum over the leading axis of a batch of Spectra, as ``jax.vmap(pair_spectra)`` returns it.

    Raises:
        TypeError: no Spectra.
        ValueError: spectra without a leading axis.
    """
    check_spectra(batch, "batch", batched=True)
    power = jnp.sum(batch.reference_power, axis=0)
    cross = jnp.sum(batch.cross_power, axis=0)
    # Chan's form of a pooled variance: no difference of large numbers.
    spread = squared_magnitude(batch.transfer - _ratio(cross, power)[None])
    return Spectra(
        reference_power=power,
        cross_power=cross,
        unexplained_power=jnp.sum(batch.unexplained_power + batch.reference_power * spread, axis=0),
        num_pairs=jnp.sum(batch.num_pairs),
        image_shape=batch.image_shape,
    )


@automatic_sharding
def add_spectra(first: Spectra, second: Spectra) -> Spectra:
    """Spectra of the union of two sets of pairs; ValueError when their image shapes differ.

    Source of the pooled R: T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances", Stanford STAN-CS-79-773, 1979.
    """
    check_spectra(first, "first")
    check_spectra(second, "second")
    if first.image_shape != second.image_shape:
        raise ValueError(
            "spectra of different image shapes cannot be added, got first of"
            f" {first.image_shape} and second of {second.image_shape}; crop the images alike"
        )
    return sum_spectra(jax.tree.map(lambda x, y: jnp.stack([x, y]), first, second))


def _ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """Numerator / denominator, and 0 where the denominator is 0."""
    zero = denominator == 0
    inverse = jnp.where(zero, 0, 1 / jnp.where(zero, 1, denominator))
    if jnp.iscomplexobj(numerator) and not jnp.iscomplexobj(denominator):
        # XLA would divide by a complex denominator, and write the quotient to memory; products
        # are fused with what follows.
        return jax.lax.complex(numerator.real * inverse, numerator.imag * inverse)
    return multiply(numerator, inverse)
