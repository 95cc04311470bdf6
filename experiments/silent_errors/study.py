"""When is an answer wrong and trusted? A randomised sweep over kinds of pairs.

Good pairs are those that the estimator is made for: their answers should be right, trusted and
covered by the 95 % interval. Spoilt pairs have a defect of which it is not told: their answers
should be covered or doubted. Then four departures of growing strength: when are they noticed?
All in float32.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from experiments.shared import common
from experiments.silent_errors.departures import DEPARTURES
from experiments.silent_errors.figure import plot
from experiments.silent_errors.judge import answer
from experiments.silent_errors.kinds import KINDS, draw, group_of
from experiments.silent_errors.table import table

DIGITS = 5  # of the numbers that are kept


def run(
    *,
    seed: int,
    kinds: Sequence[str] = tuple(KINDS),
    draws: int = 32,
    departures: Sequence[str] = tuple(DEPARTURES),
    departure_draws: int = 32,
) -> dict[str, Any]:
    """All answers, column by column, by kind and by departure and strength; lengths in px."""
    # As users call it: the command line of the experiments has switched float64 on.
    with jax.enable_x64(False):
        answers = {
            name: {"group": group_of(name), **sweep(name, seed, draws)}
            for name in tqdm(kinds, "kinds", disable=None)
        }
        departed = {
            name: {
                "unit": DEPARTURES[name].unit,
                "strengths": DEPARTURES[name].strengths,
                "answers": depart(name, seed, departure_draws),
            }
            for name in tqdm(departures, "departures", disable=None)
        }
    return {"dtype": "float32", "draws": draws, "kinds": answers, "departures": departed}


def sweep(name: str, seed: int, draws: int) -> dict[str, list]:
    """The answers to the draws of one kind."""
    return common.columns([_short(answer(draw(name, seed, number))) for number in range(draws)])


def depart(name: str, seed: int, draws: int) -> list[dict[str, list]]:
    """The answers to one departure, for each of its strengths; with the same scenes."""
    departure, key = DEPARTURES[name], zlib.crc32(name.encode())
    return [
        common.columns(
            [
                _short(answer(departure.pair(np.random.default_rng([seed, key, number]), strength)))
                for number in range(draws)
            ]
        )
        for strength in departure.strengths
    ]


def _short(value: Any) -> Any:
    """With few digits, so that the file of thousands of answers stays small."""
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_short(entry) for entry in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


EXPERIMENT = common.Experiment(
    stem="silent_errors",
    question="When is an estimate wrong and trusted?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "kinds": ("noise 1-10 %", "noise in both", "JPEG alone", "unrelated, 64 px"),
        "draws": 2,
        "departures": ("noise in A",),
        "departure_draws": 2,
    },
)
