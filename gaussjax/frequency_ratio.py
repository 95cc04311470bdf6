"""Closed-form fits of the frequency ratio H = b / a: linear least squares on log |H|.

For the continuous Gaussian ``log |H(w)| = log gain - 1/2 w' S w`` is linear in the covariance S
and in the log of the gain. The fits differ in which frequencies they trust, and by how much. All
leave out the zero frequency, where an offset would sit. They read the Gaussian as continuous.
"""

import math
from dataclasses import replace
from functools import partial, reduce

import jax
import jax.numpy as jnp

from gaussjax.arguments import check_option
from gaussjax.assembly import assemble
from gaussjax.grid import angular_frequencies, half_plane_weights
from gaussjax.kernels import Kernel
from gaussjax.linear_algebra import inner_products, inverse_small
from gaussjax.params import FAMILIES, BlurParams, num_variances
from gaussjax.residuals import loss, spectral_residual, without_zero_frequency
from gaussjax.result import BlurEstimate, rounding_variance
from gaussjax.solvers import Status, gauss_newton
from gaussjax.spectra import Spectra
from gaussjax.transfer import gaussian_transfer

_CONTINUOUS = Kernel("continuous")


@partial(jax.jit, static_argnames=("family", "amplitude"))
def fit_frequency_ratio(
    spectra: Spectra, *, family: str = "isotropic", amplitude: bool = False
) -> BlurEstimate:
    """Cross-spectral weighted log-linear fit of the transfer function; closed form.

    Minimises ``sum m P T^2 (log |H| - log gain + 1/2 w' S w)^2`` over the frequencies whose
    modelled power ``P T^2`` exceeds the noise. White noise in B gives log |H| the variance
    s^2 / (P T^2), so the weights are optimal; and it has mean zero as long as the noise is
    smaller than the signal. T and s come from the previous of four such passes; the first weighs
    by ``|C|^2 / P``.

    Args:
        spectra: of one or many pairs, from :func:`~gaussjax.spectra.pair_spectra`.
        family: "isotropic", "axis_aligned" or "full".
        amplitude: fit a gain as well.

    Returns:
        BlurEstimate in px with the standard error of weighted least squares.

    Raises:
        ValueError: unknown family.
    """
    check_option(family, FAMILIES, "family")
    power = without_zero_frequency(spectra.reference_power)
    num_pixels = math.prod(spectra.image_shape)

    def reweighted(_, trusted):
        params, _, _ = _solve_log_ratio(spectra, trusted, family, amplitude)
        signal = power * _modelled(params, spectra) ** 2
        # Within a factor 2 in amplitude log |1 + noise / signal| is harmonic, hence unbiased.
        noise = 4 * num_pixels * _noise_variance(params, spectra)
        return jnp.where(signal > noise, signal, 0)

    trusted = jnp.abs(spectra.transfer) ** 2 * power
    trusted = jax.lax.fori_loop(0, 3, reweighted, trusted)
    params, inverse, _ = _solve_log_ratio(spectra, trusted, family, amplitude)
    return _result(params, spectra, _noise_variance(params, spectra) * inverse)


