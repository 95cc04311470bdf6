"""The transfer function between two images without a family: what did this filter do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from gaussjax.checks import as_count
from gaussjax.model.arguments import as_noise, check_finite, fill_with_mean
from gaussjax.model.array_checks import as_flags
from gaussjax.model.folding import on_coarse_grid
from gaussjax.model.noise_correlation import as_noise_correlation
from gaussjax.model.options import Pixel, check_option
from gaussjax.model.transfer_spline import TransferSpline
from gaussjax.model.window import taper
from gaussjax.numerics import loops
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.pair.grids import on_grids
from gaussjax.pair.transfer_equations import TransferEquations
from gaussjax.pair.transfer_frame import Known, TransferOptions, prepared, window_of
from gaussjax.pair.transfer_padding import Layout
from gaussjax.pair.transfer_rounds import TransferState, improved
from gaussjax.pair.transfer_summary import estimate_of
from gaussjax.spectra.cross_spectra import windowed_spectra
from gaussjax.spectra.phase_correlation import correlation_peak
from gaussjax.statistics.transfer_estimate import TransferEstimate

# Bins by default: at most, and px of the shortest axis for each, of signals, images and volumes.
_MOST_BINS, _PER_BIN = 48, (16, 5, 3)
# Rounds of the equations: linear but for the margin; a shift and noise of A bend them.
_ROUNDS, _BENT_ROUNDS = 3, 8


@automatic_sharding
def fit_transfer(
    reference,
    blurred,
    *,
    direction: str | int = "radial",
    boundary: str = "valid",
    gain: bool = False,
    shift: bool = False,
    noise_std=None,
    noise_correlation=None,
    mask=None,
    sampling: float | Fraction | Sequence[float | Fraction] | None = None,
    pixel: Pixel = "area",
    centre: Literal["area", "first"] | float | Sequence[float] = "area",
    num_bins: int | None = None,
    margin: int | None = None,
) -> TransferEstimate:
    """Measure the transfer function that takes ``reference`` to ``blurred``, of whatever shape.

    The model is ``B(x) = (h * A)(x - shift) + constant + noise`` with a symmetric kernel h whose
    transfer function T(w) is a cubic spline over frequency. Its coefficients are fitted by least
    squares on the pixels that can be compared; nothing is divided by a windowed spectrum. Of a
    filter that is not linear it is the best linear approximation. Pure: works under ``jax.jit`` and
    ``jax.vmap``.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape, or on a coarser grid (``sampling``).
        direction: "radial": T of |w|, the mean over all directions by the power of A; or an axis of
            the images: T along it.
        boundary: "valid" compares only pixels that the kernel cannot reach from beyond the edge;
            "periodic" compares all, and is right only if B was made that way.
        gain: a factor between the images is a nuisance: T is divided by its value at zero
            frequency. Else T is as it is. A constant between the images never matters.
        shift: fit a displacement, px per axis, as ``scipy.ndimage.shift`` counts it. Else one shows
            as a loss of transfer.
        noise_std: None: noise in ``blurred`` only, of any level and colour (the estimator H1).
            ``(std_reference, std_blurred)`` of white noise in the unit of the images: noise in both
            (Hv), or with 0 for ``blurred`` in the reference only (H2); only their ratio matters. 0
            counts as a hundredth of the other: what T leaves less of is drawn to 0. "estimate":
            both levels are found, of white noise: the power of the residual is that of noise of B,
            and of A times T^2. Where T hardly differs between frequencies, these are too much alike
            to be told apart, and the error bars allow for it.
        noise_correlation: ``(correlation_reference, correlation_blurred)``, with two levels in
            ``noise_std``: how the noise of neighbours correlates, as in
            :func:`~gaussjax.estimate_blur`. None: white.
        mask: True where a pixel may be used, as in :func:`~gaussjax.estimate_blur`.
        sampling: pixels of the reference per pixel of ``blurred``, as in
            :func:`~gaussjax.estimate_blur`. Frequencies, shift and ``margin`` are then in px of the
            reference, noise of either image is that of its own pixels. Frequencies beyond half a
            cycle per coarse px fold into lower ones; A tells them apart as far as they are in B.
        pixel: "area": a coarse pixel is the mean over its area, which is no part of T: that is the
            filter alone. "point": it is a sample, and whatever its area does is in T.
        centre: of the first coarse pixel, as in :func:`~gaussjax.estimate_blur`.
        num_bins: between 0 and pi rad/px, at most half of the shortest axis. None: one for every
            5 px of the shortest axis (of a signal 16, of a volume 3, along an axis 8), and at most
            48. A kernel that reaches farther than about ``num_bins`` px from its centre needs more.
        margin: px that are left out along every edge in "valid"; None: as far as a Gaussian reaches
            whose transfer falls as early as this one. Long tails of a kernel need more. A quarter
            of every axis has to be left.

    Returns:
        TransferEstimate: T with error bars, coherence, MTF50, and resolution in px or units. The
        error bars are for noise whose strength may depend on frequency.

    Raises:
        TypeError: images that are not arrays of real numbers, or an argument of another type.
        ValueError: shapes that differ, rank 0 or above 3, an unknown option, an axis that the
            images do not have, a number of bins or a margin that does not fit the frame, and
            outside of tracing NaN or infinite pixels that are not masked.

    Source: J. S. Bendat & A. G. Piersol, "Random Data", 4th ed., Wiley 2010, ch. 6 and 9; R.
    Pintelon & J. Schoukens, "System Identification: A Frequency Domain Approach", 2nd ed., Wiley
    2012, ch. 4 (best linear approximation); ISO 12233:2017 (the unit of MTF50).

    Example::

        found = gaussjax.fit_transfer(reference, blurred)
        found.mtf50, found.in_units(0.065).resolution(0.1)
    """
    check_option(boundary, ("valid", "periodic"), "boundary")
    gain, shift = as_flags(gain=gain, shift=shift)
    on_grid = (mask, None), (sampling, pixel, centre), boundary
    reference, blurred, usable, grid = on_grids(reference, blurred, *on_grid)
    axis, num_bins = _bins(reference.shape, direction, num_bins)
    if margin is not None:
        most = Layout.of(blurred.shape, boundary, grid).largest_margin
        margin = as_count(margin, "margin", 0, most)
    noise, estimated = as_noise(noise_std, reference.dtype)
    options = TransferOptions(
        num_bins,
        axis,
        boundary,
        gain=gain,
        shift=shift,
        margin=margin,
        bent=noise is not None,
        estimate_noise=estimated,
        grid=grid,
    )
    correlation = as_noise_correlation(noise_correlation, noise_std, reference)
    if correlation is not None and estimated:
        raise ValueError(
            "noise_correlation goes with the two levels of noise_std here: noise of a known shape"
            " and 'estimate' may imitate any T; estimate_blur tells the levels beside a Gaussian"
        )
    known = usable.reference, usable.blurred
    check_finite(reference, "reference", known[0])
    check_finite(blurred, "blurred", known[1])
    return _fit_transfer(reference, blurred, known, noise, options, correlation)


def _bins(shape: tuple[int, ...], direction, num_bins: int | None) -> tuple[int | None, int]:
    """The axis of T, or None, and the number of its bins; ValueError names what does not fit A."""
    ndim, shortest = len(shape), min(shape)
    if isinstance(direction, str):
        check_option(direction, ("radial",), "direction")
        axis = None
    else:
        wanted = "direction must be 'radial', or an axis of the images: it"
        axis = as_count(direction, wanted, -ndim, ndim - 1) % ndim
        axis = axis if ndim > 1 else None
    if num_bins is None:
        few = 8 if axis is not None else _PER_BIN[ndim - 1]
        num_bins = min(_MOST_BINS, max(4, shortest // few), shortest // 2)
    return axis, as_count(num_bins, "num_bins", 1, shortest // 2)


@partial(jax.jit, static_argnames="options")
def _fit_transfer(
    reference: jax.Array,
    blurred: jax.Array,
    known: Known,
    noise: jax.Array | None,
    options: TransferOptions,
    correlation: jax.Array | None,
) -> TransferEstimate:
    """The estimate, once the arguments have been checked."""
    frame = prepared(reference, blurred, known, noise, options, correlation)
    shape, dtype, ndim, grid = blurred.shape, reference.dtype, reference.ndim, options.grid
    layout = options.layout(shape)
    spline = TransferSpline(layout.reference_shape, options.num_bins, options.axis)
    terms = spline.terms(dtype)

    def equations(state):
        window = window_of(shape, state.margins, known, options, dtype)
        moved = state.shift if options.shift else None
        given = replace(frame, noise=state.noise)
        return TransferEquations(spline, terms, given, layout, window, moved, options.bent)

    def one_round(_, state):
        return improved(equations(state), state, options)

    still = jnp.zeros(ndim, dtype)
    if options.shift:
        a, b = fill_with_mean(reference, known[0]), fill_with_mean(blurred, known[1])
        a = a if grid is None else on_coarse_grid(grid, a, b.shape)
        spectra = windowed_spectra(a, b, taper(shape, dtype), levels_differ=True)
        still = correlation_peak(spectra)
        still = still if grid is None else still * jnp.asarray(grid.steps, dtype)
    nothing = jnp.zeros((spline.num_terms, spline.size), dtype)
    margins = jnp.asarray([n // 8 for n in shape], jnp.int32)
    if options.margin is not None:
        margins = layout.margins(jnp.full(ndim, options.margin, dtype)).astype(jnp.int32)
    # At first T is not known, and the instrument is A alone: with a wrong sign of T the parts of
    # the mixture could cancel.
    unknown = jnp.full_like(nothing, jnp.inf)
    state = TransferState(nothing, unknown, still, margins, frame.noise)
    rounds = _BENT_ROUNDS if options.shift or options.bent else _ROUNDS
    state = loops.fori_loop(0, rounds, one_round, state)
    return estimate_of(equations(state), state, options)
