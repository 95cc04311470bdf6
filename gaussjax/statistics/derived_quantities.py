"""From fitted parameters to an estimate: derived values, their errors, status and verdict."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gaussjax.model.kernels import Kernel, least_nominal_sigma
from gaussjax.model.params import BlurParams
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.statistics.covariance import sigma_error, variance_error
from gaussjax.statistics.goodness_of_fit import Adequacy
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

_LEAST_GRAVE_FIRST = (
    Status.AT_BOUND,
    Status.NOISE_NOT_SEPARABLE,
    Status.NOT_CONVERGED,
    Status.NOT_IDENTIFIABLE,
    Status.TOO_SMALL,
    Status.NOT_FINITE,
)


def make_estimate(
    params: BlurParams,
    *,
    ndim: int,
    covariance: jax.Array,
    loss: jax.Array,
    noise_variance: jax.Array,
    num_pixels: jax.Array,
    num_steps: jax.Array,
    kernel: Kernel,
    problems: dict[Status, jax.Array],
    noise_std: jax.Array | None = None,
    adequacy: Adequacy | None = None,
    largest_relative_error: float = jnp.inf,
) -> BlurEstimate:
    """Derive sigma, error bars and status from fitted parameters.

    Args:
        params: the estimate.
        ndim: of the images.
        covariance: of the leaves of the parameters in their order, ``[k, k]``.
        loss: half the sum of squares.
        noise_variance: per pixel.
        num_pixels: compared.
        num_steps: of the solver.
        kernel: the convention.
        problems: condition of each status that the fit can tell; the gravest is reported.
        noise_std: in the reference and in the blurred image, ``[2]``; None: the residual's, in B.
        adequacy: of the fit, with a verdict on the residual alone.
        largest_relative_error: of sigma, beyond which noise levels count as not separable.
    """
    if noise_std is None:
        noise_std = jnp.stack([jnp.zeros_like(noise_variance), jnp.sqrt(noise_variance)])
    errors = jnp.sqrt(diagonal(covariance))
    p = params.variance.shape[0]
    sigma = params.sigma(ndim)
    if params.family == "full":
        variance_se = _principal_errors(params, covariance[:p, :p], ndim)
    else:
        variance_se = errors[:p].reshape(sigma.shape)
    sigma_se = sigma_error(sigma, variance_se)
    unidentified = ~jnp.all(jnp.isfinite(sigma_se)) | jnp.any(
        variance_error(sigma, sigma_se) > jnp.maximum(1, sigma**2)
    )
    if kernel.is_finite:
        unidentified = unidentified | jnp.any(
            (jnp.abs(sigma) < least_nominal_sigma(sigma.dtype))
            | (_applied_variance(sigma) < 2 * variance_error(sigma, sigma_se))
        )
    unidentified = unidentified | problems.get(Status.NOT_IDENTIFIABLE, False)
    inseparable = jnp.any(sigma_se > largest_relative_error * jnp.abs(sigma))
    problems = {
        **problems,
        Status.NOT_IDENTIFIABLE: unidentified,
        Status.NOISE_NOT_SEPARABLE: problems.get(Status.NOISE_NOT_SEPARABLE, False) | inseparable,
    }
    status = jnp.asarray(Status.ESTIMATED, jnp.int32)
    for code in _LEAST_GRAVE_FIRST:
        status = jnp.where(problems.get(code, False), jnp.int32(code), status)
    return BlurEstimate(
        params=params,
        standard_error=ravel_pytree(params)[1](errors),
        sigma=sigma,
        sigma_standard_error=sigma_se,
        covariance_matrix=params.covariance_matrix(ndim),
        loss=loss,
        noise_variance=noise_variance,
        noise_std=noise_std,
        num_pixels=num_pixels,
        num_steps=num_steps,
        status=status,
        adequacy=None if adequacy is None else _with_status(adequacy, sigma, sigma_se, status),
        kernel=kernel,
    )


def _applied_variance(sigma: jax.Array) -> jax.Array:
    """The variance over the error of the one that a sampled kernel applies, per error of its own.

    Below half a pixel the applied variance m ~ exp(-1 / 2v) is known far worse than v: its
    relative error is dv / (2 v^2).
    """
    return jnp.minimum(sigma**2, 2 * sigma**4)


def _with_status(adequacy: Adequacy, sigma, sigma_se, status) -> Adequacy:
    """The verdict, with what only the whole estimate tells."""
    verdict = adequacy.verdict
    variance, error = sigma * jnp.abs(sigma), variance_error(sigma, sigma_se)
    sharper = jnp.all(variance + 3 * error < 0)
    verdict = jnp.where(
        sharper & (verdict == Verdict.EXPLAINED), jnp.int32(Verdict.SHARPER), verdict
    )
    untold = (status == Status.NOT_IDENTIFIABLE) | (status == Status.NOT_FINITE)
    untold = untold | (status == Status.TOO_SMALL) & (verdict != Verdict.MISALIGNED)
    return replace(
        adequacy, verdict=jnp.where(untold, jnp.int32(Verdict.NOT_IDENTIFIABLE), verdict)
    )


def _principal_errors(params: BlurParams, covariance: jax.Array, ndim: int) -> jax.Array:
    """Standard errors of the principal variances, largest first, px^2.

    Noise drives two nearly equal eigenvalues apart, by ``V / gap`` to second order and never by
    more than half of the gap that is seen, V the variance of the element between them. Without
    that the interval of a circular blur would cover 90 % instead of 95 %.
    """
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(params.covariance_matrix(ndim)))
    values, vectors = values[::-1], vectors[:, ::-1]
    basis = jax.jacfwd(lambda v: replace(params, variance=v).covariance_matrix(ndim))(
        params.variance
    )
    elements = jnp.einsum("ia,ijp,jb->abp", vectors, basis, vectors)
    spread = jnp.einsum("abp,pq,abq->ab", elements, covariance, elements)
    gap = jnp.abs(values[:, None] - values[None])
    pushed = jnp.minimum(2 * spread / jnp.where(gap > 0, gap, 1), 0.5 * gap)
    pushed = jnp.where(jnp.eye(ndim, dtype=bool), 0, pushed)
    return jnp.sqrt(diagonal(spread) + jnp.sum(pushed**2, axis=1))
