"""Which kernel is it? What ``compare_kernels`` calls blurs of known shape, over noise.

Whole photographs are blurred by NumPy, SciPy or Pillow, and pairs are cut out of them anywhere.
Reductions are those of a frame, and cut out afterwards.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.photographs import CROP, PHOTOGRAPHS, random_square, scene
from experiments.silent_errors.blurs import convolved, gaussian, radii
from gaussjax import KernelComparison, compare_kernels

Blur = Callable[[np.ndarray], np.ndarray]
_REACH = 24  # px of the kernels that are written down
_FINE = 15  # parts of a pixel, along each axis, of which a disk covers some
_PAD = 40  # px of a scene next to its edge that no pair has


def disk(radius: float) -> Blur:
    """A lens out of focus; every pixel by the part of it that lies within the radius, px."""
    size = 2 * int(radius + 1) + 1
    place = (np.arange(size * _FINE) + 0.5) / _FINE - 0.5 * size
    inside = np.hypot(*np.ix_(place, place)) <= radius
    taps = inside.reshape(size, _FINE, size, _FINE).mean(axis=(1, 3))
    return lambda image: convolved(image, taps)


def moffat(fwhm: float, exponent: float) -> Blur:
    """Its values at the pixels' centres."""
    width = 0.5 * fwhm / np.sqrt(2 ** (1 / exponent) - 1)
    taps = (1 + (radii(_REACH) / width) ** 2) ** -exponent
    return lambda image: convolved(image, taps)


def halo(sigma: float, share: float) -> Blur:
    """A share of the light is scattered three times as far."""
    return lambda image: (1 - share) * gaussian(image, sigma) + share * gaussian(image, 3 * sigma)


def motion(length: float, angle: float) -> Blur:
    """A straight line, px and degrees, of points that their neighbours share."""
    points = int(32 * length)
    along = length * ((np.arange(points) + 0.5) / points - 0.5)
    turn, n = np.deg2rad(angle), np.arange(-_REACH, _REACH + 1)[:, None]
    rows, columns = (
        np.clip(1 - np.abs(n - part * along), 0, 1) for part in (-np.sin(turn), np.cos(turn))
    )
    return lambda image: convolved(image, rows @ columns.T)


