"""Departures of a residual's spectrum from that of the noise that it is taken for.

With the right spectrum D the powers ``q = |u|^2 / D`` of the frequencies are independent and of an
exponential distribution with mean 1, so that their mean over a radial band is known to the inverse
root of their number. A common factor does not matter to the blur. Everything else does as far as it
changes the mean of the estimating equation.

Source: A. P. Guillaumin, A. M. Sykulski, S. C. Olhede and F. J. Simons, "The debiased spatial
Whittle likelihood", J. R. Stat. Soc. B 84, 2022; E. B. Wilson and M. M. Hilferty, PNAS 17, 1931
(the cube root of a mean power is nearly normal).
"""

import math

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_weights, squared_frequency
from gaussjax.numerics.linear_algebra import inner_products, inverse_small, product
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.departures import LESS_SPECIFIC, Departures
from gaussjax.statistics.noise_weighted_sums import NoiseSpectrum

# Inner radii of the bands, of the Nyquist frequency.
BANDS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)


@pytree
class BandSums:
    """Sums over the frequencies of each band, ``[bands]``, weighted by W."""

    counts: jax.Array  # of independent frequencies
    weights: jax.Array  # sum of W
    powers: jax.Array  # of W q
    # sums of what an excess in the noise of B would add to the score, `[k, bands]`
    scores: jax.Array


def band_sums(power, trust, score, image_shape, repeated) -> BandSums:
    """Sums over radial bands.

    ``power`` is q, ``trust`` W; ``score`` what an excess of 1 would add to the score, ``[k,
    *spectrum]``, without W; ``repeated`` the number of frequencies over that of independent ones.
    """
    weights = half_plane_weights(image_shape, power.dtype)
    squares = squared_frequency(image_shape, power.dtype)
    outer = (*BANDS[1:], 2 * len(image_shape))
    each = []
    for low, high in zip(BANDS, outer, strict=True):
        inside = (squares >= (low * math.pi) ** 2) & (squares < (high * math.pi) ** 2)
        # The zero frequency is the mean, which an offset accounts for.
        held = weights * jnp.where(inside & (squares > 0), trust, 0)
        total = jnp.sum(held)
        each.append(
            BandSums(
                # By W, not its square: where it is small, D is not known well enough for a test.
                counts=total * math.prod(image_shape) / (2 * repeated),
                weights=total,
                powers=jnp.sum(held * power),
                scores=jnp.sum(held[None] * score, axis=tuple(range(1, score.ndim))),
            )
        )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves, axis=-1), *each)


def level_departure(
    power, spectrum: NoiseSpectrum, noise, inverse, image_shape, repeated
) -> Departures:
    """Whether the ratio of the noise levels differs from the given one, by regression of |u|^2.

    ``power`` is q, whose mean is 1 where the levels (v_A, v_B) are right. ``inverse``, ``[k, k]``,
    is that of the mean second derivative of the objective, over the energy of the window and the
    mean of q; ``repeated`` the number of frequencies over that of independent ones.
    """
    held = (half_plane_weights(image_shape, power.dtype) * spectrum.trust)[None]
    basis = spectrum.basis / spectrum.density[None]
    trusted = spectrum.trust[None] * basis
    solver = inverse_small(inner_products(held * basis, basis))
    change = product(solver, inner_products(held * basis, (power - 1)[None])[:, 0])
    # A frequency and its mirror image, in the first column two of a stack, are one.
    by_chance = 2 * repeated / math.prod(image_shape) * inner_products(held * basis, trusted)
    covariance = product(product(solver, by_chance), solver.T)
    # A common factor does not matter.
    ratio = jnp.stack([noise[1], -noise[0]])
    error = jnp.sqrt(jnp.maximum(ratio @ covariance @ ratio, 0))
    z_score = jnp.abs(ratio @ change) / jnp.where(error > 0, error, jnp.inf)
    of_density = jnp.sum(change[:, None] * basis.reshape(2, -1), axis=0).reshape(power.shape)
    slopes = change[0] * spectrum.gain_slopes - of_density[None] * spectrum.slopes
    used = (half_plane_weights(image_shape, power.dtype) * spectrum.weight)[None]
    score = 0.5 * jnp.sum(used * slopes / spectrum.density[None], axis=tuple(range(1, slopes.ndim)))
    return Departures(
        z_scores=z_score[None],
        effects=product(inverse, score)[:, None],
        shares=jnp.zeros(1, z_score.dtype),
        serious=jnp.ones(1, bool),
        additive=jnp.zeros(1, z_score.dtype),
        trials=(2,),
        causes=(Cause.NOISE_SPECTRUM,),
    )


def spectral_departures(
    sums: BandSums, inverse: jax.Array, at_most: jax.Array | None
) -> Departures:
    """The departure of each band's power from that of the noise.

    ``inverse``, ``[k, k]``, is that of the mean second derivative of the objective. ``at_most`` is
    the largest effect of the split of the noise on the parameters, ``[k]``, where the levels are
    estimated from the spectrum itself: if that is wrong, so may be both of them.
    """
    mean = jnp.sum(sums.powers) / jnp.sum(sums.weights)
    mean = jnp.where(mean > 0, mean, 1)
    relative = sums.powers / jnp.where(sums.weights > 0, mean * sums.weights, 1)
    held = sums.counts > 1
    ninth = 1 / (9 * jnp.where(held, sums.counts, 1))
    # A band is itself a part of the overall mean.
    beside = 1 - sums.weights / jnp.sum(sums.weights)
    z_scores = (jnp.cbrt(relative) - 1 + ninth) / jnp.sqrt(ninth * jnp.where(beside > 0, beside, 1))
    excess = jnp.where(held, relative - 1, 0)
    effects = product(inverse, sums.scores * excess[None])
    if at_most is not None:
        effects = jnp.abs(effects) + jnp.abs(at_most)[:, None]
    count = len(BANDS)
    return Departures(
        z_scores=jnp.where(held, jnp.abs(z_scores), 0),
        effects=effects,
        shares=LESS_SPECIFIC * jnp.minimum(jnp.abs(excess) * sums.weights, 1),
        serious=jnp.ones(count, bool),
        additive=jnp.where(held, z_scores, 0),
        trials=(2 * count,) * count,
        causes=(Cause.NOISE_SPECTRUM,) * count,
    )
