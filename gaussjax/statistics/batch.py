"""Results of one pair, or of a batch of pairs with leading axes: index, length of print."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import jax
import numpy as np

from gaussjax.checks import shown
from gaussjax.model.array_checks import is_traced
from gaussjax.numerics.pytree import short_repr
from gaussjax.statistics.message_enum import Code
from gaussjax.statistics.number_format import Row, as_error, span
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict


class Batch:
    """What a pytree of estimates has beside its fields, ``sigma`` and ``status`` among them."""

    sigma: Any
    status: Any

    @property
    def message(self) -> str | list[str]:
        """The status in a sentence; a list of them for a batch. Not available under tracing."""
        return Status.messages(self.status)

    def __getitem__(self, index: Any) -> Self:
        """One estimate of a batch, or some: ``batch[3]``, in NumPy's numbers.

        Raises:
            TypeError: there is no batch, but one estimate.
            IndexError: beyond the last.
        """
        if not np.ndim(self.status):
            raise TypeError(
                f"this is one estimate, not a batch: it has no index; got {shown(index)}"
            )
        if isinstance(index, int) and not -len(self.status) <= index < len(self.status):
            # JAX would take the last one instead.
            raise IndexError(f"index must be within a batch of {len(self.status)}; got {index}")
        # In JAX's arrays every index would be a program to compile.
        known = self if is_traced(self) else jax.device_get(self)
        return jax.tree.map(lambda leaf: leaf[index], known)

    def __iter__(self) -> Iterator[Self]:
        """The estimates of a batch along its first axis."""
        if not np.ndim(self.status):
            raise TypeError("this is one estimate, not a batch: there is nothing to iterate over")
        return (self[k] for k in range(len(self.status)))

    def __repr__(self) -> str:
        """A line: value, error bar and status; of a batch its shapes."""
        return short_repr(self, ("sigma", "sigma_standard_error", "status"))


def batch_rows(batch: Any, verdict: Any) -> list[Row]:
    """The printed table of a batch, of NumPy arrays: how many, their sigmas, statuses, verdicts."""
    sigma, error, status = batch.sigma, batch.sigma_standard_error, batch.status
    fine = status == Status.ESTIMATED
    rows = [("estimates", f"{' x '.join(map(str, status.shape))}, of which [0] is the first")]
    if np.any(fine):
        middle = np.atleast_1d(np.median(error[fine], axis=0))
        columns = zip(np.atleast_2d(sigma[fine].T), middle, strict=True)
        text = ", ".join(span(column, bar) for column, bar in columns)
        rows.append(("sigma", f"{text} px, of those that are estimated"))
        rows.append(("error", f"{', '.join(map(as_error, middle))} px, the median standard error"))
    rows.append(("status", counted(Status, status)))
    if getattr(batch, "covariance_matrix", np.empty((2, 2))).shape[-1] == 1:
        rows.append(
            ("note", "each is of a signal of one axis; of a pair of images use estimate_blur")
        )
    return rows if verdict is None else [*rows, ("verdict", counted(Verdict, verdict))]


def counted(codes: type[Code], values: np.ndarray) -> str:
    """How often each code occurs, the commonest first."""
    found = Counter(np.ravel(values).tolist()).most_common()
    return ", ".join(f"{n} {codes(code).label.replace('_', ' ')}" for code, n in found)  # pyright: ignore
