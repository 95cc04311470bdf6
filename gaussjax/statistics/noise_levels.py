"""Levels of the noise in two images, from the power spectra of their residual and of themselves."""

import math

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import angular_frequencies, half_plane_weights, squared_frequency
from gaussjax.statistics.coloured_noise import Colours
from gaussjax.statistics.noise_weighted_sums import LEAST_RATIO, NoiseSpectrum

# Frequencies are high beyond this part of the Nyquist frequency, along every axis.
_CORNER = 0.75
# Factor on the mean power found there, against chance.
CEILING = 1.2


def coloured_regression(power, spectrum: NoiseSpectrum, weights, ceiling) -> jax.Array:
    """Least-squares (v_A, v_B) with ``power = v_A gain + v_B base``, ``[2]``.

    The power is |u|^2 per pixel, the weights are those of the half plane; ceiling as of
    :func:`noise_regression`.
    """
    if spectrum.base is None:
        return noise_regression(power, spectrum.gain, weights / spectrum.density**2, ceiling)
    # Where the noise of B is hardly any, all of it is leakage.
    base = jnp.maximum(spectrum.base, LEAST_RATIO)
    weights = weights * spectrum.trust * (base / spectrum.density) ** 2
    return noise_regression(power / base, spectrum.gain / base, weights, ceiling)


def noise_regression(
    power: jax.Array, noise_gain: jax.Array, weights: jax.Array, ceiling: jax.Array
) -> jax.Array:
    """Least-squares (v_A, v_B) with ``power = v_A noise_gain + v_B``, ``[2]``.

    The power is |u|^2 per pixel, ``noise_gain`` what white noise of A leaves in it, per v_A. The
    ceiling is the largest (v_A, v_B), such as :func:`noise_ceiling`: without it a misfit of the
    blur, as smooth as the image, is taken for noise of A, which makes the misfit worse.
    """
    s0, s1, s2 = (jnp.sum(weights * noise_gain**k) for k in range(3))
    y0, y1 = jnp.sum(weights * power), jnp.sum(weights * noise_gain * power)
    # About the mean, so that near-equal sums do not cancel.
    centred = noise_gain - s1 / s0
    free = jnp.sum(weights * centred * power) / jnp.sum(weights * centred**2)
    v_reference = jnp.clip(free, 0, ceiling[0])
    v_blurred = (y0 - v_reference * s1) / s0
    within = jnp.clip(v_blurred, 0, ceiling[1])
    # Where v_B is at a limit, v_A is fitted anew.
    again = jnp.clip((y1 - within * s1) / s2, 0, ceiling[0])
    v_reference = jnp.where(within == v_blurred, v_reference, again)
    noise = jnp.stack([v_reference, within])
    return floored_noise(jnp.where(jnp.isfinite(noise), noise, ceiling))


def noise_ceiling(power: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """Mean power where the frequencies of all axes are high: noise, and detail of the image."""
    inside = jnp.ones((1,) * len(image_shape), bool)
    for w in angular_frequencies(image_shape, power.dtype):
        inside = inside & (jnp.abs(w) > _CORNER * jnp.pi)
    inside = jnp.broadcast_to(inside, power.shape)
    return CEILING * jnp.mean(power, where=inside)


def coloured_ceiling(
    powers: tuple[jax.Array, jax.Array], colours: Colours, image_shape: tuple[int, ...]
) -> jax.Array:
    """:func:`noise_ceiling`, ``[2]``, of images whose noise has colours, ``[2, *spectrum]``."""
    each = zip(powers, colours, strict=True)
    found = [_largest_level(power, colour, image_shape) for power, colour in each]
    return CEILING * jnp.stack(found)


def _largest_level(power: jax.Array, colour: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """The largest variance that noise of a colour can have in an image of a power spectrum.

    That of no band is more than the band's power. Where white noise shows best, at the highest
    frequencies, noise with few of them does not.
    """
    weights = half_plane_weights(image_shape, power.dtype)
    squares = squared_frequency(image_shape, power.dtype)
    ratios = []
    # By quarters of the Nyquist frequency, the last with the corners beyond it.
    for quarter in range(1, 5):
        low, high = quarter / 4, (quarter + 1) / 4 if quarter < 4 else 2
        inside = (squares > (low * math.pi) ** 2) & (squares <= (high * math.pi) ** 2)
        held = jnp.where(inside, weights, 0)
        total = jnp.sum(held * colour)
        found = jnp.sum(held * power) / jnp.where(total > 0, total, 1)
        ratios.append(jnp.where(total > 0, found, jnp.inf))
    return jnp.min(jnp.stack(ratios))


def floored_noise(noise: jax.Array) -> jax.Array:
    """Noise variances, neither so small that the spectrum of the residual could vanish."""
    return jnp.maximum(noise, LEAST_RATIO * jnp.max(noise)) + (4 * jnp.finfo(noise.dtype).eps) ** 2
