"""The study of two grids in its small form."""

import json

import numpy as np
import pytest

from experiments.coarse_grid.study import EXPERIMENT


@pytest.mark.thorough
def test_coarse_grid(tmp_path, capsys):
    assert EXPERIMENT.main(["--smoke", "--seed", "3", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "coarse_grid.png").stat().st_size < 300_000
    assert "Ratio 4, B enlarged by hand" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "coarse_grid.json").read_text())["numbers"]
    exact, noisy, enlarged = (numbers[name] for name in ("exact", "noisy", "enlarged"))
    np.testing.assert_allclose(exact["sigma"], exact["true"], rtol=1e-6)
    # Of four draws: rms errors of sigma and shift within twice their bounds.
    assert np.max(noisy["rms"]) < 2
    assert np.min(noisy["explained"]) == 1
    assert enlarged["doubted"][0] or enlarged["bars_off"][0] > 5
    np.testing.assert_allclose(enlarged["two_grids"], enlarged["true"], rtol=5e-3)
