"""Is the blur a Gaussian? How well do pairs tell the exponent of exp(-(s |w|)^p / 2)?

Photographs, mirrored at their edges, are blurred with exponents from 1 to 3. Crops of 256 px with
1 % noise in B, and whole periodic ones of the same size, tell how far the estimate of p is off.
Crops without noise tell what the kernel's tail brings in from beyond the frame, beside the model
error that the estimate has for it. Crops of 80 px of Gaussian blurs tell how often p = 2 is
rejected.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.common import BLUE, GREY, ORANGE
from experiments.shared.drawing import plain_ticks, rms_band
from experiments.shared.photographs import CROP, PHOTOGRAPHS, middle, random_square, scene
from gaussjax import BlurParams, blur, estimate_blur
from gaussjax.model.options import Boundary

SCALE, NOISE = 2.0, 0.01  # px; of the contrast of A
NULL_CROP, NULL_SCALES = 80, (1.0, 2.0)  # px
LEVELS = (0.001, 0.01, 0.05, 0.2)
LARGEST = 0.02  # error of p that is asked for


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    exponents: Sequence[float] = (1.0, 1.25, 1.5, 5 / 3, 1.8, 1.9, 2.0, 2.1, 2.2, 2.5, 3.0),
    draws: int = 4,
    null_draws: int = 300,
) -> dict[str, Any]:
    """Errors of p, [exponent, photograph, draw], with their standard and model errors.

    ``leak`` likewise, without noise and draws; ``null`` p-values of Gaussian blurs.
    """
    random = np.random.default_rng(seed)
    scenes = [scene(name) for name in photographs]
    shape = (len(exponents), len(scenes), draws)
    series = {name: np.zeros((3, *shape)) for name in ("valid", "periodic")}
    leak = np.zeros((3, *shape[:2]))
    for i, exponent in enumerate(tqdm(exponents, "exponents", disable=None)):
        for j, image in enumerate(scenes):
            wide, sharp = middle(blurred(image, SCALE, exponent)), middle(image)
            whole = periodic(sharp, SCALE, exponent)
            white = NOISE * sharp.std() * random.standard_normal((2, draws, *sharp.shape))
            leak[:, i, j] = found(sharp, wide, exponent, "valid")
            for k in range(draws):
                series["valid"][:, i, j, k] = found(sharp, wide + white[0, k], exponent, "valid")
                series["periodic"][:, i, j, k] = found(
                    sharp, whole + white[1, k], exponent, "periodic"
                )
    p_values = [
        null_p_values(image, scale, null_draws, random)
        for image in tqdm(scenes, "Gaussians", disable=None)
        for scale in NULL_SCALES
    ]
    return {
        "crop": CROP,
        "photographs": photographs,
        "exponents": exponents,
        "draws": draws,
        "series": {
            name: common.six_digits(x.ravel()).reshape(x.shape) for name, x in series.items()
        },
        "leak": common.six_digits(leak.ravel()).reshape(leak.shape),
        "null": common.six_digits(np.concatenate(p_values)),
    }


def periodic(image: np.ndarray, scale: float, exponent: float) -> np.ndarray:
    """The image blurred as a period."""
    form: dict[str, Any] = {"exponent": jnp.asarray(exponent), "family": "generalised"}
    return np.asarray(blur(image, BlurParams(jnp.asarray([scale**exponent]), **form)))


def blurred(image: np.ndarray, scale: float, exponent: float) -> np.ndarray:
    """The image blurred as a scene that is mirrored at its edges."""
    mirrored = np.pad(image, [(0, n) for n in image.shape], mode="symmetric")
    return periodic(mirrored, scale, exponent)[tuple(slice(n) for n in image.shape)]


def found(sharp, soft, exponent: float, boundary: Boundary) -> tuple[float, float, float]:
    """Error of p, its standard error, and its model error."""
    estimate = estimate_blur(sharp, soft, family="generalised", boundary=boundary)
    tested = estimate.gaussianity
    assert tested is not None
    assert estimate.status == 0
    error = float(tested.exponent) - exponent
    return error, float(tested.standard_error), float(tested.model_error)


def null_p_values(
    image: np.ndarray, scale: float, draws: int, random: np.random.Generator
) -> np.ndarray:
    """p-values of p = 2 for small crops of a Gaussian blur, in float32."""
    soft, pairs = blurred(image, scale, 2.0), []
    for _ in range(draws):
        inside = random_square(image, NULL_CROP, random)
        # A crop of a night sky may be flat.
        contrast = max(image[inside].std(), 1e-3 * image.std())
        white = NOISE * random.standard_normal((NULL_CROP,) * 2)
        pairs.append((image[inside] / contrast, soft[inside] / contrast + white))
    with jax.enable_x64(False):
        stacks = (jnp.asarray(np.stack(x), jnp.float32) for x in zip(*pairs, strict=True))
        return np.asarray(many_p_values()(*stacks), float)


def many_p_values() -> Callable:
    """Of stacks of pairs, a few at a time."""

    def one(pair):
        tested = estimate_blur(*pair, family="generalised").gaussianity
        assert tested is not None
        return tested.p_value

    return _compiled(lambda sharp, soft: jax.lax.map(one, (sharp, soft), batch_size=20))


def _compiled(function: Callable) -> Callable:
    """Compiled once for all stacks."""
    return _PROGRAMS.setdefault("null", jax.jit(function))


_PROGRAMS: dict[str, Callable] = {}


def covered(errors: np.ndarray) -> float:
    """Part of errors of p, [3, ...], that their intervals of 95 % hold."""
    return float(np.mean(np.abs(errors[0]) < 1.96 * np.hypot(errors[1], errors[2])))


def table(numbers: dict[str, Any]) -> str:
    """A row for every exponent, and how often Gaussians are rejected."""
    draws, photographs = numbers["draws"], len(numbers["photographs"])
    lines = [
        f"{photographs} photographs, {numbers['crop']} px, s = {SCALE} px, {100 * NOISE:g} % noise,"
        f" {draws} draws. Error of p: rms, largest,",
        "and part of the intervals of 95 % that cover it.",
        "",
        f"{'p':>6}{'crops':>24}{'periodic':>26}{'leakage alone':>24}",
    ]
    leak = np.array(numbers["leak"])
    for i, exponent in enumerate(numbers["exponents"]):
        cells = ""
        for name in ("valid", "periodic"):
            errors = np.array(numbers["series"][name])[:, i]
            rms = np.sqrt(np.mean(errors[0] ** 2))
            cells += f"{rms:>10.4f}{np.max(np.abs(errors[0])):>8.4f}{covered(errors):>8.2f}"
        worst = np.max(np.abs(leak[0, i]))
        lines.append(f"{exponent:6.3g}{cells}{worst:>14.4f}{np.max(leak[2, i]):>10.4f}")
    null = np.array(numbers["null"])
    lines += ["", f"{null.size} Gaussian blurs of {NULL_CROP} px rejected at the level"]
    lines += [f"{level:8g}: {rejected(null, level):.4f}" for level in LEVELS]
    return "\n".join(lines)


def rejected(p_values: np.ndarray, level: float) -> float:
    """Part of p-values below a level."""
    return float(np.mean(p_values < level))


def plot(numbers: dict[str, Any]) -> Figure:
    """Errors of p on the left, leakage in the middle, the test of p = 2 on the right."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    left, middle_panel, right = figure.subplots(1, 3)
    plot_errors(left, numbers)
    plot_leakage(middle_panel, np.abs(np.array(numbers["leak"])))
    plot_test(right, np.sort(np.array(numbers["null"])))
    return figure


