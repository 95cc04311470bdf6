"""Rounding of the images themselves: steps of integer pixels are noise of known level."""

import jax
import jax.numpy as jnp
import numpy as np

# Units in which floating-point images hold whole numbers: as they are, or bytes scaled to 0 .. 1.
_UNITS = (1, 255)
# Pixels that are looked at, and how near to a whole number each of them has to be.
_PIXELS, _NEAR = 2**14, 1e-3
# Images of fewer grey levels than this are drawn rather than rounded.
_LEAST_LEVELS = 16


def quantisation_step(image) -> jax.Array:
    """Distance of the grey levels of an image; 0 where they are none. Scalar.

    Known of integers; of floating-point images it is seen in the pixels.
    """
    dtype = np.dtype(getattr(image, "dtype", float))
    if dtype.kind in "iub":
        return jnp.ones(()) * (dtype.kind != "b")
    image = jnp.asarray(image)
    rows = image[:: max(image.size // _PIXELS, 1)]
    rows = jnp.where(jnp.isfinite(rows), rows, 0)
    step = jnp.zeros(())
    for unit in reversed(_UNITS):
        levels = unit * rows
        on_grid = jnp.all(jnp.abs(levels - jnp.round(levels)) < _NEAR)
        several = jnp.max(levels) - jnp.min(levels) >= _LEAST_LEVELS
        step = jnp.where(on_grid & several, 1 / unit, step)
    return step


def rounding_noise(step: jax.Array) -> jax.Array:
    """Variance that rounding to a step adds to a pixel: ``step^2 / 12``.

    Source: B. Widrow, I. Kollar and M.-C. Liu, "Statistical theory of quantization", IEEE Trans.
    Instrum. Meas. 45(2), 1996.
    """
    return step**2 / 12
