"""What one pair adds to the transfer function of many."""

import jax
import jax.numpy as jnp

from gaussjax.dataset.pooled_transfer import NUM_BINS, RingSums
from gaussjax.model.fourier import (
    forward_transform,
    inverse_transform,
    multiply,
    squared_magnitude,
)
from gaussjax.model.radial_bins import RadialBins
from gaussjax.model.window import Window

# White noise that shows how much of it a pair's cross-spectrum would hold by chance.
_NUM_PROBES = 4


def noise_probes(key: jax.Array, window: Window, colour: jax.Array | None = None) -> jax.Array:
    """Windowed transforms of noise of unit variance, ring by ring, ``[i, *rings]``.

    One set may serve many pairs; anew for the next ones, its own chance errors average out.
    ``colour`` is the power of the noise on the half plane; None: white.
    """
    weights = window.values
    # Signs are as white as normal deviates, and a word of random bits holds those of all.
    words = jax.random.bits(key, (1, *weights.shape), jnp.uint32)
    places = jnp.arange(_NUM_PROBES, dtype=jnp.uint32).reshape(-1, *[1] * weights.ndim)
    noise = jnp.where((words >> places) & 1, 1, -1).astype(weights.dtype)
    if colour is not None:
        white = forward_transform(noise, weights.ndim)
        noise = inverse_transform(multiply(jnp.sqrt(colour)[None], white), weights.shape)
    return in_rings(forward_transform(weights[None] * noise, weights.ndim), weights.shape)


def in_rings(spectra: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """Spectra ``[..., *half plane]`` ring by ring, as :func:`ring_sums` takes them."""
    return RadialBins(image_shape, NUM_BINS).in_order(spectra)


def ring_sums(
    reference: jax.Array,
    blurred: jax.Array,
    residual: jax.Array,
    filters: tuple[jax.Array, jax.Array],
    window: Window,
    probes: jax.Array,
    colour: jax.Array | None = None,
) -> RingSums:
    """The sums of one pair over rings of frequency; under jit and vmap as well.

    The window falls on A and on the small residual ``r = B - T A`` alone: it does not commute with
    a blur, and of a windowed B would leave a change of A by its gradient, a percent of the power in
    64 px. Where it tapers to 0 before the edge, what the blur brings from beyond does no harm.

    Args:
        reference: A.
        blurred: B, of the same shape.
        residual: B less the prediction by the Gaussian, right where the window is not 0.
        filters: T ring by ring (:func:`in_rings`), and its derivatives by the parameters of the
            blur, ``[p, *rings]``; all real.
        window: of A's shape, smooth and 0 at the edge, unless the pair is periodic.
        probes: from :func:`noise_probes`, of this window or of one that other pixels than the
            pair's own do not mask.
        colour: of the noise of B, as of the probes.
    """
    transfer, derivatives = filters
    size, bins = reference.size, RadialBins(reference.shape, NUM_BINS)
    a, r = (
        bins.in_order(forward_transform(_centred(x, window), x.ndim)) for x in (reference, residual)
    )
    # Parseval's 1/N beforehand, lest squares of sums overflow.
    power, cross = squared_magnitude(a) / size, _product(a, r) / size
    error = squared_magnitude(r) / size
    values = [bins.in_order(bins.radius.astype(power.dtype)) * power, power, transfer * power]
    values += [transfer * (transfer * power + 2 * cross) + error, cross, error]
    values += [_product(a, probe) / size for probe in probes]
    values += [derivative * power for derivative in derivatives]
    values += [] if colour is None else [bins.in_order(colour) / size]
    frequency, power, fitted, output, cross, error, *others = bins.ordered_sums(values)
    flat = jnp.asarray(bins.counts / size, power.dtype) if colour is None else others.pop()
    chance, changes = others[:_NUM_PROBES], others[_NUM_PROBES:]
    # T times a windowed A has less power than a windowed T A, by 3 % in 64 px.
    passed = jnp.sum(output)
    output = output * jnp.sum(_centred(blurred, window) ** 2) / jnp.where(passed > 0, passed, 1)
    return RingSums(
        flat=window.sum(2) * flat,
        frequency=frequency,
        power=power,
        fitted=fitted,
        output=output,
        cross=cross,
        residual=error,
        noise_cross=jnp.mean(jnp.stack(chance) ** 2, axis=0),
        changes=jnp.stack([*changes, power])[:-1],  # of no parameters, too
    )


def _centred(image: jax.Array, window: Window) -> jax.Array:
    """The image times the window, about its mean there."""
    weights, total = window.values, window.sum()
    mean = jnp.sum(weights * image) / jnp.where(total > 0, total, 1)
    return weights * (image - mean)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Re conj(a) b."""
    return a.real * b.real + a.imag * b.imag
