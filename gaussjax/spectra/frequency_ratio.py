"""Closed-form fits of the frequency ratio H = b / a: linear least squares on log |H|.

For the continuous Gaussian ``log |H(w)| = log gain - 1/2 w' S w`` is linear in the covariance S
and in the log of the gain. The fits differ in which frequencies they trust, and by how much. All
leave out the zero frequency, where an offset would sit. They read the Gaussian as continuous.
"""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from functools import partial, reduce

import jax
import jax.numpy as jnp

from gaussjax.checks import as_flag, shown
from gaussjax.model.array_checks import as_scalar, is_traced
from gaussjax.model.fourier import half_plane_sum, squared_magnitude
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import Family, check_family
from gaussjax.model.params import BlurParams, num_variances
from gaussjax.model.transfer import gaussian_transfer
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import inverse_small
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.spectra.cross_spectra import Spectra, check_spectra
from gaussjax.spectra.least_squares import blur_sums, minimise
from gaussjax.spectra.loss import squared_misfit, without_zero_frequency
from gaussjax.spectra.separable_sums import (
    Polynomial,
    frequency_product,
    polynomial_product,
    polynomial_sums,
)
from gaussjax.spectra.sharper_image import direction
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status

_CONTINUOUS = Kernel("continuous")


@automatic_sharding
def fit_frequency_ratio(
    spectra: Spectra, *, family: Family = "isotropic", amplitude: bool = False
) -> BlurEstimate:
    """Cross-spectral weighted log-linear fit of the transfer function; closed form.

    Minimises ``sum m P T^2 (log |H| - log gain + 1/2 w' S w)^2`` over the frequencies whose
    modelled power ``P T^2`` exceeds the noise. White noise in B gives log |H| the variance
    s^2 / (P T^2), so the weights are optimal; and it has mean zero as long as the noise is
    smaller than the signal. T and s come from three such passes over the pair folded to some 128
    px a side, each with the weights of the one before; the first weighs by ``|C|^2 / P``. Of a
    pair whose B is the sharper image noise in A counts instead, with the weights ``Q / T^2``, so
    that swapping the images negates the estimate.

    Args:
        spectra: of one or many pairs, from :func:`~gaussjax.pair_spectra`.
        family: "isotropic", "axis_aligned" or "full".
        amplitude: fit a gain as well.

    Returns:
        BlurEstimate in px with the standard error of weighted least squares.

    Raises:
        TypeError: no Spectra, or no text, flag or number where one is asked for.
        ValueError: unknown family, or a batch of spectra.
    """
    check_family(family)
    amplitude = as_flag(amplitude, "amplitude")
    check_spectra(spectra)
    return _frequency_ratio(spectra, family=family, amplitude=amplitude)


@partial(jax.jit, static_argnames=("family", "amplitude"))
def _frequency_ratio(spectra: Spectra, *, family: Family, amplitude: bool) -> BlurEstimate:
    swapped, _ = direction(spectra.folded(), gain=amplitude)
    return weighted_ratio_fit(spectra, swapped, family=family, amplitude=amplitude)


@partial(jax.jit, static_argnames=("family", "amplitude"))
def weighted_ratio_fit(
    spectra: Spectra,
    swapped: jax.Array | bool,
    *,
    family: Family = "isotropic",
    amplitude: bool = False,
) -> BlurEstimate:
    """:func:`fit_frequency_ratio` with the noise in B, or in A where ``swapped``.

    The fits of H1 and of H2, whichever image is the softer one.
    """

    def trusted(of: Spectra, params: BlurParams, noise: jax.Array) -> jax.Array:
        signal = _signal(params, of, swapped)
        # Within a factor 2 in amplitude log |1 + noise / signal| is harmonic, hence unbiased.
        return jnp.where(signal > 4 * noise, signal, 0)

    # The weights need T and s roughly: the rounds are on a folded pair.
    few = spectra.folded()

    # The first round is in the loop too: what a loop reads is packed in memory before it starts,
    # and then stays in the first-level cache.
    def one_round(_, state):
        weights, _, _ = state
        params, _ = _solve_log_ratio(few, weights, family, amplitude)
        noise = _noise_power(params, few, swapped)
        return trusted(few, params, noise), params, noise

    power = without_zero_frequency(few.reference_power)
    nothing = jnp.zeros(num_variances(family, power.ndim), power.dtype)
    gain = jnp.ones((), power.dtype) if amplitude else None
    # The power of the softer image.
    first = power * jnp.where(swapped, 1, squared_magnitude(few.transfer))
    state = first, BlurParams(nothing, gain=gain, family=family), jnp.zeros((), power.dtype)
    _, params, noise = loops.fori_loop(0, 3, one_round, state)
    params, inverse = _solve_log_ratio(spectra, trusted(spectra, params, noise), family, amplitude)
    return _result(params, spectra, inverse, 1, swapped)


