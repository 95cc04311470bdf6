"""The power of filtered noise of the reference, on the grid of the softer image.

Across grids H = R times aperture and phase, and frequencies of A fold into one of B: the noise in
the residual has the power ``v_B + v_A N_c / N_f sum |H|^2`` over them. Noise whose neighbours
correlate has ``v_B s_B + v_A N_c / N_f sum |H|^2 s_A``: its colour s_A is on the grid of A, and
counts before folding. ``noise`` is (v_A, v_B) or, coloured, (v_A s_A, v_B s_B).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gaussjax.model.folding import (
    CoarseGrid,
    fold,
    noise_power,
    reference_shape,
    tile,
    with_noise_gain,
)
from gaussjax.model.fourier import half_plane_weights, multiply, squared_magnitude
from gaussjax.model.noise_correlation import noise_colour
from gaussjax.numerics.linear_algebra import inner_products, real_products
from gaussjax.pair.frame import Frame
from gaussjax.statistics.coloured_noise import Colours, Levels
from gaussjax.statistics.noise_weighted_sums import excess_scatter


def noise_gains(
    frame: Frame,
    response: jax.Array,
    slopes: jax.Array | Sequence[jax.Array] = (),
    colour: jax.Array | None = None,
) -> tuple[jax.Array, list[jax.Array]]:
    """|R|^2 s_A and Re conj(R) R_k s_A, summed over the frequencies that fold into one.

    ``colour`` is s_A on the grid of A; None: white, 1.
    """
    found = [squared_magnitude(response)]
    found += [jnp.real(jnp.conj(response) * slope) for slope in slopes]
    one = jnp.ones((), response.real.dtype)
    found = [passed(frame, one if colour is None else colour, each) for each in found]
    return found[0], found[1:]


def passed(frame: Frame, level: jax.Array, power: jax.Array) -> jax.Array:
    """Power of noise of A after a filter, on the grid of B.

    Args:
        frame: of the pair.
        level: v_A, or v_A s_A by frequency.
        power: of the filter, such as |R|^2.
    """
    grid, shape = frame.grid, frame.blurred.shape
    if jnp.ndim(level):
        return noise_power(grid, multiply(level, power), shape)
    return multiply(level, noise_power(grid, power, shape))


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
    """The scene on the grid of B, estimated from both images, and the power of its error.

    The best linear correction of A by the residual, whose errors do not correlate with that: from
    R, the noise (v_A, v_B), numbers or both by frequency, and the transforms of A on the grid of B
    and of the residual.
    """
    own = noise[1] + passed(frame, noise[0], squared_magnitude(response))
    if frame.grid is None:
        scene = sharp - multiply(noise[0] / own, multiply(jnp.conj(response), residual))
        return scene, noise[0] * noise[1] / own
    cross = passed(frame, noise[0], jnp.conj(response))
    plain = passed(frame, noise[0], jnp.ones_like(response.real))
    scene = sharp - multiply(1 / own, multiply(cross, residual))
    error = plain - squared_magnitude(cross) / own
    return scene, jnp.maximum(error, plain * noise[1] / own)


def scene_spectrum(frame: Frame, response: jax.Array, noise: Levels, residual: jax.Array):
    """The spectrum of a frame, corrected likewise; across grids before it is folded."""
    own = noise[1] + passed(frame, noise[0], squared_magnitude(response))
    if frame.grid is None:
        return frame.spectrum - multiply(noise[0] / own, multiply(jnp.conj(response), residual))
    change = tile(frame.grid, multiply(1 / own, residual), frame.blurred.shape)
    change = multiply(jnp.conj(response), multiply(noise[0], change))
    return frame.spectrum - with_noise_gain(frame.grid, change, frame.blurred.shape)


def excess(
    frame: Frame, response: jax.Array, slopes: jax.Array, noise: Levels, weights: jax.Array
) -> jax.Array:
    """Excess scatter as of ``noise_weighted_sums``, with weights without the half plane's.

    Sums over the frequencies that fold into one are sums over the fine half plane of what is tiled.
    """
    shape, grid = frame.blurred.shape, frame.grid
    if grid is None:
        return excess_scatter(
            response, slopes, noise, half_plane_weights(shape, weights.dtype) * weights
        )
    density = noise[1] + passed(frame, noise[0], squared_magnitude(response))
    fine = tile(grid, weights / density, shape) * (2 * noise[0] / frame.blurred.size)
    root = jnp.sqrt(with_noise_gain(grid, fine, shape))
    by_slope = multiply(root[None], slopes)
    root = jnp.sqrt(half_plane_weights(shape, weights.dtype) * weights) / density
    overlaps = [jnp.real(jnp.conj(response) * slope) for slope in slopes]
    by_density = root[None] * jnp.stack([passed(frame, noise[0], each) for each in overlaps])
    return real_products(by_slope, by_slope) - inner_products(by_density, by_density)


def colours_of_both(
    correlation: jax.Array, grid: CoarseGrid | None, shape: tuple[int, ...]
) -> Colours:
    """Powers of the noise of both images on the grid of B, per variance, without a blur.

    Args:
        correlation: autocorrelations of the noise of A and of B, ``[2, *lags]``, px of their own.
        grid: of B on that of A; None: they share one.
        shape: of B.
    """
    sharp, soft = correlation
    fine = noise_colour(sharp, reference_shape(grid, shape))
    return noise_power(grid, fine, shape), noise_colour(soft, shape)
