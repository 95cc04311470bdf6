"""``gaussjax estimate --channels``: one sigma for each channel, and what goes with it."""

import json

import jax
import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from command import error_line

import gaussjax as gj
from gaussjax.cli import main

SIGMAS = (1.0, 1.5, 2.0)


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """A picture before and after another blur of each colour."""
    monkeypatch.chdir(tmp_path)
    scene = 255 * np.random.default_rng(5).random((96, 96, 3))
    blurred = [scipy.ndimage.gaussian_filter(scene[..., k], s) for k, s in enumerate(SIGMAS)]
    for name, image in (("a", scene), ("b", np.stack(blurred, axis=-1))):
        PIL.Image.fromarray(np.rint(image).astype(np.uint8)).save(f"{name}.png")


@pytest.mark.usefixtures("colours")
def test_one_sigma_for_each(capsys):
    assert main(["estimate", "a.png", "b.png", "--channels", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["channels"]
    assert list(found) == ["red", "green", "blue"]
    for sigma, record in zip(SIGMAS, found.values(), strict=True):
        assert record["sigma"] == pytest.approx(sigma, rel=0.01)
    assert main(["estimate", "a.png", "b.png", "--channels", "2", "green"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("channel   2      2.0")
    assert lines[1].startswith("channel   green  1.5")
    assert main(["estimate", "a.png", "b.png", "--channel", "blue", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sigma"] == found["blue"]["sigma"]


@pytest.mark.usefixtures("colours")
def test_a_shift_in_common(capsys):
    shared = ["--shift", "--share", "shift"]
    assert main(["estimate", "a.png", "b.png", "--channels", "all", *shared, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    shifts = [record["shift"] for record in found["channels"].values()]
    assert shifts[0] == shifts[1] == shifts[2]
    assert found["shared"]["names"] == ["shift"]
    assert found["shared"]["p_value"] > 0.001
    for sigma, record in zip(SIGMAS, found["channels"].values(), strict=True):
        assert record["sigma"] == pytest.approx(sigma, rel=0.01)
    main(["estimate", "a.png", "b.png", "--channels", "all", *shared])
    assert capsys.readouterr().out.splitlines()[3].startswith("shared    shift ")


@pytest.mark.usefixtures("colours")
def test_in_python_channels_are_mapped_over():
    pair = [np.asarray(PIL.Image.open(name), np.float32) for name in ("a.png", "b.png")]
    found = jax.vmap(gj.estimate_blur, in_axes=-1)(*pair)
    np.testing.assert_allclose(found.sigma, SIGMAS, rtol=0.01)


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channels", "all", "--channel", "0"], "--channels goes without --channel"),
        (["--channels", "red", "x"], "has no channel x"),
        (["--channels", "all", "--share", "gain"], "--share goes with --channels, --gain"),
        (["--shift", "--share", "shift"], "--share goes with --channels"),
        (["--precision", "1e-3", "--page", "0"], "goes without --channel and --page"),
        (["--page", "-1"], "not a whole number, 0 or more"),
    ],
)
def test_errors_are_one_line(capsys, arguments, message):
    assert message in error_line(capsys, "estimate", "a.png", "b.png", *arguments)
