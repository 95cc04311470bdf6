"""Numbers as they are printed: in as many digits as their error bars justify."""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Row = tuple[str, str]  # of a printed table: name and text


def table(rows: Iterable[Row]) -> str:
    """Names and texts in two columns, a line each."""
    return "\n".join(f"{name:<10}{text}" for name, text in rows)


def with_errors(
    values: npt.ArrayLike, errors: npt.ArrayLike, others: npt.ArrayLike = 0.0, sign: str = "+-"
) -> str:
    """Values beside their standard errors: ``2.00067 +- 0.00037, 2.00005 +- 0.00047``.

    Of each error two significant digits are printed; ``others`` are errors that are not, but limit
    the digits of the values, too.
    """
    values, errors = np.atleast_1d(values), np.atleast_1d(errors)
    totals = np.hypot(errors.astype(float), others)
    return ", ".join(
        f"{to_error(value, total)} {sign} {as_error(error)}"
        for value, error, total in zip(values, errors, totals, strict=True)
    )


def to_error(value: npt.ArrayLike, error: npt.ArrayLike) -> str:
    """A value to the decimal place of the second digit of its standard error.

    Where the dtype rounds more coarsely, as few digits as tell the value from its neighbours. Six
    digits where the error is 0 or unknown (NaN), two where it is infinite.
    """
    value, error = np.asarray(value), float(np.asarray(error))
    if not (np.isfinite(value) and 0 < error < math.inf):
        return f"{value + 0.0:.{2 if math.isinf(error) else 6}g}"
    place = _place(error)
    if value.dtype.kind == "f" and 10.0**place < np.finfo(value.dtype).eps / 10 * abs(value):
        return str(value[()]).removesuffix(".0")
    return _written(float(value), place)


def as_error(error: npt.ArrayLike) -> str:
    """An error bar: two significant digits."""
    error = float(np.asarray(error))
    return _written(error, _place(error), True) if 0 < error < math.inf else f"{error:g}"


def span(values: np.ndarray, error: npt.ArrayLike) -> str:
    """Least, largest and median of values with this standard error: ``1.98 to 2.03 (median 2)``."""
    low, middle, high = (to_error(f(values), error) for f in (np.min, np.median, np.max))
    return f"{low} to {high} (median {middle})"


def _place(error: float) -> int:
    """Power of ten of the second significant digit."""
    return int(f"{error:.1e}".partition("e")[2]) - 1


def _written(value: float, place: int, is_error: bool = False) -> str:
    """A number rounded to a power of ten; 0 never has a sign."""
    rounded = round(value, -place) + 0.0
    size = abs(rounded)
    # More zeros than can be counted at a glance are a power of ten.
    is_small = place < -7 and (is_error or size < 1e-4)
    if size and (is_small or place > 4):
        return f"{rounded:.{int(f'{size:e}'.partition('e')[2]) - place}e}"
    return f"{rounded:.{0 if is_small else max(-place, 0)}f}"
