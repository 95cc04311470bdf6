"""How far does a JPEG blur its colours, along each axis?

The blue-difference plane (Cb) of colour photographs before and after a JPEG by Pillow. Chroma is
kept at full size (4:4:4), halved along x (4:2:2) or along both axes (4:2:0): means of two pixels,
enlarged again by a triangle of 3/4 and 1/4. What that does, averaged over the two positions of a
pixel, is known; ``fit_transfer`` measures it along each axis without being told.
"""

import io
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from skimage import data

from experiments.real_pairs.processed_pairs import COLOURED
from experiments.shared import common
from experiments.shared.common import BLUE, GREY, ORANGE, VERMILION
from experiments.shared.photographs import CROP, middle
from gaussjax import estimate_blur, fit_transfer

QUALITY, BINS = 98, 16
KNOWN = 0.05  # largest standard error that is drawn
HALVED = {"4:4:4": (False, False), "4:2:2": (False, True), "4:2:0": (True, True)}  # y, x
AXES = ("y", "x")
COLOURS = {"4:4:4": GREY, "4:2:2": BLUE, "4:2:0": ORANGE}


def known_transfer(frequency: np.ndarray) -> np.ndarray:
    """Of halving and enlarging along an axis, over rad/px."""
    half = frequency / 2
    return np.cos(half) * (0.75 * np.cos(half) + 0.25 * np.cos(3 * half))


def known_mtf50() -> float:
    """Of the same, cycles/px."""
    frequency = np.linspace(0, np.pi, 100_001)
    return float(frequency[np.argmax(known_transfer(frequency) < 0.5)] / (2 * np.pi))


def chroma(
    picture: np.ndarray, subsampling: str, size: int = CROP
) -> tuple[np.ndarray, np.ndarray]:
    """Cb as the encoder gets it, and as the decoder gives it back before it makes RGB."""
    original = PIL.Image.fromarray(picture)
    buffer = io.BytesIO()
    original.save(buffer, "JPEG", quality=QUALITY, subsampling=subsampling)
    decoded = PIL.Image.open(buffer)
    decoded.draft("YCbCr", decoded.size)
    planes = (np.asarray(image)[..., 1] for image in (original.convert("YCbCr"), decoded))
    before, after = (middle(plane.astype(float), size) for plane in planes)
    return before, after


def run(
    *,
    seed: int,
    photographs: Sequence[str] = COLOURED,
    subsamplings: Sequence[str] = tuple(HALVED),
    size: int = CROP,
) -> dict[str, Any]:
    """Transfer function and sigma along both axes, by photograph and subsampling; px."""
    answers = []
    for name in photographs:
        picture = getattr(data, name)()
        for subsampling in subsamplings:
            pair = chroma(picture, subsampling, size)
            blur = jax.device_get(estimate_blur(*pair, family="axis_aligned"))
            for axis, along in enumerate(AXES):
                found = jax.device_get(fit_transfer(*pair, direction=axis, num_bins=BINS))
                answers.append(
                    {
                        "subject": name,
                        "subsampling": subsampling,
                        "axis": along,
                        "halved": HALVED[subsampling][axis],
                        "mtf50": float(found.mtf50),
                        "mtf50_standard_error": float(found.mtf50_standard_error),
                        "transfer": found.transfer.tolist(),
                        "standard_error": found.standard_error.tolist(),
                        "coherence": found.coherence.tolist(),
                        "sigma": float(blur.sigma[axis]),
                        "sigma_model_error": float(blur.sigma_model_error[axis]),
                    }
                )
    return {
        "quality": QUALITY,
        "frequency": (np.arange(1, BINS + 1) * np.pi / BINS).tolist(),
        "known_mtf50": known_mtf50(),
        "answers": common.columns(answers),
    }


def chosen(answers: dict[str, list], subsampling: str, axis: str) -> dict[str, np.ndarray]:
    """The answers along one axis."""
    here = (np.array(answers["subsampling"]) == subsampling) & (np.array(answers["axis"]) == axis)
    return {name: np.array(values)[here] for name, values in answers.items()}


def table(numbers: dict[str, Any]) -> str:
    """Medians over the photographs."""
    lines = [f"MTF50 of halving and enlarging: {numbers['known_mtf50']:.4f} cycles/px"]
    lines.append(f"{'':9}{'MTF50':>8}{'+-':>9}{'sigma':>9}{'model':>9}   least and largest MTF50")
    answers = numbers["answers"]
    for subsampling in dict.fromkeys(answers["subsampling"]):
        for axis in AXES:
            found = chosen(answers, subsampling, axis)
            names = "mtf50", "mtf50_standard_error", "sigma", "sigma_model_error"
            cells = [np.median(found[name].astype(float)) for name in names]
            mtf50 = found["mtf50"].astype(float)
            lines.append(
                f"{subsampling} {axis}  {cells[0]:8.4f} {cells[1]:8.4f} {cells[2]:8.3f}"
                f" {cells[3]:8.3f}   {mtf50.min():.4f} {mtf50.max():.4f}"
            )
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """A panel per axis: every photograph's transfer function where known, and the computed one."""
    answers, cycles = numbers["answers"], np.array(numbers["frequency"]) / (2 * np.pi)
    fine = np.linspace(0, np.pi, 200)
    figure = Figure(figsize=(7.4, 3.4), layout="constrained")
    panels = figure.subplots(1, len(AXES), sharey=True)
    for axes, axis in zip(panels, AXES, strict=True):
        for subsampling in dict.fromkeys(answers["subsampling"]):
            found = chosen(answers, subsampling, axis)
            curves = found["transfer"].astype(float)
            curves[found["standard_error"].astype(float) > KNOWN] = np.nan
            style = {"color": COLOURS[subsampling], "linewidth": 1}
            axes.plot(cycles, curves.T, alpha=0.5, **style)
            axes.plot([], [], label=subsampling, **style)
        known = {"color": VERMILION, "linewidth": 1.6, "linestyle": "--"}
        label = "halved and enlarged, as computed"
        axes.plot(fine / (2 * np.pi), known_transfer(fine), label=label, **known)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xlim(0, 0.5)
        axes.set_ylim(-0.15, 1.1)
        axes.set_title(f"along {axis}", loc="left")
        axes.set_xlabel("spatial frequency (cycles/px)")
    panels[0].set_ylabel("transfer function of Cb")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(handles))
    return figure


EXPERIMENT = common.Experiment(
    stem="chroma",
    question="How far does a JPEG blur its colours, along each axis?",
    run=run,
    table=table,
    plot=plot,
    smoke={"photographs": COLOURED[:1], "subsamplings": ("4:2:2",), "size": 128},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
