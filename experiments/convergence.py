"""How do the solvers converge, from any start, and why is sigma the worse parameter?

One photograph under a periodic, continuous Gaussian with noise in B, so that every solver has the
same objective: Gauss-Newton on the variance, and optax's Adam and L-BFGS on the variance, on sigma
and on its logarithm. Also the objective itself, squared and absolute, near zero blur.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.shared import common
from experiments.shared.common import BLACK, BLUE, VERMILION
from experiments.shared.drawing import estimator_colour, name_lines, plain_ticks
from experiments.shared.photographs import middle, scene
from experiments.shared.scipy_reference import continuous_blur
from gaussjax import (
    BlurParams,
    Spectra,
    blur,
    fit_gauss_newton,
    loss,
    pair_spectra,
    transfer_function,
)
from gaussjax.model.fourier import half_plane_weights
from gaussjax.numerics.newton import Evaluation, newton_init, newton_step
from gaussjax.spectra.loss import without_zero_frequency

SIGMA, NOISE, SIZE = 2.0, 0.01, 256
SMALL = 0.4  # px, the blur of the landscapes
LEAST = 1e-13  # smaller values are drawn there
RATE = 0.1  # of Adam: px^2, px, or 1
# From the parameter that is optimised to the variance, and back.
PARAMETERS: dict[str, tuple[Callable, Callable]] = {
    "variance": (lambda v: v, lambda v: v),
    "sigma": (jnp.square, jnp.sqrt),
    "log sigma": (lambda x: jnp.exp(2 * x), lambda v: 0.5 * jnp.log(v)),
}
# Of one solver by colour, of one parameter by dashes: the variance is solid.
DASHES = {"variance": "-", "sigma": ":", "log sigma": "--"}
SHOWN = 4.0  # px, the start whose paths are drawn


def run(
    *,
    seed: int,
    starts: Sequence[float] = (0.0, 0.1, 0.5, 1.0, 4.0, 8.0, 12.0),
    steps: int = 400,
    repeats: int = 20,
) -> dict[str, Any]:
    """Errors of sigma (px) by method and start after each step, and milliseconds per step.

    "excess" is by how much the loss exceeds its minimum, relative to it.
    """
    random = np.random.default_rng(seed)
    reference = middle(scene("camera"), SIZE)
    noise = NOISE * reference.std() * random.standard_normal(reference.shape)
    spectra = pair_spectra(reference, continuous_blur(reference, SIGMA) + noise)
    best = float(fit_gauss_newton(spectra).sigma)
    least = loss(best, spectra)
    excess = jax.jit(lambda path: jax.lax.map(lambda s: loss(s, spectra) / least - 1, path))
    methods = {}
    for name, (method, count) in paths(steps).items():
        compiled = jax.jit(lambda s, start, method=method: method(s, start))
        found = [np.asarray(compiled(spectra, start)) for start in starts]
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            jax.block_until_ready(compiled(spectra, starts[-1]))
            seconds.append(time.perf_counter() - begin)
        methods[name] = {
            "error": [common.six_digits(np.abs(path - best)) for path in found],
            "excess": [common.six_digits(np.asarray(excess(path))) for path in found],
            "milliseconds_per_step": 1e3 * np.median(seconds) / count,
        }
    small = continuous_blur(reference, SMALL)
    return {
        "sigma": SIGMA,
        "noise": NOISE,
        "size": SIZE,
        "starts": starts,
        "methods": methods,
        "landscape": landscape(reference, small + noise),
    }


def paths(steps: int) -> dict[str, tuple[Callable, int]]:
    """Functions (spectra, sigma of the start) to sigma before and after each step, and counts."""
    newton_steps, lbfgs_steps = min(steps, 15), min(steps, 25)
    found: dict[str, tuple[Callable, int]] = {
        "Gauss-Newton, variance": (gauss_newton_path(newton_steps), newton_steps)
    }
    for parameter in ("variance", "log sigma"):
        path = descent_path(optax.lbfgs(), parameter, lbfgs_steps)
        found[f"L-BFGS, {parameter}"] = (path, lbfgs_steps)
    for parameter in PARAMETERS:
        found[f"Adam, {parameter}"] = (descent_path(optax.adam(RATE), parameter, steps), steps)
    return found


def gauss_newton_path(steps: int) -> Callable:
    """The solver's own steps, the first of which evaluates the start."""

    def path(spectra: Spectra, start):
        power = without_zero_frequency(spectra.reference_power)
        root = jnp.sqrt(half_plane_weights(spectra.image_shape, power.dtype) * power)
        root = root / jnp.sqrt(jnp.sum(root**2))

        def residual(variance):
            transfer = transfer_function(BlurParams(variance), spectra.image_shape)
            return root * (transfer - spectra.transfer.real)

        def evaluate(variance):
            value, slope = residual(variance), jax.jacfwd(residual)(variance)[..., 0]
            gradient, curvature = jnp.sum(slope * value), jnp.sum(slope**2)
            cost = 0.5 * jnp.sum(value**2)
            return Evaluation(cost, gradient[None], curvature[None, None], magnitude=1.0)

        def step(state, _):
            state = newton_step(evaluate, state, 0.0, jnp.inf)
            return state, state.params[0]

        first = newton_init(evaluate, jnp.square(jnp.asarray([start])))
        return jnp.sqrt(jax.lax.scan(step, first, None, length=steps + 1)[1])

    return path


