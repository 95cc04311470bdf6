"""Values as strict JSON has them."""

import math
from typing import Any

import numpy as np


def json_values(values: Any) -> Any:
    """Numbers, text, arrays, lists and dictionaries as strict JSON: NaN and infinity None."""
    if isinstance(values, dict):
        return {str(key): json_values(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [json_values(value) for value in values]
    if hasattr(values, "dtype"):
        return json_values(np.asarray(values).tolist())
    return None if isinstance(values, float) and not math.isfinite(values) else values
