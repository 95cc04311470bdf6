"""The estimators that are compared, each used as its user would, on stacks of pairs.

An estimator is a function from two stacks ``[n, height, width]`` to sigma (px) and status, both
``[n]``. Only those of :func:`all_at_once` map over the stack by ``vmap``; the others take it pair
by pair, as SciPy has to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.shared.scipy_reference import least_squares_sigma
from gaussjax import (
    BlurEstimate,
    Spectra,
    Status,
    estimate_blur,
    fit_free_kernel,
    fit_frequency_ratio,
    fit_gauss_newton,
    fit_optax,
    fit_pointwise_ratio,
    pair_spectra,
)
from gaussjax.model.options import Coordinate
from gaussjax.model.window import taper

Answers = tuple[np.ndarray, np.ndarray]
Estimator = Callable[[np.ndarray, np.ndarray], Answers]

ADAM_STEPS = 500
LBFGS_STEPS = 10
FAILED = 0.1  # relative error above which an answer counts as failed


@dataclass(frozen=True)
class Setting:
    """What is known before the fit.

    Attributes:
        truncate: radius of the sampled kernel in sigmas.
        initial: start of the iterative fits, px.
        upper: largest sigma that is looked for, px.
    """

    truncate: float
    initial: float
    upper: float


def one_by_one(fit: Callable[..., BlurEstimate]) -> Estimator:
    """Compile ``fit`` for one pair and loop over the stack."""
    compiled = jax.jit(lambda reference, blurred: _answer(fit(reference, blurred)))

    def estimate(references, blurreds):
        answers = [compiled(*pair) for pair in zip(references, blurreds, strict=True)]
        sigma, status = zip(*answers, strict=True)
        return np.array(sigma, float), np.array(status, int)

    return estimate


@cache
def on_spectra(
    fit: Callable[..., BlurEstimate], spectra: Callable[..., Spectra] = pair_spectra, **options
) -> Estimator:
    """A fit to the spectra of one pair at a time; the same for every experiment, compiled once."""
    return one_by_one(lambda *pair: fit(spectra(*pair), **options))


def all_at_once(fit: Callable[..., BlurEstimate]) -> Estimator:
    """Map ``fit`` over the stack by ``vmap``."""
    compiled = jax.jit(jax.vmap(lambda reference, blurred: _answer(fit(reference, blurred))))

    def estimate(references, blurreds):
        sigma, status = compiled(references, blurreds)
        return np.asarray(sigma, float), np.asarray(status, int)

    return estimate


def front_door(dtype: str = "float64", mask: np.ndarray | None = None, **options) -> Estimator:
    """``estimate_blur`` with the kernel convention of SciPy."""
    if mask is None:
        return _without_mask(dtype, **options)
    return one_by_one(_as_called(dtype, mask=mask, **options))


@cache
def _without_mask(dtype: str, **options) -> Estimator:
    """The same for every experiment, compiled once."""
    return one_by_one(_as_called(dtype, **options))


def _as_called(dtype: str, **options) -> Callable[..., BlurEstimate]:
    return lambda reference, blurred: estimate_blur(
        reference.astype(dtype), blurred.astype(dtype), kernel="sampled", **options
    )


def scipy_fit(setting: Setting, *, mode: str = "reflect", interior_only: bool = False) -> Estimator:
    """SciPy on the whole frame, or on the pixels that no blur up to the bound can reach."""
    margin = int(setting.truncate * setting.upper + 0.5) if interior_only else 0

    def estimate(references, blurreds):
        answers = [
            least_squares_sigma(
                *pair,
                initial=setting.initial,
                upper=setting.upper,
                margin=margin,
                mode=mode,
                truncate=setting.truncate,
            )
            for pair in zip(references, blurreds, strict=True)
        ]
        sigma, converged = zip(*answers, strict=True)
        status = np.where(converged, Status.ESTIMATED, Status.NOT_CONVERGED)
        return np.array(sigma), status

    return estimate


def spectral_fits(setting: Setting) -> dict[str, Estimator]:
    """Fits to the spectra of the crops as they are (periodic), and of Hann-windowed ones."""
    sampled = {"kernel": "sampled", "truncate": setting.truncate}
    # The steps together have to reach the widest blur; they shrink, so that the last are fine.
    rate = 4 * setting.upper**2 / ADAM_STEPS
    iterative = {**sampled, "initial": setting.initial}
    by_variance = optax.adam(optax.cosine_decay_schedule(rate, ADAM_STEPS))
    by_logarithm = optax.adam(optax.cosine_decay_schedule(0.1, ADAM_STEPS))

    def descend(optimizer, num_steps, parameter: Coordinate = "variance"):
        return lambda reference, blurred: fit_optax(
            pair_spectra(reference, blurred),
            optimizer,
            num_steps=num_steps,
            parameter=parameter,
            **iterative,
        )

    return {
        "Hann window: ratio, weighted": on_spectra(fit_frequency_ratio, hann_spectra),
        "Hann window: Gauss-Newton": on_spectra(fit_gauss_newton, hann_spectra, **iterative),
        "periodic: Gauss-Newton": on_spectra(fit_gauss_newton, **iterative),
        "periodic: L-BFGS": one_by_one(descend(optax.lbfgs(), LBFGS_STEPS, "log_sigma")),
        "periodic: Adam, log sigma": all_at_once(descend(by_logarithm, ADAM_STEPS, "log_sigma")),
        "periodic: Adam, variance": all_at_once(descend(by_variance, ADAM_STEPS)),
        "periodic: ratio, weighted": on_spectra(fit_frequency_ratio),
        "periodic: ratio, pointwise": on_spectra(fit_pointwise_ratio),
        "periodic: free kernel": on_spectra(fit_free_kernel),
    }


def hann_spectra(reference: jax.Array, blurred: jax.Array) -> Spectra:
    """Spectra of a pair that fades to its mean towards the edges."""
    window = taper(reference.shape, reference.dtype).values
    centre = jnp.sum(window * reference) / jnp.sum(window)
    return pair_spectra(window * (reference - centre), window * (blurred - centre))


def _answer(estimate: BlurEstimate) -> tuple[jax.Array, jax.Array]:
    return estimate.sigma, estimate.status
