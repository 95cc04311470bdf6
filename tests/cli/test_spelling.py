"""Remedies that the library names by Python's arguments are the command's options in its output."""

import argparse
import re
from types import SimpleNamespace

import numpy as np
import pytest
from command import error_line

from gaussjax.cli import estimate
from gaussjax.cli.spelling import in_shell
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.result import _stack_hint
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

VOLUME = SimpleNamespace(status=3, covariance_matrix=[0] * 3, adequacy=None)
TEXTS = [code.message for codes in (Cause, Status, Verdict) for code in codes]
TEXTS += [text for _, text in _stack_hint(VOLUME)]


@pytest.mark.parametrize("text", TEXTS)
def test_remedies_name_options_of_the_command(text):
    found = in_shell(text)
    assert not re.search(r"\w=|\bjax|estimate_blur|blur_map|fit_dataset|_std|_corr", found)
    parser = estimate.add_parser(argparse.ArgumentParser().add_subparsers())
    assert set(re.findall(r"--[\w-]+", found)) <= parser._option_string_actions.keys()


def test_errors_name_options_of_the_command(tmp_path, capsys):
    path = str(tmp_path / "colour.npy")
    np.save(path, np.ones((3, 64, 64)))
    line = error_line(capsys, "estimate", path, path)
    assert "reduce it to luminance, or take one by --page. A volume" in line
    assert line.endswith("--spacing, --family axis_aligned or another --boundary than valid\n")


def test_the_words_of_the_shell():
    assert in_shell(Cause.GAIN.message) == "a difference in gain is left: --gain"
    assert in_shell(Cause.ANISOTROPY.message).endswith(": --family full")
    assert in_shell(Cause.ROTATION.message).endswith(": --motion similarity")
    assert in_shell(Cause.VARYING_BLUR.message).endswith(": see gaussjax map")
    assert in_shell(Status.NOISE_NOT_SEPARABLE.message).endswith("; --noise SD SD")
    assert in_shell("no such words") == "no such words"
