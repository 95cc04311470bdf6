"""What ``gaussjax estimate`` prints: a table, or a record for ``--json``."""

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli.output import attributes, table_lines
from gaussjax.cli.spelling import in_shell
from gaussjax.io.decoders import PixelSize
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.kernel_widths import FWHM_PER_SIGMA
from gaussjax.statistics.number_format import Row, to_error, with_errors
from gaussjax.statistics.part_read import FramePart
from gaussjax.statistics.physical_units import PhysicalBlur, physical_rows
from gaussjax.statistics.result import BlurEstimate, printed_rows
from gaussjax.statistics.status import WITHOUT_VALUE, Status
from gaussjax.statistics.verdict import TRUSTED, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gaussjax.report.kernel_scores import KernelComparison, KernelFit
    from gaussjax.statistics.information_criterion import FamilyComparison
    from gaussjax.statistics.transfer_profile import TransferProfile


_MOTION = ("angle", "scale", "angle_standard_error", "scale_standard_error")
_KERNEL = (
    *("name", "convention", "phrase", "units", "rms", "fwhm", "score"),
    *("excess", "excess_error", "p_value", "is_tied"),
)
_ADEQUACY = (
    *("unexplained", "unexplained_change", "reduced_chi_square"),
    *("autocorrelation", "displacement", "p_value"),
)


@dataclass(frozen=True)
class Outcome:
    """All that a run has found out."""

    estimate: BlurEstimate  # by `estimate_blur`
    shape: tuple[int, ...]  # of the images
    notes: list[str]  # on the files
    pixel_size: PixelSize | None = None  # None: not known
    # the measured transfer function; None unless a figure was asked for
    profile: "TransferProfile | None" = None
    comparison: "FamilyComparison | None" = None  # of the families, likewise
    kernels: "KernelComparison | None" = None  # of other kernels; None unless asked for

    @property
    def physical(self) -> PhysicalBlur | None:
        """The blur in the unit of the pixels' size; None where that is not known."""
        size = self.pixel_size
        return size and self.estimate.in_units(size.sizes, size.unit)

    @property
    def unit(self) -> str:
        """That of the fit, in which sigma is."""
        size = self.pixel_size
        return "px" if size is None or self.estimate.params.spacing is None else size.unit

    @property
    def is_trusted(self) -> bool:
        """True where neither status nor verdict warns."""
        return is_trusted(self.estimate)


def is_trusted(estimate: BlurEstimate) -> bool:
    """True where neither status nor verdict warns; of one pair or of many."""
    assert estimate.adequacy is not None  # the pixels were seen
    return int(estimate.status) == Status.ESTIMATED and int(estimate.adequacy.verdict) in TRUSTED


def table(options: argparse.Namespace, outcome: Outcome) -> str:
    """The printed estimate, with what only the command line knows."""
    estimate, profile = outcome.estimate, outcome.profile
    problems, (sigma, fwhm, *others) = printed_rows(estimate, outcome.unit)
    lengths = [sigma], [fwhm]
    physical = outcome.physical
    in_other = physical if outcome.unit == "px" else estimate.in_units(1, "px")
    has_value = int(estimate.status) not in WITHOUT_VALUE
    if in_other is not None and has_value:
        for rows, (_, text) in zip(lengths, physical_rows(in_other), strict=True):
            rows.append((rows[0][0], text))
    if options.b_factor and has_value:
        blur = physical or estimate.in_units(1, "px")
        text = with_errors(blur.b_factor, blur.b_factor_standard_error)
        others.insert(0, ("B", f"{text} {blur.unit}^2"))
    mtf50 = with_errors(estimate.mtf50, estimate.mtf50_standard_error)
    families = "" if outcome.comparison is None else str(outcome.comparison)
    kernels = "" if outcome.kernels is None else str(outcome.kernels)
    rows = [
        ("MTF50", f"{mtf50} cycles/{outcome.unit}" if has_value else None),
        ("measured", profile and f"MTF50 {profile.mtf50:.4g} cycles/px"),
        *(("families", line) for line in families.splitlines()),
        *(("kernels", line) for line in kernels.splitlines()),
    ]
    first, second = reversed(lengths) if options.fwhm else lengths
    first, others = [*problems, *first, *second], [*others, *rows]
    library = [(name, text and in_shell(text)) for name, text in (*first, *others)]
    library[len(first) : len(first)] = interval_rows(options, outcome)
    files = [
        ("frame", f"{' x '.join(map(str, outcome.shape))} px, boundary {options.boundary}"),
        *(("note", note) for note in outcome.notes),
    ]
    return "\n".join(table_lines([*library, *files]))


