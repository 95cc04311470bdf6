"""What a caller knows of each pair, beside the sigmas that the pairs turn out to have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussjax.statistics.covariate_regression import as_numbers

# So many of the names that do not fit are quoted.
_FIRST = 3


@dataclass(frozen=True)
class Covariates:
    """Covariates by name; each an array by position in the iterable, or a mapping by pair name."""

    columns: Mapping[str, np.ndarray | Mapping[str, float]]

    def of(self, names: Sequence[str], positions: Sequence[int]) -> dict[str, np.ndarray]:
        """The values of pairs, ``[n]`` each; NaN where there is none."""
        found = {}
        for name, column in self.columns.items():
            if isinstance(column, Mapping):
                values = [column.get(pair, np.nan) for pair in names]
            else:
                inside = [position < len(column) for position in positions]
                values = [
                    column[k] if known else np.nan
                    for k, known in zip(positions, inside, strict=True)
                ]
            found[name] = np.asarray(values, float)
        return found


def as_covariates(given: Any, pairs: Any, count: int | None = None) -> Covariates | None:
    """A caller's covariates, checked as far as that is possible before the pairs are read.

    ``given`` is None, or holds by name an array in the order of the pairs, or a mapping by pair
    name, which the names in the ``source`` of the pairs are compared with where they have one.
    ``count`` is the number of pairs, where it is known. TypeError for what is no mapping;
    ValueError names the covariate: no finite numbers, all alike, of another number of pairs, or for
    pairs of other names.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping) or not given:
        raise TypeError(
            "covariates must be a mapping from names to arrays, or to mappings from pair names to"
            f" numbers; got {type(given).__name__}"
        )
    source = getattr(pairs, "source", None)
    count = count if source is None else len(source.pairs)
    columns = {}
    for name, column in given.items():
        name, by_name = str(name), isinstance(column, Mapping)
        values = _numbers(name, list(column.values()) if by_name else column)
        if by_name:
            columns[name] = dict(zip(map(str, column), values.tolist(), strict=True))
            _check_names(name, columns[name], source)
        elif count is not None and len(values) != count:
            raise ValueError(
                f"covariates: {name!r} must have a value for each of the {count} pairs; got"
                f" {len(values)}"
            )
        else:
            columns[name] = values
    return Covariates(columns)


def _numbers(name: str, column: Any) -> np.ndarray:
    values = as_numbers(name, column)
    if values.ndim != 1:
        raise ValueError(
            f"covariates: {name!r} must be one number for each pair; got shape {values.shape}"
        )
    if np.any(np.isinf(values)):
        raise ValueError(f"covariates: {name!r} must be finite, or NaN for a pair without it")
    known = values[np.isfinite(values)]
    if not known.size or np.all(known == known[0]):
        raise ValueError(
            f"covariates: {name!r} must differ between the pairs; it is the same in all"
        )
    return values


def _check_names(name: str, column: Mapping[str, float], source: Any) -> None:
    if source is None or any(pair.name in column for pair in source.pairs):
        return
    theirs, ours = list(column)[:_FIRST], [pair.name for pair in source.pairs[:_FIRST]]
    theirs, ours = (", ".join(map(repr, each)) for each in (theirs, ours))
    raise ValueError(
        f"covariates: {name!r} is of no pair here: it is given for {theirs}; the pairs are {ours}"
    )
