"""Numbers as they are printed."""

import numpy as np
import numpy.typing as npt


def with_errors(values: npt.ArrayLike, errors: npt.ArrayLike) -> str:
    """Values beside their standard errors, as they are printed."""
    pairs = zip(np.atleast_1d(values), np.atleast_1d(errors), strict=True)
    return ", ".join(f"{v:.6g} +- {e:.2g}" for v, e in pairs)