def resized(factor: int, method: Image.Resampling) -> Blur:
    """Reduced and enlarged again by Pillow."""

    def blur(image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        small = (round(width / factor), round(height / factor))
        frame = Image.fromarray(image.astype(np.float32)).resize(small, method)
        return np.asarray(frame.resize((width, height), method), float)

    return blur


# By the kernel's name, the one of the comparison's that it should be given, and the blur.
KERNELS: dict[str, tuple[str, Blur]] = {
    "Gaussian 0.8 px": ("Gaussian", lambda image: ndimage.gaussian_filter(image, 0.8)),
    "Gaussian 2 px": ("Gaussian", lambda image: ndimage.gaussian_filter(image, 2)),
    "disk 2 px": ("disk", disk(2)),
    "disk 3.5 px": ("disk", disk(3.5)),
    "disk 5 px": ("disk", disk(5)),
    "box 3 px": ("box", lambda image: ndimage.uniform_filter(image, 3)),
    "box 9 px": ("box", lambda image: ndimage.uniform_filter(image, 9)),
    "motion 7 px, 30\u00b0": ("motion", motion(7, 30)),
    "Moffat 3 px, $\\beta$ 3": ("Moffat", moffat(3, 3)),
    "halo 5 %, 1.5 px": ("core and halo", halo(1.5, 0.05)),
    "bicubic 2": ("bicubic resize", resized(2, Image.Resampling.BICUBIC)),
    "bicubic 4": ("bicubic resize", resized(4, Image.Resampling.BICUBIC)),
    "Lanczos 3": ("Lanczos resize", resized(3, Image.Resampling.LANCZOS)),
}


def run(
    *,
    seed: int,
    kernels: Sequence[str] = tuple(KERNELS),
    noises: Sequence[float] = (0.003, 0.01, 0.03, 0.1),
    photographs: Sequence[str] = PHOTOGRAPHS,
    draws: Sequence[int] = (1, 8, 1, 1),
) -> dict[str, Any]:
    """Names that were given, each [kernel][noise][pair]; noise over the contrast of A.

    As many pairs of every photograph as ``draws`` has for the noise.
    """
    chosen: dict[str, list] = {}
    recognised: dict[str, list] = {}
    scenes = [scene(name) for name in photographs]
    for kernel in tqdm(kernels, "kernels", disable=None):
        expected, blur = KERNELS[kernel]
        softs = [blur(image) for image in scenes]
        # A cell is the same whatever else is computed.
        cells = [
            np.random.default_rng([seed, list(KERNELS).index(kernel), round(1e6 * noise)])
            for noise in noises
        ]
        found = [
            [
                _compared(image, soft, noise, random)
                for image, soft in zip(scenes, softs, strict=True)
                for _ in range(number)
            ]
            for noise, number, random in zip(noises, draws, cells, strict=True)
        ]
        chosen[kernel] = [[each.best.name for each in row] for row in found]
        recognised[kernel] = [[expected in each.tied for each in row] for row in found]
    return {
        "crop": CROP,
        "photographs": photographs,
        "draws": draws,
        "noises": noises,
        "expected": {kernel: KERNELS[kernel][0] for kernel in kernels},
        "chosen": chosen,
        "recognised": recognised,
    }


def _compared(
    image: np.ndarray, soft: np.ndarray, noise: float, random: np.random.Generator
) -> KernelComparison:
    inside = (slice(_PAD, -_PAD),) * 2
    image, soft = image[inside], soft[inside]
    place = random_square(image, CROP, random)
    reference, blurred = image[place], soft[place]
    level = noise * reference.std()
    return compare_kernels(reference, blurred + level * random.standard_normal(blurred.shape))


def rates(numbers: dict[str, Any]) -> dict[str, np.ndarray]:
    """Part of the pairs of every kernel that were recognised, by noise: alone, or in a class."""
    return {
        kernel: np.array([np.mean(row) for row in each])
        for kernel, each in numbers["recognised"].items()
    }


def lost_gaussians(numbers: dict[str, Any]) -> float:
    """Part of the pairs made by a Gaussian that are given another kernel, of all noises."""
    pairs = [
        name
        for kernel, expected in numbers["expected"].items()
        if expected == "Gaussian"
        for row in numbers["chosen"][kernel]
        for name in row
    ]
    return float(np.mean([name != "Gaussian" for name in pairs])) if pairs else float("nan")


def table(numbers: dict[str, Any]) -> str:
    """Rates by noise."""
    pairs = [len(numbers["photographs"]) * number for number in numbers["draws"]]
    lines = [
        f"{len(numbers['photographs'])} photographs, frames of {numbers['crop']} px.",
        "Recognised in % (the true kernel is the one chosen, or not told apart from it); noise in %"
        " of A's contrast.",
        f"{'noise':22}" + "".join(f"{100 * noise:>8g}" for noise in numbers["noises"]),
        f"{'pairs':22}" + "".join(f"{number:>8}" for number in pairs),
    ]
    for kernel, rate in rates(numbers).items():
        name = kernel.replace("$\\beta$", "beta")
        lines.append(f"{name:22}" + "".join(f"{100 * each:>8.0f}" for each in rate))
    lines.append(f"A Gaussian lost to another kernel in {100 * lost_gaussians(numbers):.1f} %.")
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """What every kernel was called, a panel for each noise; what is wrong is red."""
    noises, kernels = numbers["noises"], list(numbers["expected"])
    names = list(dict.fromkeys(numbers["expected"].values()))
    others = {name for rows in numbers["chosen"].values() for row in rows for name in row}
    names += sorted(others - set(names))
    figure = Figure(figsize=(3.1 * len(noises) + 0.7, 4.6), layout="constrained")
    panels = figure.subplots(1, len(noises), squeeze=False, sharey=True)[0]
    for k, (axes, noise) in enumerate(zip(panels, noises, strict=True)):
        rows = [numbers["chosen"][kernel][k] for kernel in kernels]
        counts = np.array([[row.count(name) for name in names] for row in rows])
        axes.imshow(counts / len(rows[0]), cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
        for y, kernel in enumerate(kernels):
            for x, name in enumerate(names):
                right = numbers["expected"][kernel] == name
                if counts[y, x]:
                    weight = "bold" if right else "normal"
                    is_dark = counts[y, x] > len(rows[0]) / 2
                    colour = "white" if is_dark else common.BLACK
                    text = {"ha": "center", "va": "center", "fontsize": 8, "color": colour}
                    axes.text(x, y, f"{counts[y, x]}", fontweight=weight, **text)
        axes.set_title(f"{100 * noise:g} % noise, {len(rows[0])} pairs", fontsize=10)
        labels = [name.replace("_", " ") for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=8)
        axes.set_yticks(range(len(kernels)), kernels, fontsize=8)
        axes.grid(visible=False)
    panels[0].set_ylabel("true kernel")
    figure.supxlabel("chosen kernel", fontsize=10)
    return figure


EXPERIMENT = common.Experiment(
    stem="which_kernel",
    question="Which kernel made B, if it was not a Gaussian?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "kernels": ("Gaussian 2 px", "disk 3.5 px", "bicubic 4"),
        "noises": (0.01,),
        "draws": (1,),
        "photographs": ("hubble_deep_field",),
    },
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
