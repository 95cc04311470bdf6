"""What ``gaussjax estimate`` prints: a table, or a record for ``--json``."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli.terminal import plain
from gaussjax.statistics.result import FWHM_PER_SIGMA, BlurEstimate
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict

if TYPE_CHECKING:
    from gaussjax.report.empirical_transfer import TransferProfile
    from gaussjax.report.family_comparison import FamilyComparison


UNTRUSTED = (Verdict.EXPLAINED_POORLY, Verdict.NOT_IDENTIFIABLE, Verdict.MISALIGNED)


@dataclass(frozen=True)
class Findings:
    """All that a run of ``gaussjax estimate`` has found out.

    Attributes:
        estimate: by ``estimate_blur``.
        shape: of the images.
        notes: on the files.
        profile: the measured transfer function; None unless a figure was asked for.
        comparison: of the families, likewise.
    """

    estimate: BlurEstimate
    shape: tuple[int, ...]
    notes: list[str]
    profile: "TransferProfile | None" = None
    comparison: "FamilyComparison | None" = None

    @property
    def verdict(self) -> Verdict:
        """On the pair."""
        assert self.estimate.adequacy is not None  # estimate_blur has seen the pixels
        return Verdict(int(self.estimate.adequacy.verdict))

    @property
    def are_trusted(self) -> bool:
        """True where neither status nor verdict warns."""
        return int(self.estimate.status) == Status.ESTIMATED and self.verdict not in UNTRUSTED


def table(options: argparse.Namespace, findings: Findings) -> str:
    """The printed estimate, with what only the command line knows."""
    estimate = findings.estimate
    sigma, fwhm, *others = str(estimate).splitlines()
    lengths = [[sigma], [fwhm]]
    if options.pixel_size is not None:
        for lines, (name, factor) in zip(
            lengths, {"sigma": 1, "FWHM": FWHM_PER_SIGMA}.items(), strict=True
        ):
            scale = factor * options.pixel_size
            text = _with_errors(scale * estimate.sigma, scale * estimate.sigma_standard_error)
            lines.append(f"{name:<10}{text} {options.unit}")
    if options.fwhm:
        lengths.reverse()
    rows = [("MTF50", _with_errors(estimate.mtf50) + " cycles/px")]
    if findings.profile is not None:
        rows.append(("measured", f"MTF50 {findings.profile.mtf50:.6g} cycles/px"))
    if findings.comparison is not None:
        rows += [("families", line) for line in str(findings.comparison).splitlines()]
    size = " x ".join(map(str, findings.shape))
    rows.append(("frame", f"{size} px, boundary {options.boundary}"))
    rows += [("note", note) for note in findings.notes]
    if options.plot is not None:
        rows.append(("figure", options.plot))
    return "\n".join(
        [*lengths[0], *lengths[1], *others, *(f"{name:<10}{text}" for name, text in rows)]
    )


def record(options: argparse.Namespace, findings: Findings) -> dict[str, Any]:
    """What ``--json`` prints: px, px^2, rad, cycles/px, and the images' own units."""
    estimate, comparison = findings.estimate, findings.comparison
    params, errors, adequacy = estimate.params, estimate.standard_error, estimate.adequacy
    scale = options.pixel_size
    sigma, error = np.asarray(estimate.sigma), np.asarray(estimate.sigma_standard_error)
    return {
        "sigma": plain(sigma),
        "sigma_unit": "px",
        "standard_error": plain(error),
        "fwhm": plain(estimate.fwhm),
        "sigma_major": plain(estimate.sigma_major),
        "sigma_minor": plain(estimate.sigma_minor),
        "angle": plain(estimate.angle if len(findings.shape) == 2 else None),
        "mtf50": plain(estimate.mtf50),
        "empirical_mtf50": plain(None if findings.profile is None else findings.profile.mtf50),
        "pixel_size": scale,
        "unit": options.unit,
        "sigma_in_unit": plain(scale and scale * sigma),
        "standard_error_in_unit": plain(scale and scale * error),
        "fwhm_in_unit": plain(scale and scale * np.asarray(estimate.fwhm)),
        "variance": plain(params.variance),
        "variance_standard_error": plain(errors.variance),
        "gain": plain(params.gain),
        "gain_standard_error": plain(errors.gain),
        "offset": plain(params.offset),
        "offset_standard_error": plain(errors.offset),
        "shift": plain(params.shift),
        "shift_standard_error": plain(errors.shift),
        "status": int(estimate.status),
        "status_name": Status(int(estimate.status)).name.lower(),
        "message": estimate.message,
        "verdict": int(findings.verdict),
        "verdict_name": findings.verdict.name.lower(),
        "verdict_message": findings.verdict.message,
        "adequacy": {
            name: plain(getattr(adequacy, name))
            for name in (
                "unexplained",
                "unexplained_change",
                "reduced_chi_square",
                "autocorrelation",
                "displacement",
            )
        },
        "aic": comparison and dict(zip(comparison.names, plain(comparison.aic), strict=True)),
        "best_family": comparison and comparison.best,
        "family": options.family,
        "kernel": options.kernel,
        "boundary": options.boundary,
        "loss_function": options.loss,
        "linearized": options.linearize,
        "shape": list(findings.shape),
        "dtype": str(estimate.sigma.dtype),
        "loss": plain(estimate.loss),
        "noise_variance": plain(estimate.noise_variance),
        "noise_std": plain(estimate.noise_std),
        "num_pixels": plain(estimate.num_pixels),
        "num_steps": plain(estimate.num_steps),
        "plot": options.plot,
        "notes": findings.notes,
    }


def _with_errors(values: Any, errors: Any = None) -> str:
    """Values as the printed estimate shows them."""
    values = np.atleast_1d(values)
    if errors is None:
        return ", ".join(f"{v:.6g}" for v in values)
    pairs = zip(values, np.atleast_1d(errors), strict=True)
    return ", ".join(f"{v:.6g} +- {e:.2g}" for v, e in pairs)
