"""Pairs with a known blur and known noise, for tests and experiments."""

import jax
import jax.numpy as jnp

from gaussjax.model.arguments import as_image
from gaussjax.model.fourier import angular_frequencies, forward_transform, inverse_transform
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import KernelName, WholeFrame
from gaussjax.model.transfer import blur


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


def blurred_pair(
    scene,
    params_or_sigma,
    *,
    key: jax.Array | None = None,
    noise_std: float = 0.0,
    crop: int = 0,
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius=None,
    boundary: WholeFrame = "periodic",
) -> tuple[jax.Array, jax.Array]:
    """A reference and its blurred version, ``B = g * A + n``, cut out of a larger scene.

    Args:
        scene: real array of rank 1 to 3.
        params_or_sigma: the blur, see :func:`~gaussjax.blur`.
        key: a JAX random key for the noise; needed when ``noise_std`` is not 0.
        noise_std: standard deviation of the white noise n, in the unit of the scene.
        crop: px cut off on every side after blurring, so that unseen content leaks in.
        kernel: a name or a Kernel; this and the next two as in :func:`~gaussjax.blur`.
        truncate: "sampled" only.
        radius: "sampled" only.
        boundary: of the scene.

    Returns:
        (reference, blurred), both smaller than the scene by ``2 crop`` per axis.

    Raises:
        ValueError: noise without a key, or what ``blur`` raises.
    """
    scene = as_image(scene, "scene")
    convention = as_kernel(kernel, truncate, radius)
    blurred = blur(scene, params_or_sigma, kernel=convention, boundary=boundary)
    inside = tuple(slice(crop, n - crop) for n in scene.shape)
    reference, blurred = scene[inside], blurred[inside]
    if isinstance(noise_std, (int, float)) and noise_std == 0:
        return reference, blurred
    if key is None:
        raise ValueError("noise_std needs a random key; pass key=jax.random.key(seed)")
    noise = jax.random.normal(key, blurred.shape, blurred.dtype)
    return reference, blurred + noise_std * noise
