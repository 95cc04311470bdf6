"""Where a joint fit starts: direction, blur and unit, from the first pairs of a set."""

import operator
from collections import Counter
from dataclasses import replace
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.dataset.given_noise import ToldNoise
from gaussjax.dataset.joint_fit import JointFit, joint_fit
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.passes import JointPass, refuse_weights, run_pass
from gaussjax.dataset.processes import from_every_process
from gaussjax.dataset.state import JointStart, PassSums, from_arrays, to_arrays
from gaussjax.io.pair_reader import BadPair, LoadedPair
from gaussjax.io.pair_stream import PairStream
from gaussjax.model.arguments import channels_fault
from gaussjax.model.folding import on_coarse_grid
from gaussjax.model.params import check_initial
from gaussjax.model.swap import SWAP_BELOW
from gaussjax.model.window import everywhere, taper
from gaussjax.numerics.precision import rounding_variance
from gaussjax.pair.coarse_start import find_coarse_start
from gaussjax.spectra.cross_spectra import sum_spectra, windowed_spectra
from gaussjax.spectra.phase_correlation import correlation_peak, translated
from gaussjax.spectra.sharper_image import interior_variance
from gaussjax.spectra.start import find_start
from gaussjax.statistics.status import Status

# The first pairs, of all processes, and the most passes over them.
_FIRST_PAIRS = 64
_FIRST_PASSES = 6
# Standard errors that another pass over them may still move the blur; rounding moves it by 0.003.
_NEAR = 1e-2
# px^2, of a variance inside of a frame: no pair has all the weight.
_LEAST_ERROR = 1e-3


