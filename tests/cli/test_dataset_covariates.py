"""``gaussjax dataset --covariates``: sigma against what is known of each pair."""

import json
import os

import numpy as np
import pytest
import scipy.ndimage

from gaussjax.cli import main

COUNT, SLOPE = 8, 0.1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the folders a and b of 8 pairs and a table of their epochs."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(6)
    lines = ["name,epoch"]
    for place in ("a", "b"):
        os.makedirs(place)
    for k in range(COUNT):
        scene = scipy.ndimage.gaussian_filter(random.normal(size=(96, 96)), 0.7)
        soft = scipy.ndimage.gaussian_filter(scene, 1 + SLOPE * k)
        for place, image in (("a", scene), ("b", soft)):
            noise = 0.001 * (place == "b") * random.normal(size=(64, 64))
            np.save(f"{place}/p{k}.npy", (image[16:-16, 16:-16] + noise).astype(np.float32))
        lines.append(f"p{k},{k}")
    (tmp_path / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def run(capsys, *arguments):
    code = main(["dataset", "a", "b", "--kernel", "sampled", "--passes", "1", *arguments])
    return code, *capsys.readouterr()


def test_the_regression_is_printed_and_drawn(folder, capsys):
    arguments = "--covariates", "table.csv", "--plot", "figure.png"
    _, text, _ = run(capsys, *arguments, "--json")
    found = json.loads(text)
    assert found["covariates"] == "table.csv"
    regression = found["regression"]
    assert regression["names"] == ["mean", "epoch"]
    low, high = (end[1] for end in regression["interval"])
    assert low < SLOPE < high
    assert regression["centres"] == [(COUNT - 1) / 2]
    assert (folder / "figure.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,epoch\np0,1\np0,2\n", "line 3: the pair 'p0' stands in line 2 already"),
        ("name,epoch\np0,1\np1,one\n", "line 3: 'epoch' of the pair 'p1' must be a number"),
        ("name,epoch\np0.npy,1\np1.npy,2\n", "'epoch' is of no pair here: it is given for 'p0.npy"),
        ("name,epoch\np0,1\np1,1\n", "'epoch' must differ between the pairs"),
    ],
)
def test_odd_tables_are_one_line_before_the_work_begins(text, message, folder, capsys):
    (folder / "odd.csv").write_text(text, encoding="utf-8")
    code, out, err = run(capsys, "--covariates", "odd.csv")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_the_table_is_not_overwritten(folder, capsys):
    before = (folder / "table.csv").read_bytes()
    code, _, err = run(capsys, "--covariates", "table.csv", "--csv", "table.csv")
    assert code == 2
    assert "table.csv" in err
    assert (folder / "table.csv").read_bytes() == before
