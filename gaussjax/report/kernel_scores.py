"""How well kernels predict, which of them a pair does not tell apart, and how that is said."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gaussjax.model.options import FAMILIES
from gaussjax.pair.oriented_pair import ROUNDING
from gaussjax.report.kernel_fit import Found, KernelPair
from gaussjax.report.round_candidates import GAUSSIAN
from gaussjax.statistics.held_out import LEVEL, excess, held_out, holm
from gaussjax.statistics.number_format import with_errors

_BLOCK = 8  # px


@dataclass(frozen=True)
class KernelFit:
    """A kernel at its best parameters, and how well it predicts.

    Attributes:
        name: of the shape.
        convention: how it is put on the pixel grid; "" where it says nothing more.
        phrase: the kernel in words.
        parameter_names: of ``parameters``.
        units: likewise.
        parameters: at the optimum.
        standard_errors: of them, by the noise; NaN for those that are chosen from a list.
        rms: root mean square width per axis, px; NaN where it is infinite or says nothing.
        fwhm: full width at half maximum, px, or NaN.
        score: mean held-out squared residual of a pixel, in the images' unit squared.
        excess: of the sum of held-out squares over that of the first kernel, in variances of the
            noise of a pixel.
        excess_error: its standard error.
        p_value: of as much excess by chance, adjusted for the number of kernels (Holm).
        is_tied: the pair does not tell it from the best.
        num_parameters: of the kernel.
    """

    name: str
    convention: str
    phrase: str
    parameter_names: tuple[str, ...]
    units: tuple[str, ...]
    parameters: np.ndarray
    standard_errors: np.ndarray
    rms: float
    fwhm: float
    score: float
    excess: float
    excess_error: float
    p_value: float
    is_tied: bool
    num_parameters: int


@dataclass(frozen=True)
class KernelComparison:
    """Kernels in the order of their scores.

    Attributes:
        kernels: the best first.
        best: the simplest that the pair does not tell from the first: of the fewest parameters.
        margin: px per axis next to the edge that are not compared.
        num_pixels: that are.
        is_swapped: ``blurred`` is the sharper image: kernels take it to ``reference``.
        is_related: the first kernel predicts the softer image better than its mean does.
    """

    kernels: tuple[KernelFit, ...]
    best: KernelFit
    margin: tuple[int, ...]
    num_pixels: int
    is_swapped: bool
    is_related: bool

    @property
    def shapes(self) -> tuple[KernelFit, ...]:
        """The best form of every shape."""
        found: dict[str, KernelFit] = {}
        for each in self.kernels:
            found.setdefault(each.name, each)
        return tuple(found.values())

    @property
    def tied(self) -> tuple[str, ...]:
        """Names of the shapes that the pair does not tell apart from the best, and its own."""
        return tuple(dict.fromkeys(each.name for each in self.kernels if each.is_tied))

    @property
    def conventions(self) -> tuple[str, ...]:
        """Of the best shape, those that the pair does not tell apart."""
        same = (each for each in self.kernels if each.is_tied and each.name == self.best.name)
        return tuple(each.convention for each in same if each.convention)

    @property
    def message(self) -> str:
        """What was found, in a sentence."""
        best = self.best
        if not self.is_related:
            return "no kernel that was tried explains the pair better than a constant"
        if best.name == "none":
            text = "the pair shows no blur: no kernel explains it better than none"
        elif best.name == GAUSSIAN:
            text = f"{best.phrase} explains the pair as well as any other kernel"
        else:
            plain = "a round Gaussian" if best.name in FAMILIES else "a Gaussian"
            text = f"{best.phrase} explains the pair better than {plain}"
        if len(self.conventions) > 1:
            text += f"; its forms {_listed(self.conventions)} cannot be told apart"
        # Richer kernels hold the best as a special case, or are as flexible: that says nothing.
        others = [
            each.name
            for each in self.shapes
            if each.is_tied
            and each.name != best.name
            and each.num_parameters <= best.num_parameters
        ]
        if others:
            text += f"; {_listed(others)} cannot be told from it"
        return text

    def __str__(self) -> str:
        """The sentence, and a row for the best form of every shape."""
        rows = [self.message]
        for each in self.shapes:
            excess = f"+{with_errors(each.excess, each.excess_error)}"
            mark = "=" if each.is_tied else " "
            rows.append(f"{mark} {each.name:<14} {excess:<21} {_parameters(each)}")
        return "\n".join(rows)


def _listed(names) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _parameters(fit: KernelFit) -> str:
    parts = []
    values = zip(fit.parameter_names, fit.parameters, fit.standard_errors, fit.units, strict=True)
    for name, value, error, unit in values:
        text = with_errors(value, error) if math.isfinite(error) else f"{value:.4g}"
        parts.append(f"{name} {text} {unit}".strip())
    return ", ".join(parts) + (f" ({fit.convention})" if fit.convention else "")


def judged(
    pair: KernelPair, found: list[Found], window: np.ndarray, eps: float
) -> tuple[tuple[KernelFit, ...], KernelFit, bool]:
    """All kernels, the best first; the simplest of those that are not worse; are images related.

    ``found`` is in the order of preference among kernels of as many parameters; ``window`` weighs
    the pixels; ``eps`` is of the precision of the images.
    """
    used = [np.flatnonzero(np.any(window > 0, axis=_others(window, k))) for k in range(window.ndim)]
    inside = tuple(slice(each[0], each[-1] + 1) for each in used)
    window = window[inside]
    found = [replace(each, rows=each.rows[:, *inside]) for each in found]
    size = max(min(_BLOCK, min(window.shape) // 6), 1)
    scores = [held_out(f.rows, pair.noise_variance * f.noise, window, size) for f in found]
    totals = np.array([np.sum(each.squares) for each in scores])
    first = int(np.argmin(totals))
    sharp = pair.sharp[inside] if pair.sharp.shape == pair.soft.shape else pair.sharp
    rounding = (ROUNDING * eps) ** 2 * float(np.var(sharp))
    variance = max(float(totals[first] / np.sum(window)), rounding)
    soft = pair.soft[inside]
    mean = np.sum(window * soft) / np.sum(window)
    constant = np.stack([soft - mean, np.ones_like(soft)])
    scores.append(held_out(constant, np.zeros((2, 2)), window, size))
    (*differences, above), (*errors, spread) = excess(scores, scores[first], size, variance)
    deviates = np.divide(differences, errors)
    p_values = np.insert(holm(np.delete(deviates, first)), first, 1.0)
    fits = [
        KernelFit(
            **_described(each, window, pair.noise_variance),
            score=float(total / np.sum(window)),
            excess=float(difference / variance),
            excess_error=float(error / variance),
            p_value=float(p_value),
            is_tied=bool(p_value > LEVEL),
            num_parameters=each.candidate.num_parameters,
        )
        for each, total, difference, error, p_value in zip(
            found, totals, differences, errors, p_values, strict=True
        )
    ]
    tied = [(each.candidate.num_parameters, k) for k, each in enumerate(found) if fits[k].is_tied]
    fits_in_order = tuple(sorted(fits, key=lambda each: each.excess))
    return fits_in_order, fits[min(tied)[1]], bool(holm([above / spread])[0] <= LEVEL)


def _others(window: np.ndarray, axis: int) -> tuple[int, ...]:
    return tuple(k for k in range(window.ndim) if k != axis)


def _described(found: Found, window: np.ndarray, noise_variance: float) -> dict[str, Any]:
    """What is told of a kernel besides its score."""
    candidate, p = found.candidate, found.parameters
    shown = np.asarray(candidate.shown(p), float)
    return {
        "name": candidate.name,
        "convention": candidate.convention,
        "phrase": candidate.phrase.format(*shown),
        "parameter_names": tuple(name for name, _ in candidate.names),
        "units": tuple(unit for _, unit in candidate.names),
        "parameters": shown,
        "standard_errors": _standard_errors(found, window, noise_variance),
        "rms": float(candidate.rms(p)),
        "fwhm": float(candidate.fwhm(p)),
    }


def _standard_errors(found: Found, window: np.ndarray, noise_variance: float) -> np.ndarray:
    """Of what is shown of a kernel, by white noise of the residual's variance."""
    candidate, p = found.candidate, found.parameters
    if candidate.is_listed or not len(p):
        return np.full(len(candidate.names), np.nan)
    moments = found.moments(window, noise_variance)
    variance = max(moments[0, 0], 0.0) / np.sum(window)
    covariance = np.linalg.pinv(moments[1:, 1:], rcond=1e-12, hermitian=True)[: len(p), : len(p)]
    steps = 1e-4 * np.maximum(np.abs(p), 0.1)
    slopes = [
        (candidate.shown(p + step) - candidate.shown(p - step)) / (2 * np.sum(step))
        for step in np.diag(steps)
    ]
    spread = np.einsum("ia,ij,ja->a", slopes, covariance, slopes)
    return np.sqrt(variance * np.maximum(spread, 0))
