"""The sweep in numbers: right or wrong, trusted or not, covered or not, by kind and by group."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np

from experiments.silent_errors.judge import Said, cause_name, said
from experiments.silent_errors.other_kernels import OTHER_KERNELS

Z = NormalDist().inv_cdf(0.975)
CELLS = tuple(product((False, True), Said))  # (wrong, what it says of itself)
SUMMARIES = {
    "cover": "share of the 95 % intervals of answers with status 0 that hold the truth, and the"
    " range of the true share (Wilson, 95 %)",
    "bound": "median width of the interval over the best possible (white noise in B)",
    "noise": "median width of the interval over that of the noise alone",
    "p": "median of the p-value",
}


def wilson(successes: float, count: int) -> tuple[float, float]:
    """95 % interval of a share; all of 0 to 1 where nothing was counted.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22(158), 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, spread = successes / count, Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return float(middle - half), float(middle + half)


def pooled(kinds: Iterable[dict[str, Any]]) -> dict[str, list]:
    """The answers to several kinds in one."""
    every = [{k: v for k, v in kind.items() if isinstance(v, list)} for kind in kinds]
    return {key: [value for kind in every for value in kind[key]] for key in every[0]}


def in_group(numbers: dict[str, Any], group: str) -> dict[str, dict[str, list]]:
    """The kinds of a group that were drawn."""
    return {name: kind for name, kind in numbers["kinds"].items() if kind["group"] == group}


def groups(numbers: dict[str, Any]) -> list[str]:
    """In the order of their kinds."""
    return list(dict.fromkeys(kind["group"] for kind in numbers["kinds"].values()))


def confusion(answers: dict[str, list]) -> dict[tuple[bool, Said], int]:
    """How many answers fall into each of ``CELLS``."""
    counts = Counter(zip(map(bool, answers["wrong"]), words(answers), strict=True))
    return {cell: counts[cell] for cell in CELLS}


def words(answers: dict[str, list]) -> list[Said]:
    """What every answer says of itself."""
    return [said(*codes) for codes in zip(answers["status"], answers["verdict"], strict=True)]


def is_refused(answers: dict[str, list]) -> np.ndarray:
    """Which answers have another status than 0."""
    return np.array([word == Said.REFUSED for word in words(answers)])


def coverage(answers: dict[str, list]) -> tuple[float, float, float]:
    """Share of covered truths among the answers with status 0, and its 95 % interval.

    An answer of several sigmas counts once, with the share of them that are covered.
    """
    covered = np.array(answers["covered"], float)
    counted = covered[~is_refused(answers) & np.isfinite(covered)]
    share = float(np.mean(counted)) if len(counted) else float("nan")
    return share, *wilson(float(np.sum(counted)), len(counted))


def is_doubted(answers: dict[str, list]) -> np.ndarray:
    """Which answers are doubted or refused."""
    return np.array([word != Said.TRUSTED for word in words(answers)])


def is_honest(answers: dict[str, list]) -> np.ndarray:
    """Which answers are doubted, refused or covered."""
    return is_doubted(answers) | (np.array(answers["covered"], float) == 1)


def summarise(answers: dict[str, list]) -> dict[str, float]:
    """The ``SUMMARIES`` but for the range of the cover; NaN where there are none.

    Of several sigmas the first one's width.
    """
    estimated = ~is_refused(answers)
    bound, error, p, low, high = (
        np.array([np.ravel(value)[0] for value in answers[key]], float)[estimated]
        for key in ("bound", "standard_error", "p_value", "low", "high")
    )
    width = (high - low) / 2
    share, _, _ = coverage(answers)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "cover": share,
            "bound": _median(width / (Z * bound)),
            "noise": _median(width / (Z * error)),
            "p": _median(p),
        }


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def table(numbers: dict[str, Any]) -> str:
    """Every kind, the groups, and the departures."""
    return "\n".join([*_kinds(numbers), *_departures(numbers)])


def _kinds(numbers: dict[str, Any]) -> Iterator[str]:
    yield f"\n{len(numbers['kinds'])} KINDS OF PAIRS, {numbers['draws']} draws each."
    yield "Right and wrong answers: T trusted, D doubted, R refused. Then"
    yield from (f"  {key:7}{text}" for key, text in SUMMARIES.items())
    heads = "".join(f"{key:>9}" for key in ("bound", "noise", "p"))
    for group in groups(numbers):
        kinds = in_group(numbers, group)
        yield ""
        yield (
            f"{group:28}{'right':>6}{'wrong':>15}\n"
            f"{'':28}{'T':>5}{'D':>5}{'R':>5}{'T':>6}{'D':>5}{'R':>5}{'cover':>18}{heads}  cause"
        )
        rows = {**kinds, f"all {group}": pooled(kinds.values())}
        of_gaussians = [answers for name, answers in kinds.items() if name not in OTHER_KERNELS]
        if len(of_gaussians) < len(kinds):
            rows[f"{group}, of a Gaussian"] = pooled(of_gaussians)
        for name, answers in rows.items():
            yield _line(name, answers)


def _line(name: str, answers: dict[str, list]) -> str:
    counts = confusion(answers)
    right, wrong = (
        "".join(f"{counts[is_wrong, said]:5}" for said in Said) for is_wrong in (False, True)
    )
    share, low, high = coverage(answers)
    covered = f"{share:8.3f} {low:.2f}-{high:.2f}" if np.isfinite(share) else f"{'-':>18}"
    found = summarise(answers)
    rest = "".join(
        f"{found[key]:9.2g}" if np.isfinite(found[key]) else f"{'-':>9}"
        for key in ("bound", "noise", "p")
    )
    causes = Counter(filter(None, map(cause_name, answers["cause"])))
    cause = ", ".join(f"{count} {name}" for name, count in causes.most_common(2))
    return f"{name:28}{right} {wrong}{covered:>18}{rest}  {cause}".rstrip()


def _departures(numbers: dict[str, Any]) -> Iterator[str]:
    for name, departure in numbers["departures"].items():
        yield f"\n{name.upper()}, {departure['unit']}"
        yield "".join([f"{'':28}", *(f"{strength:>8g}" for strength in departure["strengths"])])
        for text, shares in power(departure).items():
            yield "".join([f"{text:28}", *(f"{share:>8.3g}" for share in shares)])


def power(departure: dict[str, Any]) -> dict[str, list[float]]:
    """At every strength, in %: answers doubted or covered, answers doubted, how far sigma moved."""
    return {
        "doubted or covered, %": [
            100 * float(np.mean(is_honest(answers))) for answers in departure["answers"]
        ],
        "doubted, %": [
            100 * float(np.mean(is_doubted(answers))) for answers in departure["answers"]
        ],
        "sigma moved by, %": [moved(answers) for answers in departure["answers"]],
    }


def moved(answers: dict[str, list]) -> float:
    """Median |error|, % of sigma."""
    truth = np.array(answers["truth"], float)
    return 100 * _median(np.abs(np.array(answers["sigma"], float) / truth - 1))
