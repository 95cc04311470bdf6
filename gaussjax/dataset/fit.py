"""One blur from very many pairs, streamed: a pass over them is exact, and its memory constant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import replace
from enum import Enum
from fractions import Fraction
from functools import partial
from importlib import metadata
from os import PathLike
from typing import Any, Literal, TypeGuard

import jax
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import as_count, as_flag, as_not_negative, as_path, check_function, shown
from gaussjax.dataset.checkpoint import StateError, StateFile
from gaussjax.dataset.coarse_pairs import fitting
from gaussjax.dataset.covariates import Covariates, as_covariates
from gaussjax.dataset.given_noise import ToldNoise
from gaussjax.dataset.joint_fit import JointFit, joint_fit
from gaussjax.dataset.joint_verdict import joint_judgement
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.passes import JointPass, run_pass
from gaussjax.dataset.pooled_transfer import PooledTransfer, pooled_transfer
from gaussjax.dataset.processes import from_every_process, total_over_processes
from gaussjax.dataset.result import DatasetEstimate
from gaussjax.dataset.start import first_start, next_start, total_sums
from gaussjax.dataset.state import JointStart, PassSums, from_arrays, to_arrays
from gaussjax.io.pair_stream import PairStream
from gaussjax.model.arguments import check_fit_options
from gaussjax.model.array_checks import as_array, as_real, check_known
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import Boundary, Family, KernelName, LossName, Pixel
from gaussjax.model.params import BlurParams
from gaussjax.model.sampling import as_sampling
from gaussjax.statistics.batch import Batch
from gaussjax.statistics.covariate_regression import regress_on_covariates


def fit_dataset(
    pairs: Iterable,
    *,
    family: Family = "isotropic",
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    boundary: Boundary = "valid",
    loss: LossName | Callable = "squared",
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    noise_std: Literal["estimate"] | ArrayLike | None = None,
    noise_correlation: Sequence[ArrayLike | None] | None = None,
    sampling: float | Fraction | Sequence[float | Fraction] | None = None,
    pixel: Pixel = "area",
    centre: Literal["area", "first"] | float | Sequence[float] = "area",
    initial: BlurParams | ArrayLike | None = None,
    covariates: Mapping[str, Any] | None = None,
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
    that does not grow with their number (but for some 80 bytes and a name of each). theta_0 comes
    from the first pairs. A second pass is made from the root where that would matter.

    Under ``jax.distributed`` every process gives its own share of the pairs; all get the same
    joint estimate. Batches are spread over the local devices.

    Args:
        pairs: yields ``(reference, blurred)``, ``(name, reference, blurred)``, mappings with these
            keys, or is a :class:`~gaussjax.PairSet`. Mappings may also hold "mask" and "weights",
            as in :func:`~gaussjax.estimate_blur`. Images of several shapes may mix; all but
            those of the first shape lie in a few shapes of frames (``buckets`` there), each of
            which is compiled once. An iterator can be passed over only once. All in one unit: their
            squared residuals add up.
        family: as in :func:`~gaussjax.estimate_blur`, as are the next three.
        kernel: a name or a Kernel.
        truncate: "sampled" only.
        radius: "sampled" only.
        boundary: as in :func:`~gaussjax.estimate_blur`; padded ones extend the frames for a sigma
            of a sixth of the shortest axis.
        loss: of the residuals, as in :func:`~gaussjax.estimate_blur`: "squared", "absolute", whose
            sum over all pairs is the least, "huber", or a rho function of the residual over the
            pair's own standard deviation. All but "squared" take about as long as
            ``estimate_blur`` of every pair, as do the shift and noise levels to be estimated.
        gain: every pair has a factor of its own.
        offset: every pair has a constant of its own.
        shift: every pair has a displacement of its own.
        noise_std: None: noise in the blurred images only. ``(std_reference, std_blurred)`` in the
            unit of the images: noise of that level, as in :func:`~gaussjax.estimate_blur`.
            "estimate": every pair has levels of its own; one that does not tell them is set aside.
        noise_correlation: ``(correlation_reference, correlation_blurred)`` with ``noise_std``, of
            noise whose neighbours correlate, the same in all pairs. None: white.
        sampling: pixels of the references per pixel of the blurred images, where these have fewer,
            larger ones; as in :func:`~gaussjax.estimate_blur`, as are the next two, but never told
            by the shapes: one ratio holds for all pairs. Every shape is then compiled, and
            ``transfer`` is not known (NaN).
        pixel: of the blurred images, "area" or "point".
        centre: of their first pixel, "area", "first" or a number.
        initial: sigma in px or BlurParams, where the search begins.
        covariates: what is known of each pair, by name: an array with a value for every pair in
            their order, bad ones too, or a mapping from pair names; NaN for a pair without it. The
            pairs' own sigmas are regressed on them. Under several processes every one gives those
            of its own share.
        batched: elements hold stacks of pairs along a first axis (and a sequence of names).
        max_passes: over the pairs; more than one needs an iterable that can be iterated again.
        tolerance: another pass is made if it would move the blur by more standard errors.
        max_bad: pairs that this process may leave out: unreadable, mismatching, not finite.
        state: file in which the run is kept, and from which it goes on if it was interrupted. That
            the data are the same is known by ``pairs.fingerprint()``, where there is one, else by
            the first pairs. A save that fails is a StateWarning, and tried again.
        save_every: seconds between two writings of that file.
        on_progress: called with the number of pairs of a pass that have been dealt with. A
            KeyboardInterrupt that it raises ends the run after what is done has been saved.

    Returns:
        DatasetEstimate: the joint blur with its error bar, the scatter between the pairs, and
        every pair's own sigma with its status.

    Raises:
        OSError: a state that cannot be written, before the first pair is read.
        TypeError: elements that are no pairs, and options of another type.
        ValueError: unknown options, no good pair, covariates that cannot be, a state of other data
            or options, or processes that differ in their options or have the same pairs.
        TooManyBadPairsError: naming the first of them.
    """
    batched = as_flag(batched, "batched")
    max_passes, max_bad = as_count(max_passes, "max_passes", 1), as_count(max_bad, "max_bad")
    tolerance = as_not_negative(tolerance, "tolerance")
    save_every = as_not_negative(save_every, "save_every")
    state = None if state is None else as_path(state, "state")
    if on_progress is not None:
        check_function(on_progress, "on_progress")
    _check_initial(initial)
    told = ToldNoise.of(noise_std, noise_correlation, boundary, loss)
    nuisances = {"gain": gain, "offset": offset, "shift": shift}
    kernel, grids = as_kernel(kernel, truncate, radius), (sampling, pixel, centre)
    options = _options(family, kernel, boundary, loss, nuisances, told, grids)
    _check_collection(pairs)
    file = StateFile(state)
    stream = PairStream(pairs, batched=batched, fitted=fitting(options.sampling, boundary))
    named = _named(options, told, initial)
    known = as_covariates(covariates, pairs, len(pairs) if _is_list(pairs, batched) else None)
    _check_processes(stream, f"{named}, covariates {list(known.columns) if known else None}")
    # A fingerprint of many files takes a while, and only a state needs it.
    identity = _identity("" if state is None else stream.fingerprint(), named)
    current = _resumed(file, identity) or JointPass(first_start(stream, options, told, initial))
    take_in = partial(run_pass, max_bad=max_bad, on_progress=on_progress, pause=save_every)
    while True:
        rest = stream.starting_at(current.position)
        for _ in take_in(current, rest, options, told):
            file.save(current, identity)
        sums = total_sums(current)
        fit = joint_fit(current, sums, options, repeated=current.number > 1)
        enough = fit.predicted_step <= tolerance or current.number >= max_passes
        if enough or not stream.can_repeat:
            file.finish()
            return _result(current, fit, sums, known, told and told.levels)
        current = JointPass(next_start(fit, current.start, options), current.number + 1)


