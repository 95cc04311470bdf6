"""Candidates with a direction: straight motions, Gaussians of several widths."""

import math

import numpy as np

from gaussjax.model import kernel_shapes
from gaussjax.report.kernel_candidate import WIDEST, Candidate, products
from gaussjax.statistics.kernel_widths import FWHM_PER_SIGMA

_LEAST_VARIANCE = -0.05  # px^2; below it a covariance would amplify beyond bounds


def motions(ndim: int) -> tuple[Candidate, ...]:
    """Straight motions: continuous, drawn as pixels, drawn by linear interpolation."""
    transfers = {
        "continuous": kernel_shapes.segment,
        "area of pixels": lambda w, p: kernel_shapes.from_taps(w, kernel_shapes.segment_taps(p)),
        "interpolated": lambda w, p: kernel_shapes.from_taps(
            w, kernel_shapes.thick_segment_taps(p)
        ),
    }
    names = (("length", "px"), ("angle", "deg")) if ndim == 2 else (("length", "px"),)
    phrase = "a straight motion of {0:.3g} px" + (" at {1:.0f} degrees" if ndim == 2 else "")

    def starts(sigma: float) -> np.ndarray:
        turns = np.linspace(0, math.pi, 12, endpoint=False)
        lengths = sigma * np.array([2.0, 3.0, 4.0, 5.5, 7.0])
        plane = np.stack([np.sin(turns), np.cos(turns)], axis=-1)
        if ndim == 3:
            n = np.array(list(np.ndindex(3, 3, 3))) - 1.0
            n = n[len(n) // 2 + 1 :]
            plane = n / np.linalg.norm(n, axis=1, keepdims=True)
        return (lengths[:, None, None] * plane).reshape(-1, ndim)

    def shown(p: np.ndarray) -> np.ndarray:
        # The angle from the last axis, upwards where rows count downwards.
        turn = math.degrees(math.atan2(-p[0], p[-1])) % 180
        return np.array([np.linalg.norm(p), turn][: len(names)])

    return tuple(
        Candidate(
            name="motion",
            convention=convention,
            transfer=transfer,
            starts=starts,
            support=lambda p: 0.5 * float(np.max(np.abs(p))) + 1,
            names=names,
            phrase=phrase,
            rms=lambda p: float(np.linalg.norm(p)) / math.sqrt(12 * ndim),
            fwhm=lambda p: float(np.linalg.norm(p)),
            shown=shown,
            lower=(-WIDEST,) * ndim,
            upper=(WIDEST,) * ndim,
        )
        for convention, transfer in transfers.items()
    )


def wider_gaussians(ndim: int) -> tuple[Candidate, ...]:
    """One sigma per axis, and a covariance."""
    upper = np.triu_indices(ndim)
    round_one = np.eye(ndim)[upper]

    def matrix(p: np.ndarray) -> np.ndarray:
        found = np.zeros((ndim, ndim))
        found[upper] = p
        values, axes = np.linalg.eigh(found + found.T - np.diag(np.diag(found)))
        return axes * np.maximum(values, _LEAST_VARIANCE) @ axes.T

    def sigmas(p: np.ndarray) -> np.ndarray:
        return np.sqrt(np.clip(np.linalg.eigvalsh(matrix(p))[::-1], 0, None))

    def starts(sigma: float) -> np.ndarray:
        tilted = [0.4 * each for each in np.eye(len(round_one)) if not each @ round_one]
        return sigma**2 * np.array([round_one + side * t for t in tilted for side in (-1, 0, 1)])

    sizes = " x ".join(f"{{{k}:.3g}}" for k in range(ndim))
    per_axis = Candidate(
        name="axis_aligned",
        convention="",
        transfer=lambda w, p: kernel_shapes.gaussian(w, np.diag(p**2)),
        starts=lambda sigma: sigma * products(*[(0.6, 1.0, 1.6)] * ndim),
        support=lambda p: 4 * float(np.max(p)) + 1,
        names=tuple((f"sigma of axis {k}", "px") for k in range(ndim)),
        phrase=f"a Gaussian of {sizes} px along the axes",
        rms=_rms,
        fwhm=lambda p: FWHM_PER_SIGMA * _rms(p),
        lower=(0.02,) * ndim,
        upper=(WIDEST,) * ndim,
    )
    full = Candidate(
        name="full",
        convention="",
        transfer=lambda w, p: kernel_shapes.gaussian(w, matrix(p)),
        starts=starts,
        support=lambda p: 4 * float(np.max(sigmas(p))) + 1,
        names=tuple((f"sigma {k + 1}", "px") for k in range(ndim)),
        phrase=f"a tilted Gaussian of {sizes} px",
        rms=lambda p: _rms(sigmas(p)),
        fwhm=lambda p: FWHM_PER_SIGMA * _rms(sigmas(p)),
        shown=sigmas,
        lower=(-(WIDEST**2),) * len(round_one),
        upper=(WIDEST**2,) * len(round_one),
    )
    return per_axis, full


def _rms(sigmas: np.ndarray) -> float:
    return math.sqrt(float(np.mean(np.square(sigmas))))
