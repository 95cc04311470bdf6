"""The verdict on a set: what its pairs amount to where all together show nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from gaussjax.dataset.joint_verdict import joint_judgement
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.verdict import Verdict


def judged(doubted, cause, joint=Cause.NONE, all_count=False):
    """Of twenty pairs, of which so many are doubted, for a cause each."""
    is_doubted = np.arange(20) < doubted
    verdict = np.where(is_doubted, Verdict.EXPLAINED_POORLY, Verdict.EXPLAINED)
    causes = np.where(is_doubted, np.resize(cause, 20), Cause.TONE)
    everyone = np.ones(20, bool)
    records = SimpleNamespace(told=everyone, counted=everyone, verdict=verdict, cause=causes)
    adequacy = SimpleNamespace(verdict=Verdict.EXPLAINED, cause=joint)
    effects = SimpleNamespace(scatter=np.zeros(()), p_value=np.ones(()))
    estimate = SimpleNamespace(adequacy=adequacy, sigma=np.ones(()))
    fit = SimpleNamespace(
        records=records, estimate=estimate, effects=effects, all_count=np.asarray(all_count)
    )
    return joint_judgement(fit, lambda each: each)


def test_a_set_that_its_pairs_doubt_takes_the_cause_of_most_of_them():
    found = judged(9, [Cause.NOT_A_FILTER, Cause.KERNEL, Cause.NOT_A_FILTER])
    assert found.verdict == Verdict.EXPLAINED_POORLY
    assert found.cause == Cause.NOT_A_FILTER
    assert (found.num_doubted, found.num_aside) == (9, 0)


@pytest.mark.parametrize(("doubted", "joint"), [(1, Cause.NONE), (9, Cause.KERNEL)])
def test_what_all_pairs_show_together_stays_the_cause(doubted, joint):
    assert judged(doubted, [Cause.NOT_A_FILTER], joint).cause == joint


@pytest.mark.parametrize("all_count", [False, True])
def test_a_blur_to_which_most_pairs_do_not_belong_is_doubted(all_count):
    expected = Verdict.EXPLAINED_POORLY if all_count else Verdict.EXPLAINED
    assert judged(0, [Cause.NONE], all_count=all_count).verdict == expected
