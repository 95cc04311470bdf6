"""Every number in the README's tables stands in a JSON in figures/."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.comparison_table import errors_over_bound, failures, relative_errors, rms
from experiments.noise_table import noise_name, summarise
from experiments.seed_figure import judge
from gaussjax import Status

ROOT = Path(__file__).parents[1]


def numbers(stem):
    return json.loads((ROOT / "figures" / f"{stem}.json").read_text(encoding="utf-8"))["numbers"]


def rows(heading):
    """The table rows below a heading of the README, as lists of cells without emphasis."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip(" *`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def assert_shown(shown, value):
    """The text is the value to two digits."""
    assert float(shown) == pytest.approx(float(f"{value:.1e}"))


def test_which_estimator():
    found = numbers("compare_estimators")
    noise = np.array(found["known"]["noise"])
    table = rows("Which estimator, when")
    assert len(table) >= 6
    for name, worst, one_percent, five_percent, failed in table:
        errors = np.abs(100 * relative_errors(found, name))
        over_bound = errors_over_bound(found, name)
        assert_shown(worst, np.max(errors[noise == 0]))
        assert_shown(one_percent, rms(over_bound[noise == 0.01]))
        assert_shown(five_percent, rms(over_bound[noise == 0.05]))
        assert int(failed) == failures(found, name)
    assert str(len(noise)) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_protocol_of_the_first_answer():
    found = numbers("seed_protocol")
    table = rows("The protocol of the question's first answer")
    assert len(table) >= 4
    for name, error in table:
        assert_shown(error, judge(found, name)["rmse_wide"])


def test_noise_in_both_images():
    found = numbers("noisy_reference")
    shown = {name: summarise(found, name)["rms"] for name in found["answers"]}
    levels = [noise_name(noise) for noise in found["noises"]]
    table = rows("Pairs as they come")[-8:]
    for where, *errors in table:
        noise, sigma = where.removesuffix(" px").split(", ")
        cell = levels.index(noise), found["sigmas"].index(float(sigma))
        for name, error in zip(shown, errors, strict=True):
            assert_shown(error, shown[name][cell])
    assert found["draws"] == 8
    assert len(found["photographs"]) == 8


def test_every_status_and_option_is_told():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for status in Status:
        assert f"| {int(status)} | `{status.name}` |" in text
    for option in ("noise_std", "gain", "offset", "shift", "loss", "mask", "weights", "family"):
        assert f"{option}=" in text
