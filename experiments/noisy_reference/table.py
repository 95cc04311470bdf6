"""The study of noise in both images in numbers: summaries by cell, and the table printed."""

from typing import Any

import numpy as np

SUMMARIES = {
    "median": "median of the error, %",
    "rms": "median over the photographs of the rms error over the draws, %",
    "z": "rms of the error over the standard error",
    "covered": "% of 95 % intervals that hold the true sigma",
    "declined": "estimates with another status than 0",
    "worst": "largest |error| of those with status 0, %",
    "swap": "median |variance from A to B plus that from B to A|, % of the true one",
}


def summarise(numbers: dict[str, Any], name: str) -> dict[str, np.ndarray]:
    """The ``SUMMARIES`` of one estimator, each of shape [noise, sigma].

    Declined estimates count too, except in "worst", which is NaN where all were declined.
    """
    answers = numbers["answers"][name]
    true = np.array(numbers["sigmas"])[None, :, None, None]
    sigma, standard = (np.array(answers[key], float) for key in ("sigma", "standard_error"))
    answered = np.array(answers["status"]) == 0
    error = 100 * (sigma / true - 1)
    swapped = np.array(answers["swapped"], float)
    sum_of_both = sigma[..., 0] * np.abs(sigma[..., 0]) + swapped * np.abs(swapped)
    worst = np.max(np.where(answered, np.abs(error), -1), axis=(2, 3))
    return {
        "median": np.nanmedian(error, axis=(2, 3)),
        "rms": np.nanmedian(np.sqrt(np.nanmean(error**2, axis=3)), axis=2),
        "z": np.sqrt(np.nanmean(((sigma - true) / standard) ** 2, axis=(2, 3))),
        "covered": 100 * np.mean(answers["covered"], axis=(2, 3)),
        "declined": np.sum(~answered, axis=(2, 3)),
        "worst": np.where(worst < 0, np.nan, worst),
        "swap": 100 * np.nanmedian(np.abs(sum_of_both) / true[..., 0] ** 2, axis=2),
    }


def noise_name(noise: tuple[float, float]) -> str:
    """The levels in A and B, as "5 + 2.5 %"."""
    return f"{100 * noise[0]:g} + {100 * noise[1]:g} %"


def table(numbers: dict[str, Any]) -> str:
    """A block of lines for each level of noise."""
    sigmas, photographs = numbers["sigmas"], numbers["photographs"]
    pairs = len(photographs) * numbers["draws"]
    lines = [
        "",
        f"NOISE IN BOTH IMAGES: {len(photographs)} photographs, {numbers['draws']} draws each"
        f" ({pairs} pairs a cell), crops of {numbers['crop']} px.",
        "White noise in A and in B in % of the standard deviation of A. Of every cell:",
        *(f"  {key:9}{text}" for key, text in SUMMARIES.items()),
    ]
    found = {name: summarise(numbers, name) for name in numbers["answers"]}
    head = "".join(f"{key:>9}" for key in SUMMARIES)
    for row, noise in enumerate(numbers["noises"]):
        lines += ["", f"{f'noise {noise_name(noise)}':26}{'sigma':>6}{head}"]
        for name, summary in found.items():
            for column, sigma in enumerate(sigmas):
                values = (summary[key][row, column] for key in SUMMARIES)
                cells = "".join(f"{value:>9.3g}" for value in values)
                lines.append(f"{'' if column else name:26}{sigma:>6g}{cells}")
    times = ", ".join(
        f"{name} {answers['milliseconds_per_pair']:.0f}"
        for name, answers in numbers["answers"].items()
    )
    return "\n".join([*lines, "", f"Milliseconds per pair after warm-up: {times}."])