def interval_rows(options: argparse.Namespace, outcome: Outcome) -> list[Row]:
    """The interval to quote, of sigma or FWHM, in the unit of the fit and in that of the pixels."""
    estimate, size = outcome.estimate, outcome.pixel_size
    if int(estimate.status) in WITHOUT_VALUE:
        return []
    ends, what = np.stack(estimate.interval()), "95 %"
    if options.fwhm and estimate.gaussianity is None:
        ends, what = FWHM_PER_SIGMA * ends, "95 %, FWHM"
    rows = [("interval", f"{between(ends)} {outcome.unit} ({what})")]
    if outcome.unit == "px" and size is not None:
        is_square = len(set(size.sizes)) == 1
        if is_square or estimate.params.family != "full":
            sizes = size.sizes[:1] if is_square else size.sizes
            rows.append(
                ("interval", f"{between(ends.reshape(2, -1) * sizes)} {size.unit} ({what})")
            )
    return rows


def between(ends: np.ndarray) -> str:
    """The ends of intervals, ``[2]`` or ``[2, n]``, in the digits of a standard error."""
    pairs = [(low, high, (high - low) / 4) for low, high in ends.reshape(2, -1).T]
    return ", ".join(f"{to_error(low, bar)} to {to_error(high, bar)}" for low, high, bar in pairs)


