"""The command on the files of other fields: blanks, flags, units, and names that play tricks."""

import json
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from command import error_line
from image_kinds import library
from matplotlib.figure import Figure

from gaussjax.cli import main
from gaussjax.cli.app import _parse
from gaussjax.cli.estimate_output import Outcome, draw
from gaussjax.cli.inputs import read_pair
from gaussjax.cli.pixel_size import assumption_of_set
from gaussjax.io.decoders import PixelSize
from gaussjax.io.pair_sources import open_source

SIDE = 96


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_json(capsys, *arguments):
    code = main(["estimate", *arguments, "--json"])
    output = capsys.readouterr()
    assert output.err == ""
    return code, json.loads(output.out)


def write_fits(name, image, flags):
    fits = library("astropy.io.fits")
    header = fits.Header()
    for axis, kind in [(1, "RA---TAN"), (2, "DEC--TAN")]:
        header[f"CTYPE{axis}"], header[f"CDELT{axis}"] = kind, 0.05 / 3600
    parts = [fits.ImageHDU(image, header, name="SCI"), fits.ImageHDU(flags, name="DQ")]
    fits.HDUList([fits.PrimaryHDU(), *parts]).writeto(name)


@pytest.fixture
def sky(folder):
    """Two exposures of one field, with blanks, flags and the scale of the sky."""
    scene = np.random.default_rng(3).random((SIDE, SIDE))
    soft = scipy.ndimage.gaussian_filter(scene, 1.5)
    flags = np.zeros(scene.shape, np.int16)
    flags[60, 20:24] = 4
    soft[flags > 0] = 90  # hits of cosmic rays
    soft[30:32, 40] = np.nan
    write_fits("a.fits", scene, 0 * flags)
    write_fits("b.fits", soft, flags)
    return folder


def test_blanks_and_flags_of_fits_are_masked_and_counted(sky, capsys):
    options = ["--kernel", "sampled", "--mask", "b.fits[DQ]"]
    code, record = run_json(capsys, "a.fits", "b.fits[SCI]", *options)
    assert code == 0
    assert record["sigma"] == pytest.approx(1.5, abs=1e-4)
    assert record["sigma_in_unit"] == pytest.approx(0.05 * record["sigma"])
    assert (record["unit"], record["pixel_size_source"]) == ("arcsec", "FITS WCS")
    assert record["pixel_size"] == pytest.approx(0.05)
    assert "reference: pixels of 0.05 x 0.05 arcsec (FITS WCS)" in record["notes"]
    assert "blurred: 2 pixels without data masked" in record["notes"]
    assert "mask: flags, 4 pixels of which are not 0 left out" in record["notes"]
    # All others whose blur stays within the frame.
    assert record["num_pixels"] == (SIDE - 2 * 6) ** 2 - 2 - 4


def test_files_are_named_in_one_line(folder, capsys):
    name = "a\x1b[31m\nb.png"
    (folder / name).write_bytes(b"")
    assert main(["estimate", name, name]) == 2
    error = capsys.readouterr().err
    assert error == "gaussjax: error: a\\x1b[31m\\nb.png: is empty\n"


def test_lengths_and_b_in_the_unit_of_the_option(folder, capsys):
    scene = np.random.default_rng(3).random(300)
    np.save("a.npy", scene)
    np.save("b.npy", scipy.ndimage.gaussian_filter1d(scene, 2.0))
    options = ["--kernel", "sampled", "--pixel-size", "0.5", "um", "--b-factor"]
    assert main(["estimate", "a.npy", "b.npy", *options]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = {(row[0], row[-1]): float(row[1]) for row in rows if row[-1] in ("um", "um^2")}
    assert found["sigma", "um"] == pytest.approx(1.0, rel=1e-3)
    assert found["FWHM", "um"] == pytest.approx(2.3548, rel=1e-3)
    assert found["B", "um^2"] == pytest.approx(8 * np.pi**2, rel=2e-3)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--pixel-size", "0.5"], "give the size and its unit"),
        (["--unit", "mm"], "give the size and its unit"),
        (["--pixel-size", "1", "-2", "mm"], "not positive"),
        (["--pixel-size", "one", "mm"], "not a finite number"),
        (["--pixel-size", "1e-300", "mm"], "give it in another unit"),
        (["--pixel-size", "1", "2", "mm"], "--pixel-size: 2 sizes for images of 1 axes"),
    ],
)
def test_sizes_that_are_none(folder, capsys, options, reason):
    np.save("a.npy", np.arange(300.0))
    assert reason in error_line(capsys, "estimate", "a.npy", "a.npy", *options)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """A blur that is round in mm, of voxels that are not, in NIfTI and without a header."""
    nibabel, folder = library("nibabel"), tmp_path_factory.mktemp("volumes")
    scene = np.random.default_rng(1).random((28, 26, 24)).astype(np.float32)
    soft = scipy.ndimage.gaussian_filter(scene, [1.5, 1.5, 1.2])
    for name, volume in (("a", scene), ("b", soft)):
        cut = volume[2:-2, 2:-2, 2:-2]
        image = nibabel.Nifti1Image(cut, np.diag([2, 2, 2.5, 1]))
        image.header.set_xyzt_units("mm")
        nibabel.save(image, folder / f"{name}.nii")
        np.save(folder / f"{name}.npy", cut)
    return folder


