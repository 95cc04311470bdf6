"""What a comparison needs to know of a kernel: transfer function, starts, width and words."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussjax.model import kernel_shapes
from gaussjax.model.kernel_shapes import Frequencies
from gaussjax.statistics.kernel_widths import FWHM_PER_SIGMA

WIDEST = 200.0  # px, of any kernel
LEAK = 1e-3  # part of the mass beyond the support of a kernel without an end
_SCAN = np.geomspace(0.4, 2.2, 24)  # widths that a fit may start from, over the Gaussian's


@dataclass(frozen=True)
class Candidate:
    """A kernel of some parameters."""

    name: str  # of the shape; several conventions may share it
    convention: str  # how the shape is put on the pixel grid; "" where it says nothing more
    # T(w) from the frequencies of every axis and the parameters
    transfer: Callable[[Frequencies, np.ndarray], np.ndarray]
    # sets of parameters to start from, `[sets, parameters]`, from a Gaussian's sigma
    starts: Callable[[float], np.ndarray]
    # px per axis, the largest, from the parameters; but for a part of a thousand
    support: Callable[[np.ndarray], float]
    names: tuple[tuple[str, str], ...]  # of what is shown, with their units
    phrase: str  # to be formatted with what is shown
    # width per axis in px from the parameters; NaN where it is infinite
    rms: Callable[[np.ndarray], float]
    fwhm: Callable[[np.ndarray], float]  # full width at half maximum in px from the parameters
    # values that are reported for the parameters
    shown: Callable[[np.ndarray], np.ndarray] = np.asarray
    lower: tuple[float, ...] = (0.05,)  # bounds of the parameters
    upper: tuple[float, ...] = (WIDEST,)  # likewise
    is_listed: bool = False  # the parameter takes the values of `starts` only
    # where the blur is no kernel, what takes an image and the parameters to the blurred image and
    # to the mean square of its weights
    operator: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, float]] | None = None

    @property
    def num_parameters(self) -> int:
        """Of the kernel alone."""
        return len(self.lower)


def widths(unit: float) -> Callable[[float], np.ndarray]:
    """Starts of a width that is ``unit`` for a sigma of 1 px."""
    return lambda sigma: unit * sigma * _SCAN[:, None]


def products(*factors: tuple[float, ...]) -> np.ndarray:
    """All combinations, ``[sets, parameters]``."""
    return np.stack([each.ravel() for each in np.meshgrid(*factors, indexing="ij")], axis=-1)


def separable(along_axis: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The transfer function of the same blur along every axis, from that and one parameter."""
    return lambda w, p: kernel_shapes.separable(w, lambda each: along_axis(each, p[0]))


def one_sigma(
    name: str, convention: str, transfer: Callable, phrase: str, reach: float = 4.0
) -> Candidate:
    """A kernel that one sigma describes; it ends at ``reach`` sigmas, but for a thousandth."""
    return Candidate(
        name=name,
        convention=convention,
        transfer=transfer,
        starts=widths(1),
        support=lambda p: reach * p[0] + 1,
        names=(("sigma", "px"),),
        phrase=phrase,
        rms=lambda p: p[0],
        fwhm=lambda p: FWHM_PER_SIGMA * p[0],
    )


def rms_of_taps(taps: np.ndarray) -> float:
    """Root mean square width per axis, the mean over the axes, of a centred kernel, px."""
    n = [np.arange(size) - size // 2 for size in taps.shape]
    square = sum(np.meshgrid(*(each**2 for each in n), indexing="ij", sparse=True))
    return math.sqrt(float(np.sum(taps * square) / np.sum(taps)) / taps.ndim)
