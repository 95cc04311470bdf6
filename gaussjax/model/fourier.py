"""The frequency grid and the one FFT convention that every other module uses.

A real image ``x`` of shape ``[n_0, ..., n_d]`` has the unnormalised half-plane transform

    X(w) = sum_k x(k) exp(-i w . k),    w_j = 2 pi q_j / n_j  (rad/px),    q_d = 0 .. n_d // 2,

so the last axis holds only non-negative frequencies. Sums over the full plane are sums over
the half plane with the weights of :func:`half_plane_weights`, which also carry Parseval's ``1/N``.
"""

import math
from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np


def image_axes(ndim: int) -> tuple[int, ...]:
    """The trailing axes of an image of rank ``ndim``, so that leading axes may stack images."""
    return tuple(range(-ndim, 0))


def forward_transform(images: jax.Array, ndim: int) -> jax.Array:
    """Half-plane FFT over the last ``ndim`` axes; leading axes are a stack of images."""
    return jnp.fft.rfftn(images, axes=image_axes(ndim))


def inverse_transform(spectra: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """Inverse of :func:`forward_transform`; ``image_shape`` tells odd sizes from even ones."""
    return jnp.fft.irfftn(spectra, s=image_shape, axes=image_axes(len(image_shape)))


def inverse_transforms(
    spectra: Sequence[jax.Array], image_shape: tuple[int, ...]
) -> list[jax.Array]:
    """:func:`inverse_transform` of each, which may run side by side, each on a core of its own.

    Inside of a program the CPU gives a transform, be it of a stack, a single core. And unless told
    otherwise XLA writes results over a spectrum of which nothing more is needed, and they wait for
    its transform, those of another frame, too. So every spectrum is needed once more at the end:
    for a number that is zero, which XLA cannot know.
    """
    images = [inverse_transform(spectrum, image_shape) for spectrum in spectra]
    ndim = len(image_shape)
    # The index waits for the last image. It is always that of the zero frequency, whose imaginary
    # part is 0 for a real image.
    row = jnp.isnan(images[-1][(0,) * ndim]).astype(jnp.int32)
    place = [row] + [jnp.zeros_like(row)] * (ndim - 1)
    for spectrum in spectra:
        number = jax.lax.dynamic_slice(spectrum, place, (1,) * ndim, allow_negative_indices=False)
        images[0] += number.imag
    return images


def multiply(first: jax.Array, second: jax.Array) -> jax.Array:
    """Product of arrays, either of which may be complex: strict promotion does not mix them."""
    if jnp.iscomplexobj(first) == jnp.iscomplexobj(second):
        return first * second
    if jnp.iscomplexobj(first):
        return first * second.astype(first.dtype)
    return first.astype(second.dtype) * second


def unit_phase(angle: jax.Array) -> jax.Array:
    """``exp(i angle)``, angle in rad."""
    return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


def along_axis(values: jax.Array, axis: int, ndim: int) -> jax.Array:
    """Reshape a vector so that it lies along ``axis`` of a rank-``ndim`` array."""
    return values.reshape([-1 if k == axis else 1 for k in range(ndim)])


def coordinates(shape: Sequence[int], dtype) -> list[jax.Array]:
    """Px from the middle of a frame along each axis, to be broadcast."""
    return [
        along_axis(jnp.arange(n, dtype=dtype) - (n - 1) / 2, axis, len(shape))
        for axis, n in enumerate(shape)
    ]


def squared_frequency(image_shape: tuple[int, ...], dtype) -> jax.Array:
    """|w|^2 on the half plane, (rad/px)^2."""
    return sum(w**2 for w in angular_frequencies(image_shape, dtype))  # pyright: ignore


def spectrum_shape(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the half-plane spectrum of an image of shape ``image_shape``."""
    return (*image_shape[:-1], image_shape[-1] // 2 + 1)


def frequency_indices(image_shape: tuple[int, ...]) -> list[np.ndarray]:
    """Signed integer frequency indices ``q_j`` of every axis, one vector per axis."""
    indices = []
    for size, stored in zip(image_shape, spectrum_shape(image_shape), strict=True):
        index = np.arange(stored)
        # The half axis is not negative; a full axis has its negative half at the end.
        indices.append(np.where(2 * index > size, index - size, index))
    return indices


def angular_frequencies(image_shape: tuple[int, ...], dtype) -> list[jax.Array]:
    """Angular frequency ``w_j`` in rad/px per axis, each shaped to broadcast on the spectrum."""
    ndim = len(image_shape)
    return [
        along_axis(jnp.asarray((2 * math.pi / size) * index, dtype), axis, ndim)
        for axis, (size, index) in enumerate(
            zip(image_shape, frequency_indices(image_shape), strict=True)
        )
    ]


def shift_phase(shift: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """``exp(-i w . shift)`` on the half-plane grid, for a shift in px, ``[ndim]``."""
    return outer_product(shift_factors(shift, image_shape))


def shift_factors(
    shift: jax.Array, image_shape: tuple[int, ...], order: int = 0
) -> list[jax.Array]:
    """``exp(-i w_j shift_j)`` along every axis, or its first derivative by the shift; vectors.

    The Nyquist frequency stands for both signs, whose mean is real: with the phase of one sign
    alone, what is there would move along the other axes.
    """
    factors = []
    for axis, w in enumerate(angular_frequencies(image_shape, shift.dtype)):
        w = w.reshape(-1)
        even, odd = jnp.cos(shift[axis] * w), -jnp.sin(shift[axis] * w)
        if order:
            even, odd = w * odd, -w * even
        is_nyquist = 2 * frequency_indices(image_shape)[axis] == image_shape[axis]
        factors.append(jax.lax.complex(even, jnp.where(is_nyquist, 0, odd)))
    return factors


def shift_slopes(shift: jax.Array, image_shape: tuple[int, ...]) -> list[jax.Array]:
    """The derivatives of :func:`shift_phase` by the shift."""
    factors, slopes = (shift_factors(shift, image_shape, order) for order in (0, 1))
    return [
        outer_product([*factors[:k], slope, *factors[k + 1 :]]) for k, slope in enumerate(slopes)
    ]


def outer_product(factors: Sequence[jax.Array]) -> jax.Array:
    """The product of vectors, each along an axis of its own."""
    return reduce(multiply, (along_axis(f, k, len(factors)) for k, f in enumerate(factors)))


def half_plane_weights(image_shape: tuple[int, ...], dtype) -> jax.Array:
    """Weights ``m`` of the last axis with ``sum_x x y = sum_w m Re(conj(X) Y)`` (Parseval).

    ``m = 2/N`` where a stored frequency stands for itself and its mirror image, ``1/N`` on the
    zero frequency and, for even sizes, on the Nyquist frequency, which are their own mirror.
    """
    weights = jnp.asarray(plane_counts(image_shape[-1]) / math.prod(image_shape), dtype)
    return along_axis(weights, len(image_shape) - 1, len(image_shape))


def plane_counts(size: int) -> np.ndarray:
    """Frequencies of the full plane that those stored of the last axis stand for: 1 or 2."""
    index = np.arange(size // 2 + 1)
    return np.where((index > 0) & (2 * index != size), 2.0, 1.0)


def half_plane_sum(
    values: jax.Array, image_shape: tuple[int, ...], *, zero_frequency: bool = True
) -> jax.Array:
    """``sum_w m values``, with or without the zero frequency.

    A matrix product with m: on the CPU a sum of everything is three times slower. The zero
    frequency may be huge, so that it is not subtracted; its line is summed again.
    """
    weights = half_plane_weights(image_shape, values.dtype).reshape(-1)
    first = (0,) * (len(image_shape) - 1)
    line = weights * values[first]
    line = jnp.sum(line if zero_frequency else line.at[0].set(0))
    if len(image_shape) == 1:
        return line
    return jnp.sum(jnp.matmul(values, weights, precision="highest").at[first].set(line))


def squared_magnitude(z: jax.Array) -> jax.Array:
    """|z|^2, real."""
    return z.real**2 + z.imag**2
