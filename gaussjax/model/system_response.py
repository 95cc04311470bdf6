"""The model of a pair: from a vector of parameters to the response and its derivatives.

B(x) = gain (g * A)(x - shift) + offset,    response R(w) = gain T(w) exp(-i w . shift)
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import multiply, shift_phase, shift_slopes
from gaussjax.model.generalised_gaussian import LARGEST_EXPONENT, LEAST_EXPONENT, tail_margins
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import GENERALISED, AnyFamily
from gaussjax.model.params import BlurParams, num_variances
from gaussjax.model.transfer import (
    axis_margins,
    gaussian_transfer,
    is_separable,
    response_factors,
    system_response,
)
from gaussjax.numerics.linear_algebra import diagonal, product, real_products

# The inverse of a narrow kernel has no finite support; its tail ends a few px farther out.
_INVERSE_MARGIN = 6


@dataclass(frozen=True)
class BlurModel:
    """The static part of a fit: which Gaussian and nuisances, on which grid (not a pytree).

    The vector of its parameters holds the variances (px^2), then, as far as they are fitted, the
    gain, the level (in the frame's scale), the exponent, the shift (px), and of a ``motion`` the
    angle (rad) and the log scale that are left after B has been brought to the grid of A, in which
    B is linear.
    """

    family: AnyFamily  # of the Gaussian
    kernel: Kernel  # the convention
    reach: int  # largest radius in px that "sampled" and "integrated" may take
    largest_margins: tuple[int, ...]  # px per axis that leave enough pixels to compare
    gain: bool = False  # fit it
    offset: bool = False  # fit it
    shift: bool = False  # fit it
    motion: bool = False  # fit a rotation and a scale beside the shift
    spacing: tuple[float, ...] | None = None  # of pixels, for a blur that is round in a unit

    @property
    def ndim(self) -> int:
        """Number of axes of the images."""
        return len(self.largest_margins)

    @property
    def num_variances(self) -> int:
        """Number of leading entries of the vector that are variances."""
        return num_variances(self.family, self.ndim)

    @property
    def has_exponent(self) -> bool:
        """The exponent of T is fitted, too."""
        return self.family == GENERALISED

    @property
    def is_isotropic(self) -> bool:
        """The blur is the same in all directions."""
        return self.family in ("isotropic", GENERALISED)

    @property
    def exponent_index(self) -> int:
        """The place of the exponent in the vector, if it has one."""
        return self.num_variances + self.gain + self.offset

    @property
    def shift_index(self) -> int:
        """The place of the shift's first entry in the vector, if it has one."""
        return self.exponent_index + self.has_exponent

    @property
    def num_parameters(self) -> int:
        """Length of the vector."""
        return self.shift_index + self.shift * self.ndim + 2 * self.motion

    def pack(self, variance, gain, level, shift, exponent: jax.Array | float = 2.0) -> jax.Array:
        """The vector of these values; those that are not fitted are left out."""
        parts = [variance]
        parts += [jnp.reshape(gain, (1,))] if self.gain else []
        parts += [jnp.reshape(level, (1,))] if self.offset else []
        parts += [jnp.reshape(jnp.asarray(exponent), (1,))] if self.has_exponent else []
        parts += [shift] if self.shift else []
        parts += [jnp.zeros(2)] if self.motion else []
        return jnp.concatenate([jnp.asarray(part, variance.dtype) for part in parts])

    def box(self, lower, upper, dtype) -> tuple[jax.Array, jax.Array]:
        """Bounds on the vector, ``[k]`` each, from those on the variances."""
        bounded = variances_along_axes(self)
        low = jnp.where(bounded, lower, jnp.asarray(-jnp.inf, dtype))
        high = jnp.where(bounded, upper, jnp.asarray(jnp.inf, dtype))
        if self.has_exponent:
            low = low.at[self.exponent_index].set(LEAST_EXPONENT)
            high = high.at[self.exponent_index].set(LARGEST_EXPONENT)
        return low, high

    def params(self, vector: jax.Array) -> BlurParams:
        """BlurParams of a vector, without the offset, for which a frame is needed."""
        p = self.num_variances
        return BlurParams(
            vector[:p],
            gain=vector[p] if self.gain else None,
            shift=vector[self.shift_index :][: self.ndim] if self.shift else None,
            exponent=vector[self.exponent_index] if self.has_exponent else None,
            family=self.family,
            spacing=self.spacing,
        )

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

        def transfer(form):
            exponent = form[p] if self.has_exponent else None
            moved = replace(params, variance=form[:p], exponent=exponent)
            return (gaussian_transfer(moved, shape, self.kernel, self.reach),) * 2

        # The derivatives of T alone, which is real: those of gain and phase by the variances are
        # zeros, and would be written to memory.
        form = vector[:p]
        if params.exponent is not None:
            form = jnp.concatenate([form, params.exponent[None]])
        by_form, plain = jax.jacfwd(transfer, has_aux=True)(form)
        one = jnp.ones((), vector.dtype)
        shifted = one if params.shift is None else shift_phase(params.shift, shape)
        factor = shifted if params.gain is None else multiply(params.gain, shifted)
        response = multiply(factor, plain)
        by_each = [multiply(factor, by_form[..., j]) for j in range(form.size)]
        slopes = by_each[:p]
        slopes += [multiply(shifted, plain)] if self.gain else []
        slopes += [jnp.zeros_like(response)] if self.offset else []
        slopes += by_each[p:]
        if params.shift is not None:
            whole = plain if params.gain is None else params.gain * plain
            slopes += [multiply(x, whole) for x in shift_slopes(params.shift, shape)]
        slopes += [jnp.zeros_like(response)] * (2 * self.motion)
        return response, jnp.stack(slopes)

    def project(self, coefficients: jax.Array, vector: jax.Array, shape) -> jax.Array:
        """``Re sum_w c (R - 1)`` for a stack of spectra c, ``[k, *spectrum] -> [k]``.

        Axis by axis where R is separable, which reads c once and forms no R: a search for the
        vector evaluates this many times. R - 1, so that a small blur is not lost in rounding.
        """
        if not self.is_separable:
            change = self.response(vector, shape) - 1
            return real_products(coefficients, jnp.conj(change)[None])[:, 0]
        factors = self.factors(vector, shape)
        # R - 1 = (f_0 - 1) + f_0 (f_1 - 1) + f_0 f_1 (f_2 - 1), from the last axis to the first. As
        # matrix products: sums of products along an axis are ten times slower on the CPU.
        *others, last = factors
        change, total = product(coefficients, last - 1), jnp.sum(coefficients, axis=-1)
        for factor in reversed(others):
            change = product(total, factor - 1) + product(change, factor)
            total = jnp.sum(total, axis=-1)
        return jnp.real(change)


def variances_along_axes(model: BlurModel) -> np.ndarray:
    """Which entries of its vector are variances along axes, for which the bounds are, ``[k]``."""
    along = np.arange(model.num_parameters) < model.num_variances
    if model.family == "full":  # off the diagonal either sign is right
        rows, columns = np.triu_indices(model.ndim)
        along[: model.num_variances] = rows == columns
    return along


def prediction_margins(params: BlurParams, kernel: Kernel, largest: tuple[int, ...]) -> jax.Array:
    """Px per axis that a prediction is wrong inside of an edge, at most ``largest``; ``[ndim]``."""
    ndim = len(largest)
    wanted = axis_margins(params, kernel, ndim)
    sharpens = diagonal(params.covariance_matrix(ndim)) < 0
    wanted = jnp.where(sharpens, wanted + _INVERSE_MARGIN, wanted)
    most = jnp.asarray(largest, wanted.dtype)
    if params.exponent is not None:
        wanted = tail_margins(wanted, params.sigma(ndim), params.exponent, most)
    return jnp.minimum(wanted, most)
