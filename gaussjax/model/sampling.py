"""How a coarse image samples a fine one, from what a caller says: checks, and crops that fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from gaussjax.checks import check_option, shown
from gaussjax.model.array_checks import as_array, as_numbers_per_axis, is_traced
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.options import PADDED_BOUNDARIES, PIXELS

# Ratios are fractions of numbers up to this one ...
_LARGEST_DENOMINATOR = 16
# ... and those that shapes tell have at most this denominator.
_LARGEST_INFERRED = 2
# A ratio that is given as a number may be off a fraction by this part of it.
_TOLERANCE = 1e-6
# Coarse px of every axis that a pair needs.
_LEAST_SIZE = 2


@dataclass(frozen=True)
class Sampling:
    """How the coarse images of many pairs sample the fine ones; hashable. See :func:`as_sampling`.

    Of no number of axes yet, unless one of the two is given for each.
    """

    ratios: float | tuple[float, ...]  # fine px per coarse px
    pixel: str  # one of `PIXELS`
    centre: str | float | tuple[float, ...]  # of the first coarse pixel

    def grid(self, ndim: int) -> CoarseGrid:
        """The coarse grid of images of so many axes."""
        ratios = _ratios(self.ratios, ndim)
        return CoarseGrid(ratios, self.pixel, _first(self.centre, ratios))

    def fitted_shapes(
        self, reference: tuple[int, ...], blurred: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """As of :func:`fitted_shapes`; ValueError for shapes that do not fit the ratio."""
        grid = as_coarse_grid(reference, blurred, self.ratios, self.pixel, self.centre)
        assert grid is not None  # some ratio is not 1
        return fitted_shapes(grid, reference, blurred)


def as_sampling(sampling, pixel: str, centre, boundary: str) -> Sampling | None:
    """How many pairs are sampled, as far as it can be checked without them; None: on one grid.

    The arguments are those of :func:`as_coarse_grid`, with a ``sampling`` of None for one grid.
    TypeError for a ratio or a centre that is no number; ValueError for unknown options, and ratios,
    centres or boundaries that cannot be.
    """
    check_option(pixel, PIXELS, "pixel")
    if sampling is None:
        _check_no_grid(pixel, centre)
        return None
    ndim = min(max(_num_given(sampling, "sampling"), _num_given(centre, "centre")), 3)
    ratios = _ratios(sampling, ndim)
    if all(r == 1 for r in ratios):
        _check_no_grid(pixel, centre)
        return None
    _check_coarser(ratios, sampling)
    _first(centre, ratios)
    check_boundary(boundary)
    each, place = _numbers(sampling, "sampling", ndim), centre
    if not isinstance(centre, str):
        place = _one_or_all(_numbers(centre, "centre", ndim))
    return Sampling(_one_or_all(each), pixel, place)


def check_boundary(boundary: str) -> None:
    """Raise ValueError for a boundary that continues the frame beyond its edges."""
    if boundary in PADDED_BOUNDARIES:
        raise ValueError(
            "across grids boundary must be 'valid' or 'periodic': what lies beyond the edges is not"
            f" made up; got {boundary!r}"
        )


def as_coarse_grid(
    reference: tuple[int, ...], blurred: tuple[int, ...], sampling, pixel: str, centre
) -> CoarseGrid | None:
    """The coarse grid of ``blurred`` on the fine grid of ``reference``; None where they share one.

    Args:
        reference: shape of A.
        blurred: shape of B.
        sampling: fine px per coarse px, a number or one for each axis; None: by the shapes, if
            they have the same ratio along every axis, a whole number or half of one.
        pixel: one of ``PIXELS``.
        centre: "area", "first", or the index of the fine px at which the first coarse one has its
            centre, a number or one for each axis.

    TypeError for a ratio or a centre that is no number; ValueError for unknown options, and ratios
    or centres that do not fit the shapes.
    """
    check_option(pixel, PIXELS, "pixel")
    if len(reference) != len(blurred):
        if sampling is None:
            return None  # another check tells
        raise ValueError(
            "reference and blurred must have the same number of axes, got shapes"
            f" {reference} and {blurred}"
        )
    ratios = _inferred(reference, blurred) if sampling is None else _ratios(sampling, len(blurred))
    if ratios is None or all(r == 1 for r in ratios):
        if ratios is not None:
            _check_fit(reference, blurred, ratios)
        _check_no_grid(pixel, centre)
        return None
    _check_coarser(ratios, sampling)
    _check_fit(reference, blurred, ratios)
    return CoarseGrid(ratios, pixel, _first(centre, ratios))


def check_finer(reference: tuple[int, ...], blurred: tuple[int, ...]) -> None:
    """Raise ValueError, saying what to do, where ``blurred`` is the image on the finer grid."""
    if len(reference) != len(blurred) or _inferred(blurred, reference) is None:
        return
    raise ValueError(
        f"blurred, of shape {blurred}, is the image on the finer grid; reference has shape"
        f" {reference}: the sharp reference has to be the finer one, so exchange the two, or"
        " average blurred over the pixels of reference"
    )


def check_positive_bounds(bounds) -> None:
    """Raise ValueError for bounds that ask for a sharper coarse image only."""
    if bounds is not None and not is_traced(bounds) and np.asarray(bounds, float)[1] <= 0:
        raise ValueError(
            "across grids the coarse image is never the sharper one: bounds must reach above 0; got"
            f" {bounds}"
        )


def fitted_shapes(
    grid: CoarseGrid, reference: tuple[int, ...], blurred: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The largest shapes within those of the images of which one is the other times the ratio."""
    coarse = []
    for r, fine, size in zip(grid.ratios, reference, blurred, strict=True):
        fits = min(size, int(fine / r))
        coarse.append(fits // r.denominator * r.denominator)
    if min(coarse) < _LEAST_SIZE:
        raise ValueError(
            f"sampling leaves no pixels: shapes {reference} and {blurred} hold {tuple(coarse)}"
            " coarse px; use larger images"
        )
    return grid.fine_shape(coarse), tuple(coarse)


def _check_no_grid(pixel: str, centre) -> None:
    """Raise ValueError for what describes a coarse grid where there is none."""
    if pixel != "area" or not (isinstance(centre, str) and centre == "area"):
        raise ValueError(
            "pixel and centre describe the coarse grid of blurred: they go with sampling, the"
            f" number of fine px per coarse px; got pixel={shown(pixel)}, centre={shown(centre)}"
        )


def _check_coarser(ratios: tuple[Fraction, ...], sampling) -> None:
    """Raise ValueError, saying what to do, where a ratio is below 1."""
    if any(r < 1 for r in ratios):
        raise ValueError(
            "sampling is the number of pixels of reference per pixel of blurred, 1 or more; got"
            f" {sampling}: the reference has to be the image on the finer grid, so exchange the"
            " two, or average the finer image over the pixels of the other"
        )


def _one_or_all(numbers: list[float]) -> float | tuple[float, ...]:
    """A single number, which holds whatever the axes are, by itself."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def _num_given(given: Any, name: str) -> int:
    """For how many axes numbers are given; 1 of a single number."""
    many = isinstance(given, tuple | list) or len(as_array(given, name).shape) == 1
    return len(given) if many else 1


def _inferred(reference: Sequence[int], blurred: Sequence[int]) -> tuple[Fraction, ...] | None:
    """The ratio that shapes tell without doubt, or None."""
    ratios = {Fraction(m, n) for m, n in zip(reference, blurred, strict=True)}
    ratio = ratios.pop()
    if ratios or ratio <= 1 or ratio.denominator > _LARGEST_INFERRED:
        return None
    return (ratio,) * len(blurred)


def _ratios(sampling, ndim: int) -> tuple[Fraction, ...]:
    """Fractions, one for each axis."""
    values = _numbers(sampling, "sampling", ndim)
    found = []
    for value in values:
        ratio = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
        if not 0 < value < 2**31 or abs(float(ratio) - value) > _TOLERANCE * value:
            raise ValueError(
                "sampling must be above 0 and a ratio of whole numbers with a denominator of at"
                f" most {_LARGEST_DENOMINATOR}, such as 4, 1.5 or 5 / 3; got {shown(sampling)}"
            )
        found.append(ratio)
    return tuple(found)


def _numbers(given: Any, name: str, ndim: int) -> list[float]:
    """One finite number for each axis."""
    if is_traced(given):
        raise TypeError(f"{name} decides shapes: it has to be a number, not an array under jax.jit")
    return list(as_numbers_per_axis(given, ndim, name, "finite", math.isfinite))


def _check_fit(reference: Sequence[int], blurred: Sequence[int], ratios) -> None:
    """Raise ValueError unless the coarse image ends where the fine one does, to a coarse pixel."""
    wanted = [r * n for r, n in zip(ratios, blurred, strict=True)]
    for m, r, size in zip(reference, ratios, wanted, strict=True):
        if abs(m - size) >= (r if r > 1 else 1):
            raise ValueError(
                f"sampling {_listed(ratios)} does not fit the shapes: blurred of shape"
                f" {tuple(blurred)} takes a reference of {_listed(wanted)} px, got"
                f" {tuple(reference)}; crop both to the same field"
            )


def _listed(values) -> str:
    return " x ".join(f"{float(value):.4g}" for value in values)


def _first(centre, ratios: tuple[Fraction, ...]) -> tuple[float, ...]:
    """Centre of the first coarse pixel along every axis, index of a fine px."""
    by_area = tuple((float(r) - 1) / 2 for r in ratios)
    if isinstance(centre, str):
        check_option(centre, ("area", "first"), "centre")
        return by_area if centre == "area" else (0.0,) * len(ratios)
    found = tuple(_numbers(centre, "centre", len(ratios)))
    if any(abs(c - a) >= float(r) for c, a, r in zip(found, by_area, ratios, strict=True)):
        raise ValueError(
            f"centre {shown(centre)} puts the first coarse pixel beyond the first fine ones: it"
            f" lies less than a coarse pixel from {', '.join(f'{a:g}' for a in by_area)}; crop the"
            " images to the same field, or fit a shift"
        )
    return found
