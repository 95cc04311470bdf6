"""Records are strict JSON."""

import numpy as np

from gaussjax.statistics.json_values import json_values


def test_numbers_are_those_of_strict_json():
    value = {"a": np.array([1.0, np.nan]), 2: (np.float32(0.5), np.inf, np.int32(3), "text")}
    assert json_values(value) == {"a": [1.0, None], "2": [0.5, None, 3, "text"]}
