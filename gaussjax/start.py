"""Where a fit starts, and in which direction a pair blurs."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.frequency_ratio import fit_frequency_ratio
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
        converged: the search for the start converged.
        num_steps: that it took.
    """

    variance: jax.Array
    exchanged: jax.Array
    converged: jax.Array
    num_steps: jax.Array


def variance_bounds(bounds, dtype) -> tuple[jax.Array, jax.Array]:
    """Bounds in sigma (px), or None, as bounds in variance (px^2).

    Raises:
        ValueError: not two numbers, or the lower one above the upper one.
    """
    if bounds is None:
        return jnp.asarray(-jnp.inf, dtype), jnp.asarray(jnp.inf, dtype)
    low, high = (jnp.asarray(bound, dtype) for bound in bounds)
    return signed_square(low), signed_square(high)


def orient_bounds(lower, upper, exchanged) -> tuple[jax.Array, jax.Array]:
    """Bounds on the variance of the oriented pair: negated and swapped when it is exchanged."""
    return jnp.where(exchanged, -upper, lower), jnp.where(exchanged, -lower, upper)


def initial_variance(initial, spectra: Spectra) -> jax.Array:
    """``initial`` (sigma, BlurParams, or None for the closed form) as an isotropic variance."""
    ndim = len(spectra.image_shape)
    dtype = spectra.reference_power.dtype
    if initial is None:
        closed = fit_frequency_ratio(spectra).params.variance
        # Not finite: the pair says nothing. Start at one pixel; the status will tell.
        initial = BlurParams(jnp.where(jnp.isfinite(closed), closed, 1))
    params = as_params(initial, ndim, dtype)
    isotropic = project_family(params.covariance_matrix(ndim), "isotropic")
    return jnp.clip(isotropic, EXCHANGE_BELOW, max(spectra.image_shape) ** 2)


def find_start(
    spectra: Spectra, initial, lower, upper, *, family: str, kernel: Kernel, reach: int
) -> Start:
    """Orient a pair and locate its blur by a Gauss-Newton fit that converges from anywhere.

    Two steps: an isotropic fit decides the direction, then the family is fitted in that
    direction. Kernels whose derivative vanishes at zero blur ("sampled", "integrated") are
    located by the discrete analogue, and their nominal variance found from its second moment.
    """
    ndim = len(spectra.image_shape)
    surrogate = Kernel("continuous" if kernel.name == "continuous" else "discrete")

    def isotropic_residual(variance):
        return spectral_residual(BlurParams(variance), spectra, surrogate, 0)

    forward = gauss_newton(
        isotropic_residual,
        initial_variance(initial, spectra),
        lower=1.01 * EXCHANGE_BELOW,
        magnitude=1.0,
    )
    exchanged = (forward.params[0] <= EXCHANGE_BELOW) & (lower < EXCHANGE_BELOW) | (upper <= 0)
    oriented = orient(spectra, exchanged)
    isotropic = jnp.where(exchanged, 1, forward.params)
    located = project_family(isotropic[0] * jnp.eye(ndim, dtype=isotropic.dtype), family)

    def residual(variance):
        return spectral_residual(BlurParams(variance, family=family), oriented, surrogate, 0)

    state = gauss_newton(residual, located, magnitude=1.0)
    moments = BlurParams(state.params, family=family).covariance_matrix(ndim)
    nominal = jax.vmap(lambda moment: nominal_variance(kernel, moment, reach))(jnp.diag(moments))
    # Off the diagonal the correlation is kept.
    ratio = jnp.sqrt(jnp.abs(nominal / jnp.where(jnp.diag(moments) == 0, 1, jnp.diag(moments))))
    covariance = moments * jnp.outer(ratio, ratio)
    return Start(
        variance=project_family(covariance, family),
        exchanged=exchanged,
        converged=state.converged,
        num_steps=forward.num_steps + state.num_steps,
    )


def orient(spectra: Spectra, exchanged: jax.Array) -> Spectra:
    """The pair with its roles exchanged where ``exchanged``."""
    return jax.tree.map(
        lambda kept, swapped: jnp.where(exchanged, swapped, kept), spectra, spectra.swapped()
    )
