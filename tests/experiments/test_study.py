"""Every script of the study runs in its small form, and its numbers support what is said of it."""

import json

import numpy as np
import pytest
from smoke import run_smoke

from experiments import (
    border,
    convergence,
    cramer_rao,
    exponent,
    frequency_ratio,
    many_pairs,
    training,
    which_kernel,
)
from experiments.__main__ import EXPERIMENTS, main
from experiments.shared import cropped_pairs, stopwatch
from experiments.speed import bars as speed_bars
from experiments.speed import throughput
from experiments.speed.timed_fits import FITS, SEARCHES, passes, search
from gaussjax import blur


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
def test_conventions(tmp_path, capsys):
    record, _ = run_smoke("conventions", tmp_path, capsys)
    numbers = record["numbers"]
    scipy = numbers["tools"]["SciPy, scikit-image"]
    np.testing.assert_allclose(scipy["read"]["sampled"], scipy["nominal"], rtol=1e-9)
    np.testing.assert_allclose(numbers["tools"]["OpenCV, sigma"]["true"], scipy["true"], rtol=1e-3)
    assert numbers["scikit_image_less_scipy"] < 1e-12
    assert np.all(np.array(numbers["tools"]["Pillow, radius"]["kurtosis"]) < 2.8)
    assert np.all(np.array(numbers["tools"]["ffmpeg gblur"]["kurtosis"]) > 6)
    assert numbers["tools"]["Skia"]["true"][-1] == pytest.approx(np.sqrt(20), rel=1e-6)


@pytest.mark.thorough
def test_resized(tmp_path, capsys):
    record, _ = run_smoke("resized", tmp_path, capsys)
    answers = record["numbers"]["answers"]
    for tool, factor, sigma in zip(
        answers["tool"], answers["factor"], answers["sigma"], strict=True
    ):
        # A mean over blocks is what a coarse pixel does by itself.
        assert (abs(sigma) < 0.02 * factor) == (tool == "Pillow, BOX")
    found = record["numbers"]["volume"]
    assert found["verdict"] == "EXPLAINED"
    assert abs(found["sigma"] - found["true_sigma"]) < 3 * found["standard_error"]


@pytest.mark.thorough
def test_chroma(tmp_path, capsys):
    record, _ = run_smoke("chroma", tmp_path, capsys)
    numbers = record["numbers"]
    answers = numbers["answers"]
    for halved, mtf50, error in zip(
        answers["halved"], answers["mtf50"], answers["mtf50_standard_error"], strict=True
    ):
        # Halved along x only; along y half of the contrast is never lost.
        assert (mtf50 is None) != halved
        assert not halved or abs(mtf50 - numbers["known_mtf50"]) < 4 * error


def test_which_kernel(tmp_path, capsys):
    record, printed = run_smoke("which_kernel", tmp_path, capsys)
    numbers = record["numbers"]
    assert all(np.all(rate == 1) for rate in which_kernel.rates(numbers).values())
    assert which_kernel.lost_gaussians(numbers) == 0
    assert "disk 3.5 px" in printed


@pytest.mark.thorough
def test_training(tmp_path, capsys):
    record, _ = run_smoke("training", tmp_path, capsys)
    numbers = record["numbers"]
    for name in numbers["answers"]:
        assert np.all(training.excess(numbers, name) > -1e-3)
    assert np.all(training.excess(numbers, "interior: absolute") < 0.01)
    for shares in numbers["power"]["shares"]:
        np.testing.assert_allclose(sum(shares.values()), 1, rtol=1e-9)
        assert 0.5 < shares["linear"] < 1
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


@pytest.mark.thorough
def test_speed(tmp_path, capsys):
    record, printed = run_smoke("speed", tmp_path, capsys)
    numbers = record["numbers"]
    (process,) = numbers["processes"]
    single = process["single"]
    for times in single["floor"].values():
        assert len(times) == len(numbers["sizes"])
        assert np.all(np.array(times) > 0)
    for name in {**FITS, **SEARCHES}:
        for part in ("seconds", "compile", "error"):
            assert {len(each) for each in single[part][name].values()} == {len(numbers["sizes"])}
    # What is timed is the right answer.
    assert max(single["error"]["estimate_blur"]["no noise"]) < speed_bars.EXACT
    assert single["error"]["estimate_blur, noise_std"]["1 % in both"][0] < 0.02
    assert [each["refused"] for each in process["batches"]] == [0] * len(process["batches"])
    for text in ("command, 64 px, first run", "peak memory", "Seconds to compile", "exponent"):
        assert text in printed


