"""The first pairs of a set, passed over until they agree with where a joint fit starts."""

import operator
from collections import Counter
from dataclasses import replace
from functools import reduce

import jax
import numpy as np

from gaussjax.batch_sums import JointOptions
from gaussjax.io.pair_reader import BadPair, LoadedPair
from gaussjax.io.pair_stream import PairStream
from gaussjax.joint_fit import JointFit, joint_fit
from gaussjax.joint_pass import JointPass, PassRunner
from gaussjax.joint_start import JointStart, joint_start
from gaussjax.joint_sums import JointSums
from gaussjax.processes import from_every_process
from gaussjax.spectra.orientation import EXCHANGE_BELOW

# Pairs, of all processes, that tell where to start, and passes over them.
_FIRST_PAIRS = 64
_FIRST_PASSES = 6
# Standard errors that another pass over them may still move the blur.
_NEAR = 1e-3


def first_start(stream: PairStream, options: JointOptions, noise_std, initial) -> JointStart:
    """From the first pairs of every process, which are passed over until they agree with it."""
    head = stream.head(-(-_FIRST_PAIRS // jax.process_count()))
    loaded = [pair for pair in head if isinstance(pair, LoadedPair)]
    good = [pair for pair in loaded if np.isfinite(np.sum(pair.reference) + np.sum(pair.blurred))]
    reasons = [pair.reason for pair in head if isinstance(pair, BadPair)]
    start = _shared_start(good, reasons, options, noise_std, initial)
    for number in range(_FIRST_PASSES):
        current = JointPass(start)
        for _ in PassRunner(current, options, noise_std, len(head), None).run(good):
            pass
        noisy, sums = noise_std is not None, sums_everywhere(current)
        fit = joint_fit(sums, start, options, noisy=noisy, repeated=number > 0)
        if not np.all(np.isfinite(fit.vector)):
            return start
        start = next_start(fit, start)
        if fit.ahead <= _NEAR:
            break
    return start


def _shared_start(
    good: list[LoadedPair], reasons: list[str], options: JointOptions, noise_std, initial
) -> JointStart:
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
        why = "; ".join(reasons[:3]) or "there are none, or all have NaN or infinite pixels"
        raise ValueError(f"no pair can be used to start from: {why}")
    return JointStart.from_arrays(found[0])


def next_start(fit: JointFit, start: JointStart) -> JointStart:
    """At the joint fit; with the roles exchanged if it says that the other image is sharper."""
    if np.all(fit.vector < EXCHANGE_BELOW):
        return replace(start, vector=-fit.vector, exchanged=not start.exchanged)
    return replace(start, vector=fit.vector)


def sums_everywhere(current: JointPass) -> JointSums:
    """The sums over the pairs of all processes."""
    own = {} if current.sums is None else current.sums.arrays()
    parts = [JointSums.from_arrays(named) for named in from_every_process(own) if named]
    if not parts:
        reasons = "; ".join(f"{pair.name}: {pair.reason}" for pair in current.bad[:3])
        raise ValueError(f"no pair can be used{': ' if reasons else ''}{reasons}")
    return reduce(operator.add, parts)
