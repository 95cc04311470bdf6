"""What is timed: the estimators as they are called, and what one writes without this package."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from experiments.shared.cropped_pairs import NOISES
from experiments.shared.scipy_reference import bounded_minimum, interior
from gaussjax import (
    BlurParams,
    estimate_blur,
    fit_frequency_ratio,
    fit_gauss_newton,
    loss,
    pair_spectra,
    transfer_function,
)
from gaussjax.model.fourier import angular_frequencies, half_plane_sum, squared_magnitude
from gaussjax.spectra.loss import without_zero_frequency

NOISE_STD = NOISES["1 % in both"]
UPPER, MARGIN = 5.0, 20  # px, of a search by other libraries


@dataclass(frozen=True)
class TimedFit:
    """A fit of two images, and which pairs it is for."""

    fit: Callable
    noises: tuple[str, ...] = ("no noise", "1 % in B")


def _given(a, b):
    return estimate_blur(a, b, noise_std=NOISE_STD)


def _full(a, b):
    return estimate_blur(a, b, family="full", gain=True, shift=True)


def _ratio(a, b):
    return fit_frequency_ratio(pair_spectra(a, b))


def _gauss_newton(a, b):
    return fit_gauss_newton(pair_spectra(a, b))


def alone(name: str) -> str:
    """Name of the same fit when its caller does not jit it."""
    return f"{name}, not jitted"


# The whole estimate, with error bar, status and verdict, in one program if jitted by the caller.
FITS: dict[str, TimedFit] = {
    "closed form": TimedFit(jax.jit(_ratio)),
    alone("closed form"): TimedFit(_ratio),
    "Gauss-Newton": TimedFit(jax.jit(_gauss_newton)),
    alone("Gauss-Newton"): TimedFit(_gauss_newton),
    "estimate_blur": TimedFit(jax.jit(estimate_blur)),
    alone("estimate_blur"): TimedFit(estimate_blur),
    "estimate_blur, noise_std": TimedFit(jax.jit(_given), ("1 % in both",)),
    "estimate_blur, full + gain + shift": TimedFit(jax.jit(_full)),
}
# Without this there is no fit to spectra.
SPECTRA = jax.jit(pair_spectra)


@jax.jit
def passes(a: jax.Array, b: jax.Array, sigma: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Spectra, and the two sums that a closed form with an error bar needs: log |H|, the misfit.

    Each once, with the weights of a known sigma: no start, no noise level, no direction, no status.
    """
    spectra = pair_spectra(a, b)
    half_square = 0.5 * sum(w**2 for w in angular_frequencies(spectra.image_shape, a.dtype))
    power = without_zero_frequency(spectra.reference_power)
    passed = power * transfer_function(sigma, spectra.image_shape) ** 2
    squared = squared_magnitude(spectra.transfer)
    weights = jnp.where(squared > 0, passed, 0)
    logarithm = 0.5 * jnp.log(jnp.where(squared > 0, squared, 1))

    def total(values: jax.Array) -> jax.Array:
        return half_plane_sum(values, spectra.image_shape)

    variance = -total(half_square * weights * logarithm) / total(half_square**2 * weights)
    return variance, loss(BlurParams(variance[None]), spectra)


MAPPED = jax.jit(jax.vmap(estimate_blur))


# On numpy arrays of float32.
SEARCHES: dict[str, Callable] = {
    "OpenCV blur, bounded search": lambda image, sigma: cv2.GaussianBlur(image, (0, 0), sigma),
    "SciPy blur, bounded search": ndimage.gaussian_filter,
}


def search(blur: Callable, pair: tuple[np.ndarray, np.ndarray]) -> float:
    """What one writes without this package: Brent's bounded search on the interior, px."""
    reference, blurred = pair

    def misfit(sigma: float) -> float:
        return float(np.sum(interior(blur(reference, sigma) - blurred, MARGIN) ** 2))

    return bounded_minimum(misfit, (0.1, UPPER))
