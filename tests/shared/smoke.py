"""Small runs of the experiments, as the command line makes them."""

import json

import matplotlib.pyplot as plt

from experiments.__main__ import main


def run_smoke(stem, folder, capsys):
    """The strictly parsed JSON of a small run, and what was printed."""
    assert main([stem, "--smoke", "--seed", "3", "--output", str(folder)]) == 0
    assert (folder / f"{stem}.pdf").stat().st_size > 1000
    assert 1000 < (folder / f"{stem}.png").stat().st_size < 300_000
    assert plt.get_fignums() == []

    def refuse(constant):
        raise ValueError(f"{constant} is not strict JSON")

    record = json.loads((folder / f"{stem}.json").read_text(), parse_constant=refuse)
    assert record["smoke"] is True
    return record, capsys.readouterr().out
