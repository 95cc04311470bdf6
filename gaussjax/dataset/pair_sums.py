"""The sums of pairs: their normal equations, and what was seen beside them; they add up."""

from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.numerics.linear_algebra import product
from gaussjax.numerics.pytree import pytree, static
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.departures import Departures
from gaussjax.statistics.long_run_covariance import drawn_to_one
from gaussjax.statistics.normal_equations import NormalEquations


@pytree
class PairEquations(NormalEquations):
    """The equations of one or many pairs at a linearization point, by the variances."""

    change: jax.Array  # `sum W (B - A)^2`
    contrast: jax.Array  # `sum W B^2`, without the mean of B
    # `sum W r r'` with r' the next pixel's, mean over the axes: 0 for white noise
    structure: jax.Array
    num_pairs: jax.Array  # that have pixels to compare


@pytree
class PairEvidence:
    """What was seen at the own optima of one or many pairs; S is the information of a pair."""

    within: jax.Array  # covariance of the gradient by the noise within the pairs, `[p, p]`
    common: jax.Array  # S times what rounding of grey levels may do in all pairs alike, `[p]`
    displacement: jax.Array  # times the number of pixels, px, `[ndim]`
    additive: jax.Array  # evidence of the departures from the model, `[m]`; see `Departures`
    squares: jax.Array  # of it, `[m]`
    effects: jax.Array  # S times those of the departures, `[p, m]`
    shares: jax.Array  # of the departures, `[m]`
    num_told: jax.Array  # number of pairs that have an own optimum
    trials: tuple[int, ...] = static()
    causes: tuple[Cause, ...] = static()

    @classmethod
    def from_arrays(cls, named: dict[str, np.ndarray], prefix: str) -> "PairEvidence":
        """The evidence from its fields as arrays, also the two that are none."""
        found: dict[str, Any] = {f.name: named[prefix + f.name] for f in fields(cls)}
        found["trials"] = tuple(int(number) for number in found["trials"])
        found["causes"] = tuple(Cause(int(code)) for code in found["causes"])
        return cls(**found)

    def departures(self, inverse: jax.Array, num_pixels: jax.Array) -> Departures:
        """Departures of all pairs together, with the inverse of the sum of S, ``[p, p]``.

        Deviates of pairs are standard normal each, if the model holds; where they scatter more
        around their mean, this takes the place of their variance. Noise in A explains no more of
        ``num_pixels`` squared residuals than its likelihood ratio does.
        """
        num_pairs = self.num_told
        freedom = jnp.maximum(num_pairs - 1, 1)
        mean = self.additive / jnp.maximum(num_pairs, 1)
        found = (self.squares - self.additive * mean) / freedom
        is_details = np.asarray([cause == Cause.NOT_A_FILTER for cause in self.causes])
        # Of what lies on the details chance alone is known, and by how much pairs differ no error.
        factor = drawn_to_one(found, 2 / freedom)
        factor = jnp.where((num_pairs > 1) & ~is_details, factor, 1)
        deviates = mean * jnp.sqrt(num_pairs / jnp.maximum(factor, 1))
        trials = np.asarray(self.trials)
        # Noise has no negative level.
        deviates = jnp.where(trials == 2, jnp.maximum(deviates, 0), jnp.abs(deviates))
        ratio = jnp.where(trials == 1, self.additive, -jnp.inf)
        best = (jnp.arange(len(trials)) == jnp.argmax(ratio)) & (ratio > 0)
        by_ratio = jnp.sqrt(jnp.where(best, ratio, 0))
        is_alternative = trials == 1
        is_noise = np.asarray([cause == Cause.NOISE_IN_REFERENCE for cause in self.causes])
        shares = self.shares / jnp.maximum(num_pairs, 1)
        at_most = jnp.where(is_noise, self.squares / jnp.maximum(num_pixels, 1), 1)
        return Departures(
            z_scores=jnp.where(is_alternative, by_ratio, deviates),
            effects=jnp.where(is_alternative & ~best, 0, product(inverse, self.effects)),
            shares=jnp.minimum(shares, at_most),
            serious=jnp.ones(len(trials), bool),
            additive=self.additive,
            trials=self.trials,
            causes=self.causes,
        )
