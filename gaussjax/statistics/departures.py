"""Departures from the model: what the residual shows beside noise, and how far it moves the blur.

Each departure is a *direction* z, a field that the prediction would have on top if the images
differed by more than the fitted blur. At the optimum the residual r = B - predicted is orthogonal
to the fitted fields J, and the part of z that they cannot imitate,

    z~ = z - J (J'J)^-1 J'z,        b = z~'r,        beta = b / z~'z~,

gives the score b, which tests for the direction without a second fit. If it is there, the fitted
parameters are off by ``(J'J)^-1 J'z beta``. The variance of b is the largest of the classical
``s^2 z~'z~``, of that from pixels, whose noise may be uneven, and of that from sums over blocks of
neighbours, which allow for residuals that depend on each other; the last two without what the
direction explains.

Source: J. A. Hausman, "Specification tests in econometrics", Econometrica 46(6), 1978; W. K. Newey,
"Maximum likelihood specification testing and conditional moment tests", Econometrica 53(5), 1985;
for the blocks K.-Y. Liang and S. L. Zeger, Biometrika 73(1), 1986.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.numerics.linear_algebra import inverse_small, product
from gaussjax.numerics.pytree import pytree, static
from gaussjax.statistics.cause import MOVES, Cause
from gaussjax.statistics.long_run_covariance import Unevenness, drawn_to_one
from gaussjax.statistics.noise_weighted_sums import ReferenceNoise
from gaussjax.statistics.optimum_summary import Summary

# Probability with which a pair that the model describes is taken to depart from it.
LEVEL = 0.01
# How much of a residual's noise a direction has to explain to be named instead of noise in A.
LESS_SPECIFIC = 0.25
# 2 log of the likelihood ratio from which an interval has to allow for the other model.
_BETTER = 2.0
# A model error below this part of the error by noise changes no digit of the interval.
WORTH_TELLING = 0.1
# Noise in A of less than this multiple of what rounding leaves is taken for rounding.
_ROUNDING_EXCESS = 4.0
# Causes by the spectrum of the residual, and by where its squares lie.
_OF_REFERENCE = Cause.NOISE_IN_REFERENCE, Cause.NOT_A_FILTER
# A direction of which less than this part of its power is left beside the fitted fields is not
# tested: rounding would decide.
_LEAST_PART = 1e-4


@pytree
class BesideTheFit:
    """What the fitted fields cannot imitate of each direction: z~."""

    coefficients: jax.Array  # what they can: ``(J'WJ)^-1 J'Wz``, `[k, m]`
    power: jax.Array  # z~'Wz~; 1 where nothing is left, `[m]`
    total: jax.Array  # b = z~'Wr, 0 where nothing is left, `[m]`

    @property
    def strengths(self) -> jax.Array:
        """How much of each direction is there, b / z~'Wz~, ``[m]``."""
        return self.total / self.power

    @property
    def effects(self) -> jax.Array:
        """On the fitted parameters, ``[k, m]``."""
        return self.coefficients * self.strengths[None]

    def part(self, some: slice) -> Self:
        """Of some of the directions."""
        return jax.tree.map(lambda each: each[..., some], self)


@pytree
class Spread:
    """How the score of each direction is spread, by blocks of neighbours and by pixels.

    Without what the direction itself adds, ``W z~ (r - beta z~)``: a real departure would else
    enlarge the variance, most where it is concentrated in a few places.
    """

    squares: jax.Array  # sums of the squared sums over blocks, and over pixels, `[2, m]`
    powers: jax.Array  # the same of W z~^2, `[2, m]`

    def part(self, some: slice) -> Self:
        """Of some of the directions."""
        return jax.tree.map(lambda each: each[:, some], self)


