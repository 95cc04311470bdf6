"""Rounding of the images themselves: steps of integer pixels are noise of known level."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.checks import dtype_of

# Units in which floating-point images hold whole numbers: as they are, or bytes scaled to 0 .. 1.
_UNITS = (1, 255)
# Pixels that are looked at, and how near to a whole number each of them has to be.
_PIXELS, _NEAR = 2**10, 1e-3
# Images of fewer grey levels than this are drawn rather than rounded.
_LEAST_LEVELS = 16


def quantisation_steps(reference, blurred) -> jax.Array:
    """Distances of the grey levels of two images; 0 where they are none. ``[2]``.

    Known of integers; of floating-point images it is seen in the pixels.
    """
    known = known_steps(reference, blurred)
    return visible_steps(reference, blurred) if known is None else known


def known_steps(reference, blurred) -> jax.Array | None:
    """The steps of two images of integers or booleans, ``[2]``; None of others."""
    dtypes = [dtype_of(image) for image in (reference, blurred)]
    kinds = ["f" if dtype is None else dtype.kind for dtype in dtypes]
    if any(kind not in "iub" for kind in kinds):
        return None
    return jax.device_put(np.asarray([kind != "b" for kind in kinds], np.float32))


def as_integers(reference: np.ndarray, blurred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images that hold whole numbers only, of as many levels, as integers; others as they are.

    Of integers it is known which pixels share a grey level.
    """
    images = reference, blurred
    for image in images:
        # In this order: a signalling NaN, which broken files hold, makes all others warn.
        whole = np.all(np.isfinite(image)) and np.all(np.abs(image) < 2**31)
        whole = whole and np.all(image == np.round(image))
        if not whole or np.ptp(image) < _LEAST_LEVELS:
            return images
    return reference.astype(np.int32), blurred.astype(np.int32)


def visible_steps(reference, blurred) -> jax.Array:
    """The steps as they are seen in the pixels, ``[2]``."""
    images = [jnp.asarray(image) for image in (reference, blurred)]
    floating = [image.dtype for image in images if jnp.issubdtype(image.dtype, jnp.floating)]
    dtype = reduce(np.promote_types, floating, np.dtype(np.float32))
    thinned = [image[:: max(image.size // _PIXELS, 1)].reshape(1, -1) for image in images]
    width = min(image.size for image in thinned)
    rows = jnp.stack([image[:, :width].astype(dtype) for image in thinned])
    units = jnp.asarray(_UNITS, rows.dtype)[None, :, None]
    levels = jnp.where(jnp.isfinite(rows), rows, 0) * units
    are_whole = jnp.max(jnp.abs(levels - jnp.round(levels)), axis=2) < _NEAR
    several = jnp.max(levels, axis=2) - jnp.min(levels, axis=2) >= _LEAST_LEVELS
    return jnp.max(jnp.where(are_whole & several, 1 / units[..., 0], 0), axis=1)


def rounding_noise(step: jax.Array) -> jax.Array:
    """Variance that rounding to a step adds to a pixel: ``step^2 / 12``.

    Source: B. Widrow, I. Kollar and M.-C. Liu, "Statistical theory of quantization", IEEE Trans.
    Instrum. Meas. 45(2), 1996.
    """
    return step**2 / 12
