"""Values as strict JSON has them."""

import math
from typing import Any

import numpy as np


def json_values(values: Any) -> Any:
    """``values`` in the types of strict JSON: arrays become lists, NaN and infinity None.

    Args:
        values: a number, text or None, an array of any rank, or lists and dictionaries of them.
    """
    if isinstance(values, dict):
        return {str(key): json_values(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [json_values(value) for value in values]
    if hasattr(values, "dtype"):
        return json_values(np.asarray(values).tolist())
    return None if isinstance(values, float) and not math.isfinite(values) else values
