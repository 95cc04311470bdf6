"""A blur in physical units: what pixels of a known size make of it."""

from collections.abc import Sequence

import jax
import numpy as np

from gaussjax.checks import check_type, is_size
from gaussjax.model.array_checks import as_numbers_per_axis, is_traced
from gaussjax.model.params import BlurParams, namespace, signed_sqrt
from gaussjax.numerics.pytree import pytree, static
from gaussjax.statistics.kernel_widths import FWHM_PER_SIGMA
from gaussjax.statistics.number_format import Row, table, with_errors


@pytree
class PhysicalBlur:
    """A Gaussian blur in a unit of length or angle, by :meth:`~gaussjax.BlurEstimate.in_units`.

    Attributes:
        sigma: in the unit, signed: of the shape of the estimate's sigma. Where pixels are of
            different size along the axes, an isotropic blur in px is none in the unit: one for
            every axis, ``[ndim]``.
        sigma_standard_error: of ``sigma`` by noise. Of a full covariance and pixels of different
            sizes an upper bound: that of errors that all pull the same way.
        fwhm: full width at half maximum, likewise.
        fwhm_standard_error: of ``fwhm`` by noise.
        covariance_matrix: of the Gaussian, unit^2, ``[ndim, ndim]``.
        pixel_size: along every axis (static).
        unit: its name, such as "arcsec" (static).
    """

    sigma: jax.Array
    sigma_standard_error: jax.Array
    fwhm: jax.Array
    fwhm_standard_error: jax.Array
    covariance_matrix: jax.Array
    pixel_size: tuple[float, ...] = static()
    unit: str = static()

    @property
    def b_factor(self) -> jax.Array:
        """Crystallography's ``B = 8 pi^2 sigma^2``, unit^2, signed as sigma.

        With it the transfer function is ``exp(-B s^2 / 4)`` at s cycles per unit.
        """
        return 8 * np.pi**2 * self.sigma * abs(self.sigma)

    @property
    def b_factor_standard_error(self) -> jax.Array:
        """Standard error of the B factor by noise, unit^2."""
        return 16 * np.pi**2 * abs(self.sigma) * self.sigma_standard_error

    def __str__(self) -> str:
        """A short table; a batch or a traced blur prints its shapes instead."""
        if is_traced(self.sigma) or np.ndim(self.covariance_matrix) > 2:
            return f"PhysicalBlur(sigma={self.sigma}, unit={self.unit!r})"
        return table(physical_rows(self))


def physical_rows(blur: PhysicalBlur) -> list[Row]:
    """The printed table of one blur: sigma, then FWHM."""
    sigma = with_errors(blur.sigma, blur.sigma_standard_error)
    fwhm = with_errors(blur.fwhm, blur.fwhm_standard_error)
    return [("sigma", f"{sigma} {blur.unit}"), ("FWHM", f"{fwhm} {blur.unit}")]


def in_units(
    params: BlurParams,
    matrix: jax.Array,
    variance_error: jax.Array,
    lengths: Sequence[jax.Array],
    pixel_size: float | Sequence[float],
    unit: str,
) -> PhysicalBlur:
    """An estimated blur in a unit of length or angle: ``sigma_unit = pixel_size * sigma``.

    Args:
        params: of the blur, in px.
        matrix: its covariance, px^2, ``[ndim, ndim]``.
        variance_error: standard errors of its variances, px^2.
        lengths: sigma, its standard error, FWHM, its standard error: px, or in the unit of
            ``spacing``.
        pixel_size: of a pixel in the unit: a number, or ``[ndim]`` in axis order.
        unit: its name, for print.

    Raises:
        TypeError: ``pixel_size`` is no number, or is traced.
        ValueError: it is not positive, or there is not one for each axis.

    Example:
        >>> estimate.in_units((0.06, 0.05), "arcsec").fwhm   # doctest: +SKIP
    """
    check_type(unit, str, "unit", "the name of one")
    sizes = pixel_sizes(pixel_size, matrix.shape[-1], "pixel_size")
    size = namespace(matrix).asarray(sizes, matrix.dtype)
    areas = _like(size[:, None] * size[None, :], matrix)
    # Along the axes, from the unit in which sigma is: px, or that of ``spacing``.
    spacing = params.spacing or (1.0,) * len(sizes)
    factors = [new / old for new, old in zip(sizes, spacing, strict=True)]
    factor = size / namespace(matrix).asarray(spacing, matrix.dtype)
    if np.allclose(factors, factors[0], rtol=1e-9):
        scaled = [length * factor[0] for length in lengths]
    elif params.family == "full":
        principal = _principal(areas * matrix, variance_error, areas)
        scaled = [*principal, *(FWHM_PER_SIGMA * each for each in principal)]
    else:
        isotropic = params.family != "axis_aligned"
        each = [length[..., None] for length in lengths] if isotropic else lengths
        scaled = [length * _like(factor, length) for length in each]
    sigma, error, fwhm, fwhm_error = scaled
    return PhysicalBlur(sigma, error, fwhm, fwhm_error, areas * matrix, sizes, unit)


def pixel_sizes(pixel_size: float | Sequence[float], ndim: int, name: str) -> tuple[float, ...]:
    """Sizes along every axis, as positive numbers; errors name the argument ``name``."""
    wanted = "positive, from 1e-18 to 1e18"
    return as_numbers_per_axis(pixel_size, ndim, name, wanted, is_size)


def _like(values: jax.Array, batch: jax.Array) -> jax.Array:
    """Values with leading axes of one, to the rank of a batch."""
    return values.reshape((1,) * (batch.ndim - values.ndim) + values.shape)


def _principal(
    matrix: jax.Array, variance_error: jax.Array, areas: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Principal sigmas, largest first, and a bound of their errors by those of the elements."""
    xp, ndim = namespace(matrix), matrix.shape[-1]
    values, vectors = xp.linalg.eigh(matrix)
    values, vectors = values[..., ::-1], abs(vectors[..., ::-1])
    upper = np.zeros((ndim, ndim), int)
    upper[np.triu_indices(ndim)] = np.arange(variance_error.shape[-1])
    elements = areas * variance_error[..., np.maximum(upper, upper.T)]
    errors = xp.einsum("...ia,...ij,...ja->...a", vectors, elements, vectors)
    sigma = signed_sqrt(values)
    return sigma, errors / xp.where(values == 0, 1, 2 * abs(sigma))
