"""The verdict on a set of pairs: what they show together, how many are doubted, how they differ."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussjax.dataset.joint_fit import JointFit
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.quantiles import binomial_tail
from gaussjax.statistics.verdict import TRUSTED, Verdict

# Pairs that the model describes are doubted with this probability. A set is doubted if chance
# leaves so many of them with less than this one, and they are more than this part.
_DOUBTED_BY_CHANCE, _LEVEL, _TOLERABLE_PART = 0.015, 0.02, 0.05
# Pairs do not have one blur if chance lets them differ as much with less than this probability, and
# they differ by more than this part of sigma.
_ONE_BLUR, _TOLERABLE_SCATTER = 0.01, 0.005


@dataclass(frozen=True)
class JointJudgement:
    """What the pairs of all processes amount to."""

    verdict: np.ndarray  # int32
    cause: np.ndarray  # int32
    num_doubted: int  # of the fitted pairs
    num_aside: int  # pairs that were left out of the fit


def joint_judgement(fit: JointFit, total: Callable[[np.ndarray], np.ndarray]) -> JointJudgement:
    """The verdict on a joint fit; ``total`` is the sum of an array over the processes."""
    records = fit.records
    told, aside = records.told, ~np.asarray(records.counted)
    moved = told & (records.verdict == Verdict.MISALIGNED)
    poor = told & (records.verdict == Verdict.EXPLAINED_POORLY)
    named = np.bincount(np.asarray(records.cause)[moved | poor], minlength=max(Cause) + 1)
    numbers = [np.sum(each) for each in (told, moved, poor, aside)]
    numbers, named = np.split(total(np.concatenate([np.stack(numbers), named])), [len(numbers)])
    num_told, num_moved, num_poor, num_aside = (int(n) for n in numbers)
    assert fit.estimate.adequacy is not None  # it is made with one
    verdict, cause = int(fit.estimate.adequacy.verdict), int(fit.estimate.adequacy.cause)
    doubted = num_moved + num_poor
    if verdict in TRUSTED:
        by_chance = binomial_tail(doubted, num_told, _DOUBTED_BY_CHANCE)
        if by_chance < _LEVEL and doubted > _TOLERABLE_PART * num_told:
            mostly_moved = num_moved > num_poor
            verdict = Verdict.MISALIGNED if mostly_moved else Verdict.EXPLAINED_POORLY
            # What all pairs show together may be nothing, for what they show is not alike.
            cause = np.argmax(named) if cause == Cause.NONE else cause
        elif _differs(fit):
            verdict = Verdict.HETEROGENEOUS
        elif fit.all_count:
            verdict = Verdict.EXPLAINED_POORLY
    codes = np.asarray(verdict, np.int32), np.asarray(cause, np.int32)
    return JointJudgement(*codes, doubted, num_aside)


def _differs(fit: JointFit) -> bool:
    """The pairs do not have one blur, and it matters."""
    effects = fit.effects
    matters = effects.scatter > _TOLERABLE_SCATTER * np.abs(fit.estimate.sigma)
    return bool(np.any((effects.p_value < _ONE_BLUR) & matters))
