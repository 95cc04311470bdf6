"""The largest levels that the noise of two images can have, by the finest detail of either.

Noise may be stronger in parts of the frame, and its level is the mean over the pixels that are
compared. So the bound on it is of these pixels, too: a high-pass of a few px, squared, before any
window. A spectrum of the middle of the frame bounds another mean.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gaussjax.model.folding import CoarseGrid
from gaussjax.model.window import Window
from gaussjax.pair.departure_fields import HALO, derivative
from gaussjax.pair.filtered_noise import colours_of_both
from gaussjax.pair.frame import Frame
from gaussjax.spectra.cross_spectra import Spectra
from gaussjax.statistics.noise_levels import CEILING, coloured_ceiling

# Fourth differences of white noise of variance 1 have this variance, along each axis.
_GAIN = math.comb(8, 4)


def finest_detail(image: jax.Array, window: Window) -> jax.Array:
    """Variance of white noise with as much power in the finest detail, inside a window."""
    weights = window.values**2
    # Pixels at an edge count only where the frame is periodic.
    detail = derivative(jnp.pad(image, HALO, mode="wrap"), (4,) * image.ndim) ** 2
    total = jnp.sum(weights)
    return jnp.sum(weights * detail) / jnp.where(total > 0, total, 1) / _GAIN**image.ndim


def over_detail(
    spectra: Spectra,
    window: Window,
    images: Sequence[jax.Array],
    correlation: jax.Array | None,
    grid: CoarseGrid | None,
) -> jax.Array:
    """Largest (v_A, v_B) over the finest detail of either image, ``[2]``.

    Coloured noise may have none of the finest detail: its bound is that of a band of frequencies
    (:func:`~gaussjax.statistics.noise_levels.coloured_ceiling`), in the same window.

    Args:
        spectra: of both images in a window.
        window: likewise.
        images: on the grid of B, in the unit of the spectra.
        correlation: autocorrelations of their noise, ``[2, *lags]``; None: white.
        grid: of B on that of A; None: they share one.
    """
    shape, dtype = spectra.image_shape, spectra.reference_power.dtype
    if correlation is None:
        # A mean over pixels of A has less of their noise.
        return CEILING * jnp.asarray([1.0 if grid is None else grid.averaged, 1], dtype)
    colours = colours_of_both(correlation, grid, shape)
    powers = spectra.reference_power, spectra.blurred_power
    largest = coloured_ceiling(powers, colours, shape) / window.sum(2)
    detail = jnp.stack([finest_detail(image, window) for image in images])
    return largest / jnp.where(detail > 0, detail, jnp.inf)


def largest_levels(frame: Frame, window: Window, ceiling: jax.Array) -> jax.Array:
    """Largest (v_A, v_B) on the pixels that a window shows, ``[2]``, from those over the detail."""
    images = frame.blurred - frame.difference, frame.blurred
    return ceiling * jnp.stack([finest_detail(image, window) for image in images])
