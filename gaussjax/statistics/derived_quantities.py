"""From fitted parameters to an estimate: derived values, their errors, status and verdict."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gaussjax.model.generalised_gaussian import LARGEST_EXPONENT
from gaussjax.model.kernels import Kernel, least_nominal_sigma
from gaussjax.model.params import BlurParams
from gaussjax.numerics.linear_algebra import diagonal, product
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.covariance import sigma_error
from gaussjax.statistics.departures import Departures, told_apart
from gaussjax.statistics.gaussianity import gaussianity, scale_effects, scale_errors
from gaussjax.statistics.goodness_of_fit import Adequacy, Judgement, judge, worse
from gaussjax.statistics.optimum_summary import CERTAIN
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, gravest
from gaussjax.statistics.verdict import Verdict

# px of a principal sigma below which a sampled full covariance is as good as degenerate: the solver
# creeps, because the taps across fall like exp(-1 / 2v).
_LEAST_PRINCIPAL = 0.3


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
    departures: Departures | None = None,
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
        problems: condition of each status that the fit itself shows; the gravest is reported.
        noise_std: in the reference and in the blurred image, ``[2]``; None: the residual's, in B.
        adequacy: of the fit, with a verdict on the residual alone.
        departures: of the pair from the model; goes with ``adequacy``.
        largest_relative_error: of sigma, beyond which noise levels count as not separable.
    """
    if noise_std is None:
        noise_std = jnp.stack([jnp.zeros_like(noise_variance), jnp.sqrt(noise_variance)])
    errors, sigma = jnp.sqrt(diagonal(covariance)), params.sigma(ndim)
    variance_se = variance_errors(params, covariance, ndim).reshape(sigma.shape)
    sigma_se = sigma_error(sigma, variance_se)
    unidentified = ~jnp.all(jnp.isfinite(sigma_se)) | _is_unidentified(
        sigma, variance_se, kernel, params.family
    )
    standard_error = ravel_pytree(params)[1](errors)
    if params.exponent is not None:
        unidentified |= ~(errors[-1] < LARGEST_EXPONENT - 2)
    if params.gain is not None:
        # Else the images have nothing in common.
        unidentified |= jnp.abs(params.gain) < CERTAIN * standard_error.gain
    inseparable = jnp.any(sigma_se > largest_relative_error * jnp.abs(sigma))
    derived = {Status.NOT_IDENTIFIABLE: unidentified, Status.NOISE_NOT_SEPARABLE: inseparable}
    for code, holds in derived.items():
        problems = {**problems, code: problems.get(code, False) | holds}
    status = gravest(problems)
    model_error = jnp.zeros_like(sigma)
    if adequacy is not None and departures is not None:
        judged = _judgement(departures, params, sigma, variance_se, ndim)
        model_error = sigma_error(sigma, judged.variance_error)
        adequacy = _judged(adequacy, judged, sigma, variance_se, status)
    return BlurEstimate(
        params=params,
        standard_error=standard_error,
        sigma=sigma,
        sigma_standard_error=sigma_se,
        sigma_model_error=model_error,
        covariance_matrix=params.covariance_matrix(ndim),
        loss=loss,
        noise_variance=noise_variance,
        noise_std=noise_std,
        num_pixels=num_pixels,
        num_steps=num_steps,
        status=status,
        adequacy=adequacy,
        kernel=kernel,
        gaussianity=gaussianity(params, covariance, departures),
        parameter_covariance=covariance,
    )


def variance_errors(params: BlurParams, covariance: jax.Array, ndim: int) -> jax.Array:
    """Standard errors of ``sigma |sigma|``, px^2."""
    p = params.variance.shape[0]
    if params.family == "full":
        return _principal_errors(params, covariance[:p, :p], ndim)
    if params.exponent is not None:
        return scale_errors(params, covariance)[0]
    return jnp.sqrt(diagonal(covariance)[:p])


