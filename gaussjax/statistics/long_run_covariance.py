"""How far the variance of a score ``sum_x r J`` departs from that of white noise of even strength.

With noise of the power spectrum S_r the score has the variance ``mean_w |F(J)|^2 S_r``, here with
the residual's own periodogram in the place of S_r: its chance errors average out over the many
frequencies that J holds. With independent noise whose strength differs from pixel to pixel it is
``sum_x r^2 J^2``. Both are given as factors on ``s^2 sum_x J^2``, each drawn towards 1 by as much
as chance alone may have moved it, and so continuous: no test decides which form holds. Where chance
moves a factor by a relative variance of c, the mean square of a deviate is 1 + c: it is raised by
as much.

Source: W. K. Newey and K. D. West, Econometrica 55(3), 1987 (the long-run variance of scores); H.
White, Econometrica 48(4), 1980 (unequal variances); J. G. MacKinnon and H. White, J. Econometrics
29(3), 1985 (its bias in small samples).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_weights
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals


@pytree
class Unevenness:
    """Where the squares of a residual lie."""

    factors: jax.Array  # on the variances of scores, `[k]`
    # the part of the squares that lies as those of the first field do, on the details: 0 of noise
    # that is the same everywhere; and a standard normal deviate of it if it is
    on_details: jax.Array
    deviate: jax.Array


def long_run_factors(
    power: jax.Array,
    field_powers: Sequence[jax.Array],
    image_shape: tuple[int, ...],
    num_pixels: jax.Array | int,
    size: jax.Array | None = None,
) -> jax.Array:
    """Factors on the variances of scores by the spectrum of the residual, ``[k]``; 1 if white.

    Args:
        power: |F(W r)|^2 on the half plane.
        field_powers: |F(W J)|^2 of every field.
        image_shape: of the frame.
        num_pixels: that are compared.
        size: px per axis of the image in it, ``[ndim]``; None: it fills the frame.
    """
    weights = half_plane_weights(image_shape, power.dtype)
    summands = [weights * power]
    for each in field_powers:
        summands += [weights * each, weights * power * each, weights * each**2]
    sums = totals(summands)
    total, product, share = sums[1:].reshape(-1, 3).T
    # A half-plane sum is a mean over the plane, where a factor is a sum.
    pixels = math.prod(image_shape) if size is None else jnp.prod(size).astype(total.dtype)
    # Neighbouring frequencies are alike where a part of the frame is compared.
    return _factors(product, total * sums[0], share, total, pixels, pixels / num_pixels)


def unevenness(score: jax.Array, fields: Sequence[jax.Array], weights: jax.Array) -> Unevenness:
    """Where the squares of the residual lie, and what that does to the variances of scores.

    Args:
        score: W r.
        fields: J, ``[k, *frame]``.
        weights: W.
    """
    known = weights > 0
    squares = jnp.where(known, score**2 / jnp.where(known, weights, 1), 0)
    summands = [known.astype(weights.dtype), squares]
    for field in fields:
        part = weights * field**2
        summands += [part, (score * field) ** 2, part**2]
    sums = totals(summands)
    total, product, share = sums[2:].reshape(-1, 3).T
    count = jnp.maximum(sums[0], 1)
    scale = sums[1] / count * total
    # If all squares lay as those of the field do, its factor would be `most`.
    found, chance = _found(product[0], scale[0], share[0], total[0])
    most = 0.5 * chance * count
    part = (found - 1) * (most - 1) / jnp.maximum((most - 1) ** 2 + chance, 1e-30)
    deviate = (found - 1) / jnp.sqrt(jnp.where(chance > 0, chance, 1))
    return Unevenness(_factors(product, scale, share, total), part, deviate)


def tapered_uneven_factors(
    score: jax.Array, fields: Sequence[jax.Array], window: jax.Array
) -> jax.Array:
    """The factors of pixels that a window weighs whose noise is no larger for that, ``[k]``.

    Args:
        score: residual times the window.
        fields: J, ``[k, *frame]``.
        window: its values.
    """
    summands = [window**2, score**2]
    for field in fields:
        part = (window * field) ** 2
        summands += [part, (score * field) ** 2, part**2]
    sums = totals(summands)
    total, product, share = sums[2:].reshape(-1, 3).T
    return _factors(product * sums[0], sums[1] * total, share, total)


def _factors(
    product, scale, share, total, pixels: jax.Array | int = 1, repeated: jax.Array | float = 1.0
) -> jax.Array:
    """``product / scale``, drawn to 1 and raised; ``repeated``: frequencies per independent one."""
    found, chance = _found(product, scale, share, total, pixels)
    chance = chance * repeated
    square = (found - 1) ** 2
    weight = square / jnp.where(square + chance > 0, square + chance, 1)
    slope = weight * (3 - 2 * weight)  # of what is drawn by what was found
    return drawn_to_one(found, chance) * (1 + chance * slope**2)


def _found(product, scale, share, total, pixels: jax.Array | int = 1):
    """Factors without bias, and their variances by chance."""
    found = product / jnp.where(scale > 0, scale, 1)
    chance = 2 * share / jnp.where(total > 0, total, 1) ** 2 / pixels
    # Half of it is what the fit of J has taken out of the residual.
    return found * (1 + 0.5 * chance), chance


def power_unevenness(score: jax.Array, window: jax.Array) -> jax.Array:
    """Factor on the variance of a mean of ``|F(score)|^2`` over frequencies; 1 for even noise.

    Where noise is stronger in parts of the frame, the powers of frequencies near each other are
    alike: as many are independent as ``(sum v)^2 / sum v^2``, v the variance of a pixel. The
    product of the squares of a pixel and its neighbour tells v^2 without a fourth moment, which
    outliers would make large.

    Args:
        score: white noise of any strength times the window.
        window: its values.
    """
    squares, part = score**2, window**2
    summands = [squares, part]
    for axis in range(score.ndim):
        even = part * jnp.roll(part, 1, axis)
        summands += [squares * jnp.roll(squares, 1, axis), even, even**2]
    sums = totals(summands)
    found, even, share = sums[2:].reshape(-1, 3).T
    scale = even * sums[0] ** 2
    factors = found * sums[1] ** 2 / jnp.where(scale > 0, scale, 1)
    # The product of two squares, each about its mean, has the variance 4.
    chances = 4 * share / jnp.where(even > 0, even, 1) ** 2
    return drawn_to_one(jnp.mean(factors), jnp.mean(chances) / score.ndim)


def drawn_to_one(factor: jax.Array, chance: jax.Array) -> jax.Array:
    """A factor whose distance from 1 counts by as much as it exceeds its variance by chance."""
    distance = factor - 1
    square = distance**2
    return 1 + distance * square / jnp.where(square + chance > 0, square + chance, 1)
