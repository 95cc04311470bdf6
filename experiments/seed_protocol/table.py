"""The seed protocol in numbers: verdicts on every estimator, and the table."""

from typing import Any

import numpy as np

from experiments.shared.estimators import FAILED
from gaussjax import Status

LEAST_SIGMA = 0.15  # px, below which a sampled kernel is a delta to within rounding


def judge(numbers: dict[str, Any], name: str) -> dict[str, Any]:
    """Errors and verdicts on one estimator.

    Returns:
        ``delta``: per experiment, the kernel is a delta and the estimator says so; such answers
        have no error. ``refused``: any other status than 0. ``failed``: refused or 10 % off.
        ``rmse``: px, over all that are not ``delta``; ``rmse_wide``: over the sigmas from
        ``LEAST_SIGMA`` on, whatever the status; ``rmse_answered``: over status 0.
    """
    true = np.array(numbers["sigma"])
    sigma = np.array(numbers["answers"][name]["sigma"], float)
    status = np.array(numbers["answers"][name]["status"])
    wide = true >= LEAST_SIGMA
    delta = ~wide & (status == Status.NOT_IDENTIFIABLE)
    refused = (status != Status.ESTIMATED) & ~delta
    error = sigma - true
    return {
        "delta": delta,
        "refused": refused,
        "failed": refused | ~(np.abs(error) <= FAILED * true) & ~delta,
        "rmse": _rms(error[~delta]),
        "rmse_wide": _rms(error[wide]),
        "rmse_answered": _rms(error[status == Status.ESTIMATED]),
    }


def table(numbers: dict[str, Any]) -> str:
    """One line an estimator."""
    true = np.array(numbers["sigma"])
    size, least = numbers["size"], f"{LEAST_SIGMA:g} px"
    lines = [
        "",
        f"SEED PROTOCOL: {len(true)} experiments, {size} x {size} px of uniform noise, sigma 0.001"
        " to 25 px, nearest pixel beyond the edge.",
        f"Delta: sigma below {least} ({np.sum(true < LEAST_SIGMA)} here), answered by 'not"
        " identifiable', which is right. Refused: another status that says so.",
        f"Failed: refused, or more than {FAILED:.0%} off. RMSE of all but deltas; of sigma above"
        f" {least}; and of status 0. Time: after warm-up.",
        "",
        f"{'':31}{'RMSE, px':^30}{'delta':>8}{'refused':>9}{'failed':>8}{'ms per':>9}",
        f"{'estimator':31}{'all':>10}{'>= 0.15':>10}{'answered':>10}{'':17}"
        f"{f'of {len(true)}':>8}{'pair':>9}",
    ]
    for name, answers in numbers["answers"].items():
        verdict = judge(numbers, name)
        lines.append(
            f"{name:31}{verdict['rmse']:>10.2g}{verdict['rmse_wide']:>10.2g}"
            f"{verdict['rmse_answered']:>10.2g}{verdict['delta'].sum():>8}"
            f"{verdict['refused'].sum():>9}{verdict['failed'].sum():>8}"
            f"{answers['milliseconds_per_pair']:>9.1f}"
        )
    return "\n".join(lines)


def _rms(error: np.ndarray) -> float:
    error = error[np.isfinite(error)]
    return float(np.sqrt(np.mean(error**2))) if len(error) else float("nan")
