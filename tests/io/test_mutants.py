"""Damaged files end in one line: no traceback, no chatter of libraries, no escape sequence."""

import json
from pathlib import Path

import mutants
import pytest
from processes import run_process

SCRIPT = Path(mutants.__file__).read_text(encoding="utf-8")


def misbehaving(folder, seed, count):
    result = run_process(SCRIPT, str(folder), str(seed), str(count))
    assert result.returncode == 0, result.stderr
    *found, number = map(json.loads, result.stdout.splitlines())
    assert number == count
    return found


def test_damaged_files_end_in_one_line(tmp_path):
    assert misbehaving(tmp_path, seed=5, count=123) == []


@pytest.mark.slow
def test_damaged_files_end_in_one_line_many(tmp_path, draws):
    assert misbehaving(tmp_path, seed=6, count=20 * draws) == []