@partial(jax.jit, static_argnames=("family", "amplitude"))
def fit_pointwise_ratio(
    spectra: Spectra, *, family: str = "isotropic", amplitude: bool = False, threshold: float = 1e-3
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
        ValueError: unknown family.
    """
    check_option(family, FAMILIES, "family")
    power = without_zero_frequency(spectra.reference_power)
    trusted = (power > threshold**2 * jnp.max(power)).astype(power.dtype)
    params, inverse, design = _solve_log_ratio(spectra, trusted, family, amplitude)
    # Equal weights on unequal variances s^2 / (P T^2): the sandwich form.
    signal = power * _modelled(params, spectra) ** 2
    spread = half_plane_weights(spectra.image_shape, power.dtype) / jnp.where(signal > 0, signal, 1)
    meat = _noise_variance(params, spectra) * inner_products(design * spread[None], design)
    return _result(params, spectra, inverse @ meat @ inverse)


@partial(jax.jit, static_argnames=("family",))
def fit_free_kernel(
    spectra: Spectra, *, family: str = "isotropic", threshold: float = 1e-3
) -> BlurEstimate:
    """Solve for a free periodic kernel, ``k = F^-1[b / a]``, then fit a Gaussian to it.

    By Parseval the least-squares fit of a Gaussian to the pixels of k is the unweighted fit of T
    to H, so no kernel has to be formed: every frequency with ``|a| > threshold max |a|`` counts
    the same, however little the reference contains there. Not a closed form: T is fitted, not
    log T, by Gauss-Newton.

    Args:
        spectra: of one or many pairs.
        family: "isotropic", "axis_aligned" or "full".
        threshold: least |a| that is divided by, as a fraction of the largest; H is 0 elsewhere.

    Returns:
        BlurEstimate in px. Its loss is that of the pair, its error bar assumes white noise in B.

    Raises:
        ValueError: unknown family.
    """
    check_option(family, FAMILIES, "family")
    power = without_zero_frequency(spectra.reference_power)
    trusted = power > threshold**2 * jnp.max(power)
    kernel_spectra = replace(
        spectra,
        reference_power=jnp.ones_like(power),
        cross_power=jnp.where(trusted, spectra.transfer, 0),
        unexplained_power=jnp.zeros_like(power),
    )
    start = fit_frequency_ratio(spectra, family=family).params.variance
    start = jnp.where(jnp.isfinite(start), start, 1)

    def residual(variance):
        params = BlurParams(variance, family=family)
        return spectral_residual(params, kernel_spectra, _CONTINUOUS, 0)

    state = gauss_newton(residual, start, magnitude=1.0)
    params = BlurParams(state.params, family=family)
    jacobian = jnp.moveaxis(jax.jacfwd(residual)(state.params), -1, 0)
    inverse = inverse_small(inner_products(jacobian, jacobian))
    noise = _noise_variance(params, spectra) / (1 - 1 / math.prod(spectra.image_shape))
    variance = jnp.where(trusted, noise / jnp.where(trusted, power, 1), 0)
    meat = inner_products(variance[None] * jacobian, jacobian)
    return _result(params, spectra, inverse @ meat @ inverse, state.num_steps)


def _solve_log_ratio(
    spectra: Spectra, trusted: jax.Array, family: str, amplitude: bool
) -> tuple[BlurParams, jax.Array, jax.Array]:
    """Least squares of log |H| with weights m ``trusted``: parameters, inverse normal, design."""
    magnitude = jnp.abs(spectra.transfer)
    usable = (magnitude > 0) & (trusted > 0)
    largest = jnp.max(trusted)
    # The power of an image in its own unit may be too small to be squared in float32.
    largest = jnp.where(largest > 0, largest, 1)
    weights = half_plane_weights(spectra.image_shape, trusted.dtype) * (trusted / largest)
    logarithm = jnp.where(usable, jnp.log(jnp.where(usable, magnitude, 1)), 0)
    columns = _variance_columns(spectra.image_shape, family, trusted.dtype)
    if amplitude:
        columns.append(jnp.ones_like(columns[0]))
    design = jnp.stack(columns) * usable[None]
    inverse = inverse_small(inner_products(weights[None] * design, design))
    solution = inverse @ inner_products(weights[None] * design, logarithm[None])[:, 0]
    p = num_variances(family, len(spectra.image_shape))
    gain = jnp.exp(solution[p]) if amplitude else None
    params = BlurParams(solution[:p], gain=gain, family=family)
    return params, inverse / largest, design


def _variance_columns(image_shape: tuple[int, ...], family: str, dtype) -> list[jax.Array]:
    """D log T / d variance of the continuous Gaussian, one spectrum-shaped column a parameter."""
    w = angular_frequencies(image_shape, dtype)
    squares = [-0.5 * wj**2 for wj in w]
    full_grid = reduce(jnp.add, squares)
    if family == "isotropic":
        return [full_grid]
    zero = jnp.zeros_like(full_grid)
    if family == "axis_aligned":
        return [zero + square for square in squares]
    ndim = len(image_shape)
    return [
        zero + (squares[i] if i == j else -w[i] * w[j]) for i in range(ndim) for j in range(i, ndim)
    ]


def _modelled(params: BlurParams, spectra: Spectra) -> jax.Array:
    gain = 1 if params.gain is None else params.gain
    return gain * gaussian_transfer(params, spectra.image_shape, _CONTINUOUS, 0)


def _noise_variance(params: BlurParams, spectra: Spectra) -> jax.Array:
    """Residual variance s^2 per pixel, the zero frequency left out."""
    power = without_zero_frequency(spectra.reference_power)
    misfit = jnp.abs(spectra.transfer - _modelled(params, spectra)) ** 2 * power
    misfit = misfit + without_zero_frequency(spectra.unexplained_power)
    # What rounding alone would leave is added, or a noise-free pair would have no error bar.
    misfit = misfit + rounding_variance(power.dtype) * power
    squares = jnp.sum(half_plane_weights(spectra.image_shape, power.dtype) * misfit)
    return squares / (math.prod(spectra.image_shape) * spectra.num_pairs)


def _result(
    params: BlurParams, spectra: Spectra, covariance: jax.Array, num_steps: jax.Array | int = 1
) -> BlurEstimate:
    if params.gain is not None:
        # The fit's last parameter is log gain; d gain = gain d log gain.
        scale = jnp.ones(len(covariance), covariance.dtype).at[-1].set(params.gain)
        covariance = covariance * jnp.outer(scale, scale)
    return assemble(
        params,
        ndim=len(spectra.image_shape),
        covariance=covariance,
        loss=loss(params, spectra),
        noise_variance=_noise_variance(params, spectra),
        num_pixels=math.prod(spectra.image_shape) * spectra.num_pairs,
        num_steps=jnp.asarray(num_steps, jnp.int32),
        kernel=_CONTINUOUS,
        problems={Status.NOT_FINITE: ~jnp.isfinite(jnp.sum(spectra.blurred_power))},
    )
