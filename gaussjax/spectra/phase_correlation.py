"""The displacement of the images of a pair, in whole pixels."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import inverse_transform, multiply, shift_phase, squared_frequency
from gaussjax.spectra.cross_spectra import Spectra

# px by which the correlation is smoothed before its peak is taken.
_CORRELATION_WIDTH = 1.5


def correlation_peak(spectra: Spectra) -> jax.Array:
    """Whole pixels by which B is displaced against A, ``[ndim]``: peak of the phase correlation.

    Source: C. D. Kuglin and D. C. Hines, "The phase correlation image alignment method", Proc.
    IEEE Conf. Cybernetics and Society, 1975; smoothed here, for noise and for blur.
    """
    shape = spectra.image_shape
    cross = spectra.cross_power
    size = jnp.abs(cross)
    squares = squared_frequency(shape, size.dtype)
    phase = jnp.where(size > 0, cross / jnp.where(size > 0, size, 1).astype(cross.dtype), 0)
    smooth = multiply(jnp.exp(-0.5 * _CORRELATION_WIDTH**2 * squares), phase)
    correlation = inverse_transform(smooth, shape)
    found = jnp.unravel_index(jnp.argmax(correlation), shape)
    signed = [jnp.where(2 * k > n, k - n, k) for k, n in zip(found, shape, strict=True)]
    return jnp.stack(signed).astype(size.dtype)


def translated(spectra: Spectra, shift: jax.Array) -> Spectra:
    """The pair with B moved back by ``shift`` px, as if it were periodic."""
    phase = shift_phase(-shift, spectra.image_shape)
    return replace(spectra, cross_power=spectra.cross_power * phase)