@automatic_sharding
def fit_pointwise_ratio(
    spectra: Spectra,
    *,
    family: Family = "isotropic",
    amplitude: bool = False,
    threshold: float = 1e-3,
) -> BlurEstimate:
    """Unweighted log-linear fit of the pointwise ratio where ``|a| > threshold max |a|``.

    The textbook form: divide the transforms, ignore frequencies where the reference has next to
    nothing, and fit the Gaussian's one, two or more parameters to what remains.

    Args:
        spectra: of one pair.
        family: "isotropic", "axis_aligned" or "full".
        amplitude: fit a gain as well.
        threshold: least |a| that is divided by, as a fraction of the largest.

    Returns:
        BlurEstimate in px; the standard error assumes white noise in B.

    Raises:
        TypeError: no Spectra, or no text, flag or number where one is asked for.
        ValueError: unknown family, or a batch of spectra.
    """
    check_family(family)
    amplitude = as_flag(amplitude, "amplitude")
    _check_threshold(threshold)
    check_spectra(spectra)
    return _pointwise_ratio(spectra, threshold, family=family, amplitude=amplitude)


@partial(jax.jit, static_argnames=("family", "amplitude"))
def _pointwise_ratio(
    spectra: Spectra, threshold: float | jax.Array, *, family: Family, amplitude: bool
) -> BlurEstimate:
    power, trusted = _trusted(spectra, threshold)
    trusted = trusted.astype(power.dtype)
    params, inverse = _solve_log_ratio(spectra, trusted, family, amplitude)
    # Equal weights on unequal variances s^2 / (P T^2): the sandwich form.
    signal = _signal(params, spectra, False)
    usable = (trusted > 0) & (signal > 0) & (jnp.abs(spectra.transfer) > 0)
    spread = jnp.where(usable, 1 / jnp.where(usable, signal, 1), 0)
    columns = _columns(len(spectra.image_shape), family, amplitude)
    meat = _normal_matrix(spread, columns, spectra.image_shape)
    return _result(params, spectra, inverse @ meat @ inverse, 1)


@automatic_sharding
def fit_free_kernel(
    spectra: Spectra, *, family: Family = "isotropic", threshold: float = 1e-3
) -> BlurEstimate:
    """Solve for a free periodic kernel, ``k = F^-1[b / a]``, then fit a Gaussian to it.

    By Parseval the least-squares fit of a Gaussian to the pixels of k is the unweighted fit of T
    to H, so no kernel has to be formed: every frequency with ``|a| > threshold max |a|`` counts
    the same, however little the reference contains there. Not a closed form: T is fitted, not
    log T, by Newton's method.

    Args:
        spectra: of one or many pairs.
        family: "isotropic", "axis_aligned" or "full".
        threshold: least |a| that is divided by, as a fraction of the largest; H is 0 elsewhere.

    Returns:
        BlurEstimate in px. Its loss is that of the pair, its error bar assumes white noise in B.

    Raises:
        TypeError: no Spectra, or no text, flag or number where one is asked for.
        ValueError: unknown family, or a batch of spectra.
    """
    check_family(family)
    _check_threshold(threshold)
    check_spectra(spectra)
    return _free_kernel(spectra, threshold, family=family)


@partial(jax.jit, static_argnames="family")
def _free_kernel(spectra: Spectra, threshold: float | jax.Array, *, family: Family) -> BlurEstimate:
    power, trusted = _trusted(spectra, threshold)
    everywhere = jnp.ones_like(power)
    kernel = without_zero_frequency(jnp.where(trusted, spectra.transfer.real, 0))
    start = fit_frequency_ratio(spectra, family=family).params.variance
    start = jnp.where(jnp.isfinite(start), start, 1)

    def sums_at(variance, weights=everywhere):
        params = BlurParams(variance, family=family)
        return blur_sums(weights, kernel, params, spectra.image_shape, _CONTINUOUS, 0)

    state = minimise(sums_at, start)
    params = BlurParams(state.params, family=family)
    inverse = inverse_small(sums_at(state.params).information)
    noise = jnp.where(trusted, 1 / jnp.where(trusted, power, 1), 0)
    meat = sums_at(state.params, noise).information
    return _result(params, spectra, inverse @ meat @ inverse, state.num_steps)


def _check_threshold(threshold: float | jax.Array) -> None:
    """Refuse what is no part of a maximum; under tracing, what is no real number."""
    array = as_scalar(threshold, "threshold")
    if not (is_traced(array) or 0 <= array < 1):
        raise ValueError(f"threshold must be a part, from 0 to less than 1; got {shown(threshold)}")


def _trusted(spectra: Spectra, threshold: float | jax.Array) -> tuple[jax.Array, jax.Array]:
    """P without the zero frequency, and where ``|a| > threshold max |a|``."""
    power = without_zero_frequency(spectra.reference_power)
    return power, power > threshold**2 * jnp.max(power)


