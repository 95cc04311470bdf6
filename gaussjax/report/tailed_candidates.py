"""Candidates of a core and wings: Moffat, generalised exponential, core and halo."""

import math

import numpy as np

from gaussjax.model import kernel_shapes
from gaussjax.report.kernel_candidate import LEAK, WIDEST, Candidate, products
from gaussjax.statistics.kernel_widths import FWHM_PER_SIGMA


def heavy_tails(ndim: int) -> tuple[Candidate, ...]:
    """Moffat, generalised exponential, core and halo."""

    def moffat_rms(p: np.ndarray) -> float:
        return p[0] / math.sqrt(2 * p[1] - ndim - 2) if p[1] > 0.5 * ndim + 1 else math.nan

    moffat = Candidate(
        name="Moffat",
        convention="",
        transfer=lambda w, p: kernel_shapes.moffat(w, *p),
        starts=lambda sigma: np.array(
            [
                (sigma * width * math.sqrt(exponent), exponent)
                for width, exponent in products((0.6, 0.8, 1, 1.25, 1.5), (1, 1.5, 2.5, 4, 8))
                if exponent > 0.5 * ndim
            ]
        ),
        support=lambda p: p[0] * math.sqrt(max(LEAK ** (-1 / (p[1] - 0.5 * ndim)) - 1, 0)) + 1,
        names=(("FWHM", "px"), ("beta", "")),
        phrase="a Moffat of FWHM {0:.3g} px and beta {1:.3g}",
        rms=moffat_rms,
        fwhm=lambda p: 2 * p[0] * math.sqrt(2 ** (1 / p[1]) - 1),
        shown=lambda p: np.array([2 * p[0] * math.sqrt(2 ** (1 / p[1]) - 1), p[1]]),
        lower=(0.05, 0.5 * ndim + 0.05),
        upper=(WIDEST, 60.0),
    )
    generalised = Candidate(
        name="generalised",
        convention="",
        transfer=lambda w, p: kernel_shapes.generalised(w, *p),
        starts=lambda sigma: np.array([sigma, 1]) * products((0.6, 0.8, 1, 1.25), (1, 1.5, 2, 3)),
        support=lambda p: 4 * p[0] * max(2 / p[1], 1) ** 2 + 1,
        names=(("scale", "px"), ("exponent", "")),
        phrase="exp(-(s |w|)^p / 2) with s = {0:.3g} px and p = {1:.3g}",
        rms=lambda p: p[0] if abs(p[1] - 2) < 1e-3 else math.nan,
        fwhm=lambda p: FWHM_PER_SIGMA * p[0] if abs(p[1] - 2) < 1e-3 else math.nan,
        lower=(0.05, 0.5),
        upper=(WIDEST, 6.0),
    )
    halo = Candidate(
        name="core and halo",
        convention="",
        transfer=lambda w, p: kernel_shapes.core_and_halo(w, *p),
        starts=lambda sigma: (
            np.array([sigma, 1, 1]) * products((0.5, 0.7, 0.85, 1), (2, 3, 5), (0.05, 0.2))
        ),
        support=_halo_support,
        names=(("sigma", "px"), ("sigma of the halo", "px"), ("share of the halo", "")),
        phrase="a Gaussian of {0:.3g} px with {2:.2g} of the light in a halo of {1:.3g} px",
        rms=lambda p: p[0] * math.sqrt(max(1 + p[2] * (p[1] ** 2 - 1), 0)),
        fwhm=lambda p: FWHM_PER_SIGMA * p[0],
        shown=lambda p: np.array([p[0], p[0] * p[1], p[2]]),
        lower=(0.05, 1.05, -0.5),
        upper=(WIDEST, 12.0, 0.95),
    )
    return moffat, generalised, halo


def _halo_support(p: np.ndarray) -> float:
    sigma, ratio, share = p
    far = sigma * ratio * math.sqrt(2 * math.log(max(abs(share) / LEAK, 1)))
    return max(4 * sigma, far) + 1
