"""Intervals of variances whose information falls off within them.

The wider a blur, the less is left of what tells it: at v + d that is the mean of ``exp(-u d)`` over
the power of J, u = w^2, times ``J'WJ`` at v. Where u has the mean k and the variance ``k t``, it is
``(1 + t d)^(-k / t)``: of a Gamma distribution, which u has in a scene whose spectrum is a power of
w. In standard errors s the distance of v + d from v that a likelihood ratio measures is then the
integral of the square root of that, and z of them are at

    d = ((1 + z s t p)^(1 / p) - 1) / t,    p = 1 - k / (2 t).

Of a noisy pair the end of the interval on the side of wider blurs may so be far beyond z s, or
there is none. A fit that noise has made too narrow would else be sure of it. The other end, which
would be nearer, stays at z s. Beside nuisances u is that of what they leave of J; u of all of J
serves, which is a little smaller.

Source: D. M. Bates and D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley
1988, ch. 6 (likelihood intervals) and 7 (curvature).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import half_plane_weights, squared_frequency
from gaussjax.model.params import namespace
from gaussjax.numerics.reductions import totals


def squared_frequencies(
    field_powers: Sequence[jax.Array], image_shape: tuple[int, ...]
) -> jax.Array:
    """Mean and variance of w^2, rad and px, over the power ``|F(W J)|^2`` of fields, ``[n, 2]``."""
    dtype = field_powers[0].dtype
    weights, u = half_plane_weights(image_shape, dtype), squared_frequency(image_shape, dtype)
    moments = [weights, weights * u, weights * u**2]
    sums = totals([each * x for each in field_powers for x in moments]).reshape(-1, 3)
    mean, square = (sums[:, i] / jnp.where(sums[:, 0] > 0, sums[:, 0], 1) for i in (1, 2))
    return jnp.stack([mean, square - mean**2], axis=1)


def ends(half: jax.Array, mean: jax.Array, variance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """How far the ends of an interval lie below and above a variance, px^2; infinite if none does.

    Args:
        half: z s, px^2.
        mean: k, px^-2; negative where it is the lower end that lies farther away.
        variance: of u, px^-4.
    """
    xp, size = namespace(half), abs(mean)
    known = xp.where(size > 0, size, 1)
    # Of a single frequency t is 0, and the formula goes over into that of an exponential.
    t = xp.maximum(variance / known, np.finfo(half.dtype).eps ** 0.5 * known)
    p = 1 - 0.5 * size / t
    part = half * t * p
    is_open = part <= -1
    distance = xp.log1p(xp.where(is_open, 0, part)) / xp.where(p == 0, 1, p)
    far = xp.expm1(xp.where(p == 0, half * t, distance)) / t
    far = xp.where(is_open, xp.inf, far)
    return xp.where(mean < 0, far, half), xp.where(mean < 0, half, far)
