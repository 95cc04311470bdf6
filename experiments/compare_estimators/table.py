"""The comparison in numbers: summaries of the estimates, and the table that is printed."""

from typing import Any

import numpy as np

from experiments.shared.drawing import two_digits
from experiments.shared.estimators import FAILED


def relative_errors(numbers: dict[str, Any], name: str) -> np.ndarray:
    """(estimate - sigma) / sigma of every pair of known blur; NaN without an answer."""
    sigma = np.array(numbers["known"]["sigma"])
    return np.array(numbers["answers"][name]["known_sigma"], float) / sigma - 1


def errors_over_bound(numbers: dict[str, Any], name: str) -> np.ndarray:
    """(estimate - sigma) / Cramer-Rao bound of every pair of known blur; NaN without noise."""
    sigma, bound = (np.array(numbers["known"][key]) for key in ("sigma", "bound"))
    difference = np.array(numbers["answers"][name]["known_sigma"], float) - sigma
    return difference / np.where(bound > 0, bound, np.nan)


def excess_rms(numbers: dict[str, Any], name: str) -> np.ndarray:
    """How much larger than the best Gaussian's the rms of g*A - B is, pairs of unknown blur."""
    rms = np.array(numbers["answers"][name]["unknown_rms"], float)
    return rms / np.array(numbers["unknown"]["least_rms_rms"]) - 1


def failures(numbers: dict[str, Any], name: str) -> int:
    """Pairs of known blur more than ``FAILED`` off, or with a status that refuses the number."""
    wrong = ~(np.abs(relative_errors(numbers, name)) <= FAILED)
    return int(np.sum(wrong | (np.array(numbers["answers"][name]["known_status"]) != 0)))


def rms(values: np.ndarray) -> float:
    """Root mean square of what is not NaN."""
    return float(np.sqrt(np.nanmean(values**2)))


def table(numbers: dict[str, Any]) -> str:
    """Both parts, as aligned text."""
    return f"\n{_known(numbers)}\n\n{_unknown(numbers)}"


def _known(numbers: dict[str, Any]) -> str:
    known = numbers["known"]
    noise = np.array(known["noise"])
    levels = sorted({level for level in noise if level})
    photographs, sigmas = len(set(known["photograph"])), sorted(set(known["sigma"]))
    pairs = np.sum(noise == max(noise))
    lines = [
        f"KNOWN BLUR: {photographs} photographs, sigma {', '.join(f'{s:g}' for s in sigmas)} px by"
        f" scipy.ndimage, crops of {numbers['crop']} px out of a larger scene.",
        "Iterative fits know that SciPy samples its kernel; the ratios and the free kernel take it"
        " as continuous,",
        "which is not the same at sigma 0.5. Names begin with what is done about the edge.",
        "|error| in % of sigma. Bound: Cramer-Rao, of the pixels more than ceil(3 sigma) + 2 px"
        f" inside; {pairs} pairs give the ratio",
        f"of an rms to it to {1 / (2 * pairs) ** 0.5:.0%}."
        f" Failed: more than {FAILED:.0%} off, or a status that says so. Time: after warm-up.",
        "",
        f"{'':30}{'without noise':^27}"
        + "".join(f"{f'{level:.0%} noise in B':^19}" for level in levels)
        + f"{'failed':>8}{'ms per':>8}",
        f"{'estimator':30}{'median':>9}{'rms':>9}{'worst':>9}"
        + "".join(f"{'rms':>10}{'/ bound':>9}" for _ in levels)
        + f"{f'of {len(noise)}':>8}{'pair':>8}",
    ]
    for name, answers in numbers["answers"].items():
        error = 100 * np.abs(relative_errors(numbers, name))
        over_bound = errors_over_bound(numbers, name)
        clean = error[noise == 0]
        cells = [f"{two_digits(f(clean)):>9}" for f in (np.nanmedian, rms, np.nanmax)]
        for level in levels:
            percent, ratio = (two_digits(rms(each[noise == level])) for each in (error, over_bound))
            cells += [f"{percent:>10}{ratio:>9}"]
        cells += [f"{failures(numbers, name):>8}{answers['milliseconds_per_pair']:>8.1f}"]
        lines += [f"{name:30}{''.join(cells)}"]
    return "\n".join(lines)


def _unknown(numbers: dict[str, Any]) -> str:
    unknown = numbers["unknown"]
    kinds = list(dict.fromkeys(unknown["kind"]))
    kind = np.array(unknown["kind"])
    contrast = np.array(unknown["contrast"])
    lines = [
        "UNKNOWN BLUR: B is g*A for no Gaussian g, so there is no true sigma and no error. Compared"
        " is how near",
        f"g*A comes to B over the pixels more than {numbers['margin']} px inside. Medians over the"
        " photographs: sigma in px,",
        "mean |g*A - B| in % of A's std, and the excess of rms (g*A - B) over the best Gaussian's"
        " in %.",
        "",
        f"{'':30}" + "".join(f"{name:^22}" for name in kinds),
        f"{'estimator':30}" + f"{'sigma':>7}{'mean':>7}{'excess':>8}" * len(kinds),
    ]
    searches = {
        f"least {label}, by search": {
            f"unknown_{key}": unknown[f"least_{measure}_{key}"]
            for key in ("sigma", "rms", "mean_absolute")
        }
        for measure, label in (("rms", "rms"), ("mean_absolute", "mean"))
    }
    for name, answers in {**searches, **numbers["answers"]}.items():
        sigma, mean, root = (
            np.array(answers[f"unknown_{key}"], float) for key in ("sigma", "mean_absolute", "rms")
        )
        excess = root / np.array(unknown["least_rms_rms"]) - 1
        cells = "".join(
            f"{np.nanmedian(sigma[kind == k]):>7.2f}"
            f"{100 * np.nanmedian((mean / contrast)[kind == k]):>7.2f}"
            f"{two_digits(100 * np.nanmedian(excess[kind == k])):>8}"
            for k in kinds
        )
        lines += [f"{name:30}{cells}"]
    return "\n".join(lines)