def _check_initial(initial) -> None:
    """Refuse what is no number: whether it fits the images shows when there are some."""
    check_known("many pairs are streamed", initial=initial)
    if initial is not None and not isinstance(initial, BlurParams):
        as_real(initial, "initial", "iuf")


def _options(
    family: Family,
    kernel: Kernel,
    boundary: Boundary,
    loss: LossName | Callable,
    nuisances: dict[str, bool],
    told: ToldNoise | None,
    grids: tuple[Any, Any, Any],
) -> JointOptions:
    """The options of the programs, checked."""
    check_fit_options(family, None, boundary=boundary, loss=loss)
    return JointOptions(
        family,
        kernel,
        boundary,
        **{name: as_flag(flag, name) for name, flag in nuisances.items()},
        loss=loss,
        estimates_noise=told is not None and told.levels is None,
        sampling=as_sampling(*grids, boundary),
    )


def _check_collection(pairs: Iterable) -> None:
    """Refuse what yields no pairs, with what to do about the name of a folder."""
    # Not by iter(), which of a loader may start processes.
    iterable = hasattr(type(pairs), "__iter__") or hasattr(type(pairs), "__getitem__")
    single = str | bytes | PathLike | Mapping | np.generic | Batch | Enum
    if isinstance(pairs, single) or not iterable:
        raise TypeError(_wanted(pairs))
    try:
        count = len(pairs) if isinstance(pairs, Sized) else None
    except TypeError:
        raise TypeError(_wanted(pairs)) from None
    if isinstance(pairs, jax.Array):
        as_array(pairs, "pairs")  # not deleted
    if isinstance(pairs, list | tuple):
        check_known("many pairs are streamed", pairs=pairs)
    if count == 0:
        raise ValueError(f"{_wanted(pairs)}, which holds no pair")