def plot_errors(axes: Axes, numbers: dict[str, Any]) -> None:
    """The rms error of p, shaded to two standard errors, and the largest one."""
    exponents = np.array(numbers["exponents"])
    for name, colour, label in (("valid", BLUE, "crops"), ("periodic", ORANGE, "periodic")):
        errors = np.array(numbers["series"][name])[0].reshape(len(exponents), -1)
        least, rms, most = rms_band(errors)
        axes.semilogy(exponents, rms, "o-", color=colour, label=label)
        axes.fill_between(exponents, least, most, color=colour, alpha=0.2, linewidth=0)
        axes.semilogy(exponents, np.max(np.abs(errors), axis=1), ":", color=colour)
    axes.set_title("1 % noise:\nrms, largest (dotted)", fontsize=10)
    axes.set(xlabel="true exponent p", ylabel="|error of p|", ylim=(1e-4, 0.02))
    axes.legend(loc="lower right", fontsize=9)
    plain_ticks(axes, y=(1e-4, 1e-3, 0.01))


def plot_leakage(axes: Axes, leak: np.ndarray) -> None:
    """The error of p without noise over its model error; below the line the interval holds it."""
    seen = leak[2] > 0
    axes.loglog(leak[2][seen], np.maximum(leak[0][seen], 1e-6), "o", color=BLUE)
    ends = np.array([1e-6, 0.1])
    axes.loglog(ends, 1.96 * ends, color=GREY, linewidth=1)
    axes.fill_between(ends, 1e-7, 1.96 * ends, color=GREY, alpha=0.15, linewidth=0)
    axes.set_title("no noise; shaded:\nin the 95 % interval", fontsize=10)
    axes.set(xlabel="model error of p", ylabel="|error of p|", xlim=(5e-7, 0.05), ylim=(5e-7, 0.05))
    ticks, names = (1e-6, 1e-4, 0.01), ("$10^{-6}$", "$10^{-4}$", "0.01")
    axes.minorticks_off()
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, [f"$\\leq${names[0]}", *names[1:]])


def plot_test(axes: Axes, null: np.ndarray) -> None:
    """How many Gaussian blurs are rejected, over the level; shaded: 95 % of a right test's runs."""
    axes.loglog(null, np.arange(1, null.size + 1) / null.size, color=BLUE)
    level = np.geomspace(1e-3, 1, 50)
    chance = 2 * np.sqrt(level * (1 - level) / null.size)
    axes.loglog(level, level, color=GREY, linewidth=1)
    axes.fill_between(level, level - chance, level + chance, color=GREY, alpha=0.3, linewidth=0)
    axes.set_title("Gaussian blurs;\nshaded: chance", fontsize=10)
    axes.set(xlabel="level of the test", ylabel="part rejected", xlim=(1e-3, 1), ylim=(5e-4, 1))
    plain_ticks(axes, x=(0.001, 0.01, 0.1, 1), y=(0.001, 0.01, 0.1, 1))


EXPERIMENT = common.Experiment(
    stem="exponent",
    question="Is the blur a Gaussian, and how well is its exponent known?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "photographs": ("camera", "coffee"),
        "exponents": (1.0, 1.8, 2.0),
        "draws": 1,
        "null_draws": 20,
    },
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
