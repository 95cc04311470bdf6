"""A caller's pairs as single ones with names, from any position on."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator

import jax.numpy as jnp

from gaussjax.io.batches import named_pairs
from gaussjax.io.pair_reader import LoadedPair, Pair

_CHECKED = 8  # pairs whose pixels identify the data


class PairStream:
    """The pairs of a caller's iterable, as in :func:`~gaussjax.fit_dataset`.

    A collection can be passed over again and again, an iterator once. ``batched``: its elements are
    stacks. ``fitted`` makes one image of a pair on two grids fit the other; None: one grid.
    """

    def __init__(
        self, pairs: Iterable, *, batched: bool, fitted: Callable[[LoadedPair], Pair] | None = None
    ) -> None:
        if fitted is not None and hasattr(pairs, "on_two_grids"):
            pairs = pairs.on_two_grids()  # pyright: ignore[reportAttributeAccessIssue]
        self._pairs, self._batched, self._fitted = pairs, batched, fitted
        self.can_repeat = not isinstance(pairs, Iterator)
        self._once = None if self.can_repeat else self._named()
        self._head: list[Pair] = []

    def head(self, count: int) -> list[Pair]:
        """The first pairs; they stay part of what :meth:`starting_at` yields."""
        if self._once is not None:
            self._head += itertools.islice(self._once, max(count - len(self._head), 0))
            return self._head[:count]
        pairs = self.starting_at(0)
        try:
            return list(itertools.islice(pairs, count))
        finally:
            if hasattr(pairs, "close"):
                pairs.close()  # pyright: ignore[reportAttributeAccessIssue]

    def fingerprint(self) -> str:
        """Identifies the data: the caller's own fingerprint, or else :meth:`checksum`."""
        own = getattr(self._pairs, "fingerprint", None)
        return self.checksum() if own is None else own()

    def checksum(self) -> str:
        """SHA-256 in hex over the names and pixels of the first pairs; empty if there are none."""
        digest, pairs = hashlib.sha256(), self.head(_CHECKED)
        for pair in pairs:
            digest.update(pair.name.encode("utf-8", "surrogateescape"))
            if isinstance(pair, LoadedPair):
                for image in (pair.reference, pair.blurred):
                    digest.update(image.tobytes())
        return digest.hexdigest() if pairs else ""

    def starting_at(self, position: int) -> Iterator[Pair]:
        """The pairs from a position on; at most once of an iterator."""
        if self._once is not None:
            return itertools.islice(itertools.chain(self._head, self._once), position, None)
        if hasattr(self._pairs, "starting_at"):
            return self._fit(self._pairs.starting_at(position))  # pyright: ignore[reportAttributeAccessIssue]
        return itertools.islice(self._named(), position, None)

    def _named(self) -> Iterator[Pair]:
        dtype, two_grids = jnp.asarray(0.0).dtype, self._fitted is not None
        return self._fit(
            named_pairs(self._pairs, batched=self._batched, dtype=dtype, two_grids=two_grids)
        )

    def _fit(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        fitted = self._fitted
        if fitted is None:
            return pairs
        return (fitted(pair) if isinstance(pair, LoadedPair) else pair for pair in pairs)
