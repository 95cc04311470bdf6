"""The generalised Gaussian ``T(w) = exp(-(s |w|)^p / 2)``: radially symmetric, of any exponent p.

With u = s^p (px^p) log T is linear in u, as that of a Gaussian is in its variance; a negative u
sharpens, ``T(-u) = 1 / T(u)``. p = 2 is the Gaussian, p = 5/3 the long exposure through atmospheric
turbulence, p = 1 a Moffat function of beta = (ndim + 1) / 2. Below p = 2 the kernel is a stable
law, whose variance is infinite; above, its tail is negative. Only at p = 2 is s a standard
deviation.

Source: D. L. Fried, "Optical resolution through a randomly inhomogeneous medium for very long and
very short exposures", J. Opt. Soc. Am. 56(10), 1966 (5/3); W. Feller, "An Introduction to
Probability Theory and Its Applications", vol. II, 2nd ed., Wiley 1971, ch. XVII.6 (tails).
"""

import math
from functools import reduce

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import angular_frequencies
from gaussjax.model.options import GENERALISED, PADDED_BOUNDARIES

# Exponents between which a fit looks: those of [1, 3], and what noise may add.
LEAST_EXPONENT, LARGEST_EXPONENT = 0.9, 3.2
# Mass that a Gaussian leaves beyond +- 4 sigma along an axis; a heavier tail is followed to it ...
_TAIL = math.erfc(4 / math.sqrt(2))
# ... or to this part of the largest margin of a frame.
_LARGEST_PART = 1 / 3


def check_supported(family: str, kernel: str, boundary: str | None = None) -> None:
    """ValueError for a generalised Gaussian with another kernel, or beyond a padded edge."""
    if family != GENERALISED:
        return
    if kernel != "continuous":
        raise ValueError(
            "family='generalised' is given by its transfer function: kernel must be 'continuous',"
            f" got {kernel!r}"
        )
    if boundary in PADDED_BOUNDARIES:
        raise ValueError(
            "the tail of family='generalised' ends nowhere within a padded frame: boundary must be"
            f" 'valid' or 'periodic', got {boundary!r}"
        )


def radial_transfer(u: jax.Array, exponent: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """``exp(-u |w|^p / 2)`` on the half-plane grid; differentiable by u and p, at w = 0 too.

    u is signed, px^p; both are scalars.
    """
    frequencies = angular_frequencies(image_shape, u.dtype)
    square = reduce(jnp.add, (w**2 for w in frequencies))
    # |w|^p itself has the derivative 0 log 0 there.
    is_zero = square == 0
    log = 0.5 * jnp.log(jnp.where(is_zero, 1, square))
    return jnp.exp(-0.5 * u * jnp.where(is_zero, 0, jnp.exp(exponent * log)))


def tail_mass(exponent: jax.Array, distance: jax.Array) -> jax.Array:
    """Mass farther than a distance (in s) along an axis, by the leading term of its expansion.

    ``Gamma(p) sin(pi p / 2) / pi (s / x)^p``: negative for p > 2, and 0 for the Gaussian.
    """
    scale = jnp.exp(jax.scipy.special.gammaln(exponent)) * jnp.sin(0.5 * math.pi * exponent)
    return scale / math.pi * distance**-exponent


def tail_margins(core: jax.Array, scale: jax.Array, exponent: jax.Array, largest) -> jax.Array:
    """Px per axis at which the tail holds as little as that of a Gaussian does at its margin.

    Or a third of the largest margins that the frame allows where it never does: more pixels would
    be lost than leakage avoided. ``core`` are the margins of the Gaussian with the same s (px). All
    margins are ``[ndim]``, px.
    """
    scale, exponent = jax.lax.stop_gradient((jnp.abs(scale), exponent))
    mass = jnp.abs(tail_mass(exponent, jnp.ones_like(exponent)))
    wanted = jnp.ceil(scale * (mass / _TAIL) ** (1 / exponent)) + 1
    return jnp.maximum(core, jnp.minimum(wanted, jnp.floor(_LARGEST_PART * largest)))
