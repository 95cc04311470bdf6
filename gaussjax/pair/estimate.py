"""The front door: two images in, the Gaussian blur between them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import as_flag, dtype_of
from gaussjax.model.arguments import (
    Mask,
    as_noise,
    check_finite,
    check_fit_options,
    check_no_channels,
    check_together,
)
from gaussjax.model.array_checks import as_flags, is_traced
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.generalised_gaussian import check_supported
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.noise_correlation import as_noise_correlation
from gaussjax.model.options import AnyFamily, Boundary, KernelName, LossName, Motion, Pixel
from gaussjax.model.params import BlurParams, check_initial
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.pair.fit import Options, estimate_within
from gaussjax.pair.frame import Usable, in_bucket
from gaussjax.pair.grids import on_grids
from gaussjax.pair.kernel_extent import largest_radius, radii
from gaussjax.pair.partial_reading import to_precision
from gaussjax.pair.similar_pair import SimilarPair, check_motion, similar_pair, with_similarity
from gaussjax.pair.spacing import in_spacing
from gaussjax.statistics.quantisation import known_steps
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status


@automatic_sharding
@in_spacing
@to_precision
def estimate_blur(
    reference: ArrayLike,
    blurred: ArrayLike,
    *,
    family: AnyFamily = "isotropic",
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    boundary: Boundary = "valid",
    loss: LossName | Callable = "squared",
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    motion: Motion | None = None,
    noise_std: Literal["estimate"] | ArrayLike | None = None,
    noise_correlation: Sequence[ArrayLike | None] | None = None,
    bounds: ArrayLike | None = None,
    mask: Mask | None = None,
    weights: ArrayLike | None = None,
    sampling: float | Fraction | Sequence[float | Fraction] | None = None,
    pixel: Pixel = "area",
    centre: Literal["area", "first"] | float | Sequence[float] = "area",
    spacing: float | Sequence[float] | None = None,  # taken care of by `in_spacing`
    initial: BlurParams | ArrayLike | None = None,
    precision: float | None = None,  # taken care of by `to_precision`
    buckets: bool = False,
) -> BlurEstimate:
    """Estimate the Gaussian blur that takes ``reference`` to ``blurred``.

    The model is ``B(x) = gain (g * A)(x - shift) + offset + noise``. The loss of the residual is
    minimised over the variance of g (px^2) and the nuisances asked for, on the pixels that can be
    compared (:mod:`gaussjax.model.window`, ``mask``). A negative sigma says that ``blurred`` is the
    sharper image; swapping the images negates the estimate where both are noisy
    (``noise_std``) or neither is. Pure: works under ``jax.jit`` and, for batches, ``jax.vmap``,
    and differentiates by the images (implicitly, at the optimum).

    Args:
        reference: A, real, rank 1 to 3; integers and booleans are promoted.
        blurred: B, of the same shape, or on a coarser grid (``sampling``).
        family: "isotropic", "axis_aligned" or "full" covariance. A full covariance need not be
            positive definite: see ``is_positive_definite`` of the result. Or "generalised", whose
            transfer function ``exp(-(s |w|)^p / 2)`` has an exponent, fitted with s between p = 1
            and 3: ``gaussianity`` of the result tests p = 2, the Gaussian. It takes the continuous
            kernel and the boundaries "valid" and "periodic", no ``bounds`` and no ``precision``.
            With "valid" what its tail brings in from beyond the frame is part of the model error.
        kernel: what sigma means on the pixel grid: "continuous", "sampled" (SciPy, OpenCV),
            "integrated" or "discrete"; see :mod:`gaussjax.model.kernels`. Or a
            :class:`~gaussjax.Kernel`, which holds the next two as well.
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px, as SciPy.
        radius: "sampled": a fixed radius in px, or a (hashable) function from sigma to it.
        boundary: "valid" compares only pixels that the kernel cannot reach from beyond the edge;
            "periodic", "reflect", "nearest" and "zero" compare the whole frame and are right only
            if B was made that way. The padded three allow for a sigma of the upper bound, or of a
            sixth of the shortest axis (inside of ``jit`` and ``vmap`` a kernel that reaches three
            eighths of it); a wider blur is a status.
        loss: "squared", "absolute" (the least sum of absolute residuals), "huber", or a rho
            function of the residual over its standard deviation (by the median), elementwise.
        gain: fit a factor between the images.
        offset: fit a constant between them, in the unit of the images.
        shift: fit a displacement, px per axis, as ``scipy.ndimage.shift`` counts it.
        motion: None, or "similarity": fit a rotation and a scale of B beside the shift, of two axes
            and a few degrees and per cent; ``motion`` of the result. B is resampled to the grid of
            A, or across grids, of one ratio, A to that of B. Sigma is in px of A. With
            ``boundary="valid"``, without ``noise_std``.
        noise_std: None: noise in ``blurred`` only, of unknown level. ``(std_reference,
            std_blurred)`` in the unit of the images: errors in variables; only their ratio matters
            to the estimate. "estimate": both levels are found from the pair. Where they cannot be
            told apart (sigma small against the pixel) the status says so, and the value that
            stands is the one at the best guess of the levels, with its wide error bar.
        noise_correlation: ``(correlation_reference, correlation_blurred)``, with ``noise_std``: the
            autocorrelation of the noise of either image, an array with odd sides, 1 in its middle
            and symmetric about it, at lags of whole px of that image; or the sigma in px of the
            Gaussian that has smoothed white noise; None: white. For images that were resampled,
            smoothed or denoised; :func:`~gaussjax.noise_of_repeats` measures it.
        bounds: (low, high) in sigma, px; an estimate on a bound is a status. Not for "full".
        mask: True where a pixel may be used: one array for ``blurred``, or a pair
            ``(mask_reference, mask_blurred)``, either of them None. Pixels that a missing pixel of
            the reference blurs into are not compared. Masked pixels may be NaN.
        weights: of the pixels of ``blurred``, not negative: inverse variances up to a factor.
            Not with ``noise_std``.
        sampling: pixels of the reference per pixel of ``blurred`` along an axis, where this has
            fewer, larger ones: a number such as 4 or 1.5, or one for each axis. Sigma, shift and
            bounds are then in px of the reference, and ``num_pixels`` counts those of ``blurred``.
            None: as the shapes tell, if the ratio is the same along every axis and a whole number
            or half of one. Roles are not exchanged: a negative variance ends at -0.2 px^2, as a
            status. "valid" and "periodic" only.
        pixel: "area", a pixel of ``blurred`` is the mean of the blurred scene over its area, or
            "point", a sample at its centre. One taken for the other moves sigma^2 by about
            ``(sampling^2 - 1) / 12``, which no residual shows.
        centre: of the first pixel of ``blurred``, counted in pixels of the reference from the
            centre of its first: "area", where its area begins with theirs, ``(sampling - 1) / 2``;
            "first", 0, as in ``A[::4]``; or a number, or one for each axis.
        spacing: size of a pixel along every axis, such as ``(2, 2, 4)`` mm, where the blur is the
            same in all directions of space but pixels are not as wide as they are high: the
            variance along an axis is ``sigma^2 / spacing^2`` px^2. Sigma, its errors, widths and
            bounds are then in the unit of ``spacing``; ``covariance_matrix`` and shift stay in px.
            For "isotropic" alone, without ``motion``, ``sampling`` and ``precision``.
        initial: start, sigma in px or BlurParams; the estimate does not depend on it.
        precision: relative standard error of sigma that is enough, such as 1e-3. Only as many tiles
            of the frame are then read as it takes, the most informative first, until noise, model
            error and the scatter between tiles together are below it; ``part`` of the result says
            which, and whether it was reached. The images, masks and weights may be memory-mapped:
            anything with ``shape``, ``dtype`` and slices. Not under ``jax.jit``, ``vmap`` or
            ``grad``, and with ``boundary="valid"`` only.
        buckets: compile for a few shapes of frames, in whose corner the images lie, instead of for
            every shape: the same estimate but for rounding and what a kernel without an end leaks
            over the edge, by a program that runs for up to twice the time. "valid" only, else
            without effect.

    Returns:
        BlurEstimate: sigma in px with its standard error, a status and a verdict. The error bar
        is ``s^2 (J' W J)^-1`` for white residuals, a sandwich form for others and for robust
        losses, and that of errors in variables with ``noise_std``.

    Raises:
        TypeError: images that are not arrays of real numbers, and options of another type.
        ValueError: shapes that differ, rank 0 or above 3, empty or size-1 axes, an unknown option,
            bounds that are out of order or given for "full", another kernel or boundary than those
            that "generalised" goes with, the shape of a colour image, a ``truncate`` or ``radius``
            that the kernel does not have,
            ``noise_std`` with another loss than "squared" or with weights, ``noise_correlation``
            without it or whose transform is negative, and outside of tracing NaN or infinite pixels
            that are not masked.

    Source: the error bars are those of Seber & Wild, "Nonlinear Regression", Wiley 1989, ch. 2;
    White, Econometrica 50(1), 1982; Fuller, "Measurement Error Models", Wiley 1987.
    """
    check_fit_options(family, bounds, boundary=boundary, loss=loss, generalised=True)
    gain, offset, shift = as_flags(gain=gain, offset=offset, shift=shift)
    convention, buckets = as_kernel(kernel, truncate, radius), as_flag(buckets, "buckets")
    _check_together(family, convention, boundary, noise_std, loss, weights)
    given = reference, blurred
    on_grid = (mask, weights), (sampling, pixel, centre), boundary, bounds
    reference, blurred, usable, grid = on_grids(reference, blurred, *on_grid)
    check_no_channels("reference", reference.shape, family, convention, boundary, spacing)
    check_initial(initial, reference.ndim, reference.dtype)
    noise, estimate_noise = as_noise(noise_std, reference.dtype)
    correlation = as_noise_correlation(noise_correlation, noise_std, reference)
    data = reference, blurred, usable
    data, moved = _on_frame(data, motion, boundary, noise_std, grid, buckets=buckets)
    options = Options(
        family=family,
        kernel=convention,
        boundary=boundary,
        loss=loss,
        gain=gain,
        offset=offset,
        shift=shift or motion is not None,
        estimate_noise=estimate_noise,
        motion=motion is not None,
        grid=grid,
        spacing=spacing,  # pyright: ignore[reportArgumentType]  # a tuple by `in_spacing`
        largest_radius=largest_radius(data[0].shape, convention, boundary, bounds),
    )
    told = known_steps(*given), noise, bounds, initial, correlation
    estimate = _estimate(data, *told, options=options)
    if moved is not None:
        estimate = with_similarity(estimate, moved.similarity, grid)
    _check_finite(estimate, *data)
    return replace(estimate, narrowed=_is_narrowed(given, reference), grid=grid)


def _estimate(
    data: tuple, steps, noise, bounds, initial, correlation, *, options: Options
) -> BlurEstimate:
    """The estimate of checked images: a padded frame is extended as far as each blur needs."""
    # Least squares takes a padded frame in tiles, which reach far enough by themselves.
    first = (options.loss != "squared" or noise is not None) and not is_traced(data)
    largest, boundary = options.largest_radius, options.boundary
    reaches = radii(data[0].shape, boundary, bounds, largest, first=first)
    told = steps, noise, bounds, initial
    return estimate_within(reaches, *data, *told, options=options, correlation=correlation)


def _on_frame(
    data, motion: Motion | None, boundary: Boundary, noise_std, grid: CoarseGrid | None, *, buckets
) -> tuple[tuple, SimilarPair | None]:
    """The pair as it is fitted: on one grid but for a coarser one, or in a bucket if asked."""
    if motion is None:
        in_one = buckets and boundary == "valid" and grid is None
        return in_bucket(*data) if in_one else data, None
    check_motion(motion, data[0].shape, boundary, noise_std, grid)
    moved = similar_pair(*data, grid=grid)
    return (moved.reference, moved.blurred, moved.usable), moved


def _is_narrowed(given: tuple, taken: jax.Array) -> bool:
    return any(dtype_of(x) == np.float64 for x in given) and taken.dtype != jnp.float64


def _check_together(family, kernel: Kernel, boundary, noise_std, loss, weights) -> None:
    """Raise ValueError for options that exclude each other."""
    check_supported(family, kernel.name, boundary)
    check_together(noise_std, loss, weights)


def _check_finite(estimate: BlurEstimate, reference, blurred, usable: Usable) -> None:
    """Raise ValueError for NaN pixels, looked for where the status tells of some; not if traced."""
    if not is_traced(estimate.status) and int(estimate.status) == Status.NOT_FINITE:
        check_finite(reference, "reference", usable.reference)
        check_finite(blurred, "blurred", usable.blurred)