def _solve_log_ratio(
    spectra: Spectra, trusted: jax.Array, family: Family, amplitude: bool
) -> tuple[BlurParams, jax.Array]:
    """Least squares of log |H| with weights m ``trusted``: parameters and inverse normal matrix."""
    shape = spectra.image_shape
    # In the unit of the image, the square of its power may not fit float32.
    scale = jnp.max(without_zero_frequency(spectra.folded().reference_power))
    unit = 1 / jnp.where(scale > 0, scale, 1)
    # |H|^2 from P and C: H itself would be written to memory for its other users.
    power = unit * spectra.reference_power
    cross = (unit * spectra.cross_power.real) ** 2 + (unit * spectra.cross_power.imag) ** 2
    usable = (cross > 0) & (power**2 > 0)
    squared = jnp.where(usable, cross, 1) / jnp.where(usable, power**2, 1)
    weights = jnp.where(usable, unit * trusted, 0)
    weighted = weights * (0.5 * jnp.log(squared))
    columns = _columns(len(shape), family, amplitude)
    inverse = inverse_small(_normal_matrix(weights, columns, shape))
    solution = inverse @ polynomial_sums(weighted, columns, shape)
    p = num_variances(family, len(shape))
    gain = jnp.exp(solution[p]) if amplitude else None
    return BlurParams(solution[:p], gain=gain, family=family), unit * inverse


def _normal_matrix(weights: jax.Array, columns: list[Polynomial], image_shape) -> jax.Array:
    """``sum m weights x_i x_j``."""
    products = [polynomial_product(x, y) for x in columns for y in columns]
    return polynomial_sums(weights, products, image_shape).reshape(len(columns), len(columns))


def _columns(ndim: int, family: Family, amplitude: bool) -> list[Polynomial]:
    """D log T / d variance of the continuous Gaussian, one a parameter, and 1 for the gain."""

    def term(i: int, j: int) -> Polynomial:
        return frequency_product(i, j, ndim, -0.5 if i == j else -1.0)

    squares = [term(j, j) for j in range(ndim)]
    if family == "isotropic":
        columns = [reduce(operator.or_, squares)]
    elif family == "axis_aligned":
        columns = squares
    else:
        columns = [term(i, j) for i in range(ndim) for j in range(i, ndim)]
    return columns + [{(0,) * ndim: 1.0}] * amplitude


def _responses(
    params: BlurParams, spectra: Spectra, swapped: jax.Array | bool
) -> tuple[jax.Array, jax.Array]:
    """Gain T of A and 1 of B, or gain of A and 1 / T of B where B is the sharper image.

    Between them the residual is: T a - b would be the noise of A a thousandfold.
    """
    gain = 1 if params.gain is None else params.gain
    nothing = jnp.zeros_like(params.variance)
    forward, back = (
        gaussian_transfer(replace(params, variance=variance), spectra.image_shape, _CONTINUOUS, 0)
        for variance in (
            jnp.where(swapped, nothing, params.variance),
            jnp.where(swapped, -params.variance, nothing),
        )
    )
    return gain * forward, back


def _signal(params: BlurParams, spectra: Spectra, swapped: jax.Array | bool) -> jax.Array:
    """Power of the softer image as the sharper one, which has no noise, and the blur predict it."""
    forward, back = _responses(params, spectra, swapped)
    power = jnp.where(
        swapped, spectra.blurred_power * back**2, spectra.reference_power * forward**2
    )
    return without_zero_frequency(power)


def _squares(
    params: BlurParams, spectra: Spectra, swapped: jax.Array | bool, *, zero_frequency: bool
) -> jax.Array:
    """Sum of squared residuals."""
    squares = squared_misfit(*_responses(params, spectra, swapped), spectra)
    return half_plane_sum(squares, spectra.image_shape, zero_frequency=zero_frequency)


def _noise_power(params: BlurParams, spectra: Spectra, swapped: jax.Array | bool) -> jax.Array:
    """N s^2, the power of white noise of the residual's variance s^2."""
    power = spectra.reference_power
    energy = half_plane_sum(power, spectra.image_shape, zero_frequency=False)
    # Plus what rounding leaves, or a noise-free pair would have no error bar.
    squares = _squares(params, spectra, swapped, zero_frequency=False)
    count = spectra.num_pairs.astype(power.dtype)
    return (squares + rounding_variance(power.dtype) * energy) / count


def _result(
    params: BlurParams,
    spectra: Spectra,
    spread: jax.Array,
    num_steps: jax.Array | int,
    swapped: jax.Array | bool = False,
) -> BlurEstimate:
    """The estimate, with the covariance s^2 ``spread``."""
    num_pixels = math.prod(spectra.image_shape) * spectra.num_pairs
    noise_variance = _noise_power(params, spectra, swapped) / math.prod(spectra.image_shape)
    covariance = noise_variance * spread
    if params.gain is not None:
        # The fit's last parameter is log gain; d gain = gain d log gain.
        scale = jnp.ones(len(covariance), covariance.dtype).at[-1].set(params.gain)
        covariance = covariance * jnp.outer(scale, scale)
    return make_estimate(
        params,
        ndim=len(spectra.image_shape),
        covariance=covariance,
        loss=0.5 * _squares(params, spectra, swapped, zero_frequency=True),
        noise_variance=noise_variance,
        num_pixels=num_pixels,
        num_steps=jnp.asarray(num_steps, jnp.int32),
        kernel=_CONTINUOUS,
        problems={Status.NOT_FINITE: ~spectra.is_finite},
    )
