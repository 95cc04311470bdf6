"""How accurate are maps of a blur that varies over the frame?

Photographs blurred by a sigma that grows linearly over the frame, or jumps in its middle. The error
of a tile is taken twice: against the true sigma at its centre, and against that at the position
which its estimate refers to. The shrunk map is compared with the true sigma at the centre.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from experiments.blur_map.figure import plot
from experiments.blur_map.table import table
from experiments.blur_map.varying_blur import (
    FIELDS,
    LEVELS,
    Field,
    interpolation_error,
    varying_pair,
)
from experiments.shared import common
from experiments.shared.photographs import CROP, PHOTOGRAPHS, scene
from gaussjax.maps.blur_map import BlurMap, blur_map

BAR = 1.7  # %, mean |error| of local relative Gaussian blur in arXiv 2601.18099
EXAMPLE, EXAMPLE_TILE = "camera", 48


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    tiles: Sequence[int] = (32, 48, 64, 96),
    noises: Sequence[float] = (0.0, 0.01),
) -> dict[str, Any]:
    """Errors of all maps, as columns with an entry for each map; and the example's maps."""
    random = np.random.default_rng(seed)
    rows, examples = [], {}
    pairs = [(field, name, noise) for field in FIELDS for name in photographs for noise in noises]
    for field, name, noise in tqdm(pairs, "pairs", disable=None):
        reference, blurred = varying_pair(scene(name), FIELDS[field])
        blurred = blurred + noise * reference.std() * random.standard_normal(blurred.shape)
        for tile in tiles:
            found = jax.device_get(blur_map(reference, blurred, tile=tile, shrink=True))
            facts = {"field": field, "photograph": name, "noise": noise, "tile": tile}
            rows.append(facts | judge(found, FIELDS[field]))
            if (name, noise, tile) == (EXAMPLE, noises[-1], EXAMPLE_TILE):
                examples[field] = example(found)
    return {
        "crop": CROP,
        "levels": LEVELS,
        "bar": BAR,
        "photographs": photographs,
        "tiles": tiles,
        "noises": noises,
        "interpolation": {
            key: max(interpolation_error(scene(name), field) for name in photographs)
            for key, field in FIELDS.items()
        },
        "example": {"photograph": EXAMPLE, "tile": EXAMPLE_TILE, "maps": examples},
        "maps": common.columns(rows),
    }


def judge(found: BlurMap, field: Field) -> dict[str, Any]:
    """Errors of a map in %, without the tiles that lie across a step, and what it refused."""
    y, x = np.meshgrid(*found.centres, indexing="ij")
    centre, position = field(y, x), field(*np.moveaxis(np.asarray(found.positions), -1, 0))
    half = found.grid.tile[1] / 2
    # A tile across the step has no single sigma.
    across = np.abs(field(y, x - half) - field(y, x + half)) > 1
    estimated = ~np.isnan(found.sigma)
    clear = ~across if field is FIELDS["step"] else np.ones_like(across)
    answers = {
        "centre": (found.sigma, found.sigma_standard_error, centre),
        "position": (found.sigma, found.sigma_standard_error, position),
        "shrunk": (found.shrunk_sigma, found.shrunk_standard_error, centre),
    }
    facts: dict[str, Any] = {
        "count": clear.size,
        "refused": int(np.sum(~estimated)),
        "across": int(np.sum(across & ~clear)),
    }
    for way, (sigma, standard, true) in answers.items():
        error = 100 * np.abs(sigma / true - 1)
        pull = ((sigma - true) / standard)[clear & estimated]
        facts |= {
            f"{way}_mean": float(np.mean(error[clear & estimated])),
            f"{way}_median": float(np.median(error[clear & estimated])),
            f"{way}_pull": float(np.sqrt(np.mean(pull**2))),
            f"{way}_everywhere": float(np.mean(error[estimated])),
        }
    return facts


def example(found: BlurMap) -> dict[str, Any]:
    """The map that the figure shows."""
    return {
        "centres": found.centres,
        "sigma": found.sigma,
        "shrunk": found.shrunk_sigma,
        "positions": np.round(found.positions, 2),
    }


EXPERIMENT = common.Experiment(
    stem="blur_map",
    question="How accurate are maps of a blur that varies over the frame?",
    run=run,
    table=table,
    plot=plot,
    smoke={"photographs": (EXAMPLE,), "tiles": (EXAMPLE_TILE,), "noises": (0.01,)},
)
