import math
import warnings

import jax
import numpy as np
import pytest
from matplotlib.figure import Figure
from smoke import run_smoke

from experiments.compare_estimators.cells import known_cell
from experiments.compare_estimators.table import failures, relative_errors
from experiments.noisy_reference.table import SUMMARIES
from experiments.noisy_reference.table import summarise as summarise_noise
from experiments.real_pairs.known_pairs import KINDS
from experiments.real_pairs.table import chosen, summarise, words
from experiments.seed_protocol import study as seed_protocol
from experiments.seed_protocol.table import judge
from experiments.shared import autoencoder, common
from experiments.shared.photographs import CROP, PHOTOGRAPHS, scene
from experiments.shared.scipy_reference import cramer_rao_bound, interior, least_squares_sigma


def test_compare_estimators_supports_its_claims(tmp_path, capsys):
    record, printed = run_smoke("compare_estimators", tmp_path, capsys)
    numbers = record["numbers"]
    assert record["x64"] is True
    assert record["seed"] == 3
    assert {"python", "jax", "jaxlib", "numpy", "scipy", "gaussjax"} <= set(record["versions"])
    clean = np.array(numbers["known"]["noise"]) == 0
    worst = {
        name: np.max(np.abs(relative_errors(numbers, name)[clean])) for name in numbers["answers"]
    }
    ours = "interior: estimate_blur"
    assert worst[ours] < 1e-6
    assert worst["interior: same in float32"] < 2e-4
    assert failures(numbers, ours) == 0
    for name, error in worst.items():
        if not name.startswith("interior"):
            assert error > 100 * worst[ours], name
    # Four fits of one loss, which jumps by 1e-4 where the sampled kernel gains a tap.
    fits = [f"periodic: {name}" for name in ("L-BFGS", "Adam, log sigma", "Adam, variance")]
    for name in fits:
        np.testing.assert_allclose(
            numbers["answers"][name]["known_sigma"],
            numbers["answers"]["periodic: Gauss-Newton"]["known_sigma"],
            rtol=5e-3,
        )
    # No Gaussian is nearer to B than the best one that the search found.
    least = np.array(numbers["unknown"]["least_rms_rms"])
    for answers in numbers["answers"].values():
        assert np.all(np.array(answers["unknown_rms"]) >= least * (1 - 1e-6))
    assert "no true sigma" in printed
    assert all(name in printed for name in numbers["answers"])


