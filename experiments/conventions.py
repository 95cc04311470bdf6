"""Which sigma is it? What one number means to tools that blur.

Each tool blurs a bright line. The taps give the true standard deviation, and the kurtosis, which
is 3 for a Gaussian. Each tool also blurs a photograph, from which ``estimate_blur`` reads sigma by
each of its kernel conventions. Skia, ffmpeg, ImageMagick and libvips are what their algorithms make
of it, without rounding to 8 bits.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageFilter
from scipy import ndimage
from skimage import filters
from tqdm import tqdm

from experiments.shared import common, other_tools
from experiments.shared.common import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
)
from experiments.shared.drawing import name_lines, plain_ticks, widths
from experiments.shared.estimators import one_by_one
from experiments.shared.photographs import CROP, middle, scene
from gaussjax import estimate_blur
from gaussjax.model.options import KERNELS

SIGMAS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.5, 2.0, 3.0, 5.0)  # px
SIZES = (3, 5, 7, 9, 15, 31)  # px
FIXED_SIZE = 5  # px
_LINE = (2048, 129)  # px of the frame about the line


def pillow(image: np.ndarray, radius: float) -> np.ndarray:
    """In 8 bits, because Pillow has no filter for floats."""
    grey = Image.fromarray(np.round(255 * image).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(radius)), float) / 255


def opencv(image: np.ndarray, sigma: float, size: int = 0) -> np.ndarray:
    """Size 0: derived from sigma, four sigmas to each side; sigma 0: derived from the size."""
    return cv2.GaussianBlur(image, (size, size), sigma, borderType=cv2.BORDER_REFLECT)


def sigma_of_size(size: int) -> float:
    """The sigma (px) that OpenCV's documentation gives for a size."""
    return 0.3 * ((size - 1) * 0.5 - 1) + 0.8


SCIPY, PILLOW = "SciPy, scikit-image", "Pillow, radius"
BY_SIGMA, FROM_SIZE, FIXED = "OpenCV, sigma", "OpenCV, size alone", "OpenCV, 5 x 5 px"
SKIA, GBLUR, MAGICK, VIPS = "Skia", "ffmpeg gblur", "ImageMagick, 3 x sigma", "libvips"
# Nominal sigmas, px, and the filter for each.
TOOLS: dict[str, dict[float, Callable]] = {
    SCIPY: {s: lambda image, s=s: ndimage.gaussian_filter(image, s) for s in SIGMAS},
    BY_SIGMA: {s: lambda image, s=s: opencv(image, s) for s in SIGMAS},
    PILLOW: {s: lambda image, s=s: pillow(image, s) for s in SIGMAS},
    FROM_SIZE: {sigma_of_size(k): lambda image, k=k: opencv(image, 0, k) for k in SIZES},
    FIXED: {s: lambda image, s=s: opencv(image, s, FIXED_SIZE) for s in SIGMAS},
    SKIA: {s: lambda image, s=s: other_tools.skia(image, s) for s in SIGMAS},
    GBLUR: {s: lambda image, s=s: other_tools.gblur(image, s) for s in SIGMAS},
    MAGICK: {s: lambda image, s=s: other_tools.magick(image, s) for s in SIGMAS},
    VIPS: {s: lambda image, s=s: other_tools.vips(image, s) for s in SIGMAS},
}
COLOURS = dict(
    zip(
        TOOLS,
        (BLUE, GREEN, PURPLE, ORANGE, VERMILION, SKY, GREY, BLACK, "#8C6D1F"),
        strict=True,
    )
)
KERNEL_COLOURS = dict(zip(KERNELS, (VERMILION, BLUE, ORANGE, BLACK), strict=True))