def first_start(
    stream: PairStream, options: JointOptions, told: ToldNoise | None, initial
) -> JointStart:
    """The start from the first pairs of every process, by passes until the blur has settled."""
    head = stream.head(-(-_FIRST_PAIRS // jax.process_count()))
    loaded = [pair for pair in head if isinstance(pair, LoadedPair)]
    good = [pair for pair in loaded if np.isfinite(np.sum(pair.reference) + np.sum(pair.blurred))]
    if loaded:
        check_initial(initial, loaded[0].reference.ndim, loaded[0].reference.dtype)
    for pair in loaded if told is not None else ():
        refuse_weights(pair.name, pair.weights)  # before anything is compiled
    reasons = [pair.reason for pair in head if isinstance(pair, BadPair)]
    start = _shared_start(good, reasons, options, told, initial)
    for number in range(_FIRST_PASSES):
        current = JointPass(start)
        for _ in run_pass(current, good, options, told, max_bad=len(head)):
            pass
        fit = joint_fit(current, total_sums(current), options, repeated=number > 0)
        middle = None if number else _middle_of_pairs(current, fit)
        if middle is not None:
            start = next_start(replace(fit, vector=middle), start, options)
            continue
        if not np.all(np.isfinite(fit.vector)):
            return start
        start = next_start(fit, start, options)
        if fit.predicted_step <= _NEAR:
            break
    return start


def _middle_of_pairs(current: JointPass, fit: JointFit) -> np.ndarray | None:
    """The median of the pairs' own blurs, ``[p]``; None where the joint one explains all of those.

    A few foreign pairs of strong contrast may carry the start so far away that the others are what
    does not belong there.
    """
    family = fit.estimate.params.family
    records = current.all_records(np.shape(fit.estimate.sigma))
    has_own = np.asarray(records.status == Status.ESTIMATED)
    named = {"sigma": records.sigma, "counted": records.counted}
    of_all = from_every_process({name: np.asarray(x)[has_own] for name, x in named.items()})
    sigma, counted = (np.concatenate([each[name] for each in of_all]) for name in named)
    if np.all(counted):
        return None
    middle = np.median(sigma.astype(float) * abs(sigma), axis=0)
    middle = -middle if current.start.swapped else middle
    if family != "full":
        return np.atleast_1d(middle)
    return np.mean(middle) * np.eye(len(middle))[np.triu_indices(len(middle))]


def _shared_start(
    good: list[LoadedPair],
    reasons: list[str],
    options: JointOptions,
    told: ToldNoise | None,
    initial,
) -> JointStart:
    """The start by the spectra of the first process that has pairs: those of its main shape."""
    named, shape, fault = {}, (), ""
    if good:
        (shape, _), *_ = Counter(pair.reference.shape for pair in good).most_common(1)
        fault = channels_fault(shape, options.family, options.kernel, options.boundary, None)
    if fault:
        reasons = [fault]
    elif good:
        alike = [pair for pair in good if pair.reference.shape == shape]
        references = np.stack([pair.reference for pair in alike])
        blurreds = np.stack([pair.blurred for pair in alike])
        levels = None
        if told is not None:
            levels = np.asarray(told.levels or (1, 1), references.dtype)
        variance, unit, swapped = jax.device_get(
            spectral_start(references, blurreds, levels, initial, options=options)
        )
        rounding = rounding_variance(references.dtype)
        named = to_arrays(JointStart(np.asarray(variance, float), unit, rounding, swapped))
    found = [each for each in from_every_process(named) if each]
    if not found:
        why = "; ".join(reasons[:3]) or "there are none, or all have NaN or infinite pixels"
        raise ValueError(f"no pair can be used to start from: {why}")
    return from_arrays(JointStart, found[0])


@partial(jax.jit, static_argnames="options")
def spectral_start(references, blurreds, noise_std, initial, *, options: JointOptions):
    """Variance, unit and direction from pairs of one shape, ``[n, *shape]``."""
    axes = tuple(range(1, references.ndim))
    unit = jnp.sqrt(jnp.mean(jnp.var(references, axis=axes)))
    unit = jnp.where(unit > 0, unit, 1)
    grid, shape = options.grid(len(axes)), blurreds.shape[1:]
    if grid is not None:
        references = jax.vmap(partial(on_coarse_grid, grid, shape=shape))(references)
    window = (everywhere if options.boundary == "periodic" else taper)(shape, references.dtype)
    levels_differ = options.gain or options.offset

    def of_pair(reference, blurred):
        spectra = windowed_spectra(reference, blurred, window, levels_differ=levels_differ)
        return translated(spectra, correlation_peak(spectra)) if options.shift else spectra

    spectra = jax.vmap(of_pair)(references / unit, blurreds / unit)
    noise = None
    if noise_std is not None:
        noise = (noise_std / unit) ** 2 * window.sum(2) * len(references)
    levels = {"noise": noise, "estimate_noise": options.estimates_noise}
    free = jnp.asarray(jnp.inf, references.dtype)
    model = replace(options.model(shape), gain=options.gain)
    total = sum_spectra(spectra)
    if grid is None:
        inside = _of_all(*jax.vmap(partial(_interior, options=options))(references, blurreds))
        start = find_start(total, initial, -free, free, model, **levels, inside=inside)
    else:
        start = find_coarse_start(grid, total, initial, model, **levels)
    return start.variance, unit, start.swapped


def _interior(reference, blurred, options: JointOptions) -> tuple[jax.Array, jax.Array]:
    """The small blur inside of a frame and its error."""
    known = jnp.ones(reference.shape, bool)
    return interior_variance(reference, blurred, known, shift=options.shift)


def _of_all(variances: jax.Array, errors: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean variance of all pairs by their precision, and its error."""
    weights = 1 / jnp.maximum(errors, _LEAST_ERROR) ** 2  # 0 where a pair tells nothing
    total = jnp.sum(weights)
    some = jnp.where(total > 0, total, 1)
    return jnp.sum(weights * variances) / some, jnp.where(total > 0, 1 / jnp.sqrt(some), jnp.inf)


def next_start(fit: JointFit, start: JointStart, options: JointOptions) -> JointStart:
    """The start at the joint fit; roles swapped if it says that the other image is sharper.

    Not across grids: a fine image cannot be predicted from a coarse one.
    """
    if options.sampling is None and np.all(fit.vector < SWAP_BELOW):
        return replace(start, vector=-fit.vector, swapped=not start.swapped)
    return replace(start, vector=fit.vector)


def total_sums(current: JointPass) -> PassSums:
    """The sums over the pairs of all processes."""
    own = {} if current.sums is None else current.sums.arrays()
    parts = [PassSums.from_arrays(named) for named in from_every_process(own) if named]
    if not parts:
        reasons = "; ".join(f"{pair.name}: {pair.reason}" for pair in current.bad[:3])
        raise ValueError(f"no pair can be used{': ' if reasons else ''}{reasons}")
    return reduce(operator.add, parts)
