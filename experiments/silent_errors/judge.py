"""What an answer is worth: whether it is right, whether it is trusted, and what it says of itself.

Trusted: status 0 and a verdict "explained" or "sharper". Wrong: off by more than 1 % of sigma and
0.01 px, and in the variance by more than twice the half width of the 95 % interval. Where no
Gaussian relates the images every number is wrong.
"""

import enum
from typing import Any

import jax
import numpy as np

from experiments.silent_errors.pairs import Pair
from gaussjax import BlurEstimate, Cause, Status, estimate_blur
from gaussjax.statistics.verdict import TRUSTED

RELATIVE, ABSOLUTE = 0.01, 0.01  # of sigma, and px: errors that nobody minds
HALF_WIDTHS = 2.0


class Said(enum.StrEnum):
    """What an answer says of itself."""

    TRUSTED = "trusted"
    DOUBTED = "doubted"
    REFUSED = "refused"


def is_wrong(sigma, low, high, truth) -> bool:
    """Whether an answer with its 95 % interval, px, is wrong in any of its sigmas."""
    if truth is None:
        return True
    sigma, low, high, truth = _arrays(sigma, low, high, truth)
    half_width = (_variance(high) - _variance(low)) / 2
    # Asked this way round, because what is no number is wrong as well.
    near = np.abs(sigma - truth) <= np.maximum(RELATIVE * np.abs(truth), ABSOLUTE)
    within = np.abs(_variance(sigma) - _variance(truth)) <= HALF_WIDTHS * half_width
    return not bool(np.all(near | within))


def share_covered(low, high, truth) -> float:
    """Of the true sigmas, those that lie in their interval; NaN without a truth."""
    if truth is None:
        return float("nan")
    low, high, truth = _arrays(low, high, truth)
    return float(np.mean((low <= truth) & (truth <= high)))


def said(status: int, verdict: int) -> Said:
    """In which of three ways an answer speaks of itself."""
    if status != Status.ESTIMATED:
        return Said.REFUSED
    return Said.TRUSTED if verdict in TRUSTED else Said.DOUBTED


def answer(pair: Pair) -> dict[str, Any]:
    """What ``estimate_blur`` says of a pair, and what that is worth."""
    return facts(estimate_blur(pair.reference, pair.blurred, **pair.options), pair)


def facts(estimate: BlurEstimate, pair: Pair) -> dict[str, Any]:
    """An estimate beside the truth, in numbers: lengths in px, codes, 1 for what is so."""
    estimate = jax.device_get(estimate)
    adequacy = estimate.adequacy
    assert adequacy is not None, "an estimate from pixels has its adequacy"
    low, high = estimate.interval(0.95)
    return {
        "truth": pair.truth,
        "sigma": estimate.sigma.tolist(),
        "standard_error": estimate.sigma_standard_error.tolist(),
        "low": np.asarray(low).tolist(),
        "high": np.asarray(high).tolist(),
        "bound": pair.bound,
        "status": int(estimate.status),
        "verdict": int(adequacy.verdict),
        "wrong": int(is_wrong(estimate.sigma, low, high, pair.truth)),
        "covered": share_covered(low, high, pair.truth),
        "model_error": float(np.max(estimate.sigma_model_error)),
        "p_value": float(adequacy.p_value),
        "cause": int(adequacy.cause),
    }


def cause_name(code: int) -> str:
    """In words; empty where nothing but noise is left."""
    return "" if code == Cause.NONE else Cause(code).label.replace("_", " ")


def _arrays(*values) -> list[np.ndarray]:
    return [np.atleast_1d(np.asarray(value, float)) for value in values]


def _variance(sigma: np.ndarray) -> np.ndarray:
    """Signed, px^2."""
    return sigma * np.abs(sigma)
