"""The study of pairs as they come in numbers: answers by kind and attempt, and the table."""

from collections import Counter
from typing import Any

import numpy as np

from experiments.shared.drawing import two_digits

COLUMNS = ("median", "worst", "bar", "z")


def attempts(answers: dict[str, list]) -> list[tuple[str, str]]:
    """The kinds and their attempts, in the order of the answers but each kind in one place."""
    pairs = dict.fromkeys(zip(answers["kind"], answers["attempt"], strict=True))
    kinds = list(dict.fromkeys(answers["kind"]))
    return sorted(pairs, key=lambda pair: kinds.index(pair[0]))


def chosen(answers: dict[str, list], kind: str, attempt: str) -> dict[str, np.ndarray]:
    """The answers to one attempt at one kind; numbers as float, NaN where there are none."""
    here = (np.array(answers["kind"]) == kind) & (np.array(answers["attempt"]) == attempt)
    columns = {key: np.array(values)[here] for key, values in answers.items()}
    return {
        key: column.astype(float) if column.dtype == object else column
        for key, column in columns.items()
    }


def summarise(found: dict[str, np.ndarray]) -> dict[str, float]:
    """Of one attempt at a known kind: median and worst |error|, error bar, all %, and rms z."""
    error = found["sigma"] - found["true"]
    return {
        "median": float(np.median(100 * np.abs(error) / found["true"])),
        "worst": float(np.max(100 * np.abs(error) / found["true"])),
        "bar": float(np.median(100 * found["standard_error"] / found["true"])),
        "z": float(np.sqrt(np.mean((error / found["standard_error"]) ** 2))),
    }


def words(codes: np.ndarray) -> str:
    """Names of codes in plain words, with their number where they differ."""
    counts = Counter(str(code).lower().replace("_", " ") for code in codes)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {code}" for code, number in counts.most_common())


def table(numbers: dict[str, Any]) -> str:
    """Both parts, as aligned text."""
    return f"\n{_known(numbers)}\n\n{_processed(numbers)}"


def _known(numbers: dict[str, Any]) -> str:
    known = numbers["known"]
    subjects = len(set(known["subject"]) - {"random scene"})
    lines = [
        f"KNOWN BLUR: sigma {numbers['sigma']:g} px by scipy.ndimage, {subjects} photographs, crops"
        f" of {numbers['crop']} px;",
        f"white noise in B of {numbers['noise']:.0%} of A's std, but none beside 8 bits and JPEG.",
        "Plain: no options. |error| and error bar (median) in % of sigma; z: rms of the error over"
        " its bar.",
        "",
        f"{'pair':21}{'attempt':11}"
        + "".join(f"{key:>9}" for key in COLUMNS)
        + "  status; verdict",
    ]
    for kind, attempt in attempts(known):
        found = chosen(known, kind, attempt)
        values = summarise(found)
        cells = "".join(f"{two_digits(values[key]):>9}" for key in COLUMNS)
        said = f"{words(found['status'])}; {words(found['verdict'])}"
        lines.append(f"{kind:21}{attempt:11}{cells}  {said}")
    return "\n".join(lines)


def _processed(numbers: dict[str, Any]) -> str:
    processed, network = numbers["processed"], numbers["network"]
    psnr = ", ".join(f"{value:.1f} dB ({name})" for name, value in network["psnr"].items())
    lines = [
        "NO TRUE SIGMA: medians over the photographs, of fits to the pixels more than"
        f" {numbers['margin']} px inside. Sigma and its bar in px;",
        "mean |A - B| and mean |g*A - B| of the same pixels in % of A's std; verdict on the plain"
        " fit, which minimises the sum of squares.",
        f"Autoencoder: {network['parameters']} parameters, {network['steps']} steps in"
        f" {network['seconds']:.0f} s; PSNR of photographs that it had not seen: {psnr}.",
        "",
        f"{'':21}{'sigma +- bar':^30}{'|A - B|':>9}{'mean |g*A - B|':^27}",
        f"{'pair':21}{'plain':^15}{'absolute':^15}{'':9}{'plain':>9}{'absolute':>9}{'gain %':>9}"
        "  status; verdict",
    ]
    for kind in dict.fromkeys(processed["kind"]):
        plain, absolute = (chosen(processed, kind, name) for name in ("plain", "absolute"))
        cells = "".join(
            f"{np.median(found['sigma']):>7.3f} +-{np.median(found['standard_error']):<5.2g}"
            for found in (plain, absolute)
        )
        misfits = [plain["mean_absolute_before"], plain["mean_absolute"], absolute["mean_absolute"]]
        cells += "".join(f"{100 * np.median(misfit):>9.3g}" for misfit in misfits)
        gain = np.median(100 * (1 - absolute["mean_absolute"] / plain["mean_absolute"]))
        said = f"{words(plain['status'])}; {words(plain['verdict'])}"
        lines.append(f"{kind:21}{cells}{gain:>9.2g}  {said}")
    return "\n".join(lines)
