"""How many pairs a second on this device, and how near to what its memory can do?

``python -m experiments.speed.throughput --device gpu`` (or cpu, tpu). float32. Bytes are those of
both images, read once: no estimate can do with less. They are set against the device's own rate of
reading a large array and writing another.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from experiments.shared import common
from experiments.shared.common import BLACK, BLUE, GREEN, PURPLE
from experiments.shared.cropped_pairs import cropped_patches
from experiments.shared.stopwatch import on_device, seconds_in_turn
from experiments.speed.timed_fits import FITS, MAPPED
from gaussjax import estimate_blurs

SIGMA = 1.0  # px
# (pairs, px per side): as many as fill the device, and keep a CPU busy for seconds at most.
CASES = {
    "gpu": ((65_536, 32), (16_384, 64), (4096, 128), (256, 512), (64, 1024), (16, 2048), (8, 4096)),
    "cpu": ((10_000, 32), (256, 64), (256, 128), (16, 512), (1, 1024), (1, 2048), (1, 4096)),
}
COLOURS = {
    "two FFTs": BLACK,
    "closed form": GREEN,
    "Gauss-Newton": PURPLE,
    "estimate_blur": BLUE,
}


def run(
    *,
    seed: int,
    device: str,
    cases: Sequence[tuple[int, int]] = (),
    rounds: int = 9,
    copied: int = 2**26,
) -> dict[str, Any]:
    """Seconds by name, for every case of (pairs, px per side); bytes per second of a copy."""
    cases = cases or CASES["cpu" if device == "cpu" else "gpu"]
    random = np.random.default_rng(seed)
    chosen = jax.devices(device)[0]
    with jax.default_device(chosen):
        copy = {"copy": on_device(jax.jit(lambda x: -x), np.ones(copied, np.float32))}
        _, times, _ = seconds_in_turn(copy, rounds)
        found = {
            "device": chosen.device_kind,
            "copied_per_second": 2 * 4 * copied / times["copy"],
            "cases": [],
        }
        for count, size in tqdm(cases, "cases", disable=None):
            stacks = cropped_patches(size, count, SIGMA, random)
            calls = {name: on_device(fit, *stacks) for name, fit in _fits(count).items()}
            first, times, _ = seconds_in_turn(calls, rounds)
            found["cases"].append(
                {"pairs": count, "size": size, "seconds": times, "compile": first}
            )
    return found


def _fits(count: int) -> dict[str, Callable]:
    """Of stacks; of many pairs, by estimate_blurs."""
    mapped = {name: jax.jit(jax.vmap(FITS[name].fit)) for name in ("closed form", "Gauss-Newton")}
    return {
        "two FFTs": jax.jit(lambda a, b: jnp.fft.rfft2(jnp.stack([a, b]))),
        **mapped,
        "estimate_blur": MAPPED if count == 1 else estimate_blurs,
    }


def bytes_per_second(case: dict[str, Any], name: str) -> float:
    """Both images, float32, over the time."""
    return 2 * 4 * case["pairs"] * case["size"] ** 2 / case["seconds"][name]


def table(numbers: dict[str, Any]) -> str:
    """Pairs per second, and in brackets the bytes of the images in per cent of a copy's."""
    lines = [
        f"{numbers['device']}: copies {1e-9 * numbers['copied_per_second']:.3g} GB/s, read and"
        " written. Pairs per second, and the images' bytes in % of that.",
        "",
        f"{'':28}" + "".join(f"{name:>24}" for name in COLOURS),
    ]
    for case in numbers["cases"]:
        cells = [
            f"{case['pairs'] / case['seconds'][name]:.3g}"
            f" ({100 * bytes_per_second(case, name) / numbers['copied_per_second']:.2g} %)"
            for name in COLOURS
        ]
        what = f"{case['pairs']} of {case['size']} px"
        lines.append(f"{what:28}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> Figure:
    """Bytes of the images per second, for every case, below the rate of a copy."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    cases = numbers["cases"]
    for name, colour in COLOURS.items():
        rates = [1e-9 * bytes_per_second(case, name) for case in cases]
        axes.semilogy(rates, "o-", color=colour, label=name)
    axes.axhline(1e-9 * numbers["copied_per_second"], color=BLACK, linestyle=":", label="copy")
    axes.set_xticks(range(len(cases)), [f"{c['pairs']} x\n{c['size']} px" for c in cases])
    axes.set(ylabel="GB/s of images", title=numbers["device"])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def experiment(device: str) -> common.Experiment:
    """The question, asked of one kind of device."""
    return common.Experiment(
        stem=f"throughput-{device}",
        question="How many pairs a second on this device?",
        run=partial(run, device=device),
        table=table,
        plot=plot,
        smoke={"cases": ((300, 16),), "rounds": 1, "copied": 2**16},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run on the device asked for; one line on stderr and code 2 where there is none."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--device", default="cpu", help="cpu (default), gpu or tpu")
    options = parser.parse_args(arguments)
    try:
        jax.devices(options.device)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        parser.exit(2, f"throughput: error: no device {options.device!r} here: {reason}\n")
    experiment(options.device).answer(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
