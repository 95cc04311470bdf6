"""The squared misfit of a blur on spectra: by frequency, and as a sum."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from gaussjax.model.fourier import along_axis, half_plane_sum, multiply
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import KernelName
from gaussjax.model.params import BlurParams, as_params
from gaussjax.model.transfer import known_reach, system_response
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.spectra.cross_spectra import Spectra, check_spectra


@automatic_sharding
def loss(
    params: BlurParams | ArrayLike,
    spectra: Spectra,
    *,
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
) -> jax.Array:
    """Half the sum of squared residuals of periodic images, from their spectra alone.

    ``1/2 sum_x (g*A - B)^2 = 1/2 sum_w m (P |T - H|^2 + R)``, equal to ``image_loss`` with
    ``boundary="periodic"``; summed over all pairs in ``spectra``.

    Args:
        params: BlurParams (without offset), or sigma in px: a scalar or one per axis.
        spectra: of one or many pairs.
        kernel: a name or a Kernel; this and the next two as in :func:`~gaussjax.blur`.
        truncate: "sampled" only.
        radius: "sampled" only.

    Raises:
        TypeError: no Spectra, or params that are no real numbers.
        ValueError: a batch of spectra, unknown kernel, params of a wrong shape, or params with an
            offset, which the spectra do not determine.
    """
    check_spectra(spectra)
    params = as_params(params, len(spectra.image_shape), spectra.reference_power.dtype)
    if params.offset is not None:
        raise ValueError(
            "spectra carry no offset; use image_loss, or params with offset=None; got params.offset"
        )
    convention = as_kernel(kernel, truncate, radius)
    reach = known_reach(params, convention, spectra.image_shape)
    squares = spectral_squares(params, spectra, convention, reach)
    return 0.5 * half_plane_sum(squares, spectra.image_shape)


def spectral_squares(params: BlurParams, spectra: Spectra, kernel: Kernel, reach: int) -> jax.Array:
    """``P |T - H|^2 + R``, what the blur leaves of every frequency."""
    return squared_misfit(system_response(params, spectra.image_shape, kernel, reach), 1, spectra)


def squared_misfit(response: jax.Array, factor: jax.Array | float, spectra: Spectra) -> jax.Array:
    """``sum |response a - factor b|^2`` over the pairs, at every frequency."""
    # T^2 P - 2 T C + Q has no correct digit in float32; and H the compiler would write to memory
    # for its other users.
    power = spectra.reference_power
    inverse = 1 / jnp.where(power > 0, power, 1)
    misfit = multiply(jnp.asarray(factor, power.dtype), spectra.cross_power)
    misfit = multiply(response, power).astype(misfit.dtype) - misfit
    squared = jnp.real(misfit) * (inverse * jnp.real(misfit))
    squared = squared + jnp.imag(misfit) * (inverse * jnp.imag(misfit))
    return jnp.where(power > 0, squared, 0) + factor**2 * spectra.unexplained_power


def without_zero_frequency(spectrum: jax.Array) -> jax.Array:
    """Set the zero frequency to 0: T(0) = 1 whatever sigma is, and an offset would sit there."""
    # A comparison is fused with what follows; .at[] copies the spectrum.
    indices = [along_axis(jnp.arange(n), k, spectrum.ndim) for k, n in enumerate(spectrum.shape)]
    return jnp.where(sum(indices) == 0, 0, spectrum)


def blur_powers(spectra: Spectra) -> tuple[jax.Array, jax.Array]:
    """P and Re C without the zero frequency: all that the fit of a symmetric blur reads."""
    return (
        without_zero_frequency(spectra.reference_power),
        without_zero_frequency(spectra.cross_power.real),
    )
