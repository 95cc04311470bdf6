"""How the noise of neighbouring pixels correlates, and the spectra of such noise in any frame.

Stationary noise of variance v and autocorrelation rho has the power v s per pixel,

    s(w) = sum_x rho(x) cos(w . x),

a short sum that is exact at the frequencies of every frame, crop or tile. The mean of s over the
frequencies is rho(0) = 1: white noise has s = 1.
"""

import math
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.checks import shown
from gaussjax.model.array_checks import as_real, is_traced
from gaussjax.model.fourier import frequency_indices, unit_phase

# A spectrum is nowhere less: the noise of a residual has to be divided by.
_LEAST = 1e-6
# A spectrum, whose mean is 1, is told no better than this.
LEAST_COLOUR = 1e-3
# Part of its largest value by which a spectrum may be negative: an autocorrelation that was
# measured, or cut off, has as much. Such a frequency counts as empty.
_TOLERATED = 0.1
_WANTED = (
    "(correlation_reference, correlation_blurred), each None, an array with odd sides that is"
    " symmetric under reflection through its middle, where it is 1, or the sigma in px, up to"
    " 16, of the Gaussian that has smoothed white noise"
)
_WIDEST = 16.0  # px, of such a Gaussian


def as_noise_correlation(correlation: Any, noise_std: Any, image: Any) -> jax.Array | None:
    """Both autocorrelations in one box of lags, ``[2, *lags]``; None where all noise is white.

    They are of the rank and the type of an image. TypeError unless they are a pair of None, numbers
    and arrays of real numbers; ValueError without ``noise_std``, or for what is no autocorrelation.
    """
    if correlation is None:
        return None
    if not isinstance(correlation, tuple | list) or len(correlation) != 2:
        raise TypeError(f"noise_correlation must be {_WANTED}; got {shown(correlation)}")
    if noise_std is None:
        raise ValueError(
            "noise_correlation is the shape of the noise that noise_std tells the level of: pass"
            " noise_std=(std_reference, std_blurred) or 'estimate', or leave noise_correlation out"
        )
    ndim, dtype = image.ndim, image.dtype
    checked = [None if each is None else _as_one(each, ndim, dtype) for each in correlation]
    if all(each is None for each in checked):
        return None
    one = np.ones((1,) * ndim, dtype)
    each = [one if c is None else c for c in checked]
    box = np.max([c.shape for c in each], axis=0)
    library: Any = jnp if is_traced(*each) else np
    rooms = [[((n - m) // 2,) * 2 for n, m in zip(box, c.shape, strict=True)] for c in each]
    both = library.stack([library.pad(c, room) for c, room in zip(each, rooms, strict=True)])
    return both if is_traced(both) else jax.device_put(both)


def _as_one(correlation: Any, ndim: int, dtype) -> Any:
    """One of them; NaN, which a status tells, for values that are wrong while they are traced."""
    refusal = f"noise_correlation must be {_WANTED}; got {shown(correlation)}"
    rho = as_real(correlation, "noise_correlation", "iuf")
    if rho.ndim == 0 and not is_traced(rho):
        if not 0 <= float(rho) <= _WIDEST:
            raise ValueError(refusal)
        return correlation_of_gaussian(float(rho), ndim).astype(dtype)
    if rho.ndim != ndim or not all(n % 2 for n in rho.shape):
        raise ValueError(f"{refusal} of shape {rho.shape} for images with {ndim} axes")
    middle = tuple(n // 2 for n in rho.shape)
    if is_traced(rho):
        rho = rho.astype(dtype)
        right = jnp.isclose(rho[middle], 1) & jnp.allclose(rho, jnp.flip(rho), atol=1e-3)
        return jnp.where(right, rho, jnp.asarray(jnp.nan, dtype))
    rho = np.asarray(rho, float)
    right = np.all(np.isfinite(rho)) and np.isclose(rho[middle], 1, atol=1e-3)
    if not right or not np.allclose(rho, np.flip(rho), atol=1e-3):
        raise ValueError(refusal)
    # Fine enough to see the transform between the frequencies of any frame.
    fine = np.zeros([4 * n for n in rho.shape])
    fine[tuple(slice(0, n) for n in rho.shape)] = rho
    power = np.fft.rfftn(np.roll(fine, [-k for k in middle], range(ndim))).real
    if np.min(power) < -_TOLERATED * np.max(power):
        raise ValueError(
            "noise_correlation is no autocorrelation: its transform, the spectrum of the noise, is"
            f" {np.min(power):.2g} at its least and {np.max(power):.2g} at its largest, and must"
            " not be negative; tell it out to larger lags, or let it fall off more slowly"
        )
    return rho.astype(dtype)


def correlation_of_gaussian(sigma: float, ndim: int) -> np.ndarray:
    """Autocorrelation of white noise that a sampled Gaussian of this sigma, px, has smoothed."""
    reach = int(4 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 0.1)) ** 2)
    along = np.correlate(taps, taps, "full") / np.sum(taps**2)
    return reduce(np.multiply.outer, [along] * ndim)


def noise_colour(correlation: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """Power s of noise of variance 1 with an autocorrelation, on the half plane of a frame.

    The autocorrelation has odd sides with 1 in the middle; the frame may be smaller than its lags.
    """
    spectrum = jax.lax.complex(correlation, jnp.zeros_like(correlation))
    for size, index in zip(image_shape, frequency_indices(image_shape), strict=True):
        lags = np.arange(spectrum.shape[0]) - spectrum.shape[0] // 2
        turns = jnp.asarray(np.outer(lags, index) % size, correlation.dtype) / size
        wave = unit_phase(2 * math.pi * turns)
        # The first axis is summed over, and its frequencies become the last.
        spectrum = jnp.tensordot(spectrum, wave, ((0,), (0,)), precision="highest")
    return jnp.maximum(spectrum.real, _LEAST)