def record(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` prints: px, px^2, rad, cycles/px, and the images' own units.

    With ``--spacing`` sigma, widths, variance and MTF50 are in its unit.
    """
    estimate, profile, comparison = outcome.estimate, outcome.profile, outcome.comparison
    found = estimate_record(estimate)
    size, blur = outcome.pixel_size, outcome.physical
    found |= {
        "sigma_unit": outcome.unit,
        "spacing": estimate.params.spacing,
        "interval": np.stack(estimate.interval()),
        "sigma_in_unit": blur and blur.sigma,
        "standard_error_in_unit": blur and blur.sigma_standard_error,
        "fwhm_in_unit": blur and blur.fwhm,
        "b_factor": (blur or estimate.in_units(1)).b_factor if options.b_factor else None,
        "pixel_size": size and (size.sizes if len(set(size.sizes)) > 1 else size.sizes[0]),
        "unit": size and size.unit,
        "pixel_size_source": size and size.source,
    }
    for name in ("gain", "offset", "shift"):
        found |= attributes(estimate.params, name)
        found |= attributes(estimate.standard_error, **{f"{name}_standard_error": name})
    return {
        **found,
        **attributes(estimate, "mtf50", "mtf50_standard_error", "loss", "noise_std", "num_steps"),
        "mtf50_unit": f"cycles/{outcome.unit}",
        "sampling": estimate.sampling,
        "angle": estimate.angle if len(outcome.shape) == 2 else None,
        "part": estimate.part and _part_record(estimate.part),
        "gaussianity": estimate.gaussianity and _exponent_record(estimate),
        "motion": estimate.motion and attributes(estimate.motion, *_MOTION),
        "empirical_mtf50": profile and profile.mtf50,
        "aic": comparison and dict(zip(comparison.names, np.asarray(comparison.aic), strict=True)),
        "best_family": comparison and comparison.best,
        "kernels": outcome.kernels and _kernels_record(outcome.kernels),
        **attributes(options, "family", "kernel", "boundary", "plot"),
        **attributes(options, loss_function="loss", linearized="linearize"),
        **attributes(outcome, "shape", "notes"),
        "dtype": str(estimate.sigma.dtype),
    }


def _kernels_record(kernels: "KernelComparison") -> dict[str, Any]:
    """What a comparison of kernels found; lengths in px."""
    names = (
        *("message", "tied", "conventions", "margin", "num_pixels"),
        *("is_swapped", "is_related"),
    )
    return {
        **{name: getattr(kernels, name) for name in names},
        "best": _kernel_record(kernels.best),
        "all": [_kernel_record(each) for each in kernels.kernels],
    }


def _kernel_record(fit: "KernelFit") -> dict[str, Any]:
    """A kernel; parameters and their standard errors by name."""
    return {
        **{each: getattr(fit, each) for each in _KERNEL},
        "parameters": dict(zip(fit.parameter_names, fit.parameters, strict=True)),
        "standard_errors": dict(zip(fit.parameter_names, fit.standard_errors, strict=True)),
    }


def _exponent_record(estimate: BlurEstimate) -> dict[str, Any]:
    """The exponent of the kernel, the test whether it is that of a Gaussian, and widths, px."""
    found = estimate.gaussianity
    assert found is not None
    return {
        **attributes(found, "exponent", "standard_error", "model_error", "p_value"),
        "interval": found.interval(),
        "fwhm_standard_error": estimate.fwhm_standard_error,
        "energy_radius": {"0.5": estimate.energy_radius(0.5), "0.8": estimate.energy_radius(0.8)},
    }


def _part_record(part: FramePart) -> dict[str, Any]:
    """What was read of the frame."""
    names = ("corners", "tile", "fraction", "precision", "asked", "is_reached")
    return {name: getattr(part, name) for name in names}


def estimate_record(estimate: BlurEstimate) -> dict[str, Any]:
    """What the records of one pair and of many have in common."""
    status, adequacy = Status(int(estimate.status)), estimate.adequacy
    assert adequacy is not None  # the pixels were seen
    verdict, cause = Verdict(int(adequacy.verdict)), Cause(int(adequacy.cause))
    return {
        **attributes(estimate, "sigma", standard_error="sigma_standard_error"),
        "sigma_unit": "px",
        **attributes(estimate, "fwhm", "sigma_major", "sigma_minor"),
        **attributes(estimate.params, "variance"),
        **attributes(estimate.standard_error, variance_standard_error="variance"),
        "status": int(status),
        "status_name": status.label,
        "message": in_shell(status.message),
        "verdict": int(verdict),
        "verdict_name": verdict.label,
        "verdict_message": verdict.message,
        **attributes(estimate, model_error="sigma_model_error"),
        "cause": int(cause),
        "cause_name": cause.label,
        "cause_message": in_shell(cause.message),
        "adequacy": attributes(adequacy, *_ADEQUACY),
        **attributes(estimate, "noise_variance"),
        "num_pixels": int(estimate.num_pixels),
    }


def compared(
    pair: tuple[np.ndarray, np.ndarray], keywords: dict[str, Any], outcome: Outcome
) -> Outcome:
    """The outcome with what a report has besides the estimate."""
    from gaussjax import compare_families, transfer_profile

    mask = keywords["mask"]
    profile = transfer_profile(*pair, outcome.estimate, mask=mask)
    # All families, by least squares, wherever they lead.
    other = {"family", "loss", "bounds", "initial", "precision", "motion"}
    other |= {"noise_correlation"}  # white noise: the command refuses others here
    shared = keywords.keys() - other
    comparison = compare_families(*pair, **{name: keywords[name] for name in shared})
    return replace(outcome, profile=profile, comparison=comparison)


def with_kernels(
    pair: tuple[np.ndarray, np.ndarray], keywords: dict[str, Any], outcome: Outcome
) -> Outcome:
    """The outcome with a comparison of kernels."""
    from gaussjax import compare_kernels

    names = ("gain", "offset", "shift", "noise_std", "mask", "truncate", "radius")
    names += ("sampling", "pixel", "centre")
    shared = {name: keywords[name] for name in names if name in keywords}
    return replace(outcome, kernels=compare_kernels(*pair, estimate=outcome.estimate, **shared))


def draw(pair: tuple[np.ndarray, np.ndarray], mask: Any, outcome: Outcome) -> "Figure":
    """Draw the report of an outcome by :func:`compared`."""
    from gaussjax import draw_report

    assert outcome.profile is not None
    assert outcome.comparison is not None
    parts = outcome.estimate, outcome.profile, outcome.comparison
    figure = draw_report(*pair, *parts, kernels=outcome.kernels, mask=mask)
    size, steps = outcome.pixel_size, np.asarray(outcome.estimate.sampling or 1)
    if size is not None and len(size.sizes) > 1 and np.all(steps == steps.flat[0]):
        for axes in figure.axes:
            if axes.images:  # as it is in space
                axes.set_aspect(size.sizes[-2] / size.sizes[-1])
    return figure
