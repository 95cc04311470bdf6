"""Estimate the Gaussian blur between two images of one scene, with its error bar, in JAX."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# For type checkers, to which a name that is imported as itself is a public one.
if TYPE_CHECKING:
    from gaussjax.dataset.fit import fit_dataset as fit_dataset
    from gaussjax.dataset.result import DatasetEstimate as DatasetEstimate
    from gaussjax.dataset.stack import estimate_blurs as estimate_blurs
    from gaussjax.io.images import ImageFile as ImageFile
    from gaussjax.io.images import read_image as read_image
    from gaussjax.io.pair_set import PairSet as PairSet
    from gaussjax.io.pair_set import open_pairs as open_pairs
    from gaussjax.maps.blur_map import BlurMap as BlurMap
    from gaussjax.maps.blur_map import blur_map as blur_map
    from gaussjax.maps.table import map_rows as map_rows
    from gaussjax.model.kernels import Kernel as Kernel
    from gaussjax.model.params import BlurParams as BlurParams
    from gaussjax.model.transfer import blur as blur
    from gaussjax.model.transfer import transfer_function as transfer_function
    from gaussjax.numerics.program_cache import keep_programs as keep_programs
    from gaussjax.pair.estimate import estimate_blur as estimate_blur
    from gaussjax.pair.prediction import image_loss as image_loss
    from gaussjax.pair.transfer_fit import fit_transfer as fit_transfer
    from gaussjax.report.family_comparison import compare_families as compare_families
    from gaussjax.report.kernel_comparison import compare_kernels as compare_kernels
    from gaussjax.report.kernel_scores import KernelComparison as KernelComparison
    from gaussjax.report.kernel_scores import KernelFit as KernelFit
    from gaussjax.report.map_figure import draw_map as draw_map
    from gaussjax.report.pair_figure import draw_report as draw_report
    from gaussjax.report.radial_transfer import transfer_profile as transfer_profile
    from gaussjax.spectra.cross_spectra import Spectra as Spectra
    from gaussjax.spectra.cross_spectra import add_spectra as add_spectra
    from gaussjax.spectra.cross_spectra import pair_spectra as pair_spectra
    from gaussjax.spectra.cross_spectra import sum_spectra as sum_spectra
    from gaussjax.spectra.frequency_ratio import fit_free_kernel as fit_free_kernel
    from gaussjax.spectra.frequency_ratio import fit_frequency_ratio as fit_frequency_ratio
    from gaussjax.spectra.frequency_ratio import fit_pointwise_ratio as fit_pointwise_ratio
    from gaussjax.spectra.iterative_fit import fit_gauss_newton as fit_gauss_newton
    from gaussjax.spectra.iterative_fit import fit_optax as fit_optax
    from gaussjax.spectra.loss import loss as loss
    from gaussjax.spectra.noise_of_repeats import noise_of_repeats as noise_of_repeats
    from gaussjax.statistics.cause import Cause as Cause
    from gaussjax.statistics.gaussianity import Gaussianity as Gaussianity
    from gaussjax.statistics.goodness_of_fit import Adequacy as Adequacy
    from gaussjax.statistics.information_criterion import FamilyComparison as FamilyComparison
    from gaussjax.statistics.result import BlurEstimate as BlurEstimate
    from gaussjax.statistics.shared_nuisances import SharedNuisances as SharedNuisances
    from gaussjax.statistics.shared_nuisances import share_nuisances as share_nuisances
    from gaussjax.statistics.status import Status as Status
    from gaussjax.statistics.transfer_estimate import TransferEstimate as TransferEstimate
    from gaussjax.statistics.transfer_profile import TransferProfile as TransferProfile
    from gaussjax.statistics.verdict import Verdict as Verdict

# Where each public name lives: it is imported when it is first used. The command line lives in this
# package too, and must answer ``--help`` without the seconds that importing JAX takes.
_HOMES = {
    "Adequacy": "statistics.goodness_of_fit",
    "BlurEstimate": "statistics.result",
    "BlurMap": "maps.blur_map",
    "BlurParams": "model.params",
    "Cause": "statistics.cause",
    "DatasetEstimate": "dataset.result",
    "Kernel": "model.kernels",
    "FamilyComparison": "statistics.information_criterion",
    "Gaussianity": "statistics.gaussianity",
    "ImageFile": "io.images",
    "KernelComparison": "report.kernel_scores",
    "KernelFit": "report.kernel_scores",
    "PairSet": "io.pair_set",
    "SharedNuisances": "statistics.shared_nuisances",
    "Spectra": "spectra.cross_spectra",
    "Status": "statistics.status",
    "TransferEstimate": "statistics.transfer_estimate",
    "TransferProfile": "statistics.transfer_profile",
    "Verdict": "statistics.verdict",
    "add_spectra": "spectra.cross_spectra",
    "blur": "model.transfer",
    "blur_map": "maps.blur_map",
    "compare_families": "report.family_comparison",
    "compare_kernels": "report.kernel_comparison",
    "draw_map": "report.map_figure",
    "draw_report": "report.pair_figure",
    "estimate_blur": "pair.estimate",
    "estimate_blurs": "dataset.stack",
    "fit_dataset": "dataset.fit",
    "fit_free_kernel": "spectra.frequency_ratio",
    "fit_frequency_ratio": "spectra.frequency_ratio",
    "fit_gauss_newton": "spectra.iterative_fit",
    "fit_optax": "spectra.iterative_fit",
    "fit_pointwise_ratio": "spectra.frequency_ratio",
    "fit_transfer": "pair.transfer_fit",
    "image_loss": "pair.prediction",
    "keep_programs": "numerics.program_cache",
    "loss": "spectra.loss",
    "map_rows": "maps.table",
    "noise_of_repeats": "spectra.noise_of_repeats",
    "open_pairs": "io.pair_set",
    "pair_spectra": "spectra.cross_spectra",
    "read_image": "io.images",
    "share_nuisances": "statistics.shared_nuisances",
    "sum_spectra": "spectra.cross_spectra",
    "transfer_function": "model.transfer",
    "transfer_profile": "report.radial_transfer",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
