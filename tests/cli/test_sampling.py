"""``gaussjax estimate`` of files on two grids."""

import json

import numpy as np
import pytest
from coarse_pairs import coarse_pair
from command import error_line

from gaussjax.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fine, coarse = coarse_pair(2, 2, 48)
    np.save("fine.npy", fine)
    np.save("coarse.npy", coarse)


def test_files_on_two_grids(folder, capsys):
    line = ["estimate", "fine.npy", "coarse.npy", "--sampling", "2"]
    assert main([*line, "--pixel-size", "0.5", "--unit", "m"]) == 0
    shown = capsys.readouterr().out
    told = shown.partition("2 x 2 px of the reference in one of blurred: sigma ")[2]
    assert float(told.split()[0]) == pytest.approx(1, rel=1e-5)
    assert main([*line, "--json", "--compare"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["sigma"] == pytest.approx(2, rel=1e-5)
    assert record["sampling"] == [2, 2]
    assert record["kernels"]["best"]["name"] == "Gaussian"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampling", "4"], "does not fit the shapes"),
        (["--sampling", "2", "--precision", "0.1"], "--sampling goes without --precision"),
        (["--centre", "first", "1"], "--centre: give area, first"),
        (["--sampling", "-2"], "is not positive"),
        (["--mask", "fine.npy"], r"a mask of shape (96, 96) for images of shape (48, 48)"),
    ],
)
def test_bad_sampling_is_one_line(folder, capsys, options, message):
    assert message in error_line(capsys, "estimate", "fine.npy", "coarse.npy", *options)
