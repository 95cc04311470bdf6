"""Estimate the Gaussian blur between two images of one scene, with its error bar, in JAX."""

from gaussjax.estimate import estimate_blur
from gaussjax.fit import fit_gauss_newton, fit_optax
from gaussjax.frequency_ratio import fit_free_kernel, fit_frequency_ratio, fit_pointwise_ratio
from gaussjax.residuals import image_loss, loss
from gaussjax.result import BlurEstimate
from gaussjax.solvers import Status
from gaussjax.spectra import Spectra, add_spectra, pair_spectra, sum_spectra
from gaussjax.transfer import BlurParams, blur, transfer_function

__all__ = [
    "BlurEstimate",
    "BlurParams",
    "Spectra",
    "Status",
    "add_spectra",
    "blur",
    "estimate_blur",
    "fit_free_kernel",
    "fit_frequency_ratio",
    "fit_gauss_newton",
    "fit_optax",
    "fit_pointwise_ratio",
    "image_loss",
    "loss",
    "pair_spectra",
    "sum_spectra",
    "transfer_function",
]