def test_one_sigma_in_the_unit_of_the_header(volumes, monkeypatch, capsys):
    monkeypatch.chdir(volumes)
    code, record = run_json(capsys, "a.nii", "b.nii", "--kernel", "sampled", "--spacing", "header")
    assert code == 0
    assert record["sigma"] == pytest.approx(3.0, rel=2e-3)
    assert (record["sigma_unit"], record["mtf50_unit"]) == ("mm", "cycles/mm")
    assert record["spacing"] == record["pixel_size"] == [2, 2, 2.5]
    options = ["--kernel", "sampled", "--spacing", "2", "2", "2.5", "mm"]
    assert main(["estimate", "a.npy", "b.npy", *options]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith(" mm")
    assert second.endswith(" px")
    in_px = [float(text.split()[-1]) for text in second.split(" +- ")[:-1]]
    assert in_px == pytest.approx([1.5, 1.5, 1.2], rel=2e-3)
    line = error_line(capsys, "estimate", "a.npy", "b.npy", "--spacing", "header")
    assert "a.npy: its header tells no size of pixels" in line


def test_what_is_taken_for_granted_of_oblong_voxels(volumes, monkeypatch):
    monkeypatch.chdir(volumes)

    def notes(*options):
        options = _parse(["estimate", "a.nii", "b.nii", *options])
        return read_pair(options, outputs=[None])[2]

    assert "fits one in mm, --family axis_aligned fits one per axis" in notes()[-1]
    assert "--spacing header" in notes()[-1]
    assert not any("assumes" in note for note in notes("--family", "axis_aligned"))
    assert not any("assumes" in note for note in notes("--spacing", "header"))
    told, assumed = notes("--pixel-size", "1", "1", "2", "um")
    assert told == "--pixel-size: 1 x 1 x 2 um, not 2 x 2 x 2.5 mm as the NIfTI header says"
    assert "--spacing 1 1 2 um" in assumed


def test_what_is_taken_for_granted_of_a_set_of_oblong_voxels(volumes, tmp_path):
    for folder, file in (("sharp", "a.nii"), ("soft", "b.nii")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.nii").write_bytes((volumes / file).read_bytes())
    source = open_source(tmp_path / "sharp", tmp_path / "soft")
    folders = [str(tmp_path / name) for name in ("sharp", "soft")]
    told, assumed = assumption_of_set(_parse(["dataset", *folders]), source)
    assert told == "one: pixels of 2 x 2 x 2.5 mm (NIfTI header)"
    assert assumed.endswith("differ in size: --family axis_aligned fits one per axis")
    options = _parse(["dataset", *folders, "--family", "axis_aligned"])
    assert assumption_of_set(options, source) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--pixel-size", "1", "mm"], "leave out --pixel-size"),
        (["--family", "full"], "goes without --family full"),
        (["--plot", "x.png"], "goes without --plot"),
    ],
)
def test_what_spacing_does_not_go_with(capsys, options, reason):
    spacing = ["--spacing", "1", "mm"]
    assert reason in error_line(capsys, "estimate", "a.npy", "b.npy", *spacing, *options)


def test_figures_show_pixels_as_they_are_in_space(monkeypatch):
    figure = Figure()
    image, curve = figure.subplots(1, 2)
    image.imshow(np.ones((4, 5)))
    monkeypatch.setattr("gaussjax.draw_report", lambda *_, **__: figure, raising=False)
    for sampling, aspect in (((2, 1), 1), (None, 3)):
        found = SimpleNamespace(sampling=sampling)
        size = PixelSize((9, 6, 2), "mm", "option")
        draw((), None, Outcome(found, (4, 4, 5), [], size, profile=(), comparison=()))
        assert image.get_aspect() == aspect
    assert curve.get_aspect() == "auto"


def test_depths_that_differ_are_a_note(folder):
    scene = np.random.default_rng(3).random((SIDE, SIDE))
    PIL.Image.fromarray(np.rint(255 * scene).astype(np.uint8)).save("a.png")
    PIL.Image.fromarray(np.rint(65535 * scene).astype(np.uint16)).save("b.png")
    options = _parse(["estimate", "a.png", "b.png"])
    notes = read_pair(options, outputs=[None])[2]
    assert any(note.startswith("white is 255 in the reference") for note in notes)
