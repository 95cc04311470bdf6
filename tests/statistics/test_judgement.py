"""A judgement weighs significance and effect; the interval and the printed line hold both."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.departures import LEVEL, Departures
from gaussjax.statistics.goodness_of_fit import Adequacy, judge
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.verdict import Verdict

SIGMA, VARIANCE_SE = 2.0, 0.1
CAUSES = (Cause.OFFSET, Cause.SHIFT, Cause.KERNEL)
TRIALS = 6


def departures(z_scores, shares=(0.1, 0.1, 0.1), serious=(True, True, True), causes=CAUSES):
    return Departures(
        z_scores=jnp.asarray(z_scores),
        effects=jnp.zeros((1, len(z_scores))),
        shares=jnp.asarray(shares),
        serious=jnp.asarray(serious),
        additive=jnp.asarray(z_scores),
        trials=(TRIALS,) * len(z_scores),
        causes=tuple(causes),
    )


def judged(found, effects, sigma=SIGMA, variance_se=VARIANCE_SE, left=None, *, inverted=False):
    left = effects if left is None else left
    sizes = (jnp.asarray(each) for each in (effects, left, sigma, variance_se))
    return judge(found, *sizes, inverted)


def test_what_a_certain_departure_explains_is_doubted_but_does_not_widen_the_interval(x64):
    effects, left = [0.0, 5 * VARIANCE_SE, 0.0], [0.0, 0.2 * VARIANCE_SE, 0.0]
    judgement = judged(departures([9.0, 8.0, 0.5]), effects, left=left)
    assert judgement.verdict == Verdict.EXPLAINED_POORLY
    np.testing.assert_allclose(judgement.variance_error, 0.2 * VARIANCE_SE)


def test_what_is_significant_without_an_effect_is_named_and_explained(x64):
    judgement = judged(departures([9.0, 0.5, 0.5]), [0.5 * VARIANCE_SE, 0.0, 0.0])
    assert judgement.verdict == Verdict.EXPLAINED
    assert judgement.cause == Cause.OFFSET
    # The interval holds it all the same.
    np.testing.assert_allclose(judgement.variance_error, 0.5 * VARIANCE_SE)
    np.testing.assert_allclose(judgement.p_value, TRIALS * scipy.stats.norm.sf(9), rtol=1e-9)


def test_what_has_an_effect_without_being_significant_is_nothing(x64):
    judgement = judged(departures([1.5, 0.5, 0.5]), [50 * VARIANCE_SE, 1.0, 1.0])
    assert judgement.verdict == Verdict.EXPLAINED
    assert judgement.cause == Cause.NONE
    assert judgement.variance_error == 0
    assert judgement.p_value > LEVEL


def test_the_level_is_that_of_the_adjusted_probability(x64):
    edge = scipy.stats.norm.isf(LEVEL / TRIALS)
    for z, verdict in ((edge - 1e-6, Verdict.EXPLAINED), (edge + 1e-6, Verdict.EXPLAINED_POORLY)):
        assert judged(departures([0.0, 0.0, z]), [0.0, 0.0, 1.0]).verdict == verdict


def test_what_widens_the_interval_has_a_name(x64):
    # Another model that fits better by Akaike's measure, but not significantly.
    found = replace(departures([1.6, 0.0, 0.0]), trials=(1, TRIALS, TRIALS))
    judgement = judged(found, [0.5, 0.0, 0.0])
    np.testing.assert_allclose(judgement.variance_error, 0.5)
    assert judgement.verdict == Verdict.EXPLAINED
    assert judgement.cause != Cause.NONE


@pytest.mark.parametrize("cause", [c for c in Cause if c != Cause.NONE], ids=lambda c: c.name)
def test_both_are_doubted_and_moved_images_misaligned(cause, x64):
    found = departures([0.0, 9.0, 0.0], causes=(Cause.TONE, cause, Cause.TONE))
    judgement = judged(found, [0.0, 2 * VARIANCE_SE, 0.0])
    moved = cause in (Cause.SHIFT, Cause.ROTATION, Cause.SCALE)
    assert judgement.verdict == (Verdict.MISALIGNED if moved else Verdict.EXPLAINED_POORLY)
    assert judgement.cause == cause


def test_the_cause_is_what_explains_most_and_the_error_that_of_the_most_harmful(x64):
    found = departures([9.0, 8.0, 30.0], shares=(0.2, 0.4, 0.3))
    judgement = judged(found, [0.9, 0.3, 0.6])
    assert judgement.cause == Cause.SHIFT
    np.testing.assert_allclose(judgement.variance_error, 0.9)
    # A larger share counts for nothing where it is not significant.
    assert judged(
        replace(found, z_scores=jnp.asarray([9.0, 1.0, 30.0])), [0.9, 0.3, 0.6]
    ).cause == (Cause.KERNEL)


@pytest.mark.parametrize("shape", [Cause.KERNEL, Cause.ASYMMETRY])
def test_another_kernel_is_doubted_but_has_a_nearest_gaussian(shape, x64):
    causes, shares, effects = (Cause.TONE, shape, Cause.OFFSET), (0.1, 0.4, 0.2), [0.3, 0.9, 0.2]
    found = departures([9.0, 9.0, 0.0], shares, causes=causes)
    judgement = judged(found, effects)
    assert judgement.cause == shape
    assert judgement.verdict == Verdict.EXPLAINED_POORLY
    # That of the other departure remains.
    np.testing.assert_allclose(judgement.variance_error, 0.3)
    # What looks like another kernel beside a departure that explains more may be that one.
    other = replace(found, shares=jnp.asarray([0.5, 0.4, 0.2]))
    np.testing.assert_allclose(judged(other, effects).variance_error, 0.9)
    # What the verdict does not tell the interval holds.
    small = judged(found, [0.0, 0.5 * VARIANCE_SE, 0.0])
    assert small.verdict == Verdict.EXPLAINED
    np.testing.assert_allclose(small.variance_error, 0.5 * VARIANCE_SE)


def test_no_gaussian_is_near_where_the_contrast_is_inverted(x64):
    judgement = judged(departures([0.0, 0.0, 9.0]), [0.0, 0.0, 0.9], inverted=jnp.asarray(True))
    assert judgement.cause == Cause.INVERTED
    assert judgement.verdict == Verdict.EXPLAINED_POORLY
    np.testing.assert_allclose(judgement.variance_error, 0.9)
    nothing = judged(departures([0.0, 0.0, 0.0]), [0.0, 0.0, 0.0], inverted=jnp.asarray(True))
    assert nothing.verdict == Verdict.EXPLAINED_POORLY


def test_what_is_not_serious_widens_the_interval_only(x64):
    found = departures([9.0, 0.0, 0.0], serious=(False, True, True))
    judgement = judged(found, [5.0, 0.0, 0.0])
    assert judgement.verdict == Verdict.EXPLAINED
    np.testing.assert_allclose(judgement.variance_error, 5.0)


def test_half_a_percent_of_sigma_does_not_matter_however_sure_it_is(x64):
    found = departures([50.0, 0.0, 0.0])
    for sigma, tolerable in ((2.0, 0.005 * 2.0), (0.2, 0.005)):
        for part, verdict in ((0.99, Verdict.EXPLAINED), (1.01, Verdict.EXPLAINED_POORLY)):
            effect = (sigma + part * tolerable) ** 2 - sigma**2
            assert judged(found, [effect, 0.0, 0.0], sigma, 1e-9).verdict == verdict


def test_one_axis_is_enough(x64):
    found, sigma = departures([9.0, 0.0, 0.0]), [2.0, 3.0]
    judgement = judged(found, [[0.0, 0.0, 0.0], [0.7, 0.0, 0.0]], sigma, [0.1, 0.1])
    np.testing.assert_allclose(judgement.variance_error, [0.0, 0.7])
    assert judgement.verdict == Verdict.EXPLAINED_POORLY
    assert judged(found, np.zeros((2, 3)), sigma, [0.1, 0.1]).verdict == Verdict.EXPLAINED


def test_a_batch_is_judged_row_by_row(dtype):
    random = np.random.default_rng(0)
    z_scores = 5 * np.abs(random.normal(size=(20, 3))).astype(dtype)
    effects = (0.2 * random.random((20, 3))).astype(dtype)
    shares = random.random((20, 3)).astype(dtype)

    def one(z, share, effect):
        return judged(departures(z, share), effect, dtype(SIGMA), dtype(VARIANCE_SE))

    batch = jax.jit(jax.vmap(one))(z_scores, shares, effects)
    rows = [one(*row) for row in zip(z_scores, shares, effects, strict=True)]
    assert {int(row.verdict) for row in rows} > {Verdict.EXPLAINED}
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(batch.verdict[k], row.verdict)
        np.testing.assert_array_equal(batch.cause[k], row.cause)
        np.testing.assert_allclose(batch.variance_error[k], row.variance_error)


@pytest.fixture
def estimate():
    """Of sigma 2 px, as it stands on the host."""
    one = np.asarray(1.0)
    adequacy = Adequacy(
        unexplained=0.01 * one,
        unexplained_change=0.1 * one,
        reduced_chi_square=np.inf * one,
        autocorrelation=np.zeros(2),
        displacement=np.zeros(2),
        p_value=1e-9 * one,
        cause=np.asarray(Cause.NOISE_IN_REFERENCE, np.int32),
        verdict=np.asarray(Verdict.EXPLAINED_POORLY, np.int32),
    )
    return BlurEstimate(
        params=BlurParams(np.asarray([4.0])),
        standard_error=BlurParams(np.asarray([0.4])),
        sigma=np.asarray(SIGMA),
        sigma_standard_error=np.asarray(0.003),
        sigma_model_error=np.asarray(0.02),
        covariance_matrix=4.0 * np.eye(2),
        loss=one,
        noise_variance=1e-4 * one,
        noise_std=np.asarray([0.0, 0.01]),
        num_pixels=np.asarray(900),
        num_steps=np.asarray(3),
        status=np.asarray(0, np.int32),
        adequacy=adequacy,
        kernel=Kernel(),
    )


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("errors", [(0.003, 0.02), (0.02, 0.0), (0.0, 0.3)])
def test_the_interval_is_of_both_errors_in_the_variance(errors, level, estimate):
    by_noise, by_model = (np.asarray(error) for error in errors)
    changed = replace(estimate, sigma_standard_error=by_noise, sigma_model_error=by_model)
    in_variance = [(SIGMA + error) ** 2 - SIGMA**2 for error in errors]
    half = scipy.stats.norm.ppf(0.5 + 0.5 * level) * np.hypot(*in_variance)
    # Beyond no blur the variance is negative, and sigma with it.
    ends = SIGMA**2 + half * np.asarray([-1, 1])
    expected = np.sign(ends) * np.sqrt(np.abs(ends))
    np.testing.assert_allclose(changed.interval(level), expected, rtol=1e-12)


@pytest.mark.parametrize("freedom", [1.0, 3.5, 1e12])
def test_the_noise_of_few_pairs_is_students(freedom, estimate):
    few = replace(estimate, freedom=np.asarray(freedom))
    in_variance = [(SIGMA + error) ** 2 - SIGMA**2 for error in (0.003, 0.02)]
    quantiles = scipy.stats.t.ppf(0.975, freedom), scipy.stats.norm.ppf(0.975)
    half = np.hypot(*(q * error for q, error in zip(quantiles, in_variance, strict=True)))
    ends = np.sqrt(SIGMA**2 + half * np.asarray([-1, 1]))
    np.testing.assert_allclose(few.interval(), ends, rtol=1e-9)
    traced = jax.jit(lambda found: found.interval(0.95))(few)
    np.testing.assert_allclose(traced, ends, rtol=1e-4)
    assert jax.tree.structure(few) != jax.tree.structure(estimate)


def test_a_model_error_may_reach_beyond_no_blur(estimate):
    low, high = replace(estimate, sigma_model_error=np.asarray(SIGMA)).interval()
    assert low < -SIGMA < SIGMA < high


def sigma_line(estimate):
    return next(line for line in str(estimate).splitlines() if line.startswith("sigma"))


def test_the_line_of_sigma_tells_noise_and_model_apart(estimate):
    first = sigma_line(estimate)
    sentence = Cause.NOISE_IN_REFERENCE.message
    # The model's error leaves no digits of the value that the noise alone would.
    assert first.startswith("sigma     2.000 +- 0.0030 ")
    assert f" (noise) +- 0.020 (model: {sentence})" in first
    assert "px" in first
    plain = sigma_line(replace(estimate, sigma_model_error=np.asarray(0.0)))
    assert plain == "sigma     2.0000 +- 0.0030 px"
    axes = replace(
        estimate,
        params=replace(estimate.params, variance=np.asarray([4.0, 9.0]), family="axis_aligned"),
        sigma=np.asarray([2.0, 3.0]),
        sigma_standard_error=np.asarray([0.003, 0.004]),
        sigma_model_error=np.asarray([0.0, 0.05]),
    )
    assert "(noise) +- 0, 0.050 (model: " in sigma_line(axes)


def test_every_cause_has_a_sentence_of_its_own():
    sentences = [cause.message for cause in Cause]
    assert len(set(sentences)) == len(sentences)
    assert Cause.messages(np.asarray([1, 12])) == [Cause.GAIN.message, sentences[12]]
    assert [int(cause) for cause in Cause] == list(range(len(sentences)))