def descent_path(optimizer: optax.GradientTransformation, parameter: str, steps: int) -> Callable:
    """Plain descent with any optax transformation on one parameter of the blur."""
    to_variance, from_variance = PARAMETERS[parameter]
    optimizer = optax.with_extra_args_support(optimizer)

    def path(spectra: Spectra, start):
        unit = loss(0.0, spectra)

        def objective(x):
            return loss(BlurParams(to_variance(x)[None]), spectra) / unit

        def step(carry, _):
            x, state = carry
            value, slope = jax.value_and_grad(objective)(x)
            updates, state = optimizer.update(
                slope, state, x, value=value, grad=slope, value_fn=objective
            )
            return (optax.apply_updates(x, updates), state), x

        # No start has the logarithm of zero.
        least = 1e-3 if parameter == "log sigma" else 0.0
        x = from_variance(jnp.maximum(jnp.asarray(start), least) ** 2)
        (last, _), before = jax.lax.scan(step, (x, optimizer.init(x)), None, length=steps)
        return jnp.sqrt(jnp.maximum(to_variance(jnp.append(before, jnp.asarray(last))), 0))

    return path


def landscape(reference: np.ndarray, blurred: np.ndarray) -> dict[str, Any]:
    """Mean squared and mean absolute g*A - B, over variances that become negative, px^2."""
    # Evenly spaced in sigma above zero.
    variances = np.append(np.linspace(-0.15, 0, 20)[:-1], np.linspace(0, 0.77, 78) ** 2)

    @jax.jit
    def misfits(variance):
        residual = blur(reference, BlurParams(variance[None])) - blurred
        return jnp.mean(residual**2), jnp.mean(jnp.abs(residual))

    squared, absolute = np.array([misfits(v) for v in variances]).T
    return {"true": SMALL**2, "variance": variances, "squared": squared, "absolute": absolute}


def reached(numbers: dict[str, Any], name: str, tolerance: float) -> np.ndarray:
    """Steps until the error stays below ``tolerance`` px, by start; NaN where it never does."""
    counts = []
    for error in numbers["methods"][name]["error"]:
        above = np.flatnonzero(~(np.array(error, float) < tolerance))
        count = above[-1] + 1 if len(above) else 0
        counts.append(count if count < len(error) else np.nan)
    return np.array(counts)


