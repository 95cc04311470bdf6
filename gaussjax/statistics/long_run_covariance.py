"""How far the variance of a score ``sum_x r J`` departs from that of white noise of even strength.

With noise of the power spectrum S_r the score has the variance ``mean_w |F(J)|^2 S_r``, here with
the residual's own periodogram in the place of S_r: its chance errors average out over the many
frequencies that J holds. With independent noise whose strength differs from pixel to pixel it is
``sum_x r^2 J^2``. Both are given as factors on ``s^2 sum_x J^2``, each drawn towards 1 by as much
as chance alone may have moved it, and so continuous: no test decides which form holds. Where chance
moves a factor by a relative variance of c, the mean square of a deviate is 1 + c: it is raised by
as much. How much chance does is told by the noise that is there: fewer frequencies count where it
has a spectrum, and fewer squares where those of neighbours are alike.

Source: W. K. Newey and K. D. West, Econometrica 55(3), 1987 (the long-run variance of scores); H.
White, Econometrica 48(4), 1980 (unequal variances); J. G. MacKinnon and H. White, J. Econometrics
29(3), 1985 (its bias in small samples); M. S. Bartlett, Suppl. J. R. Stat. Soc. 8(1), 1946 (mean
squares of series that correlate).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_weights
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals


@pytree
class LongRun:
    """What the spectrum of a residual does to the variances of scores."""

    factors: jax.Array  # on them, `[k]`; 1 if it is white
    # the sum of its squared autocorrelations: so many squares of pixels count as one
    alike: jax.Array


@pytree
class Unevenness:
    """Where the squares of a residual lie."""

    factors: jax.Array  # on the variances of scores, `[k]`
    # the part of the squares that lies as those of the first field do, on the details: 0 of noise
    # that is the same everywhere; and a standard normal deviate of it if it is
    on_details: jax.Array
    deviate: jax.Array


def long_run(
    power: jax.Array,
    field_powers: Sequence[jax.Array],
    image_shape: tuple[int, ...],
    num_pixels: jax.Array | int,
) -> LongRun:
    """Factors on the variances of scores by the spectrum of the residual.

    Args:
        power: |F(W r)|^2 on the half plane.
        field_powers: |F(W J)|^2 of every field.
        image_shape: of the frame.
        num_pixels: that are compared.
    """
    weights = half_plane_weights(image_shape, power.dtype)
    means = totals([weights * x for x in (power, *field_powers)])
    # Else squares of squares might leave the range of float32.
    power, *parts = (
        x / jnp.where(mean > 0, mean, 1)
        for x, mean in zip((power, *field_powers), means, strict=True)
    )
    summands = [weights * power**2]
    for part in parts:
        both = power * part
        summands += [weights * x for x in (both, part**2, both * part, both**2)]
    sums = totals(summands)
    product, share, both, square = sums[1:].reshape(-1, 4).T
    known = jnp.where(product > 0, product, 1)
    # Sums are means over the plane, of whose frequencies as many are independent as pixels are
    # compared. An exponential variable has twice the square of its mean.
    lost = 2 * both / known - share  # what the fit of J has taken out of the residual
    # Where chance has made a factor small, it has made what tells its chance small, too.
    chances = 2 * share, jnp.maximum(2 * share, square / known**2)
    independent = jnp.asarray(num_pixels, product.dtype)
    found = product * (1 + lost / independent)
    factors = _factors(found, *(each / independent for each in chances))
    return LongRun(factors, 0.5 * sums[0])


def unevenness(
    score: jax.Array,
    fields: Sequence[jax.Array],
    weights: jax.Array,
    alike: jax.Array | float = 1.0,
) -> Unevenness:
    """Where the squares of the residual lie, and what that does to the variances of scores.

    Args:
        score: W r.
        fields: J, ``[k, *frame]``.
        weights: W.
        alike: squares of pixels that count as one, of :class:`LongRun`.
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
    found, chance = _found(product, sums[1] / count * total, share, total)
    # If all squares lay as those of the field do, its factor would be `most`.
    most = 0.5 * chance[0] * count
    part = (found[0] - 1) * (most - 1) / jnp.maximum((most - 1) ** 2 + chance[0], 1e-30)
    deviate = (found[0] - 1) / jnp.sqrt(jnp.where(chance[0] > 0, chance[0], 1))
    return Unevenness(_factors(found, alike * chance), part, deviate)


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
    return _factors(*_found(product * sums[0], sums[1] * total, share, total))


def _factors(found, chance, raised_by: jax.Array | None = None):
    """Factors drawn to 1, and raised by what chance still does to them.

    Args:
        found: without bias.
        chance: their variances if they are 1.
        raised_by: relative ones as they are; None: the same.
    """
    square = (found - 1) ** 2
    weight = square / jnp.where(square + chance > 0, square + chance, 1)
    slope = weight * (3 - 2 * weight)  # of what is drawn by what was found
    raised = 1 + (chance if raised_by is None else raised_by) * slope**2
    return drawn_to_one(found, chance) * raised


def _found(product, scale, share, total):
    """Factors ``product / scale`` without bias, and their variances by chance."""
    found = product / jnp.where(scale > 0, scale, 1)
    chance = 2 * share / jnp.where(total > 0, total, 1) ** 2
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