@pytest.mark.parametrize("sigma", [0.8, 1.5])
def test_the_passes_of_the_closed_form_alone_are_a_fit(sigma, rng):
    scene = rng.normal(size=(48, 50)).astype(np.float32)
    blurred = blur(scene, sigma, boundary="periodic")
    # Without noise the weights, here those of another blur, do not matter.
    variance, misfit = passes(scene, blurred, np.float32(1.2))
    np.testing.assert_allclose(variance, sigma**2, rtol=1e-4)
    assert misfit < 1e-8 * np.sum(scene**2)
    # One count brighter everywhere: the mean is part of the misfit, and of nothing else.
    variance, misfit = passes(scene, blurred + 1, np.float32(1.2))
    np.testing.assert_allclose(variance, sigma**2, rtol=1e-4)
    np.testing.assert_allclose(misfit, 0.5 * scene.size, rtol=1e-3)


def test_a_ratio_is_of_the_slowest_noise_to_the_quickest_floor_in_every_process():
    def process(unit):
        seconds = {"no noise": [2 * unit, 9 * unit], "1 % in B": [3 * unit, None]}
        floor = {"slow": [unit, 2 * unit], "quick": [unit / 2, 3 * unit]}
        return {"single": {"floor": floor, "seconds": {"a": seconds}}}

    found = speed_bars.ratios({"processes": [process(1.0), process(7.0)]}, "a")
    np.testing.assert_allclose(found, [[6, np.nan]] * 2)


def test_bars_are_judged_by_the_median_of_what_was_measured():
    assert speed_bars.Row("a", [1.0], 1.0).is_met
    assert speed_bars.Row("a", [9.0, 1.0, 1.0], 1.0).is_met
    assert not speed_bars.Row("a", [1.1, 1.1, 0.1], 1.0).is_met
    assert not speed_bars.Row("a", [], 1.0).is_met


def test_a_command_is_timed_against_one_addition():
    seconds = {"one addition": [1.0, 2.0, 9.0], "first run": [4.0] * 3, "later run": [3.0] * 3}
    found = speed_bars.start_ratios({"start": {"seconds": seconds}})
    assert found == {"first run": 2.0, "later run": 1.5}


def test_times_of_calls_in_turn():
    calls = {"one": lambda: 1, "two": lambda: 2}
    first, times, results = stopwatch.seconds_in_turn(calls, 3)
    assert set(first) == set(times) == set(calls)
    assert results == {"one": 1, "two": 2}
    sizes = np.array([1.0, 10.0, 100.0])
    assert stopwatch.slope(sizes, 3 * sizes**1.25) == pytest.approx(1.25)


def test_pairs_that_are_timed_are_cut_out_of_one_scene():
    for name, (a, b) in cropped_pairs.cropped_pairs(48, 2.0, np.random.default_rng(0)).items():
        assert a.shape == b.shape == (48, 48), name
        assert a.dtype == b.dtype == np.float32
    a, b = cropped_pairs.cropped_patches(32, 7, 1.0, np.random.default_rng(0))
    assert a.shape == b.shape == (7, 32, 32)
    # Neighbours continue each other.
    assert np.corrcoef(b[0, :, -1], b[1, :, 0])[0, 1] > 0.7


def test_search_finds_the_sigma_that_is_timed():
    pair = cropped_pairs.cropped_pairs(128, 2.0, np.random.default_rng(0))["1 % in B"]
    for blurred_by in SEARCHES.values():
        assert search(blurred_by, pair) == pytest.approx(2.0, rel=0.01)


def test_throughput(tmp_path, capsys):
    assert throughput.main(["--device", "cpu", "--smoke", "--output", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "throughput-cpu.json").read_text())
    case = record["numbers"]["cases"][0]
    assert case["seconds"].keys() == throughput.COLOURS.keys()
    expected = 2 * 4 * 300 * 16**2 / case["seconds"]["estimate_blur"]
    assert throughput.bytes_per_second(case, "estimate_blur") == pytest.approx(expected)
    assert "GB/s" in capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_of_argparse:
        throughput.main(["--device", "nosuch"])
    assert exit_of_argparse.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "no device 'nosuch' here" in lines[0]


@pytest.mark.thorough
@pytest.mark.slow
def test_exponent_supports_its_claims(tmp_path, capsys):
    record, printed = run_smoke("exponent", tmp_path, capsys)
    numbers = record["numbers"]
    for series in numbers["series"].values():
        assert np.max(np.abs(np.array(series)[0])) < exponent.LARGEST
        assert exponent.covered(np.array(series)) >= 0.5
    leak = np.abs(numbers["leak"])
    assert np.all(leak[0] < 1.96 * leak[2] + 1e-5)
    # Of 80 draws, at most 5 with a probability of .999.
    assert exponent.rejected(np.array(numbers["null"]), 0.01) <= 5 / 80
    assert "rejected at the level" in printed


def test_unknown_names_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["nosuch"])
    assert "no such experiment: nosuch" in capsys.readouterr().err


@pytest.mark.parametrize("stem", EXPERIMENTS)
def test_every_question_is_one_line(stem):
    question = EXPERIMENTS[stem].question
    assert question.endswith("?")
    assert len(question) < 90
