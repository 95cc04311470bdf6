"""Where a fit starts, and in which direction a pair blurs."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.grid import angular_frequencies, half_plane_weights
from gaussjax.kernels import Kernel, nominal_variance
from gaussjax.params import BlurParams, as_params, project_family, signed_square
from gaussjax.residuals import spectral_residual
from gaussjax.solvers import gauss_newton
from gaussjax.spectra import Spectra

# A forward model with negative variance multiplies by exp(|v| w^2 / 2) and soon amplifies
# rounding. Below this variance (px^2) the pair is fitted with its roles exchanged instead, and
# negated. Not at zero: there noise in B would pull the estimate away from no blur.
EXCHANGE_BELOW = -0.1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Start:
    """Where to start a fit, and in which direction the pair blurs.

    Attributes:
        variance: of the oriented pair, nominal, ``[p]``.
        exchanged: True when B is the sharper image, so that B is to be blurred to A.
        num_steps: of the search for it.
    """

    variance: jax.Array
    exchanged: jax.Array
    num_steps: jax.Array


def variance_bounds(bounds, dtype) -> tuple[jax.Array, jax.Array]:
    """Bounds in sigma (px), or None, as bounds in variance (px^2)."""
    if bounds is None:
        return jnp.asarray(-jnp.inf, dtype), jnp.asarray(jnp.inf, dtype)
    low, high = (jnp.asarray(bound, dtype) for bound in bounds)
    return signed_square(low), signed_square(high)


def orient_bounds(lower, upper, exchanged) -> tuple[jax.Array, jax.Array]:
    """Bounds on the variance of the oriented pair: negated and swapped when it is exchanged."""
    return jnp.where(exchanged, -upper, lower), jnp.where(exchanged, -lower, upper)


def small_blur_variance(spectra: Spectra) -> jax.Array:
    """Least-squares variance of T = 1 - v |w|^2 / 2, px^2, isotropic: right for a small blur.

    ``v = sum m P |w|^2 / 2 (1 - Re H) / sum m P |w|^4 / 4``. Of a large blur it knows the sign
    only; but that it knows, because it is linear in B, whose noise thus leaves it unbiased.
    """
    power = spectra.reference_power
    half_squares = sum(0.5 * w**2 for w in angular_frequencies(spectra.image_shape, power.dtype))
    energy = half_plane_weights(spectra.image_shape, power.dtype) * power * half_squares
    scale = jnp.sum(energy * half_squares)
    slope = jnp.sum(energy * (1 - spectra.transfer.real))
    return slope / jnp.where(scale > 0, scale, 1)


def find_start(
    spectra: Spectra, initial, lower, upper, *, family: str, kernel: Kernel, reach: int
) -> Start:
    """Orient a pair and locate its blur by a Gauss-Newton fit that converges from anywhere.

    Kernels whose derivative vanishes at zero blur ("sampled", "integrated") are located by the
    discrete analogue, and their nominal variance found from its second moment.

    Args:
        spectra: of the pair.
        initial: sigma in px or BlurParams for the pair as it is, or None.
        lower: bound on the variance, px^2; only its sign matters here.
        upper: likewise.
        family: of the Gaussian.
        kernel: the convention.
        reach: largest radius in px that "sampled" and "integrated" may take.
    """
    ndim = len(spectra.image_shape)
    dtype = spectra.reference_power.dtype
    small = small_blur_variance(spectra)
    exchanged = (small < EXCHANGE_BELOW) & (lower < EXCHANGE_BELOW) | (upper <= 0)
    oriented = orient(spectra, exchanged)
    if initial is None:
        first = jnp.where(exchanged, -small, small)
    else:
        given = as_params(initial, ndim, dtype).covariance_matrix(ndim)
        first = jnp.where(exchanged, -1, 1) * project_family(given, "isotropic")[0]
        # From the wrong side of zero an inverse filter would have to be climbed down.
        first = jnp.where(first < EXCHANGE_BELOW, 1, first)
    first = jnp.minimum(first, max(spectra.image_shape) ** 2)
    surrogate = Kernel("continuous" if kernel.name == "continuous" else "discrete")

    def residual(variance):
        return spectral_residual(BlurParams(variance, family=family), oriented, surrogate, 0)

    located = project_family(first * jnp.eye(ndim, dtype=dtype), family)
    state = gauss_newton(residual, located, magnitude=1.0)
    # Equal images have H = 1 but for rounding: that is no blur, in every convention.
    resolved = jnp.abs(state.params) > 4 * jnp.finfo(dtype).eps
    moments = jnp.where(resolved, state.params, 0)
    return Start(
        variance=_as_nominal(moments, family, kernel, ndim, reach),
        exchanged=exchanged,
        num_steps=state.num_steps,
    )


def _as_nominal(
    moments: jax.Array, family: str, kernel: Kernel, ndim: int, reach: int
) -> jax.Array:
    """Variances that a kernel is to apply, to those by which it is named."""
    if not kernel.is_finite:
        return moments

    def nominal(moment):
        return nominal_variance(kernel, moment, reach)

    if family != "full":
        return jax.vmap(nominal)(moments)
    # Off the diagonal the correlation is kept.
    covariance = BlurParams(moments, family=family).covariance_matrix(ndim)
    diagonal = jnp.diag(covariance)
    ratio = jnp.sqrt(jnp.abs(jax.vmap(nominal)(diagonal) / jnp.where(diagonal == 0, 1, diagonal)))
    return project_family(covariance * jnp.outer(ratio, ratio), family)


def orient(spectra: Spectra, exchanged: jax.Array) -> Spectra:
    """The pair with its roles exchanged where ``exchanged``."""
    return jax.tree.map(
        lambda kept, swapped: jnp.where(exchanged, swapped, kept), spectra, spectra.swapped()
    )
