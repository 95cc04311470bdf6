"""What does the first example of the README show? Its estimate, and the figure of the product.

The pair is a photograph that matplotlib ships and its blur by SciPy, with noise. The figure is that
of ``draw_report``, as ``gaussjax estimate --plot`` makes it.
"""

import sys
from typing import Any

import jax
import matplotlib
import numpy as np
from matplotlib.cbook import get_sample_data
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter

from experiments.shared import common
from gaussjax import compare_families, draw_report, estimate_blur, transfer_profile

SIGMA, NOISE = 2.5, 2.0  # px; grey levels
KERNEL = "sampled"


def pair(seed: int, size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A and B, as the README makes them; of its first ``size`` rows and columns."""
    file: Any = get_sample_data("grace_hopper.jpg")
    photograph = imread(file).mean(axis=2)
    sharp = photograph[40:296, 130:386][:size, :size]
    noise = np.random.default_rng(seed).normal(0, NOISE, sharp.shape)
    return sharp, gaussian_filter(sharp, SIGMA) + noise


def run(*, seed: int = 0, size: int | None = None) -> dict[str, Any]:
    """The estimate in float32, as JAX computes by default."""
    with jax.enable_x64(False):
        estimate = estimate_blur(*pair(seed, size), kernel=KERNEL)
        printed = str(estimate)
    return {
        "seed": seed,
        "size": size,
        "true_sigma": SIGMA,
        "sigma": float(estimate.sigma),
        "standard_error": float(estimate.sigma_standard_error),
        "interval": [float(end) for end in estimate.interval()],
        "status": int(estimate.status),
        "printed": printed,
    }


def table(numbers: dict[str, Any]) -> str:
    return f"true sigma {numbers['true_sigma']} px\n{numbers['printed']}"


def plot(numbers: dict[str, Any]) -> Figure:
    """The product's own figure of the same pair; images are too large for the JSON."""
    images = pair(numbers["seed"], numbers["size"])
    with jax.enable_x64(False):
        estimate = estimate_blur(*images, kernel=KERNEL)
        profile = transfer_profile(*images, estimate)
        comparison = compare_families(*images, kernel=KERNEL)
        figure = draw_report(*images, estimate, profile, comparison)
    figure.set_size_inches(8.4, 5.0)
    matplotlib.rcParams["savefig.dpi"] = 130  # images of noise do not compress
    return figure


EXPERIMENT = common.Experiment(
    stem="first_look",
    question="What does the first example of the README show?",
    run=run,
    table=table,
    plot=plot,
    smoke={"size": 128},
)

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
