"""What white noise of the reference leaves behind a response, on the grid of the softer image.

Across grids H = R times aperture and phase, and frequencies of A fold into one of B: the noise in
the residual has the power ``v_B + v_A N_c / N_f sum |H|^2`` over them.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gaussjax.model.folding import CoarseGrid, fold, tile, with_noise_gain
from gaussjax.model.fourier import half_plane_weights, multiply, squared_magnitude
from gaussjax.numerics.linear_algebra import inner_products, real_products
from gaussjax.pair.frame import Frame
from gaussjax.statistics.noise import excess_scatter
from gaussjax.statistics.noise_colour import Levels


def noise_gains(
    frame: Frame, response: jax.Array, slopes: jax.Array | Sequence[jax.Array] = ()
) -> tuple[jax.Array, list[jax.Array]]:
    """|R|^2 and Re conj(R) R_k, summed over the frequencies that fold into one."""
    found = [squared_magnitude(response)]
    found += [jnp.real(jnp.conj(response) * slope) for slope in slopes]
    if frame.grid is not None:
        found = [_folded(frame, each) for each in found]
    return found[0], found[1:]


def axis_gains(
    grid: CoarseGrid | None, factors: Sequence[jax.Array], shape: tuple[int, ...]
) -> list[jax.Array]:
    """|R|^2 along every axis of a product, on the grid of an image of this shape."""
    powers = [squared_magnitude(factor) for factor in factors]
    if grid is None:
        return powers
    found = []
    for axis, (power, size) in enumerate(zip(powers, shape, strict=True)):
        own = CoarseGrid(grid.ratios[axis : axis + 1], grid.pixel, grid.first[axis : axis + 1])
        weights = own.noise_gain((size,), power.dtype)
        found.append(fold(own, own.apply(weights, power[: weights[0].size]), (size,)))
    return found


def scene_of_both(
    frame: Frame, response: jax.Array, noise: Levels, sharp: jax.Array, residual: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The scene on the grid of B as both images show it, and the power of its noise.

    The best linear correction of A by the residual, whose errors do not correlate with that: from
    R, the noise (v_A, v_B), numbers or both by frequency, and the transforms of A on the grid of B
    and of the residual.
    """
    gain, _ = noise_gains(frame, response)
    own = noise[1] + noise[0] * gain
    if frame.grid is None:
        scene = sharp - multiply(noise[0] / own, multiply(jnp.conj(response), residual))
        return scene, noise[0] * noise[1] / own
    cross = _folded(frame, jnp.conj(response))
    plain = _folded(frame, jnp.ones_like(response.real))
    scene = sharp - multiply(noise[0] / own, multiply(cross, residual))
    error = plain - noise[0] * squared_magnitude(cross) / own
    return scene, noise[0] * jnp.maximum(error, plain * noise[1] / own)


def scene_spectrum(frame: Frame, response: jax.Array, noise: Levels, residual: jax.Array):
    """The spectrum of a frame, corrected likewise; across grids before it is folded."""
    gain, _ = noise_gains(frame, response)
    own = noise[1] + noise[0] * gain
    if frame.grid is None:
        return frame.spectrum - multiply(noise[0] / own, multiply(jnp.conj(response), residual))
    shape = frame.blurred.shape
    change = multiply(
        jnp.conj(response), tile(frame.grid, multiply(noise[0] / own, residual), shape)
    )
    return frame.spectrum - with_noise_gain(frame.grid, change, shape)


def excess(
    frame: Frame, response: jax.Array, slopes: jax.Array, noise: Levels, weights: jax.Array
) -> jax.Array:
    """:func:`~gaussjax.statistics.noise.excess_scatter`, with weights without the half plane's.

    Sums over the frequencies that fold into one are sums over the fine half plane of what is tiled.
    """
    shape, grid = frame.blurred.shape, frame.grid
    if grid is None:
        return excess_scatter(
            response, slopes, noise, half_plane_weights(shape, weights.dtype) * weights
        )
    gain, overlaps = noise_gains(frame, response, slopes)
    density = noise[1] + noise[0] * gain
    fine = tile(grid, weights / density, shape) * (2 * noise[0] / frame.blurred.size)
    root = jnp.sqrt(with_noise_gain(grid, fine, shape))
    by_slope = multiply(root[None], slopes)
    root = noise[0] * jnp.sqrt(half_plane_weights(shape, weights.dtype) * weights) / density
    by_density = root[None] * jnp.stack(overlaps)
    return real_products(by_slope, by_slope) - inner_products(by_density, by_density)


def _folded(frame: Frame, power: jax.Array) -> jax.Array:
    """A power spectrum of the reference as white noise has it, on the grid of B."""
    assert frame.grid is not None
    shape = frame.blurred.shape
    return fold(frame.grid, with_noise_gain(frame.grid, power, shape), shape)
