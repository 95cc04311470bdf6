"""What a joint fit of many pairs returns: one blur, its scatter, and the pairs one by one."""

from dataclasses import dataclass, field

import jax
import numpy as np

from gaussjax.checks import as_count
from gaussjax.dataset.pooled_transfer import PooledTransfer
from gaussjax.io.pair_reader import BadPair
from gaussjax.numerics.pytree import pytree, short_repr
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.covariate_regression import CovariateRegression
from gaussjax.statistics.number_format import table as as_table
from gaussjax.statistics.number_format import to_error, with_errors
from gaussjax.statistics.random_effects import RandomEffects
from gaussjax.statistics.result import BlurEstimate, printed_rows
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict


@pytree
class PairRecord:
    """One pair beside the joint fit; with a leading axis, several.

    Attributes:
        sigma: of this pair alone, px, as in :class:`~gaussjax.BlurEstimate`; NaN where the
            pair does not determine it, as a flat one.
        standard_error: of it by noise, px.
        model_error: px by which the most harmful departure of this pair from the model may move
            its sigma; 0 where none is significant.
        status: of this pair alone, a :class:`~gaussjax.Status`.
        verdict: on it, a :class:`~gaussjax.Verdict`.
        cause: of its most significant departure, a :class:`~gaussjax.Cause`.
        counted: False where the pair does not belong, and was left out of the joint fit.
        misfit: share of the change from A to B that the joint blur leaves over *and* that is no
            white noise: the covariance of neighbours in the residual over the mean square of
            B - A. About 0 for a pair that the joint blur explains, whatever its noise.
        noise_std: standard deviation of the residual, in the unit of the images.
        gain: of the pair, 1 where none is fitted.
        offset: in the unit of the images, 0 where none is fitted.
        shift: px, ``[ndim]``, 0 where none is fitted.
        score: of the pair at the point of the last pass, by the variances, ``[p]``.
        score_error: standard deviation of the score by the pair's own noise, ``[p]``.
        slope: of the score, ``[p, p]``.
    """

    sigma: jax.Array
    standard_error: jax.Array
    model_error: jax.Array
    status: jax.Array
    verdict: jax.Array
    cause: jax.Array
    counted: jax.Array
    misfit: jax.Array
    noise_std: jax.Array
    gain: jax.Array
    offset: jax.Array
    shift: jax.Array
    score: jax.Array
    score_error: jax.Array
    slope: jax.Array

    @property
    def told(self) -> jax.Array:
        """True for the pairs in the joint fit that have a sigma of their own."""
        return self.counted & (self.status == Status.ESTIMATED)


# Pairs that have a sigma of their own and are set aside all the same: see `pair_judgement`.
_UNRELATED = (
    "the joint blur leaves over more than half of the contrast of the image, and not as white"
    " noise: another scene, or artefacts as strong as this one"
)


def _reason(status: int, verdict: int, cause: int) -> str:
    """Why a pair is not in the joint fit."""
    if verdict == Verdict.MISALIGNED:
        return Verdict.MISALIGNED.message
    if cause == Cause.INVERTED:
        return Cause.INVERTED.message
    return _UNRELATED if status == Status.ESTIMATED else Status(status).message


