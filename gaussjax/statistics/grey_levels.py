"""Rounding of flat scenes: one error per grey level, not one per pixel.

Where a scene is flat, all pixels of a level l of A have one rounding error e_l, of the variance
``q^2 / 12``. The score ``J'Wr`` then holds the sum of ``e_l g_l``,

    g_l = sum of T'WJ over the pixels of level l,        Var = q^2 / 12  sum_l g_l^2,

and along an edge these errors do not average out. They do where the pixels of a level have errors
of their own, as those of a photograph, and there are none where B was made from A as it is. The
score of each level, ``u_l = sum of WrJ over its pixels``, tells which: its variance is

    q^2 / 12 g_l^2 + s^2 Q_l        or        c s^2 Q_l,        Q_l = sum of WJ^2,

where c, from 1 on, is what the u tell: coherent rounding of B makes it large. Of an edge between
two levels they tell next to nothing; there c is that of scores by the levels of B, which are more.
Both are as likely before they are seen, and c is more than x with the probability 1 / x; the
likelihoods are those of what the fit has left of u, whose sum is 0.

Source: H. D. Patterson and R. Thompson, Biometrika 58(3), 1971 (the restricted likelihood).
"""

import jax
import jax.numpy as jnp

from gaussjax.numerics.linear_algebra import diagonal, product
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.long_run_covariance import drawn_to_one
from gaussjax.statistics.optimum_summary import Summary


@pytree
class LevelSums:
    """Sums over the pixels of each of L grey levels of A.

    J is the combination of the k fitted fields that the first parameter goes by.
    """

    scores: jax.Array  # u: of W r J, `[L]`
    powers: jax.Array  # Q: of W J^2, `[L]`
    gains: jax.Array  # of W J, which is g but for the blur, `[L]`
    passed: jax.Array  # of T'W times each of the fields, `[k, L]`
    of_blurred: jax.Array  # the first two by the grey levels of B instead, `[2, L]`


@pytree
class Coherence:
    """What rounding by levels adds to the variances of scores."""

    scatter: jax.Array  # covariance of the gradient of the fit, `[k, k]`
    # that of any field: times the sum of the squares of its sums over levels, and times its
    # variance by white noise
    by_level: jax.Array
    by_power: jax.Array


def coherence(sums: LevelSums, summary: Summary, rounding: jax.Array) -> Coherence:
    """What rounding of A, of this variance per pixel, and of B add.

    The sums may be of the most informative part of a frame whose levels go on beyond it.
    """
    variance = jnp.maximum(summary.noise_variance, rounding_variance(rounding.dtype))
    # Of every level its part of the information; scores and gains in units of theirs.
    total = product(sums.powers[None], jnp.ones_like(sums.powers)[:, None])[0, 0]
    unit = jnp.sqrt(jnp.where(total > 0, total, 1))
    share, score = sums.powers / unit**2, sums.scores / (unit * jnp.sqrt(variance))
    through = product(summary.inverse[:1], sums.passed)
    rows = jnp.concatenate([jnp.stack([share, score, sums.gains / unit]), through, sums.passed])
    products = product(rows, rows.T)
    largest, squares, gains, passed = diagonal(products)[:4]
    units = jnp.stack([unit * jnp.sqrt(variance), unit**2])[:, None]
    others = diagonal(product(sums.of_blurred / units, (sums.of_blurred / units).T))
    few = jnp.minimum(2 * largest, 1) ** 2  # 1 of two levels
    factor = 1 + few * (_factor(others[1], others[0]) - 1)
    factor = jnp.maximum(_factor(largest, squares), factor)
    variances = jnp.stack([factor * share, share + rounding / variance * rows[2] ** 2])
    deviances = _deviances(variances, share, score)
    rounded = jax.nn.sigmoid(0.5 * (deviances[0] - deviances[1]) + jnp.log(factor))
    strength = rounded * rounding
    beyond = (1 - rounded) * (factor - 1)
    # Where the levels go on, so do their errors.
    frame = strength * (summary.inverse[0, 0] / unit**2) ** 2
    return Coherence(
        scatter=frame * products[4:, 4:] + beyond * summary.scatter,
        # Of what a level adds the blur lets as much pass as of the fitted fields.
        by_level=strength * jnp.minimum(passed / jnp.where(gains > 0, gains * unit**2, 1), 1),
        by_power=beyond,
    )


def _factor(largest: jax.Array, squares: jax.Array) -> jax.Array:
    """By the sums of squares of shares of the information and of scores: their mean square."""
    found = drawn_to_one(squares / jnp.where(largest < 1, 1 - largest, 1), 2 * largest)
    return jnp.maximum(found, 1)


def _deviances(variances: jax.Array, share: jax.Array, score: jax.Array) -> jax.Array:
    """-2 log of the restricted likelihoods of variances of scores, ``[2, L]``."""
    counts = (share > jnp.finfo(share.dtype).eps)[None]
    variances = jnp.where(counts, variances, 1)
    weights = jnp.where(counts, share[None] / variances, 0)
    terms = jnp.stack(
        [
            jnp.where(counts, score[None] ** 2 / variances + jnp.log(variances), 0),
            weights * score[None],
            weights * share[None],
        ]
    )
    totals = product(terms.reshape(6, -1), jnp.ones_like(share)[:, None])
    own, along, information = totals.reshape(3, 2)
    information = jnp.where(information > 0, information, 1)
    return own - along**2 / information + jnp.log(information)
