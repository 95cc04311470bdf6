"""The sweep: what counts as wrong, trusted and covered, and pairs whose truth is known."""

import warnings

import numpy as np
import pytest
from scipy import ndimage
from smoke import run_smoke

from experiments.shared.scipy_reference import continuous_blur, cramer_rao_bound, interior
from experiments.silent_errors import blurs, scenes
from experiments.silent_errors.departures import DEPARTURES, NOISE
from experiments.silent_errors.judge import Said, is_wrong, said, share_covered
from experiments.silent_errors.kinds import GROUPS, KINDS, draw
from experiments.silent_errors.pairs import PAD, frame
from experiments.silent_errors.table import (
    confusion,
    coverage,
    is_doubted,
    is_honest,
    moved,
    pooled,
    summarise,
    wilson,
)
from gaussjax import Status, blur
from gaussjax.statistics.verdict import Verdict


def test_the_sweep_supports_its_claims(tmp_path, capsys):
    record, printed = run_smoke("silent_errors", tmp_path, capsys)
    kinds = record["numbers"]["kinds"]
    for answers in kinds.values():
        assert {len(column) for key, column in answers.items() if key != "group"} == {2}
        assert sum(confusion(answers).values()) == 2
    white = kinds["noise 1-10 %"]
    assert white["group"] == "good"
    assert confusion(white)[False, Said.TRUSTED] == 2
    assert summarise(white)["bound"] == pytest.approx(1, abs=0.2)
    # No number is right where there is none.
    unrelated = kinds["unrelated, 64 px"]
    assert unrelated["truth"] == unrelated["covered"] == [None, None]
    assert unrelated["wrong"] == [1, 1]
    departure = record["numbers"]["departures"]["noise in A"]
    none, *_, most = map(moved, departure["answers"])
    assert none < 1 < most
    for text in (*kinds, "all good", "all spoilt", "NOISE IN A"):
        assert text in printed


@pytest.mark.parametrize(
    ("sigma", "low", "high", "truth", "wrong", "covered"),
    [
        (2.019, 2.018, 2.020, 2.0, False, 0),  # less than 1 %
        (2.021, 2.020, 2.022, 2.0, True, 0),
        (0.509, 0.508, 0.510, 0.5, False, 0),  # less than 0.01 px
        (0.511, 0.510, 0.512, 0.5, True, 0),
        (2.030, 2.014, 2.046, 2.0, False, 0),  # 1.9 half widths, 0.121 of 0.065 px^2
        (2.034, 2.018, 2.050, 2.0, True, 0),  # 2.1 half widths
        (2.030, 1.990, 2.070, 2.0, False, 1),
        (0.2, -0.1, 0.3, 0.0, False, 1),
        (0.2, 0.19, 0.21, 0.0, True, 0),
        (1.0, 0.99, 1.01, -1.0, True, 0),  # the same blur, but of the other image
        (np.nan, np.nan, np.nan, 1.0, True, 0),
        ([2.0, 1.0], [1.9, 0.9], [2.1, 1.1], (2.0, 1.5), True, 0.5),
        ([2.0, 1.0], [1.9, 0.9], [2.1, 1.1], (2.0, 1.0), False, 1),
    ],
)
def test_wrong_is_off_by_more_than_anybody_minds_and_by_two_half_widths(
    sigma, low, high, truth, wrong, covered
):
    assert is_wrong(sigma, low, high, truth) is wrong
    assert share_covered(low, high, truth) == covered


def test_without_a_truth_every_number_is_wrong():
    assert is_wrong(1.0, 0.0, 9.0, None)
    assert np.isnan(share_covered(0.0, 9.0, None))


def test_trusted_is_status_zero_and_a_good_verdict():
    trusted = {verdict for verdict in Verdict if said(0, verdict) == Said.TRUSTED}
    assert trusted == {Verdict.EXPLAINED, Verdict.SHARPER}
    assert said(0, Verdict.MISALIGNED) == Said.DOUBTED
    assert {said(status, Verdict.EXPLAINED) for status in Status if status} == {Said.REFUSED}


# Covered, not covered but doubted, not covered and trusted, refused; and one without a truth.
ANSWERS = {
    "status": [0, 0, 0, 1, 0],
    "verdict": [Verdict.EXPLAINED, Verdict.MISALIGNED, Verdict.SHARPER, 0, 0],
    "wrong": [0, 1, 1, 0, 1],
    "covered": [1.0, 0.0, 0.0, 1.0, None],
}


def test_answers_are_counted():
    counts = confusion(ANSWERS)
    assert counts[False, Said.TRUSTED] == counts[True, Said.DOUBTED] == 1
    assert counts[True, Said.TRUSTED] == 2
    assert counts[False, Said.REFUSED] == 1
    assert counts[True, Said.REFUSED] == counts[False, Said.DOUBTED] == 0
    # Neither the refused one nor the one without a truth.
    assert coverage(ANSWERS) == (pytest.approx(1 / 3), *wilson(1, 3))
    assert is_doubted(ANSWERS).tolist() == [False, True, False, True, False]
    assert is_honest(ANSWERS).tolist() == [True, True, False, True, False]
    twice = pooled([{"group": "good", **ANSWERS}] * 2)
    assert confusion(twice) == {cell: 2 * count for cell, count in counts.items()}


