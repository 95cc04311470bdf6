"""The transfer function that many pairs have in common, what is noise, and what differs.

Pair i, seen through a window, is in a ring of frequencies

    b_i(w) = H(w) a_i(w) + d_i(w) + n_i(w),

where H is common, n noise that knows nothing of a, and d the distortion: what changes from pair to
pair, be it a filter of the pair's own, ``(H_i - H) a_i``, or a field that no filter makes of a_i.
With the Gaussian T of the fit taken out, ``r_i = b_i - T a_i``, and sums over the frequencies of a
ring P_i = |a_i|^2, C_i = Re conj(a_i) r_i, E_i = |r_i|^2, it is linear regression of r on a, with
a slope per pair:

* ``H - T = sum_i C_i / sum_i P_i``, the best linear approximation.
* What a slope of a pair's own leaves, ``E_i - C_i^2 / P_i``, is noise and field together.
* The slopes C_i / P_i scatter by as much as that explains, and beyond it by the pair's filter.

One exposure per pair cannot tell the noise from the field. The split needs the noise to be white:
its level is given, or that of the highest frequencies, where smooth fields have faded. What is
neither common nor white is then distortion. So is noise of any colour (of JPEG, of a denoiser, of
A, which is filtered), as no repeated exposure says otherwise; and a field as white as noise counts
as noise. A factor on all frequencies is distortion where no gain is fitted.

Sources: R. Pintelon and J. Schoukens, "System Identification: A Frequency Domain Approach", 2nd
ed., Wiley 2012, ch. 4 (best linear approximation, its variance by noise and by realisations); R.
DerSimonian and N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7(3), 1986
(scatter beyond what noise explains, by moments).
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from gaussjax.numerics.pytree import pytree

# Rings up to pi rad/px: narrow enough for photographs, and in 64 px still two frequencies wide.
NUM_BINS = 16
# The level of the noise is that from this ring on: the upper quarter of the rings, and the corners.
_NOISE_BIN = NUM_BINS - NUM_BINS // 4
# Error bars of shares are by leaving out each of so many groups of pairs.
_GROUPS = 32
# Part of the power beside the strongest pair's below which there is no scatter to see.
_LEAST_FREEDOM = 1e-6


@pytree
class RingSums:
    """What one pair adds: sums over the frequencies of every ring, ``[NUM_BINS + 1]``.

    The last ring is the corners beyond pi. Parseval's 1/N is in all of them. With a leading axis:
    of several pairs.
    """

    flat: jax.Array  # what white noise of unit variance would add to `residual`
    frequency: jax.Array  # |w| |a|^2, rad/px
    power: jax.Array  # |a|^2
    fitted: jax.Array  # T |a|^2
    output: jax.Array  # the power of B
    cross: jax.Array  # Re conj(a) r
    residual: jax.Array  # |r|^2
    noise_cross: jax.Array  # variance of `cross` if r were white noise of unit variance
    changes: jax.Array  # derivatives of `fitted` by the parameters of the blur, `[p, NUM_BINS + 1]`

    @staticmethod
    def none(num_parameters: int, dtype) -> "RingSums":
        """The sums of a pair that adds nothing."""
        none = jnp.zeros(NUM_BINS + 1, dtype)
        changes = jnp.zeros((num_parameters, NUM_BINS + 1), dtype)
        return RingSums(none, none, none, none, none, none, none, none, changes)


class _Moments(NamedTuple):
    """Sums over pairs of what RingSums holds, and of products of it."""

    flat: np.ndarray
    frequency: np.ndarray
    power: np.ndarray
    fitted: np.ndarray
    output: np.ndarray
    cross: np.ndarray
    residual: np.ndarray
    noise_cross: np.ndarray
    explained: np.ndarray  # cross^2 / power
    noise_explained: np.ndarray  # noise_cross / power
    power_power: np.ndarray
    power_cross: np.ndarray
    cross_cross: np.ndarray


@dataclass(frozen=True)
class TransferSums:
    """Sums over pairs, of one size for any number of them and any shapes; float64."""

    num_pairs: np.ndarray  # in each group of pairs, `[groups]`
    moments: np.ndarray  # `[groups, sums, NUM_BINS + 1]`
    changes: np.ndarray  # derivatives of `fitted`, `[groups, p, NUM_BINS + 1]`

    def __add__(self, other: "TransferSums") -> "TransferSums":
        """The sums over the pairs of both."""
        return TransferSums(
            self.num_pairs + other.num_pairs,
            self.moments + other.moments,
            self.changes + other.changes,
        )

    @staticmethod
    def none(num_parameters: int) -> "TransferSums":
        """The sums over no pairs, for a blur of so many parameters."""
        sizes = len(_Moments._fields), num_parameters
        return TransferSums(
            np.zeros(_GROUPS), *(np.zeros((_GROUPS, size, NUM_BINS + 1)) for size in sizes)
        )

    @staticmethod
    def of_pairs(pairs: RingSums, places: npt.ArrayLike) -> "TransferSums":
        """The sum over pairs whose sums have a leading axis; those without a pixel do not count.

        Groups are dealt out by the places of the pairs among all pairs, ``[n]``.
        """
        changes = np.asarray(pairs.changes, float)
        names = [f.name for f in fields(pairs) if f.name != "changes"]
        sums = np.stack([np.asarray(getattr(pairs, name), float) for name in names], 1)
        names = _Moments._fields
        power, cross, noise = (sums[:, names.index(x)] for x in ("power", "cross", "noise_cross"))
        products = _ratio(cross**2, power), _ratio(noise, power), power**2, power * cross, cross**2
        group = np.asarray(places, int) % _GROUPS
        total = TransferSums.none(changes.shape[1])
        np.add.at(total.num_pairs, group, np.any(sums[:, names.index("flat")] > 0, axis=-1))
        np.add.at(total.changes, group, changes)
        np.add.at(total.moments, group, np.concatenate([sums, np.stack(products, 1)], 1))
        return total


@pytree
class PowerShares:
    """Shares of the power of all B, each about its mean; of 1, if not of their errors.

    They are estimates without bias, and so may lie a little below 0.

    Attributes:
        linear: what the common filter H makes of A.
        gaussian: what the Gaussian of the fit explains, a part of ``linear``.
        noise: white noise. linear + noise + distortion = 1.
        distortion: what is neither the common filter nor white.
        filters: the part of the distortion that a filter of each pair's own makes of its A.
    """

    linear: np.ndarray
    gaussian: np.ndarray
    noise: np.ndarray
    distortion: np.ndarray
    filters: np.ndarray

    def __str__(self) -> str:
        """All shares in one line."""
        parts = self.linear, self.gaussian, self.distortion, self.noise
        linear, gaussian, distortion, noise = (f"{100 * float(part):.3g} %" for part in parts)
        return (
            f"{linear} by one filter, {gaussian} by the Gaussian; {distortion} distortion,"
            f" {noise} white noise"
        )


@pytree
class PooledTransfer:
    """Transfer function of all pairs in rings of frequency, ``[NUM_BINS]``; float64.

    From the sharper to the softer images. NaN where no image holds a frequency, and what needs the
    scatter of pairs with fewer than two of them.

    Attributes:
        frequency: rad/px, the mean over the ring by the power of A.
        transfer: H, the best linear approximation.
        fitted: the Gaussian of the fit, averaged as H is.
        noise_error: standard error of H by noise alone, by what is unlike A within each pair.
        pair_error: standard error of H by the scatter of the pairs, which holds the noise, too.
        coherence: squared: share of the ring's power in B that H explains. With distortion and
            noise it is 1.
        distortion: share of the ring's power in B that is distortion.
        noise: share of it that is white noise.
        noise_std: of the white noise, in the unit of the images' sums.
        shares: of the power of all rings.
        share_errors: their standard errors, by the scatter of the pairs.
        num_pairs: how many.
    """

    frequency: np.ndarray
    transfer: np.ndarray
    fitted: np.ndarray
    noise_error: np.ndarray
    pair_error: np.ndarray
    coherence: np.ndarray
    distortion: np.ndarray
    noise: np.ndarray
    noise_std: np.ndarray
    shares: PowerShares
    share_errors: PowerShares
    num_pairs: int

    @property
    def distortion_std(self) -> np.ndarray:
        """Standard deviation of the distortion over that of B, in every ring."""
        return np.sqrt(np.maximum(self.distortion, 0))


def pooled_transfer(
    sums: TransferSums, noise_std: float | None = None, move: npt.ArrayLike | None = None
) -> PooledTransfer:
    """What the pairs have in common and what not, from their sums.

    Args:
        sums: over all pairs.
        noise_std: of white noise in the softer images, in the unit of the images whose sums these
            are; None: as the highest frequencies have it.
        move: of the parameters of the blur from those of the sums to those of the fit, ``[p]``;
            None: not at all.
    """
    variance = None if noise_std is None else noise_std**2
    moments = _Moments(*sums.moments.sum(0))
    move = np.zeros(sums.changes.shape[1]) if move is None else np.asarray(move, float)
    change = np.tensordot(move, sums.changes, (0, 1))
    found = _split(moments, variance, change.sum(0))
    used = sums.num_pairs > 0
    # The jackknife: the sums without each group.
    without = _Moments(*np.moveaxis(sums.moments.sum(0) - sums.moments[used], 1, 0))
    replicates = _split(without, variance, change.sum(0) - change[used]).shares()
    count = np.count_nonzero(used)
    errors = [np.sqrt((count - 1) * np.var(x)) if count > 1 else np.nan for x in replicates]
    m, shown = moments, slice(NUM_BINS)
    return PooledTransfer(
        frequency=_ratio(m.frequency, m.power, np.nan)[shown],
        transfer=_ratio(m.fitted + m.cross, m.power, np.nan)[shown],
        fitted=_ratio(m.fitted + change.sum(0), m.power, np.nan)[shown],
        noise_error=found.noise_error[shown],
        pair_error=found.pair_error[shown],
        coherence=_ratio(found.linear, found.total, np.nan)[shown],
        distortion=_ratio(found.filters + found.field, found.total, np.nan)[shown],
        noise=_ratio(found.noise, found.total, np.nan)[shown],
        noise_std=np.sqrt(np.maximum(found.variance, 0)),
        shares=PowerShares(*found.shares()),
        share_errors=PowerShares(*map(np.asarray, errors)),
        num_pairs=round(sums.num_pairs.sum()),
    )


@dataclass(frozen=True)
class _Split:
    """Powers in every ring, ``[..., rings]``."""

    total: np.ndarray  # of B
    filters: np.ndarray  # what a filter of each pair's own adds
    field: np.ndarray  # what no filter makes of A and white noise does not explain
    noise: np.ndarray
    departure: np.ndarray  # of the common filter from the Gaussian
    variance: np.ndarray  # of the white noise
    noise_error: np.ndarray
    pair_error: np.ndarray

    @property
    def linear(self) -> np.ndarray:
        """What the common filter makes of A."""
        return self.total - self.noise - self.filters - self.field

    def shares(self) -> tuple[np.ndarray, ...]:
        """The shares of all rings together, in the order of PowerShares."""
        distortion = self.filters + self.field
        parts = self.linear, self.linear - self.departure, self.noise, distortion, self.filters
        total = np.sum(self.total, -1)
        return tuple(_ratio(np.sum(part, -1), total, np.nan) for part in parts)


def _split(m: _Moments, variance: float | None, change: np.ndarray) -> _Split:
    """Powers by the moments ``[..., rings]``, each without bias.

    ``variance`` is that of white noise, or None; ``change`` that of ``m.fitted`` from the Gaussian
    of the sums to that of the fit.
    """
    # The part of the scatter that remains about a mean that the pairs have made themselves.
    freedom = 1 - _ratio(m.power_power, m.power**2)
    freedom = np.where((freedom > _LEAST_FREEDOM) | (m.power == 0), freedom, np.nan)
    slope = _ratio(m.cross, m.power)
    level = _ratio(m.residual - m.explained, m.flat - m.noise_explained)
    chance = level * (m.noise_explained - _ratio(m.noise_cross, m.power))
    filters = (m.explained - slope * m.cross - chance) / freedom
    unlike = m.residual - m.explained + level * m.noise_explained
    top = (..., slice(_NOISE_BIN, None))
    if variance is None:
        white = _ratio(np.sum(unlike[top], -1), np.sum(m.flat[top], -1))
    else:
        white = np.full(unlike.shape[:-1], variance)
    noise = white[..., None] * m.flat
    scatter = m.cross_cross - 2 * slope * m.power_cross + slope**2 * m.power_power
    scatter = np.maximum(scatter, 0)  # a sum of squares, of pairs alike nothing but rounding
    departure = slope - _ratio(change, m.power)
    pair_variance = _ratio(scatter / freedom, m.power**2, np.nan)
    return _Split(
        total=m.output,
        filters=filters,
        field=unlike - noise,
        noise=noise,
        departure=(departure**2 - np.where(m.power > 0, pair_variance, 0)) * m.power,
        variance=white,
        noise_error=np.sqrt(_ratio(level * m.noise_cross, m.power**2, np.nan)),
        pair_error=np.sqrt(pair_variance),
    )


def _ratio(numerator: np.ndarray, denominator: np.ndarray, nothing: float = 0.0) -> np.ndarray:
    """Numerator / denominator, and ``nothing`` where the denominator is not above 0."""
    some = denominator > 0
    return np.where(some, numerator / np.where(some, denominator, 1), nothing)
