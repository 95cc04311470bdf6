"""One pass over the pairs of a set: batch by batch, into sums."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from gaussjax.dataset.batch_fit import BatchSums, JointOptions, LinearizationPoint, batch_sums
from gaussjax.dataset.records import PairRecord
from gaussjax.dataset.state import JointStart, JointSums, joint_sums
from gaussjax.io.batches import Batch, Batcher
from gaussjax.io.pair_reader import BadPair, LoadedPair
from gaussjax.statistics.status import Status


@dataclass
class JointPass:
    """Where a pass stands; grows as batches are taken in.

    Attributes:
        start: theta_0, unit and direction of the pass.
        number: of the pass, 1 for the first.
        position: pairs of the iterable that are dealt with, good or bad.
        sums: over them; None before the first.
        names: of the good ones.
        records: of them, batch by batch.
        bad: the others.
    """

    start: JointStart
    number: int = 1
    position: int = 0
    sums: JointSums | None = None
    names: list[str] = field(default_factory=list)
    records: list[PairRecord] = field(default_factory=list)
    bad: list[BadPair] = field(default_factory=list)

    def take(self, batch: Batch, found: BatchSums) -> None:
        """Add what a batch has come to."""
        count = len(batch.names)
        equations, records = jax.tree.map(
            lambda leaf: np.asarray(leaf)[:count], (found.equations, found.records)
        )
        finite = records.status != Status.NOT_FINITE
        self.bad += [
            BadPair(batch.names[k], batch.positions[k], "has NaN or infinite pixels")
            for k in np.flatnonzero(~finite)
        ]
        self.names += [batch.names[k] for k in np.flatnonzero(finite)]
        self.records.append(jax.tree.map(lambda leaf: leaf[finite], records))
        added = joint_sums(np.asarray(found.coefficients), batch.shape, equations)
        self.sums = added if self.sums is None else self.sums + added

    def all_records(self, sigma_shape: tuple[int, ...] = ()) -> PairRecord:
        """Of all pairs, leading axis ``[n]``; the shape of a sigma matters if there are none."""
        none, sigma = np.zeros(0), np.zeros((0, *sigma_shape))
        nothing = PairRecord(sigma, sigma, np.zeros(0, np.int32), none, none, none, none)  # pyright: ignore
        some = self.records or [nothing]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *some)


class TooManyBadPairsError(ValueError):
    """More pairs cannot be used than the caller allows."""


class PassRunner:
    """Takes pairs into a pass; the devices work on one batch while the next one is gathered."""

    def __init__(
        self,
        current: JointPass,
        options: JointOptions,
        noise_std: tuple[float, float] | None,
        max_bad: int,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        """For a pass, by all devices of this process.

        Args:
            current: the pass; what is taken in is added to it.
            options: of the fit; the direction is the pass's own.
            noise_std: of A and of B, in the unit of the images.
            max_bad: bad pairs beyond which TooManyBadPairsError is raised.
            on_progress: called with the number of pairs that have been seen.
        """
        self._current = current
        self._options = replace(options, swapped=current.start.swapped)
        self._noise_std = noise_std
        self._max_bad = max_bad
        self._on_progress = on_progress
        devices = jax.local_devices()
        self._mesh = Mesh(np.asarray(devices), ("pairs",))
        self._batcher = Batcher(len(devices))
        self._under_way: list[tuple[Batch, BatchSums]] = []

    def run(self, pairs: Iterable[LoadedPair | BadPair], pause: float = np.inf) -> Iterator[None]:
        """Take in all pairs; stops every ``pause`` seconds, and at the end, with none half-done."""
        seen, last = self._current.position, time.monotonic()
        for pair in pairs:
            seen += 1
            if isinstance(pair, BadPair):
                self._current.bad.append(pair)
                self._check_bad()
            else:
                self._begin(self._batcher.add(pair))
            if self._on_progress is not None:
                self._on_progress(seen)
            if time.monotonic() - last >= pause:
                self._finish(seen)
                yield
                last = time.monotonic()
        self._finish(seen)
        yield

    def _finish(self, position: int) -> None:
        for batch in self._batcher.rest():
            self._begin(batch)
        self._take_last()
        self._current.position = position

    def _begin(self, batch: Batch | None) -> None:
        if batch is None:
            return
        start, dtype = self._current.start, batch.references.dtype
        noise = None
        if self._noise_std is not None:
            noise = jnp.asarray((self._noise_std[start.swapped] / start.unit) ** 2, dtype)
        origin = LinearizationPoint(
            jnp.asarray(start.vector, dtype), jnp.asarray(start.unit, dtype), noise
        )
        images = batch.references, batch.blurreds, batch.present
        found = batch_sums(*images, origin, options=self._options, mesh=self._mesh)
        # The one before has had the time in which this one was gathered.
        self._take_last()
        self._under_way = [(batch, found)]

    def _take_last(self) -> None:
        for batch, found in self._under_way:
            self._current.take(batch, found)
        self._under_way = []
        self._check_bad()

    def _check_bad(self) -> None:
        bad = self._current.bad
        if len(bad) > self._max_bad:
            first = "; ".join(f"{pair.name}: {pair.reason}" for pair in bad[:3])
            raise TooManyBadPairsError(
                f"more pairs cannot be used ({len(bad)} so far) than max_bad allows"
                f" ({self._max_bad}); first: {first}"
            )
