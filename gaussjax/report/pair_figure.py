"""A pair, its estimate and what is left of it, in one figure."""

import math
from textwrap import fill
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.report.empirical_transfer import TransferProfile
from gaussjax.report.family_comparison import FamilyComparison
from gaussjax.report.oriented_pair import OrientedPair, orient
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Okabe & Ito's palette, safe for the common kinds of colour blindness.
_BLUE, _ORANGE, _GREEN, _VERMILION, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#808080"
_SIZE = (10.0, 6.0)  # inches
# Percent of the pixels that a range of colours leaves out on either side.
_OUTLIERS = 0.5
# Below it H2 is not drawn.
_LEAST_COHERENCE = 0.5


def draw_report(
    reference,
    blurred,
    estimate: BlurEstimate,
    profile: TransferProfile,
    comparison: FamilyComparison,
    *,
    mask=None,
) -> "Figure":
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
        mask: True where a pixel may be used, as in ``estimate_blur``.

    Returns:
        Figure of matplotlib, 10 x 6 inches, to be saved by its ``savefig``; no window is opened.

    Raises:
        TypeError: images that are not arrays of real numbers.
        ValueError: images, masks or estimate that do not fit each other, a batch of estimates, or
            NaN or infinite pixels that are not masked.
    """
    from matplotlib.figure import Figure

    pair = orient(reference, blurred, estimate, mask)
    params = pair.params(estimate)
    predicted = pair.predicted(params, estimate.kernel)
    window = pair.window(pair.margins(params, estimate.kernel))
    residual = jnp.where(window > 0, pair.soft - predicted, jnp.nan)
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplot_mosaic(_layout(pair.shape))
    (_signals if predicted.ndim == 1 else _images)(axes, pair, predicted, residual)
    _transfers(axes["T"], estimate, profile)
    figure.suptitle(_title(estimate, profile, comparison), fontsize=11)
    return figure


def _layout(shape: tuple[int, ...]) -> str:
    """Of the panels: S signals; A, B, P prediction; R residual; T transfer functions."""
    if len(shape) == 1:
        return "SSRR;SSRR;TTTT;TTTT"
    if shape[-1] > 2 * shape[-2]:
        return "AABB;PPRR;TTTT;TTTT"
    return "ABPR;ABPR;TTTT;TTTT"


def _title(estimate: BlurEstimate, profile: TransferProfile, comparison: FamilyComparison) -> str:
    """The verdict, then the figures; a status other than "estimated" comes first of all."""
    sentences = [] if estimate.adequacy is None else [str(estimate.adequacy.message)]
    if int(estimate.status) != Status.ESTIMATED:
        sentences.insert(0, str(estimate.message))
    lines = [fill(sentence[0].upper() + sentence[1:], 110) for sentence in sentences]
    values, errors = np.atleast_1d(estimate.sigma), np.atleast_1d(estimate.sigma_standard_error)
    sigma = ", ".join(
        f"{v:.4g} \u00b1 {e:.2g}" if np.isfinite(e) else f"{v:.4g}"
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


def _names(pair: OrientedPair) -> tuple[str, str]:
    """Of the softer image and of its prediction."""
    return ("A", "g * B") if pair.is_swapped else ("B", "g * A")


def _images(
    axes: "dict[str, Axes]", pair: OrientedPair, predicted: jax.Array, residual: jax.Array
) -> None:
    soft, prediction = _names(pair)
    reference, blurred = (pair.soft, pair.sharp) if pair.is_swapped else (pair.sharp, pair.soft)
    pictures = [_slice(image) for image in (reference, blurred, predicted)]
    low, high = np.percentile(np.stack(pictures), (_OUTLIERS, 100 - _OUTLIERS))
    titles = ("A, the reference", "B", f"Prediction {prediction}")
    for key, title, picture in zip("ABP", titles, pictures, strict=True):
        axes[key].imshow(picture, cmap="gray", vmin=low, vmax=high)
        axes[key].set_title(title, fontsize=10)
    largest = _range(residual)
    axes["R"].set_facecolor("#E4E4E4")
    shown = axes["R"].imshow(_slice(residual), cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes["R"].set_title(f"Residual {soft} \u2212 {prediction}", fontsize=10)
    bar = axes["R"].figure.colorbar(shown, ax=axes["R"], shrink=0.85)
    bar.set_label("unit of the images", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    for key in "ABPR":
        axes[key].set(xticks=[], yticks=[])
    if predicted.ndim == 3:
        axes["A"].set_ylabel(f"slice {len(predicted) // 2} of {len(predicted)}", fontsize=9)


def _slice(image: jax.Array) -> np.ndarray:
    """The image, or of a volume the middle slice of the first axis."""
    return np.asarray(image if image.ndim == 2 else image[len(image) // 2], float)


def _range(residual: jax.Array) -> float:
    """The size of a residual that few exceed."""
    sizes = np.abs(np.asarray(residual, float))
    sizes = sizes[np.isfinite(sizes)]
    # A residual of nothing but zeros, or of no pixels, needs a range too.
    largest = float(np.percentile(sizes, 100 - _OUTLIERS)) if sizes.size else 0.0
    return largest or 1.0


def _signals(
    axes: "dict[str, Axes]", pair: OrientedPair, predicted: jax.Array, residual: jax.Array
) -> None:
    soft, prediction = _names(pair)
    reference, blurred = (pair.soft, pair.sharp) if pair.is_swapped else (pair.sharp, pair.soft)
    axes["S"].plot(reference, color=_GREY, linewidth=0.8, label="A, the reference")
    axes["S"].plot(blurred, color=_BLUE, linewidth=1.4, label="B")
    axes["S"].plot(predicted, "--", color=_ORANGE, linewidth=1.2, label=f"prediction {prediction}")
    axes["S"].legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    axes["R"].plot(residual, color=_VERMILION, linewidth=0.8)
    axes["R"].axhline(0, color=_GREY, linewidth=0.8)
    axes["R"].set_ylim(-1.3 * _range(residual), 1.3 * _range(residual))
    axes["R"].set_title(f"Residual {soft} \u2212 {prediction}, unit of the signals", fontsize=10)
    for key in "SR":
        axes[key].set_xlim(0, len(predicted) - 1)
        axes[key].set_xlabel("px", fontsize=9)
        _plain(axes[key])


def _transfers(axes: "Axes", estimate: BlurEstimate, profile: TransferProfile) -> None:
    """Measured and fitted transfer functions and coherence over cycles/px."""
    cycles = np.asarray(profile.frequency) / (2 * math.pi)
    measured, error = np.asarray(profile.transfer), np.asarray(profile.standard_error)
    coherence = np.asarray(profile.coherence)
    label = "H1, measured, \u00b1 2 standard errors"
    axes.plot(cycles, measured, "o-", color=_BLUE, linewidth=1.6, markersize=3, label=label)
    band = {"color": _BLUE, "alpha": 0.25, "linewidth": 0}
    axes.fill_between(cycles, measured - 2 * error, measured + 2 * error, **band)
    # Noise over a cross-power of nothing tells nothing.
    other = np.where(coherence > _LEAST_COHERENCE, profile.inverse_noise_transfer, np.nan)
    axes.plot(cycles, other, color=_GREEN, linewidth=1, label="H2")
    label = f"fitted Gaussian, {estimate.kernel.name} kernel"
    axes.plot(cycles, profile.fitted, "--", color=_ORANGE, linewidth=1.6, label=label)
    axes.plot(cycles, coherence, ":", color=_GREY, linewidth=1.6, label="coherence")
    trusted = np.nan_to_num(measured[coherence > 0.5])
    top = max(1.1, min(1.2 * np.max(trusted, initial=1.0), 12.0) if estimate.sigma_minor < 0 else 0)
    bottom = min(-0.03, max(np.min(trusted, initial=0.0) - 0.05, -0.5))
    axes.set(xlim=(0, 0.5), ylim=(bottom, top))
    axes.axhline(0, color=_GREY, linewidth=0.8)
    if math.isfinite(profile.mtf50):
        axes.plot([profile.mtf50] * 2, [bottom, 0.5], color=_VERMILION, linewidth=1)
        axes.plot(profile.mtf50, 0.5, "D", color=_VERMILION, markersize=5)
        axes.annotate(
            f"MTF50 {profile.mtf50:.4g}",
            (profile.mtf50, 0.5),
            xytext=(8, 4),
            textcoords="offset points",
            color=_VERMILION,
            fontsize=9,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},
        )
    axes.set_xlabel("spatial frequency (cycles/px)", fontsize=9)
    axes.set_ylabel("transfer, coherence", fontsize=9)
    axes.legend(fontsize=8, frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
