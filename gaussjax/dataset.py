"""One blur from very many pairs, streamed: a pass over them is exact, and its memory constant."""

import json
import operator
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce
from importlib import metadata
from os import PathLike
from pathlib import Path

import jax
import numpy as np

from gaussjax.arguments import as_noise, check_option
from gaussjax.batch_sums import JointOptions
from gaussjax.dataset_result import DatasetEstimate
from gaussjax.fit import check_fit_options
from gaussjax.joint_fit import JointFit, joint_fit
from gaussjax.joint_pass import JointPass, PassRunner
from gaussjax.joint_start import JointStart, joint_start
from gaussjax.joint_sums import JointSums
from gaussjax.kernels import Kernel
from gaussjax.pair_reader import LoadedPair
from gaussjax.pair_stream import PairStream
from gaussjax.pair_sums import Nuisances
from gaussjax.pass_file import load_pass, save_pass
from gaussjax.processes import from_every_process
from gaussjax.start import EXCHANGE_BELOW

BOUNDARIES = ("valid", "periodic")

# Pairs, of all processes, that tell where to start, and passes over them.
_FIRST_PAIRS = 64
_FIRST_PASSES = 6
# Standard errors that another pass over them may still move the blur.
_NEAR = 1e-3


def fit_dataset(
    pairs: Iterable,
    *,
    family: str = "isotropic",
    kernel: str = "continuous",
    truncate: float = 4.0,
    radius=None,
    boundary: str = "valid",
    gain: bool = False,
    offset: bool = False,
    noise_std=None,
    initial=None,
    batched: bool = False,
    max_passes: int = 2,
    tolerance: float = 0.1,
    max_bad: int = 100,
    state: str | PathLike[str] | None = None,
    save_every: float = 30.0,
    on_progress: Callable[[int], None] | None = None,
) -> DatasetEstimate:
    """Estimate the one Gaussian blur that takes the references of many pairs to their partners.

    The root of ``sum_pairs <W J(theta_0), gain T_theta A + offset - B> = 0``: exact on the
    interior, border included, from sums that are added up in one pass over the pairs, in memory
    that does not grow with their number (but for some 40 bytes and a name of each). theta_0 comes
    from the first pairs. A second pass is made from the root where that would matter.

    Under ``jax.distributed`` every process gives its own share of the pairs; all get the same
    joint estimate. Batches are spread over the local devices.

    Args:
        pairs: yields ``(reference, blurred)``, ``(name, reference, blurred)``, mappings with these
            keys, or is a :class:`~gaussjax.pair_set.PairSet`. Images of several shapes may mix;
            each shape is compiled once. An iterator can be passed over only once.
        family: as in :func:`~gaussjax.estimate.estimate_blur`, as are the next three.
        kernel: what sigma means on the pixel grid.
        truncate: "sampled": radius in sigmas.
        radius: "sampled": radius in px.
        boundary: "valid" or "periodic".
        gain: every pair has a factor of its own.
        offset: every pair has a constant of its own.
        noise_std: None: noise in the blurred images only. ``(std_reference, std_blurred)`` in the
            unit of the images: what white noise of that level in the sharper images adds to the
            sums is subtracted.
        initial: sigma in px or BlurParams, where the search begins.
        batched: elements hold stacks of pairs along a first axis (and a sequence of names).
        max_passes: over the pairs; more than one needs an iterable that can be iterated again.
        tolerance: another pass is made if it would move the blur by more standard errors.
        max_bad: pairs that this process may leave out: unreadable, mismatching, not finite.
        state: file in which the run is kept, and from which it goes on if it was interrupted.
        save_every: seconds between two writings of that file.
        on_progress: called with the number of pairs of a pass that have been dealt with.

    Returns:
        DatasetEstimate: the joint blur with its error bar, the scatter between the pairs, and
        every pair's own sigma with its status.

    Raises:
        TypeError: elements that are no pairs.
        ValueError: unknown options, no good pair, or a state of other data or options.
        TooManyBadPairsError: naming the first of them.
    """
    check_fit_options(family, kernel, None)
    check_option(boundary, BOUNDARIES, "boundary")
    if isinstance(noise_std, str):
        raise ValueError(f"noise_std must be None or two numbers for many pairs; got {noise_std!r}")
    noise, _ = as_noise(noise_std, np.float32)
    if max_passes < 1:
        raise ValueError(f"max_passes must be at least 1, got {max_passes}")
    nuisances = Nuisances(bool(gain), bool(offset))
    options = JointOptions(family, Kernel(kernel, truncate, radius), boundary, nuisances)
    levels = None if noise is None else (float(noise[0]), float(noise[1]))
    identity = {
        "data": getattr(pairs, "fingerprint", str)(),
        "options": json.dumps([repr(options), levels, repr(initial), batched]),
        "version": metadata.version("gaussjax"),
    }
    stream = PairStream(pairs, batched=batched)
    path = None if state is None else Path(state)
    if path is not None and path.exists():
        current = load_pass(path, identity)
    else:
        current = JointPass(_first_start(stream, options, levels, initial))
    while True:
        runner = PassRunner(current, options, levels, max_bad, on_progress)
        for _ in runner.run(stream.starting_at(current.position), save_every):
            if path is not None:
                save_pass(path, current, identity)
        sums = _everywhere(current)
        fit = joint_fit(sums, current.start, options)
        enough = fit.ahead <= tolerance or current.number >= max_passes
        if enough or not stream.can_repeat:
            return _result(current, fit, sums)
        current = JointPass(_next_start(fit, current.start), current.number + 1)


