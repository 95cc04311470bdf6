"""``gaussjax transfer``: its table, record, figure, exit codes and errors."""

import json

import numpy as np
import pytest
import scipy.ndimage
from command import error_line

from gaussjax.cli import main

SIDE = 96


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A scene, the same after a mean over 5 px along x, and another scene."""
    monkeypatch.chdir(tmp_path)
    scene, other = np.random.default_rng(3).random((2, SIDE, SIDE))
    np.save("a.npy", scene)
    np.save("b.npy", scipy.ndimage.uniform_filter1d(scene, 5, axis=1))
    np.save("other.npy", other)
    return tmp_path


def test_table_record_and_figure(folder, capsys):
    axis = ["--direction", "1", "--bins", "12"]
    assert main(["transfer", "a.npy", "b.npy", *axis, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    w = 2 * np.pi * np.array(record["frequency"])
    box = np.sin(2.5 * w) / (5 * np.sin(0.5 * w))
    np.testing.assert_allclose(record["transfer"], box, atol=0.02)
    # Half of the contrast of five equal taps is left at 0.1223 cycles/px.
    assert record["mtf50"] == pytest.approx(0.1223, rel=0.01)
    assert record["resolution"]["transfer 0.5"] == pytest.approx(1 / record["mtf50"])
    assert record["shift"] is None
    assert record["direction"] == 1
    units = ["--pixel-size", "0.5", "um", "--plot", "t.pdf"]
    assert main(["transfer", "a.npy", "b.npy", *axis, *units]) == 0
    output = capsys.readouterr().out
    name, value, _, error, unit = output.splitlines()[0].split()
    assert (name, unit) == ("MTF50", "cycles/um")
    assert float(value) == pytest.approx(2 * record["mtf50"], abs=float(error))
    assert "cycles/um" in output
    assert (folder / "t.pdf").stat().st_size > 5000


def test_a_coarser_image(folder, capsys):
    scene = np.load("a.npy")
    coarse = scipy.ndimage.gaussian_filter(scene, 1.5, mode="wrap")
    np.save("c.npy", coarse.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3)))
    how = ["--sampling", "2", "--boundary", "periodic", "--json"]
    assert main(["transfer", "a.npy", "c.npy", *how]) == 0
    record = json.loads(capsys.readouterr().out)
    # That of the Gaussian alone, as between images of one grid.
    assert record["mtf50"] == pytest.approx(0.1874 / 1.5, rel=0.01)
    assert record["sampling"] == [2]
    assert (record["shape"], record["blurred_shape"]) == ([SIDE] * 2, [SIDE // 2] * 2)


def test_images_with_nothing_in_common(folder, capsys):
    assert main(["transfer", "a.npy", "other.npy", "--bins", "8"]) == 1
    assert capsys.readouterr().out.startswith("verdict   the images have too little in common")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--direction", "y"], "neither radial nor the number of an axis"),
        (["--direction", "2"], "axis of the images: it must be a whole number"),
        (["--bins", "60"], "whole number from 1 to 48"),
        (["--margin", "40"], "margin must be a whole number from 0 to 36"),
        (["--margin", "4", "--boundary", "periodic"], "--margin"),
        (["--noise", "0", "0"], "not both 0"),
        (["--sampling", "2"], "does not fit the shapes"),
        (["--unit", "um"], "give the size and its unit"),
    ],
)
def test_errors_are_one_line(folder, capsys, arguments, message):
    assert message in error_line(capsys, "transfer", "a.npy", "b.npy", *arguments)