def table(numbers: dict[str, Any]) -> str:
    """Steps from every start to a thousandth and a millionth of a pixel."""
    starts = numbers["starts"]
    lines = [
        f"One photograph, {numbers['size']} px, sigma {numbers['sigma']:g} px,"
        f" {numbers['noise']:.0%} noise. Steps from each start (px) until sigma is within 1e-3 |"
        " 1e-6 px of the minimum.",
        "",
        f"{'method':26}" + "".join(f"{start:>16g}" for start in starts) + f"{'ms per step':>13}",
    ]
    for name, method in numbers["methods"].items():
        counts = [reached(numbers, name, tolerance) for tolerance in (1e-3, 1e-6)]
        words = [["never" if np.isnan(c) else f"{c:g}" for c in row] for row in counts]
        cells = "".join(f"{f'{a} | {b}':>16}" for a, b in zip(*words, strict=True))
        lines += [f"{name:26}{cells}{method['milliseconds_per_step']:>13.3g}"]
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """Above the objective over sigma and variance; below error by step, and steps by start."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    panels = figure.subplots(2, 2)
    by_sigma, by_variance = panels[0]
    ground = numbers["landscape"]
    variance = np.array(ground["variance"])
    for key, colour in (("squared", BLUE), ("absolute", VERMILION)):
        values = np.array(ground[key]) / ground[key][int(np.argmin(np.abs(variance)))]
        by_variance.plot(variance, values, color=colour)
        positive = variance >= 0
        by_sigma.plot(np.sqrt(variance[positive]), values[positive], color=colour)
    by_sigma.axvline(ground["true"] ** 0.5, color=BLACK, linewidth=1, linestyle=":")
    by_variance.axvline(ground["true"], color=BLACK, linewidth=1, linestyle=":")
    by_sigma.text(0.01, 0.1, "squared", color=BLUE)
    by_sigma.text(0.01, 1.08, "absolute", color=VERMILION)
    by_sigma.set(xlabel="$\\sigma$ (px)", ylabel="misfit over that of no blur", ylim=(0, 1.6))
    by_sigma.set_title("Flat at zero in $\\sigma$ ...")
    by_variance.set(xlabel="variance (px$^2$)", ylim=(0, 1.6))
    by_variance.set_title("... straight in the variance")
    _draw_paths(panels[1], numbers)
    return figure


def _draw_paths(panels, numbers: dict[str, Any]) -> None:
    """Left the error by step from one start; right the steps that every start takes."""
    by_step, by_start = panels
    starts = numbers["starts"]
    shown = int(np.argmin(np.abs(np.array(starts) - SHOWN)))
    never = 2 * max(len(method["error"][0]) for method in numbers["methods"].values())
    entries = []
    for name, method in numbers["methods"].items():
        solver, parameter = name.split(", ")
        style = {"color": estimator_colour(solver), "linestyle": DASHES[parameter]}
        path = np.maximum(np.array(method["error"][shown], float), LEAST)
        by_step.loglog(np.arange(1, len(path) + 1), path, **style)
        counts = reached(numbers, name, 1e-6)
        counts = np.where(np.isnan(counts), never, np.maximum(counts, 1))
        by_start.plot(np.arange(len(starts)), counts, marker="o", **style)
        label = f"{name}:\n{method['milliseconds_per_step']:.2g} ms per step"
        entries.append((counts[-1], label, style["color"]))
    by_step.set(xlabel="step", ylabel="|$\\sigma$ \u2212 minimum| (px)")
    by_step.set_title(f"From a start at {starts[shown]:g} px")
    by_step.minorticks_off()
    by_start.set_yscale("log")
    by_start.set(
        xlabel="start, $\\sigma$ (px)", title="Steps to within 10$^{-6}$ px", ylim=(1, None)
    )
    words = "solid: variance\ndashed: log $\\sigma$\ndotted: $\\sigma$"
    by_start.text(0.38, 0.4, words, transform=by_start.transAxes, fontsize=9)
    plain_ticks(by_start, x=range(len(starts)))
    by_start.set_xticks(range(len(starts)), [f"{start:g}" for start in starts])
    by_start.set_yticks([1, 10, 100, never], ["1", "10", "100", "never"])
    name_lines(by_start, entries, gap=0.16)


EXPERIMENT = common.Experiment(
    stem="convergence",
    question="How do the solvers converge, and why is the variance the better parameter?",
    run=run,
    table=table,
    plot=plot,
    smoke={"starts": (0.0, 4.0), "steps": 30, "repeats": 1},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
