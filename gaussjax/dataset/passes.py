"""One pass over the pairs of a set: batch by batch, into sums."""

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from gaussjax.dataset.batch_sums import BatchSums, LinearizationPoint, batch_sums
from gaussjax.dataset.given_noise import ToldNoise
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.pooled_transfer import TransferSums
from gaussjax.dataset.result import PairRecord
from gaussjax.dataset.state import JointStart, JointSums, PassSums
from gaussjax.io.batches import Batch, Batcher
from gaussjax.io.pair_reader import BadPair, LoadedPair
from gaussjax.model.shape_buckets import bucket_shape, embed
from gaussjax.pair.frame import Usable
from gaussjax.statistics.status import Status


class TooManyBadPairsError(ValueError):
    """More pairs cannot be used than the caller allows."""


@dataclass
class JointPass:
    """The state of a pass, which grows by batches."""

    start: JointStart  # where it began
    number: int = 1  # of the pass, 1 for the first
    position: int = 0  # number of pairs of the iterable that are done, good or bad
    sums: PassSums | None = None  # over the good ones; None before the first batch
    names: list[str] = field(default_factory=list)  # of the good ones
    # in the iterable, of the good ones; numbers of a list would take five times the memory
    positions: array = field(default_factory=lambda: array("q"))
    records: list[PairRecord] = field(default_factory=list)  # of the good ones, batch by batch
    bad: list[BadPair] = field(default_factory=list)  # the bad ones

    def take(self, batch: Batch, found: BatchSums) -> None:
        """Add the sums and the records of a batch."""
        count = len(batch.names)
        each = jax.tree.map(
            lambda leaf: np.asarray(leaf)[:count],
            (found.equations, found.evidence, found.records, found.rings),
        )
        records = each[2]
        finite = records.status != Status.NOT_FINITE
        self.bad += [
            BadPair(batch.names[k], batch.positions[k], "has NaN or infinite pixels")
            for k in np.flatnonzero(~finite)
        ]
        self.names += [batch.names[k] for k in np.flatnonzero(finite)]
        self.positions.extend(batch.positions[k] for k in np.flatnonzero(finite))
        self.records.append(jax.tree.map(lambda leaf: leaf[finite], records))
        groups = []
        for coefficients, chosen in zip(
            np.asarray(found.coefficients, float), (records.counted, ~records.counted), strict=True
        ):
            sums = jax.tree.map(
                lambda leaf, chosen=chosen: np.asarray(leaf[chosen], float).sum(0), each[:2]
            )
            rings = jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], each[3])
            transfer = TransferSums.of_pairs(rings, np.asarray(batch.positions)[chosen])
            groups.append(JointSums({batch.shape: coefficients}, sums[0], sums[1], transfer))
        added = PassSums(*groups)
        self.sums = added if self.sums is None else self.sums + added

    def check_bad(self, max_bad: int) -> None:
        """Raise TooManyBadPairsError if there are more."""
        if len(self.bad) > max_bad:
            first = "; ".join(f"{pair.name}: {pair.reason}" for pair in self.bad[:3])
            raise TooManyBadPairsError(
                f"more pairs cannot be used ({len(self.bad)} so far) than max_bad allows"
                f" ({max_bad}); first: {first}"
            )

    def all_records(self, sigma_shape: tuple[int, ...] = ()) -> PairRecord:
        """Records of all pairs, leading axis ``[n]``; a sigma's shape matters if there are none."""
        if not self.records:
            none, code, sigma = np.zeros(0), np.zeros(0, np.int32), np.zeros((0, *sigma_shape))
            p, shift = self.start.vector.size, np.zeros((0, 0))
            score, slope = np.zeros((0, p)), np.zeros((0, p, p))
            figures = (sigma, sigma, sigma, code, code, code, code > 0, none, none, none, none)
            return PairRecord(*figures, shift, score, score, slope)  # pyright: ignore[reportArgumentType]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *self.records)


def _in_bucket(pair: LoadedPair) -> LoadedPair:
    """The pair in the corner of the frame that its bucket has."""
    shape = pair.reference.shape
    names = "reference", "blurred", "known_reference", "known_blurred", "weights"
    given = {name: getattr(pair, name) for name in names}
    frame = bucket_shape(shape)
    framed = {name: embed(x, frame) for name, x in given.items() if x is not None}
    return replace(pair, **framed, size=shape)


