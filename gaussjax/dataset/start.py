"""Where a joint fit starts: direction, blur and unit, from the first pairs of a set."""

import operator
from collections import Counter
from dataclasses import replace
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.dataset.batch_fit import JointOptions
from gaussjax.dataset.joint_fit import JointFit, joint_fit
from gaussjax.dataset.passes import JointPass, PassRunner
from gaussjax.dataset.processes import from_every_process
from gaussjax.dataset.state import JointStart, JointSums
from gaussjax.io.pair_reader import BadPair, LoadedPair
from gaussjax.io.pair_stream import PairStream
from gaussjax.model.window import everywhere, taper
from gaussjax.numerics.precision import rounding_variance
from gaussjax.spectra.cross_spectra import sum_spectra, windowed_spectra
from gaussjax.spectra.orientation import SWAP_BELOW
from gaussjax.spectra.start import find_start

# Pairs, of all processes, that tell where to start, and passes over them.
_FIRST_PAIRS = 64
_FIRST_PASSES = 6
# Standard errors that another pass over them may still move the blur.
_NEAR = 1e-3


def joint_start(
    references: np.ndarray, blurreds: np.ndarray, noise_std, initial, options: JointOptions
) -> JointStart:
    """From pairs of one shape, ``[n, *shape]``; see :func:`~gaussjax.fit_dataset`."""
    variance, unit, swapped = jax.device_get(
        _start(references, blurreds, noise_std, initial, options=options)
    )
    rounding = rounding_variance(references.dtype)
    return JointStart(np.asarray(variance, float), float(unit), rounding, bool(swapped))


@partial(jax.jit, static_argnames="options")
def _start(references, blurreds, noise_std, initial, *, options: JointOptions):
    shape = references.shape[1:]
    axes = tuple(range(1, references.ndim))
    unit = jnp.sqrt(jnp.mean(jnp.var(references, axis=axes)))
    unit = jnp.where(unit > 0, unit, 1)
    window = (everywhere if options.boundary == "periodic" else taper)(shape, references.dtype)
    levels_differ = options.nuisances.count > 0
    spectra = jax.vmap(partial(windowed_spectra, window=window, levels_differ=levels_differ))(
        references / unit, blurreds / unit
    )
    noise = None
    if noise_std is not None:
        noise = (noise_std / unit) ** 2 * window.sum(2) * len(references)
    free = jnp.asarray(jnp.inf, references.dtype)
    model = replace(options.model(shape), gain=options.nuisances.gain)
    start = find_start(sum_spectra(spectra), initial, -free, free, model, noise=noise)
    return start.variance, unit, start.swapped


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
    """At the joint fit; with the roles swapped if it says that the other image is sharper."""
    if np.all(fit.vector < SWAP_BELOW):
        return replace(start, vector=-fit.vector, swapped=not start.swapped)
    return replace(start, vector=fit.vector)


def sums_everywhere(current: JointPass) -> JointSums:
    """The sums over the pairs of all processes."""
    own = {} if current.sums is None else current.sums.arrays()
    parts = [JointSums.from_arrays(named) for named in from_every_process(own) if named]
    if not parts:
        reasons = "; ".join(f"{pair.name}: {pair.reason}" for pair in current.bad[:3])
        raise ValueError(f"no pair can be used{': ' if reasons else ''}{reasons}")
    return reduce(operator.add, parts)
