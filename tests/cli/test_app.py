"""The command line: what it prints, its exit codes, and that nothing ends in a traceback."""

import argparse
import json
import math
import os
import sys

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from cells import thorough
from command import error_line
from processes import run_process

import gaussjax as gj
from gaussjax.cli import main
from gaussjax.cli.inputs import noise_shapes
from gaussjax.io.images import read_image
from gaussjax.model.options import ALL_FAMILIES, BOUNDARIES, FAMILIES, KERNELS, LOSSES
from gaussjax.numerics import program_cache
from gaussjax.statistics.cause import Cause

SIDE = 96


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory with a scene in it, as .npy and as 8- and 16-bit PNG."""
    monkeypatch.chdir(tmp_path)
    scene = np.random.default_rng(3).random((SIDE, SIDE))
    np.save("a.npy", scene)
    PIL.Image.fromarray(np.rint(255 * scene).astype(np.uint8)).save("a.png")
    PIL.Image.fromarray(np.rint(65535 * scene).astype(np.uint16)).save("a16.png")
    return tmp_path


def run_json(capsys, *arguments):
    """Exit code and parsed output of ``gaussjax estimate ... --json``."""
    code = main(["estimate", *arguments, "--json"])
    output = capsys.readouterr()
    assert output.err == ""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return code, json.loads(output.out, parse_constant=refuse)


@pytest.mark.parametrize(
    ("source", "output", "tolerance"),
    [("a.npy", "b.npy", 1e-4), ("a.npy", "b.tif", 1e-4), ("a.png", "b.png", 5e-3),
     ("a16.png", "b.png", 1e-4)],
)  # fmt: skip
def test_blur_then_estimate(folder, capsys, source, output, tolerance):
    assert main(["blur", source, "--sigma", "2", "-o", output]) == 0
    capsys.readouterr()
    code, record = run_json(capsys, source, output)
    assert code == 0
    assert record["sigma"] == pytest.approx(2, rel=tolerance)
    assert record["status_name"] == "estimated"


@pytest.mark.parametrize(
    "kernel", [thorough(name) if name in ("integrated", "discrete") else name for name in KERNELS]
)
def test_every_kernel_reads_its_own_blur(folder, capsys, kernel):
    main(["blur", "a.npy", "--sigma", "0.7", "-o", "b.npy", "--kernel", kernel])
    capsys.readouterr()
    code, record = run_json(capsys, "a.npy", "b.npy", "--kernel", kernel)
    assert code == 0
    assert record["sigma"] == pytest.approx(0.7, rel=1e-4)
    assert record["kernel"] == kernel


def test_blur_is_scipys(folder):
    scene = np.load("a.npy")
    arguments = ["--kernel", "sampled", "--truncate", "3", "--boundary", "nearest"]
    assert main(["blur", "a.npy", "--sigma", "1.5", "-o", "b.npy", *arguments]) == 0
    expected = scipy.ndimage.gaussian_filter(scene, 1.5, mode="nearest", truncate=3)
    np.testing.assert_allclose(np.load("b.npy"), expected, atol=1e-12)
    arguments = ["--kernel", "sampled", "--radius", "4"]
    assert main(["blur", "a.npy", "--sigma", "1.5", "-o", "c.npy", *arguments]) == 0
    expected = scipy.ndimage.gaussian_filter(scene, 1.5, mode="reflect", radius=4)
    np.testing.assert_allclose(np.load("c.npy"), expected, atol=1e-12)


def test_blur_keeps_the_bit_depth_and_tells_of_rounding(folder, capsys):
    for source in ("a.png", "a16.png"):
        assert main(["blur", source, "--sigma", "1", "-o", "b.png"]) == 0
        assert read_image("b.png").dtype == read_image(source).dtype
        assert "rounded to whole numbers" in capsys.readouterr().out


def test_json_record(folder, capsys):
    np.save("b.npy", scipy.ndimage.gaussian_filter(np.load("a.npy"), 2))
    code, record = run_json(capsys, "a.npy", "b.npy", "--kernel", "sampled")
    assert code == record["status"] == 0
    assert record["sigma"] == pytest.approx(2, rel=1e-4)
    assert record["sigma_unit"] == "px"
    assert record["fwhm"] == pytest.approx(2.354820 * record["sigma"])
    assert record["variance"] == pytest.approx(record["sigma"] ** 2)
    assert 0 <= record["standard_error"] < 1e-3
    assert record["shape"] == [SIDE, SIDE]
    assert record["dtype"] == "float64"
    assert (record["family"], record["boundary"]) == ("isotropic", "valid")
    assert record["notes"] == []


def test_json_of_a_full_covariance(folder, capsys):
    np.save("b.npy", scipy.ndimage.gaussian_filter(np.load("a.npy"), [1, 2]))
    _, record = run_json(capsys, "a.npy", "b.npy", "--family", "full")
    assert record["sigma"] == pytest.approx([2, 1], rel=1e-3)
    assert record["variance"] == pytest.approx([1, 0, 4], abs=1e-2)


def test_table(folder, capsys):
    rgb = np.repeat(read_image("a.png").values[..., None], 3, axis=-1).astype(np.uint8)
    PIL.Image.fromarray(rgb).save("colour.png")
    main(["blur", "a.png", "--sigma", "2", "-o", "b.png"])
    capsys.readouterr()
    assert main(["estimate", "colour.png", "b.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    sigma, error = lines[0].removeprefix("sigma").removesuffix("px").split("+-")
    assert float(sigma) == pytest.approx(2, rel=5e-3)
    assert 0 < float(error) < 0.01
    assert any(line.split() == ["status", "0", "estimated"] for line in lines)
    assert any(line.split() == ["precision", "float64"] for line in lines)
    assert any("boundary valid" in line and f"{SIDE} x {SIDE} px" in line for line in lines)
    assert any("reference: colour reduced to luminance" in line for line in lines)


def test_linearize_finds_the_blur_of_light(folder, capsys):
    encoded = read_image("a16.png").values / 65535
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    soft = scipy.ndimage.gaussian_filter(light, 3)
    stored = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * soft ** (1 / 2.4) - 0.055)
    PIL.Image.fromarray(np.rint(65535 * stored).astype(np.uint16)).save("b.png")
    _, record = run_json(capsys, "a16.png", "b.png", "--linearize")
    assert record["sigma"] == pytest.approx(3, rel=2e-3)
    assert record["linearized"] is True
    assert any("linear light" in note for note in record["notes"])
    _, record = run_json(capsys, "a16.png", "b.png")
    assert abs(record["sigma"] - 3) > 0.02


def test_swapped_files_are_said_to_be_sharper(folder, capsys):
    main(["blur", "a.npy", "--sigma", "1.5", "-o", "b.npy"])
    capsys.readouterr()
    _, record = run_json(capsys, "b.npy", "a.npy")
    assert record["sigma"] == pytest.approx(-1.5, rel=1e-3)


def test_bounds_and_initial_reach_the_estimate(folder, capsys):
    main(["blur", "a.npy", "--sigma", "2", "-o", "b.npy"])
    capsys.readouterr()
    code, record = run_json(capsys, "a.npy", "b.npy", "--bounds", "0.5", "1.5")
    assert (code, record["status_name"]) == (1, "at_bound")
    assert record["sigma"] == pytest.approx(1.5, rel=1e-6)
    code, record = run_json(capsys, "a.npy", "b.npy", "--bounds", "0", "5", "--initial", "4")
    assert code == 0
    assert record["sigma"] == pytest.approx(2, rel=1e-4)


def test_nuisances_and_a_blur_of_two_axes(folder, capsys):
    soft = scipy.ndimage.gaussian_filter(np.load("a.npy"), [1, 2], mode="wrap")
    np.save("b.npy", 0.8 * np.roll(soft, (2, -1), (0, 1)) + 0.3)
    arguments = ["a.npy", "b.npy", "--kernel", "sampled", "--boundary", "periodic"]
    arguments += ["--family", "axis_aligned"]
    code, record = run_json(capsys, *arguments, "--gain", "--offset", "--shift")
    assert (code, record["verdict_name"]) == (0, "explained")
    assert record["sigma"] == pytest.approx([1, 2], rel=1e-6)
    assert record["gain"] == pytest.approx(0.8)
    assert record["offset"] == pytest.approx(0.3)
    assert record["shift"] == pytest.approx([2, -1])
    for name in ("gain", "offset"):
        assert 0 <= record[f"{name}_standard_error"] < 1e-6
    assert len(record["shift_standard_error"]) == 2
    # Without them the pair is misaligned, and the command says so.
    code, record = run_json(capsys, *arguments)
    assert (code, record["status"], record["verdict_name"]) == (1, 0, "misaligned")
    assert "misaligned" in record["verdict_message"]
    assert record["gain"] is record["shift"] is record["offset_standard_error"] is None


def test_a_blur_that_is_no_gaussian_exits_with_1(folder, capsys):
    scene = scipy.ndimage.gaussian_filter(np.load("a.npy"), 1)
    np.save("a.npy", scene)
    np.save("b.npy", scipy.ndimage.uniform_filter(scene, 5))
    code, record = run_json(capsys, "a.npy", "b.npy")
    assert (code, record["verdict_name"]) == (1, "explained_poorly")
    assert record["adequacy"]["unexplained_change"] > 0.005
    assert main(["estimate", "a.npy", "b.npy"]) == 1
    verdicts = [line for line in capsys.readouterr().out.splitlines() if line.startswith("verdict")]
    told = f"{record['verdict_message']}: {record['cause_message']}"
    assert [line.split(maxsplit=1)[1] for line in verdicts] == [told]
    assert record["cause_message"] == Cause.KERNEL.message


def noisy_pair(rng):
    """In the unit of 8 bit, with noise of standard deviation 4 and 2, not rounded."""
    scene = 255 * np.load("a.npy")
    soft = scipy.ndimage.gaussian_filter(scene, 1.5)
    np.save("a.npy", scene + 4 * rng.normal(size=scene.shape))
    np.save("b.npy", soft + 2 * rng.normal(size=scene.shape))
    return "a.npy", "b.npy", "--kernel", "sampled"


def test_the_shape_of_noise_is_a_number_or_a_file(tmp_path):
    shape = np.array([[0.5, 1, 0.5]])
    np.save(tmp_path / "shape.npy", shape)
    options = argparse.Namespace(noise_correlation=[0.7, str(tmp_path / "shape.npy")])
    number, array = noise_shapes(options)
    assert number == 0.7
    np.testing.assert_array_equal(array, shape)


def test_noise(folder, capsys, rng):
    arguments = noisy_pair(rng)
    code, record = run_json(capsys, *arguments, "--noise", "4", "2")
    assert code == 0
    assert record["noise_std"] == pytest.approx([4, 2])
    assert record["adequacy"]["reduced_chi_square"] == pytest.approx(1, abs=0.1)
    assert abs(record["sigma"] - 1.5) < 4 * record["standard_error"]
    code, record = run_json(capsys, *arguments, "--noise", "estimate")
    assert record["noise_std"] == pytest.approx([4, 2], rel=0.3)
    assert record["adequacy"]["reduced_chi_square"] is None


def test_losses_and_masks(folder, capsys, rng):
    blurred = scipy.ndimage.gaussian_filter(np.load("a.npy"), 1.5)
    blurred += 1e-3 * rng.normal(size=blurred.shape)
    known = np.ones(blurred.shape, np.uint8)
    known[30:34, 40:44] = 0
    np.save("b.npy", np.where(known, blurred, 3.0))
    np.save("nan.npy", np.where(known, blurred, np.nan))
    PIL.Image.fromarray(known).save("mask.png")
    errors = {}
    for loss in LOSSES:
        _, record = run_json(capsys, "a.npy", "b.npy", "--kernel", "sampled", "--loss", loss)
        assert record["loss_function"] == loss
        errors[loss] = abs(record["sigma"] - 1.5)
    assert max(errors["absolute"], errors["huber"]) < 0.2 * errors["squared"]
    arguments = ["a.npy", "nan.npy", "--kernel", "sampled"]
    code, record = run_json(capsys, *arguments, "--mask", "mask.png")
    count = f"mask: {np.count_nonzero(known)} of {known.size} pixels are not 0, and used"
    assert record["notes"][-1] == count
    assert code == 0
    assert record["sigma"] == pytest.approx(1.5, abs=0.005)
    fewer = record["num_pixels"]
    # A hole in the reference costs its surroundings as well.
    code, record = run_json(
        capsys, *arguments, "--mask", "mask.png", "--mask-reference", "mask.png"
    )
    assert code == 0
    assert record["num_pixels"] == fewer - (4 + 2 * 6) ** 2 + 4**2
    assert "NaN or infinite" in error_line(capsys, "estimate", *arguments)


def test_masks_of_several_values_are_named(folder, capsys):
    marks = np.full((SIDE, SIDE), 255.0)
    marks[10:20] = 0
    marks[20] = 3
    np.save("mask.npy", marks)
    _, record = run_json(capsys, "a.npy", "a.npy", "--mask", "mask.npy")
    assert f"mask: {SIDE * (SIDE - 10)} of {SIDE**2} pixels are not 0, and used" in record["notes"]
    assert record["notes"][-1].startswith(f"mask: {SIDE} of these are not 255, as where a mask was")


def test_bad_masks(folder, capsys):
    np.save("small.npy", np.ones((5, 7)))
    np.save("nan.npy", np.full((SIDE, SIDE), np.nan))
    for name, reason in [
        ("small.npy", "small.npy: a mask of shape (5, 7) for images of shape (96, 96)"),
        ("nan.npy", "nan.npy: a mask with NaN"),
        ("missing.png", "No such file"),
    ]:
        for option in ("--mask", "--mask-reference"):
            assert reason in error_line(capsys, "estimate", "a.npy", "a.npy", option, name)


def test_lengths_in_a_unit_and_fwhm_first(folder, capsys):
    main(["blur", "a.npy", "--sigma", "2", "-o", "b.npy"])
    capsys.readouterr()
    unit = ["--pixel-size", "0.2", "--unit", "arcsec"]
    _, record = run_json(capsys, "a.npy", "b.npy", *unit)
    assert (record["pixel_size"], record["unit"]) == (0.2, "arcsec")
    assert record["sigma"] == pytest.approx(2, rel=1e-4)
    for name in ("sigma", "standard_error", "fwhm"):
        assert record[f"{name}_in_unit"] == pytest.approx(0.2 * record[name])
    assert record["mtf50"] == pytest.approx(0.18739 / 2, rel=1e-3)
    assert record["sigma_major"] == record["sigma_minor"] == record["sigma"]
    assert record["angle"] == 0
    assert main(["estimate", "a.npy", "b.npy", "--fwhm", *unit]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[:4]] == ["FWHM", "FWHM", "sigma", "sigma"]
    values = [4.70964, 0.941928, 2, 0.4]
    assert [float(row[1]) for row in rows[:4]] == pytest.approx(values, rel=1e-4)
    assert [row[-1] for row in rows[:4]] == ["px", "arcsec", "px", "arcsec"]
    (mtf50,) = (row for row in rows if row[0] == "MTF50")
    assert float(mtf50[1]) == pytest.approx(0.0937, rel=1e-3)
    assert (mtf50[2], mtf50[4]) == ("+-", "cycles/px")


def test_plot(folder, capsys, rng, monkeypatch):
    # Of signals, whose fits are quick to compile.
    scene = scipy.ndimage.gaussian_filter(rng.normal(size=300), 0.8)
    np.save("line.npy", scene)
    soft = scipy.ndimage.gaussian_filter(scene, 1.5) + 1e-3 * rng.normal(size=300)
    np.save("soft.npy", soft)
    arguments = ["line.npy", "soft.npy", "--kernel", "sampled"]
    code, record = run_json(capsys, *arguments, "--plot", "report.png")
    assert code == 0
    with PIL.Image.open("report.png") as picture:
        assert picture.size == (1600, 1376)
    assert record["plot"] == "report.png"
    assert record["empirical_mtf50"] == pytest.approx(record["mtf50"], rel=0.05)
    assert record["best_family"] == "isotropic"
    assert record["aic"]["none"] > record["aic"]["isotropic"] + 100
    assert record["angle"] is None
    with monkeypatch.context() as terminal:
        terminal.setattr(sys.stderr, "isatty", lambda: True)
        assert main(["estimate", *arguments, "--plot", "report.svg"]) == 0
    output = capsys.readouterr()
    steps = [line[:17] for line in output.err.splitlines()]
    assert steps == [f"gaussjax: {k} of 3:" for k in (1, 2, 3)]
    rows = [line.split() for line in output.out.splitlines()]
    assert ["figure", "report.svg"] in rows
    assert [row[1] for row in rows if row[0] == "families"] == ["none", "isotropic"]
    assert "<svg" in (folder / "report.svg").read_text(encoding="utf-8")
    # Without a figure the record has the same keys.
    _, plain = run_json(capsys, *arguments)
    assert plain.keys() == record.keys()
    assert plain["best_family"] is plain["aic"] is plain["empirical_mtf50"] is None


def test_compare_names_the_kernel(folder, capsys, rng):
    scene = rng.normal(size=300)
    np.save("line.npy", scene)
    np.save("box.npy", scipy.ndimage.uniform_filter1d(scene, 5) + 1e-3 * rng.normal(size=300))
    _, record = run_json(capsys, "line.npy", "box.npy", "--compare")
    assert record["kernels"]["best"]["parameters"]["width"] == pytest.approx(5, abs=0.05)
    assert record["kernels"]["tied"] == ["box"]
    assert len(record["kernels"]["all"]) > 10
    main(["estimate", "line.npy", "box.npy", "--compare"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    (best,) = [row for row in rows if row[:2] == ["kernels", "="]]
    assert best[2] == "box"
    assert "a box of width 5 px explains the pair better than a Gaussian" in [
        " ".join(row[1:]) for row in rows if row[0] == "kernels"
    ]


def test_generalised(folder, capsys, rng):
    scene = scipy.ndimage.gaussian_filter(rng.normal(size=900), 0.8)
    kernel = gj.BlurParams(np.array([1.5**1.4]), exponent=np.array(1.4), family="generalised")
    soft = np.asarray(gj.blur(scene, kernel)) + 1e-3 * rng.normal(size=900)
    np.save("line.npy", scene[200:700])
    np.save("soft.npy", soft[200:700])
    arguments = ["line.npy", "soft.npy", "--family", "generalised", "--plot", "report.png"]
    code, record = run_json(capsys, *arguments)
    assert code == 0
    assert record["plot"] == "report.png"
    found = record["gaussianity"]
    low, high = found["interval"]
    assert low < found["exponent"] < high
    assert abs(found["exponent"] - 1.4) < 4 * math.hypot(
        found["standard_error"], found["model_error"]
    )
    assert found["p_value"] < 1e-6
    assert found["energy_radius"]["0.5"] < found["energy_radius"]["0.8"]
    unit = ["--pixel-size", "2", "--unit", "um"]
    assert main(["estimate", *arguments[:-2], *unit]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows[:2]] == [["scale", "s"]] * 2
    fwhm = [row for row in rows if row[0] == "FWHM"]
    assert float(fwhm[1][1]) == pytest.approx(2 * float(fwhm[0][1]), rel=1e-4)
    assert float(fwhm[1][3]) == pytest.approx(2 * float(fwhm[0][3]), rel=0.1)
    assert "no Gaussian" in " ".join(next(row for row in rows if row[0] == "exponent"))


def test_a_figure_replaces_no_input(folder, capsys):
    before = (folder / "a.png").read_bytes()
    arguments = ["estimate", "a.png", "a.png", "--plot", f"../{folder.name}/a.png"]
    assert "is an input itself" in error_line(capsys, *arguments)
    assert (folder / "a.png").read_bytes() == before


def test_untrustworthy_estimates_exit_with_1(folder, capsys):
    np.save("flat.npy", np.ones((SIDE, SIDE)))
    code, record = run_json(capsys, "flat.npy", "flat.npy")
    assert code == 1
    assert record["status_name"] == "not_identifiable"
    assert record["message"]
    assert main(["estimate", "flat.npy", "flat.npy"]) == 1
    assert "Traceback" not in capsys.readouterr().out


def test_identical_images_have_no_blur(folder, capsys):
    code, record = run_json(capsys, "a.png", "a.png")
    assert code == 0
    assert record["sigma"] == pytest.approx(0, abs=1e-3)


def test_bad_files(folder, capsys):
    (folder / "text.png").write_text("hello")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:2000])
    (folder / "empty.png").touch()
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    np.save("complex.npy", np.ones((SIDE, SIDE), complex))
    np.save("nan.npy", np.full((SIDE, SIDE), np.nan))
    np.save("small.npy", np.ones((5, 7)))
    np.save("pixel.npy", np.ones((1, 1)))
    for name, reason in [
        ("text.png", "text.png: is text, no image"),
        ("cut.png", "cut.png: "),
        ("empty.png", "empty.png: is empty"),
        ("missing.png", "missing.png: No such file or directory"),
        (".", "is a directory"),
        ("objects.npy", "never loaded"),
        ("complex.npy", "not real numbers"),
        ("nan.npy", "NaN or infinite"),
        ("small.npy", "same shape"),
        ("pixel.npy", "size 1"),
        ("two\nlines.png", "two\\nlines.png: No such file"),
    ]:
        assert reason in error_line(capsys, "estimate", name, "a.npy")
        if name != "small.npy":
            assert reason in error_line(capsys, "blur", name, "--sigma", "1", "-o", "b.npy")
    assert not (folder / "b.npy").exists()


def test_bad_outputs(folder, capsys):
    blur = ["blur", "a.npy", "--sigma", "1", "-o"]
    assert "must end in" in error_line(capsys, *blur, "b.jpg")
    assert "8 or 16 bit" in error_line(capsys, *blur, "b.png")
    assert "input itself" in error_line(capsys, *blur, "../" + folder.name + "/a.npy")
    assert "no such folder" in error_line(capsys, *blur, "missing/b.npy")


def test_lengths_that_no_memory_would_hold(folder, capsys):
    sampled = ["--kernel", "sampled", "--radius", "100000"]
    for arguments in (
        ["blur", "a.npy", "-o", "b.npy", "--sigma", "1e300"],
        ["blur", "a.npy", "-o", "b.npy", "--sigma", "1", *sampled],
        ["estimate", "a.npy", "a.npy", *sampled],
        ["estimate", "a.npy", "a.npy", "--boundary", "zero", "--bounds", "0", "1e300"],
    ):
        assert "longest side, 96 px" in error_line(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["deblur"], "deblur"),
        (["estimate", "a.npy"], "BLURRED"),
        (["estimate", "a.npy", "a.npy", "--kernel", "box"], "box"),
        (["estimate", "a.npy", "a.npy", "--truncate", "4"], "--kernel sampled"),
        (["estimate", "a.npy", "a.npy", "--kernel", "sampled", "--truncate", "1e9"], "40 sigma"),
        (["estimate", "a.npy", "a.npy", "--bounds", "3", "1"], "LOW must be less"),
        (["estimate", "a.npy", "a.npy", "--bounds", "0", "inf"], "'inf' is not a finite"),
        (["estimate", "a.npy", "a.npy", "--initial", "two"], "'two' is not a finite"),
        (["estimate", "a.npy", "a.npy", "--frob\n"], "--frob"),
        (["estimate", "a.npy", "a.npy", "--noise", "1"], "two standard deviations"),
        (["estimate", "a.npy", "a.npy", "--noise", "1", "2", "3"], "two standard deviations"),
        (["estimate", "a.npy", "a.npy", "--noise", "0", "0"], "not both 0"),
        (["estimate", "a.npy", "a.npy", "--noise-correlation", "1", "1"], "whose level --noise"),
        (
            ["estimate", "a.npy", "a.npy", "--noise", "1", "1", "--noise-correlation", "-1", "0"],
            "'-1' is less than 0",
        ),
        (
            ["map", "a.npy", "a.npy", "--noise", "1", "1", "--noise-correlation", "99", "0"],
            "sigma in px, up to 16",
        ),
        (
            ["transfer", "a.npy", "a.npy", "--noise", "1", "1", "--noise-correlation", "a", "0"],
            "a: ",
        ),
        (["estimate", "a.npy", "a.npy", "--noise", "1", "-2"], "-2"),
        (["estimate", "a.npy", "a.npy", "--noise", "1", "inf"], "'inf' is neither"),
        (["estimate", "--noise", "1", "2", "a.npy", "a.npy"], "before this option"),
        (["estimate", "a.npy", "a.npy", "--noise", "1", "2", "--loss", "huber"], "--loss squared"),
        (["estimate", "a.npy", "a.npy", "--loss", "cubic"], "cubic"),
        (["estimate", "a.npy", "a.npy", "--unit", "um"], "size and its unit"),
        (["estimate", "a.npy", "a.npy", "--pixel-size", "2"], "size and its unit"),
        (["estimate", "a.npy", "a.npy", "--pixel-size", "0", "--unit", "um"], "not positive"),
        (["estimate", "a.npy", "a.npy", "--plot", "b.jpg"], ".png, .pdf, .svg"),
        (["estimate", "a.npy", "a.npy", "--plot", "no/b.png"], "no such folder"),
        (["estimate", "a.npy", "a.npy", "--plot", 300 * "x" + ".png"], "cannot be written"),
        (["map", "a.npy", "a.npy", "-o", 300 * "x" + ".png"], "cannot be written"),
        (["map", "a.npy", "a.npy", "--csv", 300 * "x"], "cannot be written"),
        (["blur", "a.npy", "--sigma", "1", "-o", 300 * "x" + ".npy"], "cannot be written"),
        (["estimate", "a.npy", "a.npy", "--family", "generalised", "--boundary", "zero"],
         "valid or periodic"),
        (["estimate", "a.npy", "a.npy", "--family", "generalised", "--bounds", "1", "2"],
         "without --bounds"),
        (["map", "a.npy", "a.npy", "--family", "generalised"], "invalid choice"),
        (["blur", "a.npy", "-o", "b.npy"], "--sigma"),
        (["blur", "a.npy", "--sigma", "-1", "-o", "b.npy"], "not positive"),
        (["blur", "a.npy", "--sigma", "nan", "-o", "b.npy"], "not a finite"),
        (["blur", "a.npy", "--sigma", "1", "-o", "b.npy", "--boundary", "valid"], "valid"),
        (["blur", "a.npy", "--sigma", "1", "-o", "b.npy", "--kernel", "sampled", "--radius", "0"],
         "'0' is not a whole number"),
        (["blur", "a.npy", "--sigma", "1", "-o", "b.npy", "--kernel", "sampled", "--radius", "2",
          "--truncate", "2"], "not allowed with"),
    ],
)  # fmt: skip
def test_bad_arguments(folder, capsys, arguments, reason):
    assert reason in error_line(capsys, *arguments)


@pytest.mark.parametrize(
    ("command", "choices"),
    [
        ("estimate", {"family": ALL_FAMILIES, "kernel": KERNELS, "loss": LOSSES}),
        ("estimate", {"boundary": BOUNDARIES}),
        ("dataset", {"family": FAMILIES, "kernel": KERNELS}),
        ("map", {"family": FAMILIES, "kernel": KERNELS, "loss": LOSSES}),
        ("blur", {"kernel": KERNELS, "boundary": ("periodic", "reflect", "nearest", "zero")}),
    ],
)
def test_choices_are_those_of_the_library(capsys, command, choices):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    for option, names in choices.items():
        assert f"--{option} {{{','.join(names)}}}\n" in text


def test_help_tells_what_the_choices_mean(capsys):
    with pytest.raises(SystemExit) as exit_of_argparse:
        main(["estimate", "--help"])
    assert exit_of_argparse.value.code == 0
    text = capsys.readouterr().out
    assert "--linearize" in text
    assert "sRGB" in text
    assert "misaligned" in text  # what exits with 1
    assert program_cache.VARIABLE in text
    assert f"{program_cache.LARGEST_SIZE // 2**20} MiB" in text
    assert "0 to 255 in 8 bit" in " ".join(text.split())  # the unit of --noise
    for name in (*KERNELS, *FAMILIES, *BOUNDARIES):
        assert name in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["estimate", "--help"], 0),
        (["blur", "--help"], 0),
        (["estimate", "a.png"], 2),
        (["estimate", "a.png", "missing.png"], 2),
        (["estimate", "a.png", "a.png", "--bounds", "2", "1"], 2),
        (["estimate", "a.png", "a.png", "--plot", "b.jpg"], 2),
        (["estimate", "a.png", "a.png", "--plot", "a.png"], 2),
        (["estimate", "a.png", "a.png", "--mask", "missing.png"], 2),
        (["estimate", "a.png", "a.png", "--noise", "1"], 2),
        (["blur", "a.png", "--sigma", "1", "-o", "b.jpg"], 2),
    ],
)
def test_jax_is_not_imported_before_it_is_needed(folder, arguments, code):
    script = (
        "import sys\n"
        "from gaussjax.cli import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as error:\n"
        "    code = error.code\n"
        "assert 'jax' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    done = run_process(script, *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_python_m_gaussjax(folder):
    run = "import runpy; runpy.run_module('gaussjax', run_name='__main__', alter_sys=True)"
    main(["blur", "a.png", "--sigma", "2", "-o", "b.png"])
    done = run_process(run, "estimate", "a.png", "b.png", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["sigma"] == pytest.approx(2, rel=5e-3)
    done = run_process(run, "estimate", "a.png", "missing.png")
    assert done.returncode == 2
    assert done.stderr == "gaussjax: error: missing.png: No such file or directory\n"


def test_reader_that_has_gone(folder):
    script = "from gaussjax.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as closed:
        arguments = ["blur", "a.png", "--sigma", "1", "-o", "b.png"]  # prints a note on rounding
        done = run_process(script, *arguments, stdout=closed)
    assert (done.returncode, done.stderr) == (141, "")


def test_interrupt(folder, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gaussjax.cli.inputs.read_image", interrupt)
    assert main(["estimate", "a.png", "a.png"]) == 130
    assert capsys.readouterr().err == "gaussjax: interrupted\n"


def test_a_machine_too_small_is_one_line(folder, capsys, monkeypatch):
    def exhaust(*_, **__):
        raise MemoryError

    monkeypatch.setattr("gaussjax.cli.inputs.read_image", exhaust)
    assert "MemoryError" in error_line(capsys, "estimate", "a.png", "a.png")


def test_precision_reads_a_part_of_mapped_files_and_says_which(folder, capsys):
    scene = np.random.default_rng(4).normal(size=(800, 600))
    np.save("large.npy", scene.astype(np.float32))
    blurred = scipy.ndimage.gaussian_filter(scene, 1.5, truncate=6)
    np.save("soft.npy", (blurred + 1e-3).astype(np.float32))
    np.save("mask.npy", np.ones(scene.shape, np.uint8))
    files = "large.npy", "soft.npy", "--offset", "--mask", "mask.npy"
    code, record = run_json(capsys, *files, "--precision", "1e-2")
    assert code == 0
    assert record["sigma"] == pytest.approx(1.5, rel=1e-3)
    part = record["part"]
    assert part["is_reached"]
    assert part["tile"] == [256, 256]
    assert len(part["corners"]) == 3
    assert part["asked"] == 0.01
    assert main(["estimate", *files, "--precision", "1e-2"]) == 0
    assert "3 of 256 x 256 px, 41 % of 800 x 600 px" in capsys.readouterr().out
    for more in (["--plot", "x.png"], ["--boundary", "zero"], ["--precision", "0"]):
        error_line(capsys, "estimate", "a.npy", "a.npy", "--precision", "1e-2", *more)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["estimte", "a.npy", "b.npy"], "estimate"),
        (["estimate", "a.npy", "b.npy", "--kernl", "sampled"], "--kernel"),
        (["estimate", "a.npy", "b.npy", "--kernel", "sampeld"], "sampled"),
    ],
)
def test_what_was_meant_is_named(capsys, arguments, meant):
    assert f"did you mean '{meant}'?" in error_line(capsys, *arguments)


def test_without_arguments_there_is_help(capsys):
    with pytest.raises(SystemExit) as exit_of_argparse:
        main([])
    assert exit_of_argparse.value.code == 0
    assert capsys.readouterr().out.startswith("usage: gaussjax")


def test_a_refused_estimate_does_not_lead_with_a_number(folder, capsys):
    np.save("flat.npy", np.ones((48, 48)))
    assert main(["estimate", "flat.npy", "flat.npy"]) == 1
    status, verdict, sigma, fwhm, *others = capsys.readouterr().out.splitlines()
    assert status.startswith("status    2 ")
    assert verdict.startswith("verdict ")
    assert (sigma, fwhm) == ("sigma     not determined", "FWHM      not determined")
    told = ("interval", "residual", "left over", "MTF50")
    assert not any(line.startswith(told) for line in others)


def test_the_interval_to_quote(folder, capsys):
    np.save("b.npy", scipy.ndimage.gaussian_filter(np.load("a.npy"), 1.5))
    arguments = ["estimate", "a.npy", "b.npy", "--kernel", "sampled", "--pixel-size", "2", "mm"]
    assert main([*arguments, "--json"]) == 0
    low, high = json.loads(capsys.readouterr().out)["interval"]
    for option, factor, words in (
        ([], 1, "(95 %)"),
        (["--fwhm"], math.sqrt(8 * math.log(2)), "(95 %, FWHM)"),
    ):
        assert main([*arguments, *option]) == 0
        rows = [line for line in capsys.readouterr().out.splitlines() if "interval" in line]
        for row, size, unit in zip(rows, (1, 2), ("px", "mm"), strict=True):
            _, first, _, last, found, *rest = row.split()
            assert (found, " ".join(rest)) == (unit, words)
            ends = [size * factor * end for end in (low, high)]
            assert [float(first), float(last)] == pytest.approx(ends, rel=1e-6)


def test_a_doubted_estimate_does_not_lead_with_a_number(folder, capsys):
    np.save("c.npy", np.roll(np.load("a.npy"), 2, axis=0))
    assert main(["estimate", "a.npy", "c.npy", "--b-factor", "--fwhm"]) == 1
    lines = capsys.readouterr().out.splitlines()
    told = [line.split()[0] for line in lines if not line.startswith("note")]
    assert told[:5] == ["verdict", "FWHM", "sigma", "interval", "B"]
    assert "misaligned" in lines[0]
    assert told.count("verdict") == told.count("status") == 1


def test_an_interrupt_while_modules_are_imported_is_one_line():
    script = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'gaussjax.cli.app':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from gaussjax.cli import main\n"
        "sys.exit(main([]))"
    )
    result = run_process(script)
    assert (result.returncode, result.stderr) == (130, "gaussjax: interrupted\n")


@pytest.mark.parametrize(("rule", "dtype"), [("opencv", np.float32), ("opencv8", np.uint8)])
@pytest.mark.usefixtures("folder")
def test_the_radius_of_opencv_is_known_by_name(capsys, rule, dtype):
    cv2 = pytest.importorskip("cv2")
    draw = np.random.default_rng(3)
    sharp = (20 + 215 * draw.random((96, 80))).astype(dtype)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 1.3) + draw.normal(0, 1, sharp.shape)
    np.save("a.npy", sharp)
    np.save("b.npy", np.clip(blurred, 0, 255).astype(dtype))
    # In 8 bit the weights are rounded, which a verdict on white noise may notice.
    _, found = run_json(capsys, "a.npy", "b.npy", "--kernel", "sampled", "--radius", rule)
    assert found["sigma"] == pytest.approx(1.3, rel=0.005)