def _is_unidentified(
    sigma: jax.Array, variance_se: jax.Array, kernel: Kernel, family: str
) -> jax.Array:
    """The error bar is as large as the blur, or a finite kernel hides it.

    Below half a pixel such a kernel applies a variance m ~ exp(-1 / 2v), which is known far worse
    than v: its relative error is dv / (2 v^2).
    """
    unidentified = jnp.any(variance_se > jnp.maximum(1, sigma**2))
    if not kernel.is_finite:
        return unidentified
    least = least_nominal_sigma(sigma.dtype)
    hidden = jnp.abs(sigma) < (max(least, _LEAST_PRINCIPAL) if family == "full" else least)
    unsure = jnp.minimum(sigma**2, 2 * sigma**4) < 2 * variance_se
    return unidentified | jnp.any(hidden | unsure)


def _final_verdict(verdict, sigma: jax.Array, variance_se: jax.Array, status) -> jax.Array:
    """The verdict on the residual, with what only the whole estimate shows."""
    is_sharper = jnp.all(sigma * jnp.abs(sigma) + 3 * variance_se < 0)
    explained = verdict == Verdict.EXPLAINED
    verdict = jnp.where(is_sharper & explained, jnp.int32(Verdict.SHARPER), verdict)
    unknown = (status == Status.NOT_IDENTIFIABLE) | (status == Status.NOT_FINITE)
    unknown = unknown | (status == Status.TOO_SMALL) & (verdict != Verdict.MISALIGNED)
    return jnp.where(unknown, jnp.int32(Verdict.NOT_IDENTIFIABLE), verdict)


def _judgement(
    departures: Departures, params: BlurParams, sigma: jax.Array, variance_se: jax.Array, ndim: int
) -> Judgement:
    """What departures whose effects are on the vector amount to."""
    both = departures.effects, departures.left
    effects, left = (_effects_on_variance(params, each, sigma.shape, ndim) for each in both)
    inverted = False if params.gain is None else params.gain < 0
    return judge(told_apart(departures), effects, left, sigma, variance_se, inverted)


def _judged(
    adequacy: Adequacy, judged: Judgement, sigma: jax.Array, variance_se: jax.Array, status
) -> Adequacy:
    """The adequacy with what the departures, and only the whole estimate, show."""
    verdict = worse(adequacy.verdict, judged.verdict)
    return replace(
        adequacy,
        verdict=_final_verdict(verdict, sigma, variance_se, status),
        p_value=judged.p_value,
        cause=jnp.where(judged.cause == Cause.NONE, adequacy.cause, judged.cause),
    )


def _effects_on_variance(
    params: BlurParams, effects: jax.Array, shape: tuple[int, ...], ndim: int
) -> jax.Array:
    """Sizes of changes ``[k, m]`` of the vector, as those of sigma's own variances."""
    if params.exponent is not None:
        return scale_effects(params, effects)
    effects = effects[: params.variance.shape[0]]
    if params.family != "full":
        return jnp.abs(effects).reshape(*shape, -1)
    _, elements = _principal_elements(params, ndim)
    own = jnp.stack([elements[a, a] for a in range(ndim)])
    return jnp.abs(product(own, effects))


def _principal_elements(params: BlurParams, ndim: int) -> tuple[jax.Array, jax.Array]:
    """Principal variances, largest first, and the matrix between their axes by each variance."""
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(params.covariance_matrix(ndim)))
    values, vectors = values[::-1], vectors[:, ::-1]
    basis = jax.jacfwd(lambda v: replace(params, variance=v).covariance_matrix(ndim))(
        params.variance
    )
    return values, jnp.einsum("ia,ijp,jb->abp", vectors, basis, vectors)


def _principal_errors(params: BlurParams, covariance: jax.Array, ndim: int) -> jax.Array:
    """Standard errors of the principal variances, largest first, px^2.

    Noise drives two nearly equal eigenvalues apart: to second order by ``V / gap``, V the variance
    of the element between them, and at most by half of the gap that is seen. Without this the
    interval of a circular blur would cover 90 % instead of 95 %.
    """
    values, elements = _principal_elements(params, ndim)
    spread = jnp.einsum("abp,pq,abq->ab", elements, covariance, elements)
    gap = jnp.abs(values[:, None] - values[None])
    pushed = jnp.minimum(2 * spread / jnp.where(gap > 0, gap, 1), 0.5 * gap)
    pushed = jnp.where(jnp.eye(ndim, dtype=bool), 0, pushed)
    return jnp.sqrt(diagonal(spread) + jnp.sum(pushed**2, axis=1))
