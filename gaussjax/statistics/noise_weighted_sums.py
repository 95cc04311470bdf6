"""Sums over frequencies of a residual whose noise the blur itself has coloured.

White noise of variance v_A in A and v_B in B leaves in the residual the power spectrum
``D = v_B + v_A |R|^2``, noise of the colours s_A and s_B ``v_B s_B + v_A |R|^2 s_A``; see
:mod:`gaussjax.pair.errors_in_variables`.
"""

import math
from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import (
    along_axis,
    angular_frequencies,
    forward_transform,
    half_plane_weights,
    inverse_transform,
    multiply,
    squared_frequency,
    squared_magnitude,
)
from gaussjax.model.noise_correlation import LEAST_COLOUR
from gaussjax.numerics.linear_algebra import inner_products, inverse_small, product, real_products
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals
from gaussjax.statistics.coloured_noise import tinted
from gaussjax.statistics.long_run_covariance import drawn_to_one

# Frequencies count less where D is below this part of the larger noise variance: there D is known
# no better than rounding lets its leakage be computed. Estimated variances are no smaller either.
LEAST_RATIO = 1e-6
# A variance has to be larger by so many times its relative variance for intervals to cover 95 %:
# quantiles of Student's are 1 + (1.96^2 + 1) / (4 n) times as large, and the fit has taken a part.
_STUDENT = 1.5
# Places along a radius up to the Nyquist frequency at which the power of the scene is found, and
# frequencies along every axis from which.
_KNOTS, _LEAST_AXIS = 8, 128


@pytree
class ReferenceNoise:
    """White noise of A in a residual that was taken to hold noise of B alone."""

    part: jax.Array  # its variance over the residual's, per pixel
    error: jax.Array  # standard error of the part
    most: jax.Array  # that the part can be, whatever else is in the residual
    # bias of each parameter's score, per pixel and variance of the noise: mean of Re(conj(R) R_k)
    bias: jax.Array


def reference_noise(
    power: jax.Array,
    gain: jax.Array,
    overlaps: Sequence[jax.Array],
    image_shape: tuple[int, ...],
    num_pixels: jax.Array,
    size: jax.Array | None = None,
) -> ReferenceNoise:
    """Regression of the residual's power spectrum on what noise in B and in A leave in it.

    Args:
        power: |F(W r)|^2.
        gain: |R|^2.
        overlaps: Re conj(R) R_k, of each derivative R_k.
        image_shape: of the frame.
        num_pixels: that are compared.
        size: px per axis of the image in the frame, ``[ndim]``; None: it fills it.
    """
    # Frequencies that the window leaks into, where the residual shows the model's faults.
    shortest = min(image_shape) if size is None else jnp.min(size).astype(power.dtype)
    low = (4 * jnp.pi / shortest) ** 2
    squares = squared_frequency(image_shape, power.dtype)
    weights = half_plane_weights(image_shape, power.dtype)
    used = jnp.where(squares > low, weights, 0)
    # Frequencies that are neither passed whole, where a misfit of any kind may be, nor stopped.
    partly = used * gain * (1 - gain / gain.ravel()[0]) ** 2
    summands = [used * gain**j * power**k for j, k in ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1))]
    summands += [partly * power, partly * gain, (partly * gain) ** 2 / jnp.where(used > 0, used, 1)]
    summands += [weights * overlap for overlap in overlaps]
    s0, s1, s2, y0, y1, seen, passed, squared, *bias = totals(summands)
    # In units of the mean power, the variance of whose periodogram is 1 where noise is white.
    spread = s2 - s1**2 / s0
    spread = jnp.where(spread > 0, spread, jnp.finfo(power.dtype).eps)
    mean = jnp.where(y0 > 0, y0, 1) / s0
    part = (y1 / mean - s1) / spread
    # N / 2 of N frequencies are independent.
    each = 2 / jnp.maximum(num_pixels, 1)
    error = jnp.sqrt(each / spread)
    # No more of it than all that is seen of any noise there, two standard errors included.
    passed = jnp.where(passed > 0, passed, jnp.finfo(power.dtype).tiny)
    most = seen / passed / mean * (1 + 2 * jnp.sqrt(each * squared) / passed)
    return ReferenceNoise(part, error, most, jnp.stack(bias))