@pytree
class DepartureSums:
    """Sums over the pixels that are looked at, with k fitted fields J and m directions z."""

    beside: BesideTheFit
    mixed: jax.Array  # J'Wz, `[k, m]`
    powers: jax.Array  # z'Wz, `[m]`
    levels: jax.Array  # 1'Wz, `[m]`; 0 of differences, whose sum is next to nothing
    spread: Spread
    variance: jax.Array  # of the residual, per pixel
    num_pixels: jax.Array
    # what rounding by grey levels adds to the variances of the scores, at first the sums of the
    # squares of their sums over levels; None: nothing, `[m]`
    coherent: jax.Array | None = None
    # what displacements of strength 1 add to the vector as a blur; None: nothing, `[k, m]`
    smears: jax.Array | None = None

    @property
    def effects(self) -> jax.Array:
        """On the fitted parameters, of first order, and of displacements of second, ``[k, m]``."""
        effects = self.beside.effects
        if self.smears is None:
            return effects
        return (
            effects + jnp.where(effects < 0, -1, 1) * self.smears * self.beside.strengths[None] ** 2
        )

    def part(self, some: slice) -> Self:
        """Of some of the directions."""
        return replace(
            self,
            coherent=None if self.coherent is None else self.coherent[some],
            beside=self.beside.part(some),
            mixed=self.mixed[:, some],
            powers=self.powers[some],
            levels=self.levels[some],
            smears=None if self.smears is None else self.smears[:, some],
            spread=self.spread.part(some),
        )


@pytree
class Departures:
    """Test statistics and effects of each direction."""

    z_scores: jax.Array  # standard normal deviates, large where the direction is there, `[m]`
    effects: jax.Array  # on the fitted parameters, `[k, m]`
    shares: jax.Array  # of the sum of squared residuals that each would explain, `[m]`
    serious: jax.Array  # False of what widens the interval but is no reason for doubt, `[m]`
    # what adds up over pairs: the deviate with its sign; of another model, 2 log of its likelihood
    # ratio; 0 where nothing does, `[m]`
    additive: jax.Array
    # what is left of the effects beside the departure that explains most, `[k, m]`; None: all
    beside: jax.Array | None = None
    # number of chances that such a deviate had to be as large
    trials: tuple[int, ...] = static(default=())
    causes: tuple[Cause, ...] = static(default=())  # that they show

    @property
    def left(self) -> jax.Array:
        """The effects that an interval has to allow for if those departures are there, ``[k, m]``.

        A departure shows along all directions that resemble its own. Their effects may be large
        where it is certain itself and does little; these are the effects once it is allowed for.
        """
        return self.effects if self.beside is None else self.beside

    def joined(self, other: "Departures") -> "Departures":
        """The departures of both."""
        return Departures(
            z_scores=jnp.concatenate([self.z_scores, other.z_scores]),
            effects=jnp.concatenate([self.effects, other.effects], axis=1),
            shares=jnp.concatenate([self.shares, other.shares]),
            serious=jnp.concatenate([self.serious, other.serious]),
            additive=jnp.concatenate([self.additive, other.additive]),
            beside=jnp.concatenate([self.left, other.left], axis=1),
            trials=self.trials + other.trials,
            causes=self.causes + other.causes,
        )

    @property
    def possible(self) -> jax.Array:
        """What the interval has to allow for, ``[m]``.

        A departure of unknown strength that is significant; another model that fits better, by
        Akaike's measure.
        """
        is_alternative = jnp.asarray([trials == 1 for trials in self.trials])
        return jnp.where(is_alternative, self.z_scores**2 > _BETTER, self.significant)

    @property
    def significant(self) -> jax.Array:
        """Whether such a deviate is improbable, ``p < LEVEL``, ``[m]``.

        By quantiles that are known when a program is made: to compile a probability takes long.
        """
        least = [NormalDist().inv_cdf(1 - LEVEL / trials) for trials in self.trials]
        return self.z_scores > np.asarray(least, self.z_scores.dtype)

    @property
    def p_values(self) -> jax.Array:
        """Probability of such a deviate, or a larger one, in any of its trials, ``[m]``."""
        tail = 0.5 * jax.scipy.special.erfc(self.z_scores / math.sqrt(2))
        return jnp.minimum(jnp.asarray(self.trials, tail.dtype) * tail, 1)


