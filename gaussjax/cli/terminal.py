"""How the command writes values and names: as JSON has them, and as any stream can show them."""

import sys
from typing import Any

import numpy as np


def plain(values: Any) -> Any:
    """A number or a list of them for JSON, with null for None, NaN and infinity."""
    return None if values is None else nested(np.squeeze(np.asarray(values)))


def nested(values: Any) -> Any:
    """An array of any rank as lists of lists for JSON, with null for None, NaN and infinity."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim:
        return [nested(value) for value in array]
    return array.item() if np.isfinite(array) else None


def printable(text: str) -> str:
    """Text in one line, of characters that any stream can write: names of files may have others."""
    line = " ".join(text.splitlines())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


class ProgressBar:
    """Pairs done, their rate and the time left: a bar for every pass over the pairs.

    Call it with the number of pairs of a pass that are done. A number that is not beyond the last
    one begins another pass; the first number may be any, of a run that goes on.
    """

    def __init__(self, total: int, *, is_shown: bool | None) -> None:
        """For passes over ``total`` pairs.

        Args:
            total: number of pairs.
            is_shown: None: where stderr is a terminal.
        """
        self._total = total
        self._disable = None if is_shown is None else not is_shown
        self._bar: Any = None
        self._seen = 0

    def __call__(self, seen: int) -> None:
        """Show that ``seen`` pairs of the pass are done."""
        if self._bar is None or seen <= self._seen:
            self._bar = self._next(seen - 1)
        self._bar.update(seen - self._seen)
        self._seen = seen

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _next(self, done: int) -> Any:
        from tqdm import tqdm

        name = "pairs" if self._bar is None else "another pass"
        self.close()
        self._seen = done
        return tqdm(
            total=self._total,
            initial=done,
            desc=name,
            unit=" pairs",
            disable=self._disable,
            dynamic_ncols=True,
        )
