"""The lines of a CSV file with a header, and where they stand in it."""

import csv
from collections.abc import Iterable, Iterator

from gaussjax.io.errors import ImageFileError


def csv_table(lines: Iterable[str]) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, and the numbers and fields of the lines after it; blank ones are left out.

    ImageFileError names a line that has not as many fields as the header, when it is reached.
    """
    reader = csv.reader(lines, skipinitialspace=True)
    header = [field.strip() for field in next(reader, [])]

    def rows() -> Iterator[tuple[int, list[str]]]:
        for fields in filter(None, reader):
            number = reader.line_num
            if len(fields) != len(header):
                raise ImageFileError(
                    f"line {number}: has {len(fields)} fields; the header has {len(header)}"
                )
            yield number, fields

    return header, rows()
