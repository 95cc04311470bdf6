"""Which kernel explains a pair best, if it is not a Gaussian."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.model.arguments import Mask, as_noise
from gaussjax.model.array_checks import as_flags, is_traced
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import Pixel
from gaussjax.pair.estimate import estimate_blur
from gaussjax.pair.grids import on_grids
from gaussjax.pair.oriented_pair import OrientedPair, orient
from gaussjax.report import directed_candidates, round_candidates
from gaussjax.report.kernel_candidate import Candidate
from gaussjax.report.kernel_fit import CoarseKernelPair, Found, KernelPair, Nuisances, refined
from gaussjax.report.kernel_scan import binned_spectra, scanned
from gaussjax.report.kernel_scores import KernelComparison, judged
from gaussjax.report.resampled_candidates import RESAMPLERS, Part, best_resampled
from gaussjax.report.tailed_candidates import heavy_tails
from gaussjax.statistics.result import BlurEstimate

_MOST_PIXELS = 512 * 512  # of the box that is compared


def compare_kernels(
    reference: ArrayLike,
    blurred: ArrayLike,
    *,
    gain: bool = False,
    offset: bool = False,
    shift: bool = False,
    noise_std: Literal["estimate"] | ArrayLike | None = None,
    mask: Mask | None = None,
    weights: ArrayLike | None = None,
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    estimate: BlurEstimate | None = None,
    sampling: float | Fraction | Sequence[float | Fraction] | None = None,
    pixel: Pixel = "area",
    centre: Literal["area", "first"] | float | Sequence[float] = "area",
) -> KernelComparison:
    """Compare two dozen kernels by how well they predict pixels that they were not fitted to.

    No blur, Gaussians in four conventions, per axis and tilted, disk, box, straight motion, Moffat,
    generalised exponential, core and halo, what Pillow, Skia and ffmpeg use for a Gaussian, and
    bicubic and Lanczos reduction and enlargement. Each is fitted by least squares,

        sum_x W (soft - gain (K * sharp)(x - shift) - offset)^2,

    on the same pixels, and scored by the sum over blocks of 8 x 8 px of the squares that a fit
    without the block leaves in it. Among those that are not worse than the best by two standard
    errors of the difference (adjusted for their number by Holm's method) the one of the fewest
    parameters is preferred, Gaussians first.

    Plain cross-validation takes the least score, and would let a parameter that nothing asks for
    win in 16 % of pairs. Not for use under ``jit``; frames of more than 512 x 512 px are compared
    in their middle.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        gain: fit a factor between the images, with every kernel.
        offset: fit a constant between them.
        shift: fit a displacement.
        noise_std: None, ``(std_reference, std_blurred)`` or "estimate": what white noise in the
            sharper image adds to the squares is subtracted.
        mask: True where a pixel may be used, as in ``estimate_blur``.
        weights: of the pixels of ``blurred``.
        truncate: "sampled" Gaussians only.
        radius: "sampled" Gaussians only.
        estimate: of this pair by :func:`~gaussjax.estimate_blur` with the same options, if it is
            there; it tells which image is the sharper one and where to start.
        sampling: pixels of the reference per pixel of ``blurred``, as in ``estimate_blur``. Kernels
            and margin are then in px of the reference, the blocks in px of ``blurred``. Reductions
            and enlargements are left out: what they do depends on a third grid.
        pixel: of ``blurred``, "area" or "point".
        centre: of its first pixel.

    Returns:
        KernelComparison; printed it is a table.

    Raises:
        TypeError: images that are not arrays of real numbers, and options of another type.
        ValueError: what ``estimate_blur`` raises, an image that is constant, or no pixel that can
            be compared.

    Source: see :mod:`gaussjax.statistics.held_out`.

    Example:
        >>> print(compare_kernels(sharp, defocused).message)  # doctest: +SKIP
        a disk of radius 2.9 px explains the pair better than a Gaussian
    """
    fitted = as_flags(gain=gain, offset=offset, shift=shift)
    sampled = as_kernel("sampled", truncate, radius)
    if is_traced(reference, blurred, noise_std, mask, weights):
        raise ValueError(
            "kernels are compared on one reference, blurred, noise_std, mask and weights: call it"
            " outside of jit and vmap"
        )
    grids = sampling, pixel, centre
    _, image, usable, _ = on_grids(reference, blurred, (mask, weights), grids, "valid")
    as_noise(noise_std, image.dtype)
    if estimate is None:
        # Levels that are given are not needed for a start, and would take long to compile.
        levels = noise_std if isinstance(noise_std, str) else None
        options = {"gain": gain, "offset": offset, "shift": shift, "noise_std": levels}
        options |= {"sampling": sampling, "pixel": pixel, "centre": centre}
        estimate = estimate_blur(reference, blurred, mask=mask, weights=weights, **options)
    pair = orient(reference, blurred, estimate, mask)
    part, pair, weights = _middle(pair, usable.weights)
    if not np.ptp(np.asarray(pair.sharp)) > 0:
        raise ValueError("the sharper image is constant: no kernel changes it")
    ready = _kernel_pair(pair, estimate, fitted, noise_std)
    sigma = float(
        np.sqrt(np.mean(np.abs(np.linalg.eigvalsh(np.asarray(estimate.covariance_matrix)))))
    )
    longest = max(pair.sharp.shape)
    sigma = min(max(sigma, 0.4), 0.1 * longest) if math.isfinite(sigma) else 1.0
    tried = _scan(ready, pair, _candidates(pair.sharp.shape, sampled), sigma, weights)
    tried += _resampled(ready, part) if pair.grid is None else []
    found, window, margins = _fit(ready, pair, tried, weights)
    kernels, best, is_related = judged(ready, found, window, float(np.finfo(pair.sharp.dtype).eps))
    return KernelComparison(
        kernels=kernels,
        best=best,
        margin=tuple(int(m) for m in margins),
        num_pixels=int(np.sum(window > 0)),
        is_swapped=pair.is_swapped,
        is_related=is_related,
    )


def _middle(pair: OrientedPair, weights) -> tuple[Part, OrientedPair, np.ndarray | None]:
    """The middle of a large frame, and where it lies."""
    ndim, box, fine = len(pair.shape), [], []
    longest = round(_MOST_PIXELS ** (1 / ndim))
    ratios = (Fraction(1),) * ndim if pair.grid is None else pair.grid.ratios
    for n, r in zip(pair.shape, ratios, strict=True):
        # Whole periods of both grids, within so many px of the finer one.
        size = min(n, int(longest / r) // r.denominator * r.denominator)
        start = (n - size) // 2 // r.denominator * r.denominator
        box.append(slice(start, start + size))
        fine.append(slice(int(r * start), int(r * (start + size))))
    part = Part(tuple(each.start for each in box), pair.shape)
    boxes = {name: tuple(fine) for name in ("sharp", "known_sharp")}
    boxes |= {name: tuple(box) for name in ("soft", "known_soft")}
    arrays = {name: getattr(pair, name) for name in boxes}
    pair = replace(pair, **{k: None if v is None else v[boxes[k]] for k, v in arrays.items()})
    return part, pair, None if weights is None else np.asarray(weights, float)[tuple(box)]


def _kernel_pair(
    pair: OrientedPair, estimate: BlurEstimate, fitted: tuple[bool, ...], noise_std
) -> KernelPair:
    """Images in float64, and where gain, offset and shift start."""
    params = pair.params(estimate)
    starts = []
    for is_fitted, value, default in zip(
        fitted,
        (params.gain, params.offset, params.shift),
        (1.0, 0.0, np.zeros(len(pair.shape))),
        strict=True,
    ):
        known = default if value is None else np.asarray(value, float)
        starts.append((known if np.all(np.isfinite(known)) else default) if is_fitted else None)
    levels = estimate.noise_std if isinstance(noise_std, str) else noise_std
    level = 0.0 if levels is None else float(levels[1 if pair.is_swapped else 0])
    sharp, soft = (np.asarray(image, float) for image in (pair.sharp, pair.soft))
    noise_variance = level**2 if math.isfinite(level) else 0.0
    parts = sharp, soft, Nuisances(*starts), noise_variance
    return KernelPair(*parts) if pair.grid is None else CoarseKernelPair(*parts, pair.grid)


def _candidates(shape: tuple[int, ...], sampled: Kernel) -> list[Candidate]:
    """In the order of preference among those of as many parameters."""
    ndim = len(shape)
    found = [round_candidates.NO_BLUR]
    found += round_candidates.gaussians(sampled, max(shape) // 2)
    # Boxes first: those of 3 and 5 px are disks of whole pixels, too.
    found += round_candidates.BOXES
    if ndim > 1:
        found += round_candidates.disks(ndim)
        found += directed_candidates.wider_gaussians(ndim)
        found += directed_candidates.motions(ndim)
    return [*found, *round_candidates.TOOLS, *heavy_tails(ndim)]


def _scan(
    fitted: KernelPair,
    pair: OrientedPair,
    candidates: list[Candidate],
    sigma: float,
    weights: np.ndarray | None,
) -> list[tuple[Candidate, np.ndarray]]:
    """Every candidate with the parameters that fit best to spectra."""
    taper = np.ones(())
    for n, r in zip(pair.shape, pair.ratios, strict=True):
        margin = min(math.ceil((3 * sigma + 2) / r), n // 8)
        place = (np.arange(n) - margin + 0.5) / (n - 2 * margin)
        taper = np.multiply.outer(taper, np.sin(math.pi * np.clip(place, 0, 1)) ** 2)
    known_sharp = pair.known_sharp
    if known_sharp is not None and pair.grid is not None:
        known_sharp = pair.grid.covered(known_sharp, jnp.zeros(len(pair.shape), taper.dtype))
    for known in (known_sharp, pair.known_soft, weights):
        taper = taper if known is None else taper * np.asarray(known, float)
    spectra = binned_spectra(fitted, taper, sigma)
    return [(each, scanned(each, spectra, sigma)) for each in candidates]


def _resampled(fitted: KernelPair, part: Part) -> list[tuple[Candidate, np.ndarray]]:
    """Reductions and enlargements with the factors that fit best."""
    gain, offset, shift = fitted.split(fitted.start.vector)
    soft = (fitted.soft - offset) / gain
    if shift is not None:
        soft = fitted.shifted_back(soft, shift)
    found = []
    for convention, resamplers in RESAMPLERS.items():
        for resampler in resamplers:
            each = best_resampled(resampler, convention, (fitted.sharp, soft), part)
            if each is not None:
                found.append((each, each.starts(1.0)[0]))
    return found


def _fit(
    fitted: KernelPair,
    pair: OrientedPair,
    tried: list[tuple[Candidate, np.ndarray]],
    weights: np.ndarray | None,
) -> tuple[list[Found], np.ndarray, np.ndarray]:
    """All fits, on the pixels that none of the kernels reaches from outside."""
    sizes = np.array(pair.sharp.shape)
    moved = 0 if fitted.start.shift is None else np.abs(fitted.start.shift)

    def margins_of(tried: list[tuple[Candidate, np.ndarray]]) -> np.ndarray:
        widest = max(candidate.support(parameters) for candidate, parameters in tried)
        return np.broadcast_to(np.minimum(np.ceil(widest + moved), sizes // 4), sizes.shape)

    def fit(margins: np.ndarray) -> tuple[list[Found], np.ndarray]:
        own = pair.margins_of(jnp.asarray(margins, pair.sharp.dtype))
        window = np.asarray(pair.window(own.astype(jnp.int32)), float)
        window = window if weights is None else window * weights
        if not np.any(window > 0):
            raise ValueError("no pixel is left that all kernels can be compared on")
        return [refined(fitted, candidate, start, window) for candidate, start in tried], window

    margins = margins_of(tried)
    found, window = fit(margins)
    tried = [(each.candidate, each.parameters) for each in found]
    wanted = np.maximum(margins_of(tried), margins)
    if np.any(wanted > margins + 1):
        margins = wanted
        found, window = fit(margins)
    return found, window, margins
