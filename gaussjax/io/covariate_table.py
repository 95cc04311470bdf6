"""What is known of each pair, from a CSV file: a row per pair, a column per covariate."""

import math
from os import PathLike
from pathlib import Path

from gaussjax.io.csv_table import csv_table
from gaussjax.io.errors import ImageFileError, one_line_errors


def read_covariates(path: str | PathLike[str]) -> dict[str, dict[str, float]]:
    """Covariates by name, each a number for every pair by name.

    From a CSV file in UTF-8 with the header ``name,...``: the pair's name, then a column for each
    covariate. ImageFileError names the file and the line in it: no such header, columns or pairs
    that stand twice, fields that are no finite numbers.
    """
    path = Path(path)
    with one_line_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
        header, rows = csv_table(file)
        _check_header(header)
        table: dict[str, dict[str, float]] = {name: {} for name in header[1:]}
        lines: dict[str, int] = {}
        for line, (pair, *texts) in rows:
            if pair in lines:
                raise ImageFileError(
                    f"line {line}: the pair {pair!r} stands in line {lines[pair]} already"
                )
            lines[pair] = line
            for name, text in zip(header[1:], texts, strict=True):
                table[name][pair] = _number(text, f"line {line}: {name!r} of the pair {pair!r}")
        if not lines:
            raise ImageFileError("has no rows; give one for every pair")
        return table


def _check_header(header: list[str]) -> None:
    if len(header) < 2 or header[0] != "name":
        raise ImageFileError(
            "line 1: must be the header name,... with the name of a pair first, then a column for"
            " every covariate"
        )
    for k, name in enumerate(header):
        if not name:
            raise ImageFileError(f"line 1: column {k + 1} has no name")
        if name in header[:k]:
            raise ImageFileError(f"line 1: the column {name!r} stands twice")


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        meant = "is empty" if not text.strip() else f"must be a number, got {text!r}"
        advice = (
            "leave the row out" if not text.strip() else "give a category as columns of 0 and 1"
        )
        raise ImageFileError(f"{what} {meant}; {advice}") from None
    if not math.isfinite(number):
        raise ImageFileError(f"{what} must be finite, got {text!r}; leave the row out")
    return number