def test_range_of_a_share():
    # Wilson's interval of 8 successes in 10 trials.
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0, 1)
    assert wilson(20, 20)[1] == pytest.approx(1)


def test_there_are_enough_kinds_and_no_two_of_one_name():
    assert len(KINDS) == sum(len(group) for group in GROUPS.values())
    assert min(len(group) for group in GROUPS.values()) >= 40


@pytest.mark.parametrize("name", KINDS)
def test_pairs_are_what_users_have(name):
    pair = draw(name, 0, 0)
    assert pair.reference.shape == pair.blurred.shape
    masks = pair.options.get("mask", np.ones(pair.blurred.shape, bool))
    masks = masks if isinstance(masks, tuple) else (None, masks)
    for image, mask in zip((pair.reference, pair.blurred), masks, strict=True):
        assert image.dtype in (np.float32, np.uint8)
        assert np.isfinite(image if mask is None else image[mask]).all()
        assert np.nanstd(image.astype(float)) > 0
    again, other = draw(name, 0, 0), draw(name, 0, 1)
    np.testing.assert_array_equal(again.blurred, pair.blurred)
    assert other.blurred.shape != pair.blurred.shape or np.any(other.blurred != pair.blurred)
    assert pair.truth == 0 or np.any(pair.blurred != pair.reference)


@pytest.mark.parametrize("name", scenes.PHOTOGRAPHS)
def test_photographs_of_the_sweep_are_in_the_wheel(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a download would warn, or fail
        image = scenes._whole(name)
    assert image.ndim == 2
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize("name", DEPARTURES)
def test_a_departure_begins_with_none(name):
    departure = DEPARTURES[name]
    none, *_, most = (
        departure.pair(np.random.default_rng(1), strength) for strength in departure.strengths
    )
    assert none.truth == most.truth
    padded = np.pad(none.reference.astype(float), PAD, mode="reflect")
    left = interior(continuous_blur(padded, none.truth), PAD) - none.blurred
    level = np.std(left[16:-16, 16:-16])  # where the blur reaches nothing beyond the frame
    assert level == pytest.approx(NOISE * none.reference.std(), rel=0.03)
    assert any(
        np.mean((getattr(most, image) - getattr(none, image)) ** 2) > (level / 3) ** 2
        for image in ("reference", "blurred")
    )


@pytest.mark.parametrize("kernel", ["continuous", "sampled", "integrated", "discrete"])
def test_blurs_are_those_of_the_conventions(kernel, x64, rng):
    image = rng.normal(size=(60, 52))
    ours = blurs.gaussian(image, 1.3, kernel)
    mirrored = np.pad(image, [(0, 60), (0, 52)], mode="symmetric")
    theirs = blur(mirrored, 1.3, kernel=kernel, boundary="periodic")[:60, :52]
    # The integrated kernel ends at 6 sigma, with 2e-9 beyond, or at 8.
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    if kernel == "sampled":
        np.testing.assert_allclose(ours, ndimage.gaussian_filter(image, 1.3), atol=1e-12)
    np.testing.assert_allclose(blurs.gaussian(image, 0.0, kernel), image, atol=1e-12)


def test_nearest_gaussian_of_a_gaussian_is_itself(rng):
    scene = scenes.texture(rng, (64 + 2 * PAD, 72 + 2 * PAD))
    soft = blurs.gaussian(scene, 1.7)
    assert blurs.best_gaussian(scene, soft, PAD, upper=8) == pytest.approx(1.7, rel=1e-3)
    assert blurs.best_gaussian(soft, scene, PAD, upper=8) == pytest.approx(-1.7, rel=1e-3)
    assert blurs.best_gaussian(scene, scene, PAD, upper=8) == 0
    # An ellipse that turns once round comes nearest to a round one between its widths.
    ellipse = blurs.rotated_gaussian(scene, (2.0, 1.0), 0.7)
    assert 1.2 < blurs.best_gaussian(scene, ellipse, PAD, upper=8) < 1.8


def test_displaced_by_whole_pixels(rng):
    scene = scenes.smooth(rng, (60, 50))
    np.testing.assert_allclose(
        blurs.shifted(scene, (2, -3))[10:-10, 10:-10], scene[8:-12, 13:-7], atol=1e-9
    )


def test_bound_is_that_of_scipys_kernel_where_they_agree(rng):
    scene = scenes.photograph(rng, (96 + 2 * PAD, 80 + 2 * PAD))
    ours = blurs.least_standard_error(scene, 2.0, 0.01, PAD)
    theirs = cramer_rao_bound(scene, 2.0, 0.01, lambda image: frame(image)[0])
    # Of a sampled kernel that ends at 4 sigma.
    assert ours == pytest.approx(theirs, rel=0.02)