@pytest.mark.thorough
def test_seed_protocol_supports_its_claims(tmp_path, capsys):
    record, printed = run_smoke("seed_protocol", tmp_path, capsys)
    numbers = record["numbers"]
    assert judge(numbers, "nearest: estimate_blur")["rmse"] < 1e-7
    assert judge(numbers, "nearest: same, SciPy's radius")["rmse"] < 1e-5
    assert not judge(numbers, "nearest: estimate_blur")["failed"].any()
    assert judge(numbers, "periodic: Gauss-Newton")["rmse"] > 1e-2
    assert "not identifiable" in printed
    # The saved numbers are enough to draw the figure again.
    first = (tmp_path / "seed_protocol.json").read_text()
    assert seed_protocol.EXPERIMENT.main(["--redraw", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "seed_protocol.json").read_text() == first


@pytest.mark.thorough
def test_noisy_reference_supports_its_claims(tmp_path, capsys):
    record, printed = run_smoke("noisy_reference", tmp_path, capsys)
    numbers = record["numbers"]
    shape = (len(numbers["noises"]), len(numbers["sigmas"]))
    shape += (len(numbers["photographs"]), numbers["draws"])
    for answers in numbers["answers"].values():
        for key in ("sigma", "standard_error", "covered", "status"):
            assert np.shape(answers[key]) == shape
    found = {name: summarise_noise(numbers, name) for name in numbers["answers"]}
    assert all(set(summary) == set(SUMMARIES) for summary in found.values())
    assumed, given, estimated, first, second = found.values()
    # Sigma 0.7 px under 20 % noise in A and 10 % in B.
    assert numbers["noises"][0] == [0.2, 0.1]
    assert numbers["sigmas"][0] == 0.7
    for better in (given, estimated):
        assert better["rms"][0, 0] < assumed["rms"][0, 0] / 5
        assert np.all(better["z"] < 3)
    # Noise that was left out is not in the error bar, but the interval allows for it.
    assert np.all(assumed["z"][:, 0] > 3)
    assert np.all(assumed["covered"][:, 0] > 80)
    for classical in (first, second):
        assert np.all(classical["rms"] > 3 * given["rms"])
    # H2 is H1 back, negated, and another answer.
    there, back = (numbers["answers"][f"{name}, Hann window"] for name in ("H1", "H2"))
    np.testing.assert_allclose(there["swapped"], -np.array(back["sigma"])[..., 0], rtol=1e-5)
    assert np.all(second["rms"] > 2 * first["rms"])
    # Exchanging the images negates the variance.
    for right in (given, estimated):
        assert np.max(right["swap"]) < 1e-6
    assert all(name in printed for name in numbers["answers"])


@pytest.mark.thorough
def test_real_pairs_support_their_claims(tmp_path, capsys):
    record, printed = run_smoke("real_pairs", tmp_path, capsys)
    known, processed = record["numbers"]["known"], record["numbers"]["processed"]
    for answers in (known, processed):
        assert len({len(column) for column in answers.values()}) == 1
    plain, fitted = (chosen(known, "gain, offset, shift", way) for way in ("plain", "nuisances"))
    assert summarise(plain)["median"] > 50
    assert summarise(fitted)["worst"] < 0.3
    assert words(plain["verdict"]) == "misaligned"
    assert words(fitted["verdict"]) == "explained"
    assert words(fitted["status"]) == "estimated"
    # Each loss is least where it was minimised, but for the corner of |r|, which is rounded off.
    squared, absolute = (chosen(processed, "autoencoder", way) for way in ("plain", "absolute"))
    assert np.all(absolute["mean_absolute"] <= squared["mean_absolute"] * (1 + 1e-4))
    assert np.all(absolute["mean_absolute"] <= absolute["mean_absolute_before"] * (1 + 1e-4))
    assert set(processed["true"]) == {None}
    network = record["numbers"]["network"]
    assert set(network["psnr"]).isdisjoint(network["seen"])
    assert "no true sigma" in printed.lower()


def test_pairs_that_are_known_have_a_plain_attempt_and_differ_from_the_reference():
    rng = np.random.default_rng(0)
    for kind, make in KINDS.items():
        reference, blurred, attempts = make(scene("camera"), rng)
        assert reference.shape == blurred.shape, kind
        assert np.isfinite(reference).all(), kind
        assert np.isfinite(blurred).all(), kind
        assert "plain" not in attempts
        assert np.std(blurred - reference) > 0.01


def test_autoencoder_learns_and_displaces_nothing():
    image = scene("camera")[:128, :128]
    parameters = autoencoder.train([image], seed=0, steps=100)
    images = np.asarray(image, np.float32)[None]
    before, after = (
        autoencoder.peak_signal_to_noise(image, np.asarray(autoencoder.reconstruct(p, images)[0]))
        for p in (autoencoder.initialise(jax.random.key(0)), parameters)
    )
    assert after > before + 10
    assert 1000 < autoencoder.count(parameters) < 5000
    # The same network of the mirrored image is the mirror image under mirrored weights.
    mirrored = {name: (w[:, ::-1], bias) for name, (w, bias) in parameters.items()}
    np.testing.assert_allclose(
        autoencoder.reconstruct(mirrored, images[:, :, ::-1])[:, :, ::-1],
        autoencoder.reconstruct(parameters, images),
        atol=1e-4,
    )


def test_words_of_codes():
    assert words(np.array(["EXPLAINED_POORLY"] * 2)) == "explained poorly"
    assert words(np.array(["EXPLAINED", "MISALIGNED", "EXPLAINED"])) == "2 explained, 1 misaligned"


def test_smoke_leaves_the_committed_figures_alone(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(common, "FIGURES", tmp_path / "figures")
    numbers = {"experiment": "none", "seed": 0}
    experiment = common.Experiment(
        "none", "Nothing?", lambda seed: numbers, str, lambda _: Figure(), {}
    )
    experiment.main(["--smoke"])
    assert not common.FIGURES.exists()
    assert "Saved" in capsys.readouterr().out
    experiment.main([])
    assert (common.FIGURES / "none.json").exists()


def test_not_identifiable_is_right_only_for_a_delta():
    numbers = {
        "sigma": [0.1, 0.1, 2.0, 2.0],
        "answers": {"one": {"sigma": [0.0, 0.3, 2.0, None], "status": [2, 0, 2, 4]}},
    }
    verdict = judge(numbers, "one")
    np.testing.assert_array_equal(verdict["delta"], [True, False, False, False])
    np.testing.assert_array_equal(verdict["refused"], [False, False, True, True])
    np.testing.assert_array_equal(verdict["failed"], [False, True, True, True])
    assert verdict["rmse"] == pytest.approx(math.sqrt(0.2**2 / 2))
    assert verdict["rmse_wide"] == 0


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_are_grey_and_larger_than_the_crop(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a download would warn, or fail
        image = scene(name)
    assert image.ndim == 2
    # Wider than the crop by the reach of the widest blur, 4 * 8 px, on either side.
    assert min(image.shape) >= CROP + 2 * 32
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.std() > 0.01


def test_cramer_rao_bound_is_that_of_repeated_fits():
    rng = np.random.default_rng(0)
    image = scene("camera")[100:260, 100:260]
    sigma, noise = 2.0, 0.05
    margin = math.ceil(3 * sigma) + 2
    bound = cramer_rao_bound(image, sigma, noise, lambda whole: whole)
    cell = known_cell({"camera": np.pad(image, 60, "symmetric")}, sigma, 0.0, rng)
    reference, blurred = cell.references[0], cell.blurreds[0]
    inside = (slice(48, -48),) * 2
    reference, blurred = reference[inside], blurred[inside]
    estimates = [
        least_squares_sigma(
            reference,
            blurred + noise * rng.standard_normal(blurred.shape),
            initial=1.0,
            upper=12.0,
            margin=margin,
        )[0]
        for _ in range(60)
    ]
    spread = np.sqrt(np.mean((np.array(estimates) - sigma) ** 2))
    assert spread == pytest.approx(bound, rel=0.25)  # 9 % is the spread of 60 draws
    assert interior(image, margin).shape == (160 - 2 * margin,) * 2
