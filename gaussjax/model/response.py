"""The model of an interior fit: a vector of numbers on one side, a predicted image on the other.

    B(x) = gain (g * A)(x - shift) + offset,    response R(w) = gain T(w) exp(-i w . shift)

In the frame's own centre and scale the offset becomes a *level*, the mean that B has on top of
``gain g * A``: unlike the offset it is hardly correlated with the gain.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import (
    angular_frequencies,
    forward_transform,
    half_plane_weights,
    inverse_transforms,
    shift_phase,
)
from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams, num_variances
from gaussjax.model.transfer import (
    axis_margins,
    gaussian_transfer,
    is_separable,
    response_factors,
    system_response,
)
from gaussjax.numerics.linear_algebra import diagonal, long_products, product
from gaussjax.pair.frame import Frame

# The inverse of a narrow kernel has no finite support; its tail is gone after a few px more.
_INVERSE_MARGIN = 6


@dataclass(frozen=True)
class BlurModel:
    """The static part of a fit: which Gaussian and nuisances, on which grid (not a pytree).

    The vector of its parameters holds the variances (px^2), then, as far as they are fitted, the
    gain, the level (in the frame's scale) and the shift (px).

    Attributes:
        family: of the Gaussian.
        kernel: the convention.
        reach: largest radius in px that "sampled" and "integrated" may take.
        largest_margins: px per axis that leave enough pixels to compare.
        gain: fit it.
        offset: fit it.
        shift: fit it.
    """

    family: str
    kernel: Kernel
    reach: int
    largest_margins: tuple[int, ...]
    gain: bool = False
    offset: bool = False
    shift: bool = False

    @property
    def ndim(self) -> int:
        """Number of axes of the images."""
        return len(self.largest_margins)

    @property
    def num_variances(self) -> int:
        """Number of leading entries of the vector that are variances."""
        return num_variances(self.family, self.ndim)

    @property
    def num_parameters(self) -> int:
        """Length of the vector."""
        return self.num_variances + self.gain + self.offset + self.shift * self.ndim

    def pack(self, variance, gain, level, shift) -> jax.Array:
        """The vector of these values; those that are not fitted are left out."""
        parts = [variance]
        parts += [jnp.reshape(gain, (1,))] if self.gain else []
        parts += [jnp.reshape(level, (1,))] if self.offset else []
        parts += [shift] if self.shift else []
        return jnp.concatenate([jnp.asarray(part, variance.dtype) for part in parts])

    def params(self, vector: jax.Array) -> BlurParams:
        """BlurParams of a vector, but for the offset: see :meth:`offset_of`."""
        p = self.num_variances
        return BlurParams(
            vector[:p],
            gain=vector[p] if self.gain else None,
            shift=vector[-self.ndim :] if self.shift else None,
            family=self.family,
        )

    def level(self, vector: jax.Array, frame: Frame) -> jax.Array:
        """What is added to ``gain g * A`` in the frame's centre and scale."""
        if self.offset:
            return vector[self.num_variances + self.gain]
        if self.gain:
            return (vector[self.num_variances] - 1) * frame.centre / frame.scale
        return jnp.zeros((), vector.dtype)

    def offset_of(self, vector: jax.Array, frame: Frame) -> jax.Array | None:
        """The offset in the unit of the images, or None where none is fitted."""
        if not self.offset:
            return None
        gain = vector[self.num_variances] if self.gain else 1
        return frame.scale * self.level(vector, frame) - (gain - 1) * frame.centre

    def margins(self, vector: jax.Array) -> jax.Array:
        """Margins in px that blur and shift ask for, within those that leave pixels to compare."""
        return prediction_margins(self.params(vector), self.kernel, self.largest_margins)

    @property
    def is_separable(self) -> bool:
        """R is a product of one function for each axis."""
        return is_separable(self.family, self.ndim)

    def factors(self, vector: jax.Array, shape: tuple[int, ...]) -> list[jax.Array]:
        """Those functions on the half-plane grid of ``shape``, if R is separable."""
        return response_factors(self.params(vector), shape, self.kernel, self.reach)

    def response(self, vector: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """R on the half-plane grid of ``shape``; real where no shift is fitted."""
        return system_response(self.params(vector), shape, self.kernel, self.reach)

    def responses(self, vector: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
        """R and its derivatives by the vector, ``[*spectrum]`` and ``[k, *spectrum]``."""
        p, params = self.num_variances, self.params(vector)

        def transfer(variance):
            moved = replace(params, variance=variance)
            return (gaussian_transfer(moved, shape, self.kernel, self.reach),) * 2

        # Of T alone, which is real: derivatives of gain and phase by the variances are zeros that
        # would be written out.
        by_variance, plain = jax.jacfwd(transfer, has_aux=True)(params.variance)
        shifted = 1 if params.shift is None else shift_phase(params.shift, shape)
        factor = shifted if params.gain is None else params.gain * shifted
        response = factor * plain
        slopes = [factor * by_variance[..., j] for j in range(p)]
        slopes += [shifted * plain] if self.gain else []
        slopes += [jnp.zeros_like(response)] if self.offset else []
        if self.shift:
            slopes += [-1j * w * response for w in angular_frequencies(shape, vector.dtype)]
        return response, jnp.stack(slopes)

    def project(self, coefficients: jax.Array, vector: jax.Array, shape) -> jax.Array:
        """``Re sum_w c (R - 1)`` for a stack of spectra c, ``[k, *spectrum] -> [k]``.

        Axis by axis where R is separable, which reads c once and forms no R: a search for the
        vector evaluates this many times. R - 1, so that a small blur is not lost in rounding.
        """
        if not self.is_separable:
            change = self.response(vector, shape) - 1
            return long_products(coefficients, change)
        factors = self.factors(vector, shape)
        # R - 1 = (f_0 - 1) + f_0 (f_1 - 1) + f_0 f_1 (f_2 - 1), from the last axis to the first. As
        # matrix products: sums of products along an axis are ten times slower on the CPU.
        *others, last = factors
        change, total = product(coefficients, last - 1), jnp.sum(coefficients, axis=-1)
        for factor in reversed(others):
            change = product(total, factor - 1) + product(change, factor)
            total = jnp.sum(total, axis=-1)
        return jnp.real(change)

    def residual(self, vector: jax.Array, frame: Frame) -> tuple[jax.Array, jax.Array]:
        """Residual and Jacobian of the prediction on the extended frame, in its scale.

        Returns:
            ``r = predicted - B``, ``[*frame]``, and ``J = d r / d vector``, ``[k, *frame]``.
        """
        response, slopes = self.responses(vector, frame.blurred.shape)
        p = self.num_variances
        blurs = [*slopes[:p], *slopes[p + self.gain + self.offset :]]
        # R - 1 against B - A: a small blur is not lost in the rounding of the images.
        spectra = [factor * frame.spectrum for factor in (response - 1, *blurs)]
        change, *fields = inverse_transforms(spectra, frame.blurred.shape)
        if self.offset:
            fields.insert(p, jnp.zeros_like(change))
        if self.gain:
            # What the gain multiplies is at hand already, but for a gain of 0.
            predicted = frame.blurred - frame.difference + change
            fields.insert(p, predicted / jnp.where(vector[p] == 0, 1, vector[p]))
        level, by_vector = jax.value_and_grad(self.level)(vector, frame)
        residual = change + level - frame.difference
        # Stacked last: to whoever asks for single fields the compiler gives those, and no stack.
        return residual, jnp.stack([x + more for x, more in zip(fields, by_vector, strict=True)])

    def products(self, images: jax.Array, frame: Frame) -> jax.Array:
        """The c with which :meth:`project` gives ``<image, predicted - A>``; of stacked images."""
        weights = half_plane_weights(frame.blurred.shape, images.dtype)[None]
        products = weights * (jnp.conj(forward_transform(images, self.ndim)) * frame.spectrum[None])
        # Without a shift R is real.
        return products if self.shift else products.real

    def turning(self, vector: jax.Array, products: jax.Array, shape) -> jax.Array:
        """``<image, d^2 predicted / d vector^2>``, ``[k, k]``: how the Jacobian turns along it.

        Args:
            vector: where.
            products: of the image alone, from :meth:`products`, ``[1, *spectrum]``.
            shape: of the frame.
        """

        def along(theta):
            return self.project(products, theta, shape)[0]

        # Forward twice: one parameter needs no reverse sweep over the frame.
        return jax.jacfwd(jax.jacfwd(along))(vector)


def prediction_margins(params: BlurParams, kernel: Kernel, largest: tuple[int, ...]) -> jax.Array:
    """Px per axis that a prediction is wrong inside of an edge, at most ``largest``; ``[ndim]``."""
    ndim = len(largest)
    wanted = axis_margins(params, kernel, ndim)
    sharpens = diagonal(params.covariance_matrix(ndim)) < 0
    wanted = jnp.where(sharpens, wanted + _INVERSE_MARGIN, wanted)
    return jnp.minimum(wanted, jnp.asarray(largest, wanted.dtype))
