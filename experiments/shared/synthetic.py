"""Scenes with the spectrum of photographs, of any size."""

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import angular_frequencies, forward_transform, inverse_transform


def random_scene(key: jax.Array, image_shape: tuple[int, ...], *, slope: float = 1.0) -> jax.Array:
    """Gaussian random scene with the amplitude spectrum ``|w|^-slope`` of natural images.

    Args:
        key: a JAX random key.
        image_shape: 1 to 3 axes.
        slope: 1 resembles photographs (in 2-D), 0 is white noise.

    Returns:
        Array of ``image_shape`` with mean 0 and standard deviation 1; periodic.

    Source: D. J. Field, "Relations between the statistics of natural images and the response
    properties of cortical cells", J. Opt. Soc. Am. A 4(12), 1987.
    """
    noise = jax.random.normal(key, image_shape)
    frequencies = angular_frequencies(image_shape, noise.dtype)
    radius = jnp.sqrt(sum(w**2 for w in frequencies))
    amplitude = jnp.where(radius > 0, jnp.where(radius > 0, radius, 1) ** -slope, 0)
    scene = inverse_transform(amplitude * forward_transform(noise, len(image_shape)), image_shape)
    return scene / jnp.std(scene)
