"""``gaussjax map``: figure, rows, record and table, and its exit codes."""

import csv
import json

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from coarse_pairs import coarse_pair
from command import error_line
from problems import photograph

from gaussjax.cli import main

SIGMA = 1.5
SAMPLED = ["--kernel", "sampled", "--tile", "48", "--step", "48"]


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """A working directory with a.npy and b.npy: 96 x 144 px, 2 x 3 tiles of 48."""
    monkeypatch.chdir(tmp_path)
    scene = photograph("camera")[150:246, 150:294]
    np.save("a.npy", scene)
    soft = scipy.ndimage.gaussian_filter(scene, SIGMA)
    np.save("b.npy", soft + 1e-3 * rng.normal(size=scene.shape))
    return tmp_path


def test_json_csv_and_figure(folder, capsys):
    code = main(["map", "a.npy", "b.npy", *SAMPLED, "--json", "--csv", "m.csv", "-o", "m.png"])
    output = capsys.readouterr()
    assert (code, output.err) == (0, "")
    record = json.loads(output.out)
    sigma = np.array(record["sigma"], float)
    assert sigma.shape == np.shape(record["standard_error"]) == np.shape(record["status"]) == (2, 3)
    np.testing.assert_allclose(sigma, SIGMA, rtol=0.05)
    assert record["centres_y"] == [23.5, 71.5]
    assert record["centres_x"] == [23.5, 71.5, 119.5]
    assert (record["tile"], record["step"], record["shape"]) == ([48, 48], [48, 48], [96, 144])
    assert record["status_names"]["0"] == "estimated"
    assert record["shrunk_sigma"] is None
    assert 0.001 < record["one_blur_p_value"] <= 1
    assert np.shape(record["cause"]) == np.shape(record["p_value"]) == (2, 3)
    assert np.shape(record["model_error"]) == (2, 3)
    assert (record["num_tiles"], record["num_refused"], record["dtype"]) == (6, 0, "float64")
    with open("m.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["sigma"]) for row in rows] == pytest.approx(sigma.flat)
    assert {row["status"].lower() for row in rows} == {"estimated"}
    with PIL.Image.open("m.png") as picture:
        assert picture.size == (1600, 576)


def test_two_grids(folder, capsys):
    fine, coarse = coarse_pair(2.0, 2, 48)
    np.save("fine.npy", fine)
    np.save("coarse.npy", coarse)
    tiled = ["--sampling", "2", "--tile", "63", "--step", "32", "-o", "m.png", "--json"]
    assert main(["map", "fine.npy", "coarse.npy", *tiled]) == 0
    record = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(np.array(record["sigma"]), 2, rtol=1e-3)
    assert (record["tile"], record["shape"], record["sampling"]) == ([64, 64], [96, 96], [2, 2])


def test_table_and_shrink(folder, capsys, rng):
    scene = np.load("a.npy")
    scene[:48, :48] = 0.5
    np.save("a.npy", scene)
    soft = scipy.ndimage.gaussian_filter(scene, SIGMA)
    np.save("b.npy", soft + 1e-3 * rng.normal(size=scene.shape))  # or rounding tells the status
    assert main(["map", "a.npy", "b.npy", *SAMPLED, "--shrink"]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    table = dict(rows)
    assert [name for name, _ in rows] == [
        *("sigma", "shrunk", "error", "one", "tiles", "refused", "doubted", "frame")
    ]
    assert table["tiles"] == "2 x 3 of 48 x 48 px, 48 x 48 px apart"
    assert table["refused"] == "1 of 6: 1 not_identifiable"
    low, _, high, _, middle, unit = table["sigma"].replace("(", "").replace(")", "").split()
    assert float(low) <= float(middle) <= float(high)
    assert float(middle) == pytest.approx(SIGMA, rel=0.01)
    assert unit == "px"


def test_families_in_the_record(folder, capsys):
    code = main(["map", "a.npy", "b.npy", *SAMPLED, "--family", "axis_aligned", "--json"])
    assert code == 0
    assert np.shape(json.loads(capsys.readouterr().out)["sigma"]) == (2, 3, 2)


def test_refused_tiles_exit_with_1(folder, capsys):
    flat = np.ones((96, 144))
    np.save("a.npy", flat)
    np.save("b.npy", flat)
    arguments = ["map", "a.npy", "b.npy", *SAMPLED]
    assert main([*arguments, "--json", "-o", "m.pdf", "--csv", "m.csv"]) == 1
    assert json.loads(capsys.readouterr().out)["sigma"] == [[None] * 3] * 2
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert "sigma     of no tile" in out
    assert "6 of 6: 6 not_identifiable" in out
    flat[:48, :48] = np.nan
    np.save("b.npy", flat)
    assert main(arguments) == 1
    assert "1 not_finite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.npy"], "BLURRED"),
        (["a.npy", "missing.npy"], "No such file"),
        (["a.npy", "small.npy"], "same shape"),
        (["text.png", "b.npy"], "text.png: is text"),
        (["line.npy", "line.npy"], "two axes"),
        (
            ["a.npy", "b.npy", "--tile", "97"],
            "--tile: 97 px is more than the image's",
        ),
        (["a.npy", "b.npy", "--tile", "0"], "'0' is not a whole number above 0"),
        (["a.npy", "b.npy", "--tile", "1"], "tile must be from 2 px"),
        (["a.npy", "b.npy", "--tile", "32", "--step", "33"], "gaps"),
        (["a.npy", "b.npy", "--tile", "96", "--shrink"], "use a smaller tile"),
        (["a.npy", "b.npy", "--family", "full", "-o", "m.png"], "--family isotropic"),
        (["a.npy", "b.npy", "--family", "full", "--shrink"], "--family isotropic"),
        (["a.npy", "b.npy", "-o", "m.jpg"], ".png, .pdf, .svg"),
        (["a.npy", "b.npy", "-o", "no/m.png"], "no such folder"),
        (["a.npy", "b.npy", "--csv", "a.npy"], "is an input itself"),
        (["a.npy", "b.npy", "--truncate", "3"], "--kernel sampled"),
        (["a.npy", "b.npy", "--noise", "1", "1", "--loss", "huber"], "--loss squared"),
        (["a.npy", "b.npy", "--bounds", "2", "1"], "LOW must be less"),
    ],
)
def test_bad_input(folder, capsys, arguments, reason):
    (folder / "text.png").write_text("hello")
    np.save("small.npy", np.ones((64, 64)))
    np.save("line.npy", np.ones(200))
    assert reason in error_line(capsys, "map", *arguments)
