"""A blur map as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from gaussjax.checks import check_type
from gaussjax.maps.blur_map import BlurMap
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.json_values import json_values
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict


def map_rows(blur_map: BlurMap) -> Iterator[dict[str, float | str | None]]:
    """A row for every tile, in reading order; lengths in px, None for what is not known.

    Keys: y and x of the tile's centre, position_y and position_x of where its estimate looks,
    sigma, standard_error, model_error, status, verdict, cause, p_value, shrunk_sigma,
    shrunk_standard_error.

    Raises:
        TypeError: no map.
        ValueError: a map of several sigmas per tile.
    """
    check_type(blur_map, BlurMap, "blur_map", "from gaussjax.blur_map")
    check_isotropic(blur_map)
    return _rows(jax.device_get(blur_map))


def _rows(found: BlurMap) -> Iterator[dict[str, float | str | None]]:
    adequacy = found.estimates.adequacy
    assert adequacy is not None  # the pixels were seen
    for y, x in np.ndindex(found.grid.counts):
        shrunk = found.shrunk_sigma, found.shrunk_standard_error
        yield {
            "y": found.centres[0][y],
            "x": found.centres[1][x],
            "position_y": float(found.positions[y, x, 0]),
            "position_x": float(found.positions[y, x, 1]),
            "sigma": json_values(found.sigma[y, x]),
            "standard_error": json_values(found.sigma_standard_error[y, x]),
            "model_error": json_values(found.estimates.sigma_model_error[y, x]),
            "status": Status.label_of(found.status[y, x]),
            "verdict": Verdict.label_of(adequacy.verdict[y, x]),
            "cause": Cause.label_of(adequacy.cause[y, x]),
            "p_value": json_values(adequacy.p_value[y, x]),
            "shrunk_sigma": None if shrunk[0] is None else json_values(shrunk[0][y, x]),
            "shrunk_standard_error": None if shrunk[1] is None else json_values(shrunk[1][y, x]),
        }


def check_isotropic(found: BlurMap) -> None:
    """Raise ValueError for a map of several sigmas a tile, which no table shows."""
    if found.sigma.ndim != 2:
        raise ValueError(
            f"a drawing or a row has one sigma per tile; the map has {found.sigma.shape[-1]}:"
            " take them from its estimates"
        )