@dataclass(frozen=True, eq=False, repr=False)
class DatasetEstimate:
    """One blur for many pairs; NumPy arrays throughout.

    Attributes:
        joint: the blur that balances the pairs, their information-weighted mean, with error bar,
            status and verdict, in float64. The error bar is by the scatter of the pairs' scores
            (CR2), from two pairs on, and its interval Student's; of one pair it is that pair's own.
            The verdict is on what all pairs show together, on the share of doubted ones, and on
            whether they have one blur.
        effects: how the pairs' own sigmas scatter, and the mean of their population, over all
            processes.
        num_pairs: pairs in the joint fit, of all processes.
        num_aside: pairs that were read but do not belong: unrelated, misaligned, or refused. Where
            they would be most of all pairs, none is set aside.
        num_doubted: pairs in the joint fit that a Gaussian blur explains poorly.
        num_bad: pairs that could not be read or compared, of all processes.
        num_passes: passes over the pairs.
        names: of the pairs that this process has read.
        pairs: their records, with leading axis ``[n]``, in the order of the names.
        influence: how far the joint sigma moves when a pair is left out, px, ``[n, p]`` by the
            parameters of the family; NaN for pairs that do not count.
        bad: what this process has left out, files without a partner too, and why.
        transfer: the transfer function that the pairs in the joint fit have in common, of all
            processes: how much of what happened is one filter, how much of that a Gaussian, and
            what is noise or differs from pair to pair.
        covariates: of the pairs by name, ``[n]`` each, NaN where a pair has none; empty unless any
            were given.
        regression: of the pairs' own sigmas on the covariates; None without covariates, and where
            the pairs do not determine it, for which ``regression_problem`` gives the reason.
    """

    joint: BlurEstimate
    effects: RandomEffects
    num_pairs: int
    num_aside: int
    num_doubted: int
    num_bad: int
    num_passes: int
    names: tuple[str, ...]
    pairs: PairRecord
    influence: np.ndarray
    bad: tuple[BadPair, ...]
    transfer: PooledTransfer
    covariates: dict[str, np.ndarray] = field(default_factory=dict)
    regression: CovariateRegression | None = None
    regression_problem: str = ""

    @property
    def in_regression(self) -> np.ndarray:
        """True for the pairs in the joint fit with a sigma of their own and all covariates."""
        return np.all([self.pairs.told, *map(np.isfinite, self.covariates.values())], axis=0)

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
        count = as_count(count, "count")
        misfit = np.where(np.isfinite(self.pairs.misfit), self.pairs.misfit, -np.inf)
        return [self.names[k] for k in np.argsort(-misfit)[:count]]

    def refused(self) -> dict[str, Status]:
        """Pairs that by themselves have no sigma to trust, and why."""
        status = np.asarray(self.pairs.status)
        return {self.names[k]: Status(int(status[k])) for k in np.flatnonzero(status)}

    def aside(self) -> dict[str, str]:
        """Pairs that this process has read and left out of the joint fit, and why."""
        told = self.pairs.status, self.pairs.verdict, self.pairs.cause
        left_out = np.flatnonzero(~np.asarray(self.pairs.counted))
        return {self.names[k]: _reason(*(int(x[k]) for x in told)) for k in left_out}

    def __repr__(self) -> str:
        """A line: the joint blur, and how many pairs it is of."""
        return short_repr(self, ("sigma", "sigma_standard_error", "num_pairs", "num_bad"))

    def __str__(self) -> str:
        """A short table."""
        low, high = self.effects.scatter_interval
        bars = np.atleast_1d((high - low) / 4)  # 95 % are two standard errors either way
        spread = ", ".join(map(to_error, np.atleast_1d(self.scatter), bars))
        excess = ", ".join(f"{h:.4g}" for h in np.atleast_1d(self.heterogeneity))
        rows = {
            "scatter": f"{spread} px between pairs (chi-square per pair {excess}; 1: one sigma)",
            "pairs": f"{self.num_pairs}, {self.num_bad} left out; {self.num_aside} set aside,"
            f" {self.num_doubted} doubted, {len(self.refused())} without a sigma of their own",
            "power": f"of the softer images: {self.transfer.shares}",
            "passes": f"{self.num_passes}",
            "images": f"{self.pairs.sigma.dtype}, their sums float64",
            "worst": ", ".join(self.worst(3)),
        }
        if len(self.names) > 1:
            mean = with_errors(self.effects.mean, self.effects.mean_standard_error)
            rows["mean"] = f"{mean} px of the population that the pairs are drawn from"
        rows |= {
            "aside": "; ".join(f"{name}: {why}" for name, why in list(self.aside().items())[:3])
        }
        if self.covariates:
            found = self.regression_problem if self.regression is None else str(self.regression)
            rows["against"] = found.replace("\n", "\n" + 10 * " ")
        table = "\n".join(f"{name:<10}{text}" for name, text in rows.items() if text)
        problems, found = printed_rows(jax.device_get(self.joint))
        joint = as_table(row for row in (*problems, *found) if row[0] != "precision")
        return f"{joint}\n{table}"