def directed(sums: DepartureSums, rounding: float, causes: Sequence[Cause]) -> Departures:
    """Departures of unknown strength along each of m directions, with their causes.

    ``rounding`` is a variance per pixel.
    """
    deviates = _deviates(sums, rounding)
    found = Departures(
        z_scores=jnp.abs(deviates),
        effects=sums.effects,
        shares=_shares(sums),
        serious=jnp.ones(deviates.shape, bool),
        additive=deviates,
        trials=(2 * len(causes),) * len(causes),
        causes=tuple(causes),
    )
    if Cause.OFFSET not in causes:
        return found
    # A level that differs looks like a gain, a tone curve or light over the frame.
    offset = causes.index(Cause.OFFSET)
    is_other = jnp.arange(len(causes)) != offset
    explains_most = jnp.argmax(jnp.where(found.significant, found.shares, -1)) == offset
    explains_most &= found.significant[offset]
    effects = _effects_beside(sums, offset)
    return replace(found, beside=jnp.where(explains_most & is_other, effects, found.effects))


def unexplained(found: Departures) -> jax.Array:
    """Part of the squared residuals that the most telling significant direction leaves over."""
    best = jnp.max(jnp.where(found.significant, found.shares, 0))
    return jnp.clip(1 - best, 0, 1)


def alternatives(
    sums: DepartureSums, rounding: float, changes: jax.Array, cause: Cause
) -> Departures:
    """Departures of known strength: other models, of which one may hold instead of the fitted one.

    Each direction is the alternative's prediction minus the fitted model's, and its evidence the
    likelihood ratio of the two. ``changes`` are those of the fitted parameters under each
    alternative, before they are fitted anew, ``[k, m]``; ``rounding`` is a variance per pixel.
    """
    part = sums.beside
    # 2 log of the ratio: of a direction with the score b and the power q, (2 b - q) / variance.
    unit = jnp.abs(_deviates(sums, rounding)) / jnp.where(part.total == 0, 1, jnp.abs(part.total))
    ratio = unit**2 * part.power * (2 * part.total - part.power)
    count, each = len(part.power), ratio
    # One of them at most is true: the one that fits best.
    ratio = jnp.where(jnp.arange(count) == jnp.argmax(ratio), ratio, 0)
    return Departures(
        z_scores=jnp.sqrt(jnp.maximum(ratio, 0)),
        effects=jnp.where(ratio[None] > 0, changes - part.coefficients, 0),
        shares=_shares(sums),
        serious=jnp.ones(count, bool),
        additive=each,
        trials=(1,) * count,
        causes=(cause,) * count,
    )


def reference_noise_effect(noise: ReferenceNoise, summary: Summary, variance) -> jax.Array:
    """What noise of a variance in A hides of the fitted parameters, ``[k]``.

    It adds ``v_A sum_w |R|^2 / 2`` to the objective of least squares, which pulls R towards 0.
    """
    return product(summary.inverse, noise.bias) * (variance * summary.num_pixels)