@pytree
class NoiseSpectrum:
    """The power spectrum D of the noise in a residual, per pixel, and how far it is to be used."""

    gain: jax.Array  # what noise of A leaves, per v_A: leaked |R|^2 s_A
    gain_slopes: jax.Array  # its derivatives, `[k, *spectrum]`
    density: jax.Array  # ``D = v_B base + v_A gain``
    slopes: jax.Array  # its derivatives, likewise
    # between 0 and 1: how far D is known
    trust: jax.Array
    # between 0 and 1: the weight W of a frequency in the estimating equation
    weight: jax.Array
    base: jax.Array | None = None  # what noise of B leaves, per v_B: leaked s_B; None: 1

    @property
    def basis(self) -> jax.Array:
        """What noise of A and noise of B leave in a residual, per variance, ``[2, *spectrum]``."""
        base = jnp.ones_like(self.gain) if self.base is None else self.base
        return jnp.stack([self.gain, base])

    @classmethod
    def leaked(cls, gain, gain_slopes, own, noise, coloured=None, base=None) -> "NoiseSpectrum":
        """The spectrum of a residual that is seen through a window.

        Where the blur suppresses the noise of A, D consists of what the window leaks, and of
        rounding. Such frequencies add no information, and count by the square of their own part of
        D. Known weights leave the equation unbiased. A floor under D would not: where it is the
        larger part, D depends on the parameters less than the noise does.

        Args:
            gain: what noise of A leaves in it, per v_A.
            gain_slopes: its derivatives, ``[k, *spectrum]``.
            own: D of white noise without a window.
            noise: (v_A, v_B).
            coloured: D of coloured noise without a window; None: it is white.
            base: s_B with the leakage of the window.
        """
        v_reference, v_blurred = noise
        least = LEAST_RATIO * jnp.max(noise)
        # Rounding of the leakage may leave less than nothing.
        density = jnp.maximum(tinted(v_blurred, base) + v_reference * gain, 0.1 * least)
        if coloured is not None:
            least, own = least + LEAST_COLOUR * own, coloured
        trust = (own / (density + least)) ** 2
        slopes = v_reference * gain_slopes
        return cls(gain, gain_slopes, density, slopes, trust, trust, base)


