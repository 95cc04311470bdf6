"""A figure of a pair, its prediction, its residual and its transfer functions."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import check_type
from gaussjax.model.arguments import Mask
from gaussjax.pair.oriented_pair import orient
from gaussjax.report import style
from gaussjax.report.kernel_panel import draw_kernels
from gaussjax.report.kernel_scores import KernelComparison
from gaussjax.statistics.information_criterion import FamilyComparison
from gaussjax.statistics.number_format import with_errors
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status
from gaussjax.statistics.transfer_profile import TransferProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Name and values of A, B, the prediction (P) and the residual (R).
_Panels = dict[str, tuple[str, jax.Array]]
_SIZE = (10.0, 6.0)  # inches
_KERNELS = 2.6  # inches of the panel of kernels
# Below it H2 is not drawn, and H1 does not set the limits of the axis.
_LEAST_COHERENCE = 0.5


def draw_report(
    reference: ArrayLike,
    blurred: ArrayLike,
    estimate: BlurEstimate,
    profile: TransferProfile,
    comparison: FamilyComparison,
    *,
    kernels: KernelComparison | None = None,
    mask: Mask | None = None,
) -> Figure:
    """Draw A, B, the prediction, the residual ``B - prediction``, and the transfer functions.

    The residual is shown where pixels could be compared: inside of what the blur reaches from
    beyond the edge, and not under the mask. If the estimate is negative, the prediction is that of
    A from B. Signals are drawn as lines; of a volume the middle slice of the first axis is shown.

    Args:
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        estimate: of this pair.
        profile: from :func:`~gaussjax.transfer_profile`.
        comparison: from :func:`~gaussjax.compare_families`.
        kernels: from :func:`~gaussjax.compare_kernels`; shown in a panel of its own.
        mask: True where a pixel may be used, as in ``estimate_blur``.

    Returns:
        Figure of matplotlib, 10 x 6 inches, or 10 x 8.6 with kernels, to be saved by its
        ``savefig``; no window is opened.

    Raises:
        TypeError: images that are not arrays of real numbers, or what is no estimate, profile or
            comparison.
        ValueError: images, masks or estimate that do not fit each other, a batch of estimates, or
            NaN or infinite pixels that are not masked.
    """
    check_type(profile, TransferProfile, "profile", "from transfer_profile")
    check_type(comparison, FamilyComparison, "comparison", "from compare_families")
    if kernels is not None:
        check_type(kernels, KernelComparison, "kernels", "from compare_kernels")
    pair = orient(reference, blurred, estimate, mask)
    params = pair.params(estimate)
    predicted = pair.predicted(params, estimate.kernel)
    window = pair.window(pair.margins(params, estimate.kernel))
    residual = jnp.where(window > 0, pair.soft - predicted, jnp.nan)
    reference, blurred = (pair.soft, pair.sharp) if pair.is_swapped else (pair.sharp, pair.soft)
    soft, prediction = ("A", "g * B") if pair.is_swapped else ("B", "g * A")
    panels = {
        "A": ("A, the reference", reference),
        "B": ("B", blurred),
        "P": (f"prediction {prediction}", predicted),
        "R": (f"residual {soft} \u2212 {prediction}", residual),
    }
    width, height = _SIZE
    figure = style.new_figure(width, height if kernels is None else height + _KERNELS)
    axes = figure.subplot_mosaic(_layout(pair.shape, kernels is not None))
    if residual.ndim == 1:
        _draw_signals(
            axes, panels, 0.0 if pair.grid is None else pair.grid.first[0], pair.ratios[0]
        )
    else:
        _draw_images(axes, panels)
    _draw_transfers(axes["T"], estimate, profile)
    if pair.grid is not None:
        nyquist = 0.5 / max(pair.ratios)
        axes["T"].axvline(nyquist, color=style.GREY, linewidth=0.8)
        text = {"color": style.GREY, "fontsize": 8, "va": "top"}
        axes["T"].text(nyquist, 1.08, " half a cycle per px of B", **text)
    if kernels is not None:
        draw_kernels(axes["K"], kernels)
    figure.suptitle(_title(estimate, profile, comparison), fontsize=11)
    return figure


def _layout(shape: tuple[int, ...], has_kernels: bool) -> str:
    """Of the panels: S signals; A, B, P prediction; R residual; T transfer functions; K kernels."""
    rows = "ABPR;ABPR;TTTT;TTTT"
    if len(shape) == 1:
        rows = "SSRR;SSRR;TTTT;TTTT"
    elif shape[-1] > 2 * shape[-2]:
        rows = "AABB;PPRR;TTTT;TTTT"
    return rows + (";KKKK;KKKK" if has_kernels else "")


def _title(estimate: BlurEstimate, profile: TransferProfile, comparison: FamilyComparison) -> str:
    """The verdict, then the figures; a status other than "estimated" comes first of all."""
    sentences = [] if estimate.adequacy is None else [str(estimate.adequacy.message)]
    if int(estimate.status) != Status.ESTIMATED:
        sentences.insert(0, str(estimate.message))
    lines = [fill(_capitalised(sentence), 110) for sentence in sentences]
    values, errors = np.atleast_1d(estimate.sigma), np.atleast_1d(estimate.sigma_standard_error)
    sigma = ", ".join(
        with_errors(v, e, sign="\u00b1") if np.isfinite(e) else f"{v:.4g}"
        for v, e in zip(values, errors, strict=True)
    )
    figures = [f"$\\sigma$ = {sigma} px"]
    if math.isfinite(profile.mtf50):
        figures.append(f"MTF50 = {profile.mtf50:.4g} cycles/px")
    if np.any(np.isfinite(comparison.weights)):
        weight = float(jnp.nanmax(comparison.weights))
        best = comparison.best.replace("_", "-")
        figures.append(f"best family by AIC: {best} (weight {weight:.2g})")
    return "\n".join([*lines, "   |   ".join(figures)])


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _draw_images(axes: dict[str, Axes], panels: _Panels) -> None:
    slices = {key: _middle_slice(image) for key, (_, image) in panels.items()}
    limits = style.colour_limits(np.concatenate([slices[key].ravel() for key in "ABP"]))
    for key, (name, _) in panels.items():
        style.show_image(axes[key], slices[key], limits, _capitalised(name))
        axes[key].set(xticks=[], yticks=[])
    largest = _largest(panels["R"][1])
    (shown,) = axes["R"].images
    shown.set(cmap="RdBu_r", clim=(-largest, largest))
    style.add_colour_bar(axes["R"], shown, "unit of the images")
    volume = panels["A"][1]
    if volume.ndim == 3:
        axes["A"].set_ylabel(f"slice {len(volume) // 2} of {len(volume)}", fontsize=9)


def _middle_slice(image: jax.Array) -> np.ndarray:
    """The image itself, or the middle slice of a volume along its first axis."""
    return np.asarray(image if image.ndim == 2 else image[len(image) // 2], float)


def _largest(residual: jax.Array) -> float:
    """A size that few residuals exceed; 1 where all are zero or missing."""
    sizes = np.abs(np.asarray(residual, float))
    sizes = sizes[np.isfinite(sizes)]
    return (float(np.percentile(sizes, 100 - style.OUTLIERS)) if sizes.size else 0.0) or 1.0


def _draw_signals(axes: dict[str, Axes], panels: _Panels, first: float, ratio: float) -> None:
    """Against px of A: B has its first pixel at ``first`` and one every ``ratio`` px."""
    size = len(panels["A"][1])
    place = {"A": np.arange(size)}
    place |= dict.fromkeys("BPR", first + ratio * np.arange(len(panels["B"][1])))
    lines = {
        "A": (style.GREY, "-", 0.8),
        "B": (style.BLUE, "-", 1.4),
        "P": (style.ORANGE, "--", 1.2),
    }
    for key, (colour, line, width) in lines.items():
        name, signal = panels[key]
        axes["S"].plot(place[key], signal, line, color=colour, linewidth=width, label=name)
    style.add_legend_above(axes["S"], columns=3)
    name, residual = panels["R"]
    axes["R"].plot(place["R"], residual, color=style.VERMILION, linewidth=0.8)
    axes["R"].axhline(0, color=style.GREY, linewidth=0.8)
    axes["R"].set_ylim(-1.3 * _largest(residual), 1.3 * _largest(residual))
    axes["R"].set_title(f"{_capitalised(name)}, unit of the signals", fontsize=10)
    for key in "SR":
        axes[key].set_xlim(0, size - 1)
        axes[key].set_xlabel("px", fontsize=9)
        style.tidy_curves(axes[key])


def _draw_transfers(axes: Axes, estimate: BlurEstimate, profile: TransferProfile) -> None:
    """Measured and fitted transfer functions and coherence over cycles/px."""
    cycles = np.asarray(profile.frequency) / (2 * math.pi)
    measured, error = np.asarray(profile.transfer), np.asarray(profile.standard_error)
    coherence = np.asarray(profile.coherence)
    label = "H1, measured, \u00b1 2 standard errors"
    axes.plot(cycles, measured, "o-", color=style.BLUE, linewidth=1.6, markersize=3, label=label)
    band = {"color": style.BLUE, "alpha": 0.25, "linewidth": 0}
    axes.fill_between(cycles, measured - 2 * error, measured + 2 * error, **band)
    # Without coherence H2 is noise over next to no cross-power.
    other = np.where(coherence > _LEAST_COHERENCE, profile.inverse_noise_transfer, np.nan)
    if np.any(np.isfinite(other)):
        axes.plot(cycles, other, color=style.GREEN, linewidth=1, label="H2")
    label = f"fitted Gaussian, {estimate.kernel.name} kernel"
    axes.plot(cycles, profile.fitted, "--", color=style.ORANGE, linewidth=1.6, label=label)
    axes.plot(cycles, coherence, ":", color=style.GREY, linewidth=1.6, label="coherence")
    trusted = np.nan_to_num(measured[coherence > _LEAST_COHERENCE])
    top = max(1.1, min(1.2 * np.max(trusted, initial=1.0), 12.0) if estimate.sigma_minor < 0 else 0)
    bottom = min(-0.03, max(np.min(trusted, initial=0.0) - 0.05, -0.5))
    axes.set(xlim=(0, 0.5), ylim=(bottom, top))
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    if math.isfinite(profile.mtf50):
        axes.plot([profile.mtf50] * 2, [bottom, 0.5], color=style.VERMILION, linewidth=1)
        axes.plot(profile.mtf50, 0.5, "D", color=style.VERMILION, markersize=5)
        box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1}
        text = {"color": style.VERMILION, "fontsize": 9, "bbox": box}
        place = {"xytext": (8, 4), "textcoords": "offset points"}
        axes.annotate(f"MTF50 {profile.mtf50:.4g}", (profile.mtf50, 0.5), **place, **text)
    axes.set_xlabel("spatial frequency (cycles/px)", fontsize=9)
    axes.set_ylabel("transfer, coherence", fontsize=9)
    style.add_legend_above(axes, columns=4)
    style.tidy_curves(axes)