def _framed(
    pairs: Iterable[LoadedPair | BadPair], options: JointOptions
) -> Iterator[LoadedPair | BadPair]:
    """The pairs, in buckets but for those of the first shape, which may be that of all pairs.

    There are none across grids: folding takes frames whose shapes are in the ratio of the grids.
    """
    first, has_buckets = None, options.boundary == "valid" and options.sampling is None
    for pair in pairs:
        if not has_buckets or isinstance(pair, BadPair):
            yield pair
            continue
        first = first or pair.reference.shape
        yield pair if pair.reference.shape == first else _in_bucket(pair)


def refuse_weights(name: str, weights) -> None:
    """ValueError where a pair has weights beside noise of both images."""
    if weights is not None:
        raise ValueError(
            "noise_std describes the noise of both images: it goes without weights; pair"
            f" {name} has some"
        )


def _interrupt_by(on_progress: Callable[[int], None] | None, seen: int) -> BaseException | None:
    """What a call raises to end the run."""
    try:
        if on_progress is not None:
            on_progress(seen)
    except KeyboardInterrupt as interrupt:
        return interrupt
    return None


def run_pass(
    current: JointPass,
    pairs: Iterable[LoadedPair | BadPair],
    options: JointOptions,
    told: ToldNoise | None,
    *,
    max_bad: int,
    on_progress: Callable[[int], None] | None = None,
    pause: float = np.inf,
) -> Iterator[None]:
    """Take all pairs into a pass; the devices work on one batch while the next one is gathered.

    Stops every ``pause`` seconds, and at the end, with no batch half-done. The direction of the
    options is the pass's own. ``told`` is the noise of both images. More bad
    pairs than ``max_bad`` raise TooManyBadPairsError. ``on_progress`` is called with the number of
    pairs that have been seen; a KeyboardInterrupt that it raises ends the pass after one more stop.
    """
    start, devices = current.start, jax.local_devices()
    mesh, batcher = Mesh(np.asarray(devices), ("pairs",)), Batcher(len(devices))
    options = replace(options, swapped=start.swapped)
    running: list[tuple[Batch, BatchSums]] = []

    def take_running() -> None:
        while running:
            current.take(*running.pop())
        current.check_bad(max_bad)

    def begin(batch: Batch) -> None:
        dtype = batch.references.dtype
        noise, correlation = None, None
        if told is not None:
            orientation = {"unit": start.unit, "swapped": start.swapped}
            noise, correlation = told.oriented(batch.references[0], **orientation)
        vector, unit = jnp.asarray(start.vector, dtype), jnp.asarray(start.unit, dtype)
        number = jnp.uint32(batch.positions[0])
        point = LinearizationPoint(vector, unit, noise, number, correlation)
        if told is not None:
            refuse_weights(batch.names[0], batch.maps[2])
        maps = *batch.maps, batch.sizes
        usable = Usable(*(m if m is None else jnp.asarray(m) for m in maps))
        images = batch.references, batch.blurreds, usable, batch.present
        with jax.set_mesh(mesh):  # the caller may work in another one
            sums = batch_sums(*images, point, options=options, mesh=mesh)
        # The batch before was computed while this one was gathered.
        take_running()
        running.append((batch, sums))

    def finish(position: int) -> None:
        for batch in batcher.rest():
            begin(batch)
        take_running()
        current.position = position

    seen, last = current.position, time.monotonic()
    for pair in _framed(pairs, options):
        seen += 1
        if isinstance(pair, BadPair):
            current.bad.append(pair)
            current.check_bad(max_bad)
        elif (full := batcher.add(pair)) is not None:
            begin(full)
        interrupt = _interrupt_by(on_progress, seen)
        if interrupt and not running:  # without a batch there is nothing new to keep
            raise interrupt
        if interrupt or time.monotonic() - last >= pause:
            finish(seen)
            yield
            last = time.monotonic()
        if interrupt:
            raise interrupt
    finish(seen)
    yield
