"""What the tiles of a map say together: whether they share one blur, and one shape of kernel."""

import math
from dataclasses import replace
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.statistics.cause import Cause
from gaussjax.statistics.covariance import variance_error
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

# A p-value is taken to lie between these: its cotangent has to stay finite.
_LEAST, _LARGEST = 1e-30, 0.999
# A frame is doubted as a whole where tiles with this part of what it tells of the blur are.
_TELLING_PART = 0.25


def one_blur_p_value(values: jax.Array, variances: jax.Array, lags: tuple[int, ...]) -> jax.Array:
    """Probability that tiles of one true value differ as much as these, or more, ``[ny, nx]``.

    Cochran's Q of tiles that share no pixel, ``lags`` apart per axis, is chi-square. The p-values
    of the sets of such tiles, which depend on each other, are joined by their mean cotangent
    (Cauchy combination). Variances of errors are infinite where a tile is left out. 1 where no two
    tiles can be compared.

    Source: Cochran, Biometrics 10(1), 101, 1954; Liu & Xie, J. Am. Stat. Assoc. 115, 393, 2020.
    """
    weights = jnp.where(jnp.isfinite(variances), 1 / variances, 0)
    row, column = np.indices(values.shape)
    found = []
    for first in product(*map(range, lags)):
        chosen = (row % lags[0] == first[0]) & (column % lags[1] == first[1])
        weight = jnp.where(chosen, weights, 0)
        total = jnp.sum(weight)
        mean = jnp.sum(weight * values) / jnp.where(total > 0, total, 1)
        square = jnp.sum(weight * (values - mean) ** 2)
        freedom = jnp.sum(weight > 0).astype(values.dtype) - 1
        tail = jax.scipy.special.gammaincc(0.5 * jnp.maximum(freedom, 1), 0.5 * square)
        found.append((jnp.clip(tail, _LEAST, _LARGEST), freedom > 0))
    tails, compared = (jnp.stack(part) for part in zip(*found, strict=True))
    cotangents = jnp.where(compared, 1 / jnp.tan(math.pi * tails), 0)
    count = jnp.sum(compared.astype(cotangents.dtype))
    mean = jnp.sum(cotangents) / jnp.maximum(count, 1)
    return jnp.where(count > 0, jnp.arctan2(jnp.ones_like(mean), mean) / math.pi, 1)


def judged_together(estimates: BlurEstimate) -> BlurEstimate:
    """Estimates of tiles, all of them doubted where the frame's kernel is no Gaussian.

    The shape of a kernel is the optics', and a tile with little content cannot show it. So where
    tiles with a quarter of what the frame tells of its blur are doubted for it, so are the others.
    Other causes are matters of a place, or of a blur that varies.
    """
    adequacy = estimates.adequacy
    assert adequacy is not None  # the pixels were seen
    estimated = estimates.status == Status.ESTIMATED
    errors = variance_error(estimates.sigma, estimates.sigma_standard_error)
    errors = errors.reshape(*estimates.status.shape, -1)[..., 0]
    precisions = jnp.where(estimated & (errors > 0), 1 / errors**2, 0)
    verdict, cause = adequacy.verdict, adequacy.cause
    shows = (cause == Cause.KERNEL) & (verdict == Verdict.EXPLAINED_POORLY)
    everywhere = jnp.sum(jnp.where(shows, precisions, 0)) > _TELLING_PART * jnp.sum(precisions)
    trusted = (verdict == Verdict.EXPLAINED) | (verdict == Verdict.SHARPER)
    doubted = everywhere & trusted
    adequacy = replace(
        adequacy,
        verdict=jnp.where(doubted, jnp.int32(Verdict.EXPLAINED_POORLY), verdict),
        cause=jnp.where(doubted, jnp.int32(Cause.KERNEL), cause),
    )
    return replace(estimates, adequacy=adequacy)
