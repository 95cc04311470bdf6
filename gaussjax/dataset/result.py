"""What a joint fit of many pairs returns: one blur, its scatter, and the pairs one by one."""

from dataclasses import dataclass

import jax
import numpy as np

from gaussjax.io.pair_reader import BadPair
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.random_effects import RandomEffects
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status


@pytree
class PairRecord:
    """One pair beside the joint fit; with a leading axis, several.

    Attributes:
        sigma: of this pair alone, px, as in :class:`~gaussjax.BlurEstimate`; NaN where the
            pair does not determine it, as a flat one.
        standard_error: of it, px.
        status: of this pair alone, a :class:`~gaussjax.Status`.
        misfit: share of the change from A to B that the joint blur leaves over *and* that is no
            white noise: the covariance of neighbours in the residual over the mean square of
            B - A. About 0 for a pair that the joint blur explains, whatever its noise.
        noise_std: standard deviation of the residual, in the unit of the images.
        gain: of the pair, 1 where none is fitted.
        offset: in the unit of the images, 0 where none is fitted.
    """

    sigma: jax.Array
    standard_error: jax.Array
    status: jax.Array
    misfit: jax.Array
    noise_std: jax.Array
    gain: jax.Array
    offset: jax.Array


@dataclass(frozen=True)
class DatasetEstimate:
    """One blur for many pairs; NumPy arrays throughout.

    Attributes:
        joint: the blur, its error bar and status, in float64. The error bar is by the scatter of
            the pairs' scores where that is wider than what white noise would leave.
        effects: how the pairs' own sigmas scatter, over all processes.
        num_pairs: pairs in the joint fit, of all processes.
        num_bad: pairs that were left out, of all processes.
        num_passes: passes over the pairs.
        names: of the pairs that this process has read.
        pairs: their records, with leading axis ``[n]``, in the order of the names.
        bad: what this process has left out, files without a partner too, and why.
    """

    joint: BlurEstimate
    effects: RandomEffects
    num_pairs: int
    num_bad: int
    num_passes: int
    names: tuple[str, ...]
    pairs: PairRecord
    bad: tuple[BadPair, ...]

    @property
    def sigma(self) -> np.ndarray:
        """Sigma of all pairs, px, as in :class:`~gaussjax.BlurEstimate`."""
        return np.asarray(self.joint.sigma)

    @property
    def sigma_standard_error(self) -> np.ndarray:
        """Standard error of sigma, px."""
        return np.asarray(self.joint.sigma_standard_error)

    @property
    def scatter(self) -> np.ndarray:
        """Standard deviation of sigma between the pairs, px, beyond their error bars."""
        return self.effects.scatter

    @property
    def heterogeneity(self) -> np.ndarray:
        """1 where all pairs have one sigma; above it they scatter beyond their error bars."""
        return self.effects.heterogeneity

    def worst(self, count: int = 10) -> list[str]:
        """Names of the pairs that this process has read and the joint blur explains least."""
        misfit = np.where(np.isfinite(self.pairs.misfit), self.pairs.misfit, -np.inf)
        return [self.names[k] for k in np.argsort(-misfit)[:count]]

    def refused(self) -> dict[str, Status]:
        """Pairs that by themselves have no sigma to trust, and why; they count in the joint fit."""
        status = np.asarray(self.pairs.status)
        return {self.names[k]: Status(int(status[k])) for k in np.flatnonzero(status)}

    def __str__(self) -> str:
        """A short table."""
        refused = np.count_nonzero(self.pairs.status)
        spread = ", ".join(f"{s:.4g}" for s in np.atleast_1d(self.scatter))
        excess = ", ".join(f"{h:.4g}" for h in np.atleast_1d(self.heterogeneity))
        rows = {
            "scatter": f"{spread} px between pairs (chi-square per pair {excess}; 1: one sigma)",
            "pairs": f"{self.num_pairs}, {self.num_bad} left out; {refused} of"
            f" {len(self.names)} without a sigma of their own",
            "passes": f"{self.num_passes}",
            "images": f"{self.pairs.sigma.dtype}, their sums float64",
            "worst": ", ".join(self.worst(3)),
        }
        table = "\n".join(f"{name:<10}{text}" for name, text in rows.items())
        return f"{self.joint}\n{table}"