def _first_start(stream: PairStream, options: JointOptions, noise_std, initial) -> JointStart:
    """From the first pairs of every process, which are passed over until they agree with it."""
    head = stream.head(-(-_FIRST_PAIRS // jax.process_count()))
    loaded = [pair for pair in head if isinstance(pair, LoadedPair)]
    good = [pair for pair in loaded if np.isfinite(np.sum(pair.reference) + np.sum(pair.blurred))]
    start = _shared_start(good, options, noise_std, initial)
    for _ in range(_FIRST_PASSES):
        current = JointPass(start)
        for _ in PassRunner(current, options, noise_std, len(head), None).run(good):
            pass
        fit = joint_fit(_everywhere(current), start, options)
        if not np.all(np.isfinite(fit.vector)):
            return start
        start = _next_start(fit, start)
        if fit.ahead <= _NEAR:
            break
    return start


def _shared_start(good: list[LoadedPair], options: JointOptions, noise_std, initial) -> JointStart:
    """Of the first process that has pairs: by those of its commonest shape."""
    named = {}
    if good:
        shapes = Counter(pair.reference.shape for pair in good)
        shape, _ = shapes.most_common(1)[0]
        alike = [pair for pair in good if pair.reference.shape == shape]
        references = np.stack([pair.reference for pair in alike])
        blurreds = np.stack([pair.blurred for pair in alike])
        levels = None if noise_std is None else np.asarray(noise_std, references.dtype)
        named = joint_start(references, blurreds, levels, initial, options).arrays()
    found = [each for each in from_every_process(named) if each]
    if not found:
        raise ValueError("no pair can be used to start from; see that the pairs are good ones")
    return JointStart.from_arrays(found[0])


def _next_start(fit: JointFit, start: JointStart) -> JointStart:
    """At the joint fit; with the roles exchanged if it says that the other image is sharper."""
    if np.all(fit.vector < EXCHANGE_BELOW):
        return replace(start, vector=-fit.vector, exchanged=not start.exchanged)
    return replace(start, vector=fit.vector)


def _everywhere(current: JointPass) -> JointSums:
    """The sums over the pairs of all processes."""
    own = {} if current.sums is None else current.sums.arrays()
    parts = [JointSums.from_arrays(named) for named in from_every_process(own) if named]
    if not parts:
        reasons = "; ".join(f"{pair.name}: {pair.reason}" for pair in current.bad[:3])
        raise ValueError(f"no pair can be used{': ' if reasons else ''}{reasons}")
    return reduce(operator.add, parts)


def _result(current: JointPass, fit: JointFit, sums: JointSums) -> DatasetEstimate:
    counts = from_every_process({"bad": np.asarray(len(current.bad))})
    return DatasetEstimate(
        joint=fit.estimate,
        sigmas=sums.sigmas,
        num_pairs=int(sums.figures.num_pairs),
        num_bad=sum(int(each["bad"]) for each in counts),
        num_passes=current.number,
        names=tuple(current.names),
        pairs=current.all_records(),
        bad=tuple(current.bad),
    )