def informative(scene: jax.Array, error: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """``P / (P + error)``, P the power of the scene at the radius of a frequency.

    A frequency at which the noise of A hides the scene adds only noise to the estimating equation.
    With these weights the equation attains the bound of all estimators that have no more knowledge
    of the scene. The estimate of the scene is independent of the residual, and so are the weights.
    ``scene`` is the power of that estimate on the half plane, with the power ``error`` of noise in
    it.

    Source: L. A. Stefanski and R. J. Carroll, "Conditional scores and optimal scores for
    generalized linear measurement-error models", Biometrika 74(4), 1987.
    """
    waves = angular_frequencies(image_shape, scene.dtype)
    place = _KNOTS / math.pi * jnp.sqrt(sum(jnp.square(w) for w in waves))
    # So many frequencies tell their mean well enough.
    steps = tuple(max(round(n / _LEAST_AXIS), 1) for n in scene.shape)
    few = tuple(slice(None, None, step) for step in steps)
    over, near = (scene - error)[few], place[few]
    weights = jnp.broadcast_to(half_plane_weights(image_shape, scene.dtype), scene.shape)[few]
    knots = range(math.ceil(_KNOTS * math.sqrt(len(image_shape))) + 1)
    shares = [weights * jnp.maximum(1 - jnp.abs(near - knot), 0) for knot in knots]
    total, power = jnp.split(totals([*shares, *(share * over for share in shares)]), 2)
    means = jnp.maximum(power / jnp.where(total > 0, total, 1), 0)
    # Between two knots in proportion; a table would take ten times as long to look up.
    power = sum(means[knot] * jnp.maximum(1 - jnp.abs(place - knot), 0) for knot in knots)
    # Not quite 0 anywhere: the root of a weight has no derivative there.
    total = power + error
    return jnp.where(total > 0, power + LEAST_RATIO * error, 1) / jnp.where(total > 0, total, 1)


def whitened_sums(
    u, slopes, density, density_slopes, weights
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Cost, gradient and scatter J'J of ``e = sqrt(weights / D) u``.

    u is the transform of the residual, D the power spectrum of its noise; slopes are derivatives,
    ``[k, *spectrum]``. The weights of the sum over frequencies count as constant.
    """
    e, e_slopes = whitened(u, slopes, density, density_slopes, weights)
    gradient = real_products(e_slopes, e[None])[:, 0]
    return 0.5 * jnp.sum(squared_magnitude(e)), gradient, real_products(e_slopes, e_slopes)


def whitened(u, slopes, density, density_slopes, weights) -> tuple[jax.Array, jax.Array]:
    """``e = sqrt(weights / D) u`` and its derivatives; arguments as in :func:`whitened_sums`."""
    root = jnp.sqrt(weights / density)
    own = multiply(0.5 * density_slopes / density[None], u[None])
    return multiply(root, u), multiply(root[None], slopes.astype(u.dtype) - own)


def spectral_factors(e, slopes, weight, strength, image_shape, repeated) -> jax.Array:
    """Variance of each score ``e'e_k`` over that of noise with the spectrum D; 1 if D is right.

    By the squares of the frequencies' own parts, which are independent for every stationary noise,
    drawn to 1 by as much as chance may move it. e is the whitened residual with the derivatives
    ``slopes``, ``[k, *spectrum]``, and holds ``weight`` beside the weights of the half plane;
    ``strength`` is the mean power of the residual over D, ``repeated`` the number of frequencies
    over that of independent ones.

    Source: H. White, "A heteroskedasticity-consistent covariance matrix estimator and a direct test
    for heteroskedasticity", Econometrica 48(4), 1980.
    """
    mean = strength / math.prod(image_shape)
    whole = 2 / (math.prod(image_shape) * half_plane_weights(image_shape, mean.dtype))
    factors = []
    for slope in slopes:
        share = weight * squared_magnitude(slope)
        total = jnp.sum(share)
        total = jnp.where(total > 0, total, 1)
        # Frequencies of the first column are stored beside their mirror images.
        squares = whole * jnp.real(jnp.conj(slope) * e) ** 2
        squared = jnp.sum(squares)
        squared = jnp.where(squared > 0, squared, 1)
        found = squared / jnp.where(mean > 0, mean * total, 1)
        # Relative variances by chance: of white noise, and as the parts themselves tell it, whose
        # squares have three times the square of their mean.
        chance = 2 * repeated * jnp.sum((share / total) ** 2)
        seen = 2 / 3 * repeated * jnp.sum((squares / squared) ** 2)
        factors.append(drawn_to_one(found * (1 + _STUDENT * seen), chance))
    return jnp.stack(factors)


def excess_scatter(response, response_slopes, noise, weights) -> jax.Array:
    """What J'J has on top of the mean of the second derivative: noise of A in the slopes.

    ``sum v_A Re(conj(R_i) R_j) / D - 1/4 D_i D_j / D^2``, for a real R
    ``sum R_i R_j v_A v_B / D^2``; ``[k, k]``. (v_A, v_B) are numbers, or both by frequency.
    """
    v_reference, v_blurred = noise
    density = v_blurred + v_reference * squared_magnitude(response)
    if not jnp.iscomplexobj(response):
        root = jnp.sqrt(v_reference) * jnp.sqrt(v_blurred) * jnp.sqrt(weights)
        slopes = (root / density)[None] * response_slopes
        return inner_products(slopes, slopes)
    root = jnp.sqrt(weights / density)
    by_slope = multiply((jnp.sqrt(v_reference) * root)[None], response_slopes)
    twice = 2 * (v_reference[None] if jnp.ndim(v_reference) else v_reference)
    density_slopes = twice * jnp.real(jnp.conj(response)[None] * response_slopes)
    by_density = 0.5 * density_slopes * (root / jnp.sqrt(density))[None]
    return real_products(by_slope, by_slope) - inner_products(by_density, by_density)


def split_change(u, slopes, gain, overlaps, weights) -> jax.Array:
    """How far least squares moves if the residual is all noise of A instead of B, ``[k]``.

    u is the transform of the residual with the derivatives ``slopes``, ``[k, *spectrum]``; gain is
    |R|^2, overlaps are Re conj(R) R_k of each derivative R_k.

    Source: R. Frisch, "Statistical confluence analysis by means of complete regression systems",
    Oslo 1934: every other split lies between.
    """
    total = jnp.sum(weights * gain)
    in_reference = jnp.sum(weights * squared_magnitude(u)) / jnp.where(total > 0, total, 1)
    bias = in_reference * jnp.stack([jnp.sum(weights * overlap) for overlap in overlaps])
    weights = jnp.broadcast_to(weights, u.shape)[None]
    return product(inverse_small(real_products(multiply(weights, slopes), slopes)), bias)


def leaked(spectra: jax.Array, window: jax.Array) -> jax.Array:
    """Power spectra ``[j, *half plane]`` with the leakage of a window, at its mean square."""
    ndim = window.ndim
    transform = forward_transform(window, ndim)
    overlap = inverse_transform(squared_magnitude(transform), window.shape) / jnp.sum(window**2)
    covariances = inverse_transform(spectra, window.shape)
    return forward_transform(overlap[None] * covariances, ndim).real


def leaked_product(factors: list[jax.Array], profiles: tuple[jax.Array, ...]) -> jax.Array:
    """:func:`leaked` of a product of one spectrum along each axis, by a product of profiles."""
    ndim = len(profiles)
    smooth = []
    for axis, (factor, profile) in enumerate(zip(factors, profiles, strict=True)):
        # The last axis of the half plane holds half of an even spectrum, the others all of it.
        half = leaked(factor[None, : profile.size // 2 + 1], profile)[0]
        mirrored = half[1 : (profile.size + 1) // 2][::-1]
        whole = half if axis == ndim - 1 else jnp.concatenate([half, mirrored])
        smooth.append(along_axis(whole, axis, ndim))
    return reduce(jnp.multiply, smooth)