def rounding_noise_level(
    noise: ReferenceNoise, summary: Summary, largest: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Variance of the noise that rounding left in A, and its standard error.

    Grey levels may be those of the scene itself, as of a photograph that was blurred by a program,
    or have been rounded after the blur. So the level is anything from 0 to the largest, the
    variance of the rounding, before the residual's spectrum is looked at.
    """
    found, error = _found(noise, summary)
    prior = largest**2 / 12
    total = prior + error**2
    total = jnp.where(total > 0, total, 1)
    level = 0.5 * largest + prior / total * (found - 0.5 * largest)
    return jnp.clip(level, 0, largest), error * jnp.sqrt(prior / total)


def reference_noise_departure(
    noise: ReferenceNoise,
    summary: Summary,
    known: jax.Array,
    rounding: float,
    rest: jax.Array | float = 1.0,
    *,
    uneven: Unevenness,
) -> Departures:
    """Noise in A, more than it may have, that the fit has taken for noise in B.

    And what lies where the details are, as what a filter that is not linear does to them; its
    effects are those of the first, see :func:`told_apart`.

    ``known`` is the variance of the noise that A may have, ``rounding`` one per pixel that may be
    of any spectrum, ``rest`` the part of the residual that nothing else explains.
    """
    found, error = _found(noise, summary)
    error = jnp.hypot(error, rounding)
    error = jnp.where(error > 0, error, jnp.inf)
    excess = (found - known) / error
    found = jnp.maximum(found - known, 0)
    variance = summary.mean_square
    effect = reference_noise_effect(noise, summary, found)
    at_most = jnp.minimum(found, noise.most * variance)
    z_score = found / error
    # A smooth misfit of any other kind has a spectrum like that of noise in A, too.
    share = LESS_SPECIFIC * jnp.minimum(found / jnp.where(variance > 0, variance, 1), 1)
    # The rounding of smooth content is no white noise, and may look like more of it.
    serious = jnp.minimum(found, variance) > _ROUNDING_EXCESS * known
    beside = reference_noise_effect(noise, summary, rest * at_most)
    none = jnp.zeros_like(effect)
    return Departures(
        z_scores=jnp.stack([z_score, jnp.maximum(uneven.deviate, 0)]),
        effects=jnp.stack([effect, none], axis=-1),
        shares=jnp.stack([share, uneven.on_details]),
        serious=jnp.stack([serious, jnp.zeros_like(serious)]),
        additive=jnp.stack([excess, uneven.deviate]),
        beside=jnp.stack([beside, none], axis=-1),
        trials=(2, 2),
        causes=_OF_REFERENCE,
    )


def told_apart(found: Departures) -> Departures:
    """The departures, with a decision between noise in A and a residual that lies on the details.

    Noise in A has one strength everywhere. Squares that lie on the details by more than half of the
    share that it would explain are none of it, and the other cause takes its share. A larger share
    is that of an operation that is no filter, only where no direction explains as much and the
    images are not seen to be displaced. Uneven noise in B alone is no departure: another one has to
    be significant, too.
    """
    if _OF_REFERENCE[1] not in found.causes:
        return found
    details = found.causes.index(_OF_REFERENCE[1])
    noise, index = details - 1, np.arange(len(found.causes))
    shares, significant = found.shares, found.significant
    is_other = (index != details) & (index != noise)
    lies_there = significant[details] & jnp.any(significant & (index != details))
    lies_there &= shares[details] > 0.5 * shares[noise]
    moves = np.asarray([cause in MOVES for cause in found.causes])
    moved = jnp.asarray(moves)[jnp.argmax(jnp.where(significant & is_other, shares, -1))]
    beyond = (shares[details] > jnp.max(jnp.where(is_other, shares, 0))) & ~moved
    of_noise = jnp.where(significant[noise], shares[noise], 0)
    own = jnp.maximum(jnp.where(beyond, shares[details], 0), of_noise)
    shares = jnp.where(index == details, own, shares)
    return replace(
        found,
        z_scores=jnp.where((index == details) & ~lies_there, 0, found.z_scores),
        shares=jnp.where((index == noise) & lies_there, 0, shares),
    )


def no_blur_at_all(
    noise: ReferenceNoise,
    summary: Summary,
    variances: jax.Array,
    num_parameters: int,
    rest: jax.Array | float = 1.0,
) -> Departures:
    """Whether noise in A may be all that the fit has taken for blur.

    A narrow blur passes nearly all noise of A, so that the residual's spectrum does not show whose
    noise it is. But there is no more of it than the residual holds, or than the ``rest`` of it that
    nothing else explains. Where this bound and the spectrum allow as much noise as would explain
    the blur, the interval reaches to no blur.

    Source: R. Frisch, "Statistical Confluence Analysis by Means of Complete Regression Systems",
    Oslo 1934 (the bound).
    """
    found, error = _found(noise, summary)
    residual = summary.mean_square
    # A negative estimate shows that the noise is not white, as that of a codec, and by how much the
    # spectrum misleads: there Frisch's bound alone holds.
    error = jnp.hypot(error, jnp.minimum(found, 0))
    found = jnp.clip(found, 0, noise.most * residual)
    largest = rest * jnp.minimum(found + error, residual)
    reach = -reference_noise_effect(noise, summary, largest)[: len(variances)]
    within = jnp.all(reach >= variances) & jnp.all(variances > 0)
    effect = jnp.zeros((num_parameters, 1), residual.dtype)
    effect = effect.at[: len(variances), 0].set(jnp.where(within, variances, 0))
    return Departures(
        # Possible, but no evidence of it.
        z_scores=jnp.where(within, 1.01 * _BETTER**0.5, jnp.zeros_like(residual))[None],
        effects=effect,
        shares=jnp.zeros_like(residual)[None],
        serious=jnp.zeros(1, bool),
        additive=jnp.zeros_like(residual)[None],
        trials=(1,),
        causes=(Cause.NOISE_IN_REFERENCE,),
    )


def leaked_in(
    change: jax.Array, errors: jax.Array, z_score: jax.Array, share: jax.Array
) -> Departures:
    """What a kernel's tail may bring in from beyond the frame: possible, even where none is seen.

    A change of the fitted parameters ``[k]`` that is small beside their errors by noise is none.
    The z score is that of a guess of it in the residual, the share that of the squared residuals
    which this explains.
    """
    matters = jnp.any(jnp.abs(change) > WORTH_TELLING * errors)
    return Departures(
        z_scores=jnp.where(matters, jnp.maximum(z_score, 1.01 * _BETTER**0.5), 0)[None],
        effects=change[:, None],
        shares=jnp.where(z_score > 0, share, 0)[None],
        serious=jnp.zeros(1, bool),  # the interval holds it
        additive=jnp.zeros_like(z_score)[None],
        trials=(1,),
        causes=(Cause.LEAKAGE,),
    )


def _found(noise: ReferenceNoise, summary: Summary) -> tuple[jax.Array, jax.Array]:
    """Variance of noise in A by the residual's spectrum, and its standard error."""
    variance = summary.mean_square
    return noise.part * variance, noise.error * variance


def beside_the_fit(
    information: jax.Array, mixed: jax.Array, powers: jax.Array, totals: jax.Array
) -> BesideTheFit:
    """What is left of m directions beside k fitted fields.

    Args:
        information: J'WJ, ``[k, k]``.
        mixed: J'Wz, ``[k, m]``.
        powers: z'Wz, ``[m]``.
        totals: J'Wr and z'Wr, ``[k + m]``.
    """
    k = len(information)
    coefficients = product(inverse_small(information), mixed)
    power = powers - jnp.sum(mixed * coefficients, axis=0)
    usable = (power > _LEAST_PART * powers) & jnp.isfinite(power)
    total = totals[k:] - jnp.sum(coefficients * totals[:k, None], axis=0)
    return BesideTheFit(
        coefficients=jnp.where(usable[None], coefficients, 0),
        power=jnp.where(usable, power, 1),
        total=jnp.where(usable, total, 0),
    )


def _deviates(sums: DepartureSums, rounding: float) -> jax.Array:
    """Standard normal deviates of the scores, ``[m]``."""
    beside, spread = sums.beside, sums.spread
    # Rounding may be the same everywhere, and then no mean over pixels makes it smaller.
    classical = (sums.variance + rounding * sums.num_pixels) * beside.power
    classical = jnp.where(classical > 0, classical, 1)
    # One over the number of blocks, and of pixels, that there are in effect.
    shares = jnp.minimum(spread.powers / beside.power[None] ** 2, 1)
    factors = spread.squares / (classical[None] * jnp.where(shares < 1, 1 - shares, 1))
    # Estimates of the variance, as good as their number allows; they only enlarge it.
    factor = jnp.maximum(jnp.max(drawn_to_one(factors, 2 * shares), axis=0), 1)
    # One pixel is no evidence, however far off.
    coherent = 0 if sums.coherent is None else sums.coherent
    return beside.total / jnp.sqrt(classical * factor + coherent + shares[1] * beside.total**2)


def _shares(sums: DepartureSums) -> jax.Array:
    """Of the sum of squared residuals, that each direction explains, ``[m]``."""
    squares = sums.variance * sums.num_pixels
    return sums.beside.total**2 / sums.beside.power / jnp.where(squares > 0, squares, 1)


def _effects_beside(sums: DepartureSums, offset: int) -> jax.Array:
    """On the fitted parameters, ``[k, m]``, where an offset, one of the directions, is fitted."""
    part = sums.beside
    own = part.coefficients[:, offset]
    ratio = (sums.levels - jnp.sum(sums.mixed * own[:, None], axis=0)) / part.power[offset]
    power = part.power - ratio**2 * part.power[offset]
    usable = power > _LEAST_PART * sums.powers
    beta = (part.total - ratio * part.total[offset]) / jnp.where(usable, power, 1)
    beta = jnp.where(usable, beta, 0)
    return (part.coefficients - own[:, None] * ratio[None]) * beta[None]
