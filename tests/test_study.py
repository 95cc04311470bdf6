"""Every script of the study runs in its small form, and its numbers support what is said of it."""

import numpy as np
import pytest
from smoke import run_smoke

from experiments import (
    border,
    convergence,
    cramer_rao,
    frequency_ratio,
    many_pairs,
    speed,
    training,
)
from experiments.__main__ import EXPERIMENTS, main


def test_frequency_ratio(tmp_path, capsys):
    record, printed = run_smoke("frequency_ratio", tmp_path, capsys)
    numbers = record["numbers"]
    panels = numbers["panels"]
    errors = frequency_ratio.errors
    assert errors(panels["noise"], "ratio, weighted")[0] < 1e-8
    # Weights make the ratio as good as least squares; without them noise ruins it.
    for panel in ("noise", "sigma"):
        weighted, newton = (
            errors(panels[panel], n)[-1] for n in ("ratio, weighted", "Gauss-Newton")
        )
        assert weighted < 3 * newton
        assert errors(panels[panel], "ratio, pointwise")[-1] > 100 * weighted
    for name in panels["cropped"]["answers"]:
        if name != "estimate_blur":
            assert np.all(
                errors(panels["cropped"], name) > errors(panels["cropped"], "estimate_blur")
            )
    assert "ratio, weighted, Hann" in printed


def test_cramer_rao(tmp_path, capsys):
    record, _ = run_smoke("cramer_rao", tmp_path, capsys)
    numbers = record["numbers"]
    for series in numbers["series"].values():
        bias, scatter = cramer_rao.bias_and_scatter(series, "interior: estimate_blur")
        # Three draws of two photographs.
        assert np.all(bias < 3)
        assert np.all((scatter > 0.2) & (scatter < 3))
        for name in series["errors"]:
            if name.startswith("periodic"):
                assert np.all(cramer_rao.bias_and_scatter(series, name)[0] > 30)


def test_border(tmp_path, capsys):
    record, _ = run_smoke("border", tmp_path, capsys)
    numbers = record["numbers"]
    assert np.max(border.errors(numbers, "valid")[0]) < 1e-10
    assert np.max(border.errors(numbers, "valid, float32")[0]) < 2e-6
    for name in set(numbers["answers"]) - {"valid", "valid, float32"}:
        assert np.max(border.errors(numbers, name)[0]) > 5e-4


def test_convergence(tmp_path, capsys):
    record, printed = run_smoke("convergence", tmp_path, capsys)
    numbers = record["numbers"]
    assert np.all(convergence.reached(numbers, "Gauss-Newton, variance", 1e-6) <= 10)
    # At zero blur sigma has no slope, and its logarithm no value.
    assert numbers["starts"][0] == 0
    for name in ("Adam, sigma", "L-BFGS, log sigma"):
        assert np.isnan(convergence.reached(numbers, name, 1e-3)[0])
    assert "never" in printed
    ground = numbers["landscape"]
    for key in ("squared", "absolute"):
        least = ground["variance"][int(np.argmin(ground[key]))]
        assert least == pytest.approx(ground["true"], abs=0.02)


def test_conventions(tmp_path, capsys):
    record, _ = run_smoke("conventions", tmp_path, capsys)
    numbers = record["numbers"]
    scipy = numbers["tools"]["SciPy, scikit-image"]
    np.testing.assert_allclose(scipy["read"]["sampled"], scipy["nominal"], rtol=1e-9)
    np.testing.assert_allclose(numbers["tools"]["OpenCV, sigma"]["true"], scipy["true"], rtol=1e-3)
    assert numbers["scikit_image_less_scipy"] < 1e-12
    assert np.all(np.array(numbers["tools"]["Pillow, radius"]["kurtosis"]) < 2.8)


def test_training(tmp_path, capsys):
    record, _ = run_smoke("training", tmp_path, capsys)
    numbers = record["numbers"]
    for name in numbers["answers"]:
        assert np.all(training.excess(numbers, name) > -1e-3)
    assert np.all(training.excess(numbers, "interior: absolute") < 0.01)
    assert numbers["psnr"][1][0] > numbers["psnr"][0][0]
    assert set(numbers["seen"]).isdisjoint(numbers["unseen"])


def test_many_pairs(tmp_path, capsys):
    record, _ = run_smoke("many_pairs", tmp_path, capsys)
    numbers = record["numbers"]
    bias, joint = many_pairs.bias_and_rms(numbers, "joint fit")
    bounds = 100 * np.array(numbers["bounds"]) / numbers["sigma"]
    assert np.all(joint < 4 * bounds)
    assert np.all(np.abs(bias) < 4 * bounds)
    _, one_epoch = many_pairs.bias_and_rms(numbers, "Adam, 1 epoch")
    assert np.all(one_epoch > 5 * joint)


def test_speed(tmp_path, capsys):
    record, printed = run_smoke("speed", tmp_path, capsys)
    numbers = record["numbers"]
    for part, columns in (("single", "sizes"), ("batch", "batches")):
        for kind in ("floor", "estimate"):
            for times in numbers[part][kind].values():
                assert 0 < len(times) <= len(numbers[columns])
                assert np.all(np.array(times) > 0)
    quickest = np.min(list(numbers["single"]["floor"].values()), axis=0)
    times = np.array(numbers["single"]["estimate"]["estimate_blur"])
    np.testing.assert_allclose(speed.ratios(numbers["single"], "estimate_blur"), times / quickest)
    assert "Seconds to compile" in printed


def test_search_finds_the_sigma_that_is_timed():
    pair = speed.make_pair(128, np.random.default_rng(0))
    for blur in speed.LIBRARIES.values():
        assert speed.search(blur, pair)() == pytest.approx(speed.SIGMA, rel=0.01)


def test_unknown_names_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["nosuch"])
    assert "no such experiment: nosuch" in capsys.readouterr().err


@pytest.mark.parametrize("stem", EXPERIMENTS)
def test_every_question_is_one_line(stem):
    question = EXPERIMENTS[stem].question
    assert question.endswith("?")
    assert len(question) < 90