def run(*, seed: int, most: int = len(SIGMAS)) -> dict[str, Any]:
    """Nominal and true sigma, kurtosis, and sigma read by each convention; lists, px.

    Args:
        seed: nothing here is random.
        most: number of sigmas or sizes of every tool; the last ones are taken.
    """
    del seed
    image = scene("camera")
    reader = {kernel: one_by_one(partial(estimate_blur, kernel=kernel)) for kernel in KERNELS}
    numbers = {}
    for name, settings in tqdm(TOOLS.items(), "tools", disable=None):
        chosen = dict(list(settings.items())[-most:])
        moments = [moments_of_taps(tool) for tool in chosen.values()]
        references = np.stack([middle(image)] * len(chosen))
        blurreds = np.stack([middle(tool(image)) for tool in chosen.values()])
        numbers[name] = {
            "nominal": list(chosen),
            "true": [sigma for sigma, _ in moments],
            "kurtosis": [kurtosis for _, kurtosis in moments],
            "read": {kernel: read(references, blurreds)[0] for kernel, read in reader.items()},
        }
    difference = filters.gaussian(image, 2) - ndimage.gaussian_filter(image, 2, mode="nearest")
    return {
        "crop": CROP,
        "tools": numbers,
        "scikit_image_less_scipy": float(np.max(np.abs(difference))),
    }


def moments_of_taps(tool: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Standard deviation (px) and kurtosis of the taps along one axis.

    The brightness rises along the line. A symmetric blur leaves this rise as it is, and over it the
    rounding to 8 bits averages out.
    """
    height, width = _LINE
    line = np.zeros(_LINE)
    line[:, width // 2] = np.linspace(0.4, 1, height)
    taps = np.sum(tool(line)[width:-width], axis=0)
    x = np.arange(width) - width // 2
    taps = taps / np.sum(taps)
    variance = float(np.sum(taps * x**2))
    kurtosis = float(np.sum(taps * x**4)) / variance**2 if variance > 0 else np.nan
    return float(np.sqrt(variance)), kurtosis


def table(numbers: dict[str, Any]) -> str:
    """A block for each tool."""
    lines = [
        "Sigma in px. True: standard deviation of the taps; 3 is a Gaussian's kurtosis. Read: by"
        " estimate_blur from a photograph.",
        f"scikit-image differs from SciPy by {numbers['scikit_image_less_scipy']:.1g} grey levels"
        " of 1 at most.",
    ]
    for name, tool in numbers["tools"].items():
        lines += ["", f"{name:22}" + "".join(f"{sigma:>8.3g}" for sigma in tool["nominal"])]
        rows = {"true": tool["true"], "kurtosis": tool["kurtosis"]}
        rows |= {f"read: {kernel}": sigmas for kernel, sigmas in tool["read"].items()}
        for row, values in rows.items():
            cells = (f"{np.nan if value is None else value:>8.3f}" for value in values)
            lines += [f"  {row:20}{''.join(cells)}"]
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """Left what each tool makes of a number, right what each convention reads from SciPy's."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    made, read = figure.subplots(1, 2)
    entries = []
    for (name, tool), width in zip(numbers["tools"].items(), widths(len(TOOLS)), strict=True):
        ratio = np.array(tool["true"]) / tool["nominal"]
        made.semilogx(tool["nominal"], ratio, "o-", lw=width, color=COLOURS[name])
        entries.append((ratio[-1], name.replace(", ", ",\n"), COLOURS[name]))
    scipy = numbers["tools"][SCIPY]
    for kernel, sigmas in scipy["read"].items():
        ratio = np.array(sigmas, float) / scipy["nominal"]
        read.semilogx(scipy["nominal"], ratio, "o-", color=KERNEL_COLOURS[kernel])
    for height, (kernel, colour) in enumerate(KERNEL_COLOURS.items(), start=3):
        place = {"ha": "right", "transform": read.transAxes}
        read.text(0.98, 0.1 * height, kernel, color=colour, **place)
    made.set(ylabel="true $\\sigma$ / nominal", title="What a tool makes of $\\sigma$")
    read.set(ylabel="read $\\sigma$ / nominal", title="What is read from SciPy's")
    for axes in (made, read):
        axes.set_xlabel("nominal $\\sigma$ (px)")
        axes.set_ylim(0, 1.3)
        plain_ticks(axes, x=(0.3, 0.5, 1, 2, 5))
    name_lines(made, entries, gap=0.09)
    return figure


EXPERIMENT = common.Experiment(
    stem="conventions",
    question="Which sigma does the number given to a tool mean?",
    run=run,
    table=table,
    plot=plot,
    smoke={"most": 2},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