def _wanted(pairs: Any) -> str:
    """Only made for an error: the text of a list is that of all its arrays."""
    return (
        "pairs must be an iterable of (reference, blurred), such as a list or what"
        f" open_pairs(folder, folder) returns; got {shown(pairs)}"
    )


def _is_list(pairs: Iterable, batched: bool) -> TypeGuard[Sized]:
    return not batched and isinstance(pairs, Sized)


def _identity(fingerprint: str, options: str) -> dict[str, str]:
    """What has to be the same in a run that goes on."""
    version = metadata.version("gaussjax")
    return {
        "data, or another way to read them": fingerprint,
        "options": options,
        "version": version,
    }


def _named(options: JointOptions, told: ToldNoise | None, initial) -> str:
    """The options in a line; functions by their names, which outlive a process."""
    kernel = options.kernel
    # Not the Kernel as a whole, whose radius may be a function.
    parts = [options.family, kernel.name, kernel.truncate, kernel.radius, options.boundary]
    parts += [options.loss, options.gain, options.offset, options.shift]
    named = [getattr(part, "__qualname__", repr(part)) for part in parts]
    named += [str(told), repr(initial)]
    return ", ".join(named + ([] if options.sampling is None else [repr(options.sampling)]))


def _check_processes(stream: PairStream, options: str) -> None:
    """Refuse what would count pairs twice, or add sums that do not belong together."""
    if jax.process_count() == 1:
        return
    own = {"options": np.asarray(options), "pairs": np.asarray(stream.checksum())}
    everyone = [{key: str(text) for key, text in each.items()} for each in from_every_process(own)]
    if len({each["options"] for each in everyone}) > 1:
        raise ValueError("the processes differ in their options of the fit; give all the same")
    pairs = [each["pairs"] for each in everyone if each["pairs"]]
    if len(set(pairs)) < len(pairs):
        raise ValueError(
            "two processes begin with the same pairs; give each its share, as by"
            " open_pairs(...).shard(jax.process_index(), jax.process_count())"
        )


def _resumed(file: StateFile, identity: dict[str, str]) -> JointPass | None:
    """The pass in this process's file, or the beginning of the one that others were at."""
    own = file.load(identity)
    named = {} if own is None else {"number": np.asarray(own.number), **to_arrays(own.start)}
    found = [each for each in from_every_process(named) if each]
    if not found:
        return None
    latest = max(found, key=lambda each: each["number"])
    number, start = int(latest["number"]), from_arrays(JointStart, latest)
    if own is None or own.number < number:
        return JointPass(start, number)
    if any(np.any(each["vector"] != start.vector) for each in found if each["number"] == number):
        raise StateError(
            f"{file.path}: is of another run than that of another process; remove both"
        )
    return own


def _result(
    current: JointPass,
    fit: JointFit,
    sums: PassSums,
    given: Covariates | None,
    levels: tuple[float, float] | None,
) -> DatasetEstimate:
    judgement = joint_judgement(fit, total_over_processes)
    assert fit.estimate.adequacy is not None  # it is made with one
    codes = {"verdict": judgement.verdict, "cause": judgement.cause}
    adequacy = replace(fit.estimate.adequacy, **codes)
    moves = fit.influence / np.maximum(2 * np.sqrt(np.abs(fit.vector)), 1)
    moves = -moves if current.start.swapped else moves
    estimate = DatasetEstimate(
        joint=replace(fit.estimate, adequacy=adequacy),
        effects=fit.effects,
        num_pairs=int(sums.joint.equations.num_pairs),
        num_aside=judgement.num_aside,
        num_doubted=judgement.num_doubted,
        num_bad=int(total_over_processes(np.asarray(len(current.bad)))),
        num_passes=current.number,
        names=tuple(current.names),
        pairs=fit.records,
        influence=moves,
        bad=tuple(current.bad),
        transfer=_transfer(current.start, fit, sums, levels),
        covariates={} if given is None else given.of(current.names, current.positions),
    )
    if given is None:
        return estimate
    used = estimate.in_regression
    own = estimate.pairs.sigma[used], estimate.pairs.standard_error[used]
    columns = {name: column[used] for name, column in estimate.covariates.items()}
    try:
        regression = regress_on_covariates(*own, columns, total_over_processes)
    except ValueError as error:  # what hours were spent for is not lost by it
        return replace(estimate, regression_problem=str(error))
    return replace(estimate, regression=regression)


def _transfer(
    start: JointStart, fit: JointFit, sums: PassSums, levels: tuple[float, float] | None
) -> PooledTransfer:
    """The transfer function of all pairs, beside the Gaussian of the fit."""
    noise = None if levels is None else levels[not start.swapped] / start.unit
    found = pooled_transfer(sums.joint.transfer, noise, fit.vector - start.vector)
    return replace(found, noise_std=start.unit * found.noise_std)
