"""The periodic part of an image, whose blur does not ring at the frame's edge.

An FFT blurs an image that goes on at the opposite edge, where a photograph jumps. A kernel that is
cut off keeps that jump within its radius; the band-limited Gaussian spreads it over the frame. The
image is the sum of a periodic part p without the jump and a smooth part s, which is harmonic: each
pixel off the edge is the mean of its neighbours. An isotropic blur leaves a harmonic function as it
is, so that inside ``g * A - A = g * p - p``.

Source: L. Moisan, "Periodic plus smooth image decomposition", J. Math. Imaging Vis. 39(2), 2011.
"""

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import angular_frequencies, multiply, unit_phase


def periodic_part(spectrum: jax.Array, image: jax.Array) -> jax.Array:
    """Half-plane transform of the periodic part of an image, from that of the image.

    The boundary image whose discrete Poisson equation s solves is zero but for the outermost
    pixels: its transform takes transforms of the edges alone.
    """
    ndim = image.ndim
    frequencies = angular_frequencies(image.shape, image.dtype)
    boundary, laplacian = jnp.zeros_like(spectrum), jnp.zeros((1,) * ndim, image.dtype)
    for axis, w in enumerate(frequencies):
        first, last = (jax.lax.index_in_dim(image, k, axis) for k in (0, -1))
        jump = _edge_transform(last - first, axis)
        boundary = boundary + jump * (1 - unit_phase(w))
        laplacian = laplacian - 4 * jnp.sin(0.5 * w) ** 2
    smooth = multiply(1 / jnp.where(laplacian < 0, laplacian, 1), boundary)
    return spectrum - jnp.where(laplacian < 0, smooth, 0)


def _edge_transform(edge: jax.Array, axis: int) -> jax.Array:
    """Transform of an edge over all axes but its own, of length 1, halved as an image's is."""
    others = [a for a in range(edge.ndim) if a != axis]
    if not others:
        return jax.lax.complex(edge, jnp.zeros_like(edge))
    if axis == edge.ndim - 1:
        return jnp.fft.fftn(edge, axes=others)
    return jnp.fft.rfftn(edge, axes=others)
