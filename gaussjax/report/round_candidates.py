"""Candidates of one parameter: Gaussians, boxes, disks, and blurs of other tools."""

import math
from collections.abc import Callable
from functools import partial

import jax
import numpy as np

from gaussjax.model import approximate_gaussians, kernel_shapes
from gaussjax.model.kernels import Kernel, taps
from gaussjax.report.kernel_candidate import Candidate, one_sigma, rms_of_taps, separable, widths
from gaussjax.statistics.kernel_widths import FWHM_PER_SIGMA

GAUSSIAN = "Gaussian"  # the name of one of one sigma
_LONGEST_LISTED = 12  # px

NO_BLUR = Candidate(
    name="none",
    convention="",
    transfer=lambda w, p: np.ones(np.broadcast_shapes(*(each.shape for each in w))),
    starts=lambda sigma: np.empty((1, 0)),
    support=lambda p: 0.0,
    names=(),
    phrase="no blur",
    rms=lambda p: 0.0,
    fwhm=lambda p: 0.0,
    lower=(),
    upper=(),
)


def gaussians(sampled: Kernel, reach: int) -> tuple[Candidate, ...]:
    """A Gaussian in each convention; the sampled one as given, taps within ``reach`` px."""
    phrase = "a Gaussian of sigma {0:.4g} px"
    found = [
        one_sigma(GAUSSIAN, "continuous", lambda w, p: kernel_shapes.gaussian(w, p[0] ** 2), phrase)
    ]
    for kernel in (sampled, Kernel("integrated")):

        def along_axis(w: np.ndarray, sigma: float, kernel=kernel) -> np.ndarray:
            return kernel_shapes.from_even_taps(w, _taps(kernel, sigma, reach))

        found.append(one_sigma(GAUSSIAN, kernel.name, separable(along_axis), phrase))
    along = separable(lambda w, sigma: np.exp(-2 * (sigma * np.sin(0.5 * w)) ** 2))
    return *found, one_sigma(GAUSSIAN, "discrete", along, phrase)


def _taps(kernel: Kernel, sigma: float, reach: int) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(_compiled_taps(kernel, np.float64(sigma**2), reach))


@partial(jax.jit, static_argnames=("kernel", "reach"))
def _compiled_taps(kernel: Kernel, variance: jax.Array, reach: int) -> jax.Array:
    return taps(kernel, variance, reach)


_box = partial(
    Candidate,
    name="box",
    starts=widths(math.sqrt(12)),
    support=lambda p: 0.5 * p[0] + 1,
    names=(("width", "px"),),
    phrase="a box of width {0:.3g} px",
    fwhm=lambda p: p[0],
)
BOXES = (
    _box(
        convention="area of pixels",
        transfer=separable(lambda w, p: kernel_shapes.from_even_taps(w, kernel_shapes.box_taps(p))),
        rms=lambda p: rms_of_taps(_both_sides(kernel_shapes.box_taps(p[0]))),
        lower=(1.0,),
    ),
    _box(
        convention="continuous",
        transfer=separable(lambda w, p: np.sinc(p * w / (2 * math.pi))),
        rms=lambda p: p[0] / math.sqrt(12),
    ),
)


def _both_sides(taps: np.ndarray) -> np.ndarray:
    return np.concatenate([taps[:0:-1], taps])


_disk = partial(
    Candidate,
    name="disk",
    support=lambda p: p[0] + 1,
    names=(("radius", "px"),),
    phrase="a disk of radius {0:.3g} px",
    fwhm=lambda p: 2 * p[0],
)


def _listed_radii(ndim: int) -> Callable[[float], np.ndarray]:
    """Radii at which a disk of whole pixels gains some."""

    def starts(sigma: float) -> np.ndarray:
        most = min(max(3.3 * sigma, 3.0), _LONGEST_LISTED)
        n = np.arange(int(most) + 1) ** 2
        squares = np.unique([n[:, None, None] + n[:, None] + (n if ndim > 2 else 0)])
        return np.sqrt(squares[(squares > 0) & (squares <= most**2)])[:, None]

    return starts


def disks(ndim: int) -> tuple[Candidate, ...]:
    """A lens out of focus; in three dimensions a ball."""
    continuous = _disk(
        convention="continuous",
        transfer=lambda w, p: kernel_shapes.disk(w, p[0]),
        starts=widths(math.sqrt(ndim + 2)),
        rms=lambda p: p[0] / math.sqrt(ndim + 2),
    )

    def drawn(convention: str, taps: Callable[[float], np.ndarray], is_listed=False) -> Candidate:
        return _disk(
            convention=convention,
            transfer=lambda w, p: kernel_shapes.from_taps(w, taps(p[0])),
            starts=_listed_radii(ndim) if is_listed else continuous.starts,
            rms=lambda p: rms_of_taps(taps(p[0])),
            is_listed=is_listed,
        )

    soft = partial(kernel_shapes.disk_taps, ndim=ndim, width=1.0)
    whole = partial(kernel_shapes.disk_taps, ndim=ndim, width=0.0)
    found = [continuous, drawn("soft rim", soft), drawn("whole pixels", whole, is_listed=True)]
    if ndim == 2:
        found.insert(0, drawn("area of pixels", kernel_shapes.disk_coverage))
    return tuple(found)


TOOLS = (
    one_sigma(
        "Pillow",
        "",
        separable(approximate_gaussians.pillow_transfer),
        "Pillow's GaussianBlur of radius {0:.3g} px",
        reach=3.2,
    ),
    Candidate(
        name="Skia",
        convention="",
        transfer=separable(lambda w, p: approximate_gaussians.skia_transfer(w, int(p))),
        starts=lambda sigma: np.arange(2.0, int(4 * sigma) + 6)[:, None],
        support=lambda p: 1.5 * p[0] + 1,
        names=(("sigma", "px"), ("boxes", "px")),
        phrase="Skia's three boxes of {1:.0f} px (sigma {0:.3g})",
        rms=lambda p: math.sqrt(approximate_gaussians.skia_variance(int(p[0]))),
        fwhm=lambda p: FWHM_PER_SIGMA * math.sqrt(approximate_gaussians.skia_variance(int(p[0]))),
        shown=lambda p: np.array([approximate_gaussians.skia_sigma(int(p[0])), p[0]]),
        is_listed=True,
    ),
    # The mass of exp(-r sqrt(2) / sigma) farther than 5 sigma is a thousandth.
    one_sigma(
        "gblur",
        "",
        separable(approximate_gaussians.gblur_transfer),
        "ffmpeg's gblur of sigma {0:.3g} px",
        reach=5.0,
    ),
)
