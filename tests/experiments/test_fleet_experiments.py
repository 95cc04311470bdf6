import numpy as np
import pytest
from smoke import run_smoke

from experiments import fleet


@pytest.mark.thorough
def test_fleet_supports_its_claims(tmp_path, capsys):
    record, printed = run_smoke("fleet", tmp_path, capsys)
    numbers = record["numbers"]
    assert numbers["answer"]["left_out"] == ["000024"]
    np.testing.assert_allclose(numbers["answer"]["sigma"], numbers["sigma"], rtol=2e-3)
    found = fleet.ratios(numbers)
    assert found["drift"] < 0.1 * numbers["drift"]["float32"]
    assert all(len(seconds) == 1 for seconds in numbers["clock"].values())
    assert "over decoding and two FFTs" in printed


@pytest.mark.thorough
def test_blur_map_supports_its_claims(tmp_path, capsys):
    record, _ = run_smoke("blur_map", tmp_path, capsys)
    maps = record["numbers"]["maps"]
    assert maps["field"] == ["ramp", "step"]
    assert max(maps["position_mean"]) < record["numbers"]["bar"]
    assert max(maps["shrunk_mean"]) < record["numbers"]["bar"]
