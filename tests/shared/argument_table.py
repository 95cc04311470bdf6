"""Every argument of every public function: which of the values in ``wrong_values`` it takes.

A public function or an argument that is missing here fails ``tests/test_arguments.py``.
"""

from dataclasses import MISSING, dataclass, field, fields, replace
from inspect import Parameter, signature
from types import SimpleNamespace

import numpy as np
import optax
from wrong_values import RAMP, estimate, values

import gaussjax as gj
from gaussjax.maps.tile_grid import make_grid


@dataclass(frozen=True)
class Kind:
    """Names of the values that an argument takes, and of those that are not tried."""

    valid: frozenset[str]
    traced: frozenset[str] | None = None  # valid while tracing; None: the argument is static
    skipped: frozenset[str] = frozenset()

    def __or__(self, names):
        traced = None if self.traced is None else self.traced | set(names)
        return Kind(self.valid | set(names), traced, self.skipped)

    def __sub__(self, names):
        """Wrong by their values, if they are arrays."""
        return Kind(self.valid - set(names), self.traced, self.skipped)


def static(*names, skipped=()):
    return Kind(frozenset(names), None, frozenset(skipped))


def array(*names, traced=()):
    """``traced``: what is wrong by its value alone, which tracing does not know."""
    return Kind(frozenset(names), frozenset((*names, *traced)))


# Numbers
FLAG = static("True", "False", "np.True_")
COUNT = static("1", "3", "np.int64(3)")
ANY_COUNT = COUNT | {"0", str(10**30)}
PLAIN = {"1", "3", "0.5", "2.5", "np.float32(2.5)", "np.int64(3)", "a 0-d array", "a JAX number"}
TRUNCATE = static(*PLAIN)
LARGE = {str(1e9), str(10**30)}
POSITIVE = static(*PLAIN, *LARGE)
NOT_NEGATIVE = POSITIVE | {"0", "inf"}
THRESHOLD = array("0", "0.5", traced=(*PLAIN, *LARGE, "-1", "-1.5", "nan", "inf", "-inf"))
LEVEL = POSITIVE
PROBABILITY = array("0.5", traced=(*PLAIN, *LARGE, "0", "-1", "-1.5", "nan", "inf", "-inf"))

# Options
FAMILY = static("'isotropic'")
KERNEL = static("'sampled'", "a sampled Kernel")
RADIUS = COUNT | {"None", "a function"}
BOUNDARY = static("'reflect'", "'valid'")
LOSS = static("'huber'", "a function")
CALLABLES = ("a class", "a function", "a function that fails", "a function that is not hashable")
CALLABLES += ("a class of arrays", "a universal function")
WORDS = ("isotropic", "sampled", "reflect", "huber", "estimate", "valid", "float64", "log_sigma")
PATHS = {"a word", "digits", "a NumPy word", "text of two lines", "a path", *map(repr, WORDS)}
TEXT = static(*PATHS - {"a path"}, "no text", "text with a zero", "a long text")
PATH = static(*PATHS, skipped=["a long text"])  # too long for the file system: an OSError

# Arrays
FINITE = ("an image", "an image of bytes", "a Boolean image", "a JAX image", "a negative image")
FINITE += ("an image of zeros", "an image of FITS", "an image of 80 bit")
FINITE += ("a tensor",)
WITH_NAN = ("an image with NaN", "an image of NaN")
IMAGE = array(*FINITE, *WITH_NAN)  # what is not finite is found where a fit has stumbled on it
FINITE_IMAGE = array(*FINITE, traced=WITH_NAN)
SIGNALS = ("(1, 2)", "(5, 4)", "[2.0, 1.0]", "(1, 2, 3)", "(0, 0)", "(-1, 2)", "a range")
SIGNALS += ("[1.0, 2.0]",)
ANY_IMAGE = FINITE_IMAGE | {*SIGNALS, "(nan, 1)", "a huge shape", "an image of another shape"}
ANY_IMAGE = (ANY_IMAGE | {"a batch"}) - {"(nan, 1)"}
MASK = array("None", *FINITE, traced=WITH_NAN) - {"an image of zeros"}
WEIGHTS = MASK - {"a negative image"}
STACK = array("a batch")
STACK_MAP = array("None", "a batch")
PAIR = ("(1, 2)", "(5, 4)", "[2.0, 1.0]", "[1.0, 2.0]")
NOISE = array("None", "'estimate'", *PAIR, traced=["(0, 0)", "(-1, 2)", "(nan, 1)"])
BOUNDS = array("None", "(1, 2)", "[1.0, 2.0]", "(-1, 2)")
BOUNDS = Kind(BOUNDS.valid, BOUNDS.valid | set(PAIR) | {"(0, 0)", "(nan, 1)"})
NUMBERS = (*PLAIN, "0", "-1", "-1.5", str(1e9))
SIGMA = array(*NUMBERS, *PAIR, "(-1, 2)", "(0, 0)", "params", "params of two axes")
SIGMA = Kind(SIGMA.valid, SIGMA.valid | {"nan", "inf", "-inf", str(10**30), "(nan, 1)"})
SIGMA = Kind(SIGMA.valid, SIGMA.traced | {"params of NaN"})
PARAMS = SIGMA | {"params with an offset"}
INITIAL = PARAMS | {"None"}
TILE = static("3", "np.int64(3)", "(5, 4)")
STEP = static("None", "1", "3", "np.int64(3)", "(1, 2)", "(5, 4)")
SHAPE = static("(5, 4)")
SPACING = static("None", *PLAIN, str(1e9), *PAIR)

# Ours
SPECTRA = array("spectra", "spectra of another shape")
ESTIMATE = static("an estimate")
NOTHING = static()

KERNEL_OPTIONS = {"kernel": KERNEL, "truncate": TRUNCATE, "radius": RADIUS}
NUISANCES = dict.fromkeys(("gain", "offset", "shift"), FLAG)
PAIR_OPTIONS = {
    "reference": IMAGE,
    "blurred": IMAGE,
    "family": FAMILY,
    **KERNEL_OPTIONS,
    "loss": LOSS,
    **NUISANCES,
    "noise_std": NOISE,
    "bounds": BOUNDS,
    "mask": MASK,
    "weights": WEIGHTS,
    "initial": INITIAL,
}
GRID = {"sampling": static("None", "1"), "pixel": static(), "centre": static()}
RATIOS = static("None", *(PLAIN - {"0.5"}), str(1e9), *PAIR, "(1, 2, 3)", "[1.0]")
RATIO = {"spectra": SPECTRA, "family": FAMILY}

ARGUMENTS = {
    "BlurEstimate.energy_radius": {"fraction": static("0.5")},
    "BlurEstimate.in_units": {
        "pixel_size": static(*PLAIN, str(1e9), *PAIR),
        "unit": TEXT,
    },
    "BlurEstimate.interval": {"level": PROBABILITY},
    "BlurParams.covariance_matrix": {"ndim": COUNT},
    "BlurParams.sigma": {"ndim": COUNT},
    "DatasetEstimate.worst": {"count": ANY_COUNT},
    "Gaussianity.interval": {"level": PROBABILITY},
    "Kernel": {"name": static("'sampled'"), "truncate": TRUNCATE, "radius": RADIUS},
    "PairSet.shard": {
        "index": COUNT - {"3", "np.int64(3)"} | {"0"},
        "count": COUNT | {str(10**30)},
    },
    "PairSet.starting_at": {"position": ANY_COUNT},
    "Spectra.folded": {"least": COUNT | {str(10**30)}},
    "TransferEstimate.at": {
        "frequency": array(
            *NUMBERS, *SIGNALS, "nan", "inf", "-inf", "()", "[]", "(nan, 1)", "[1.0]"
        )
        | {"a huge shape"}
    },
    "TransferEstimate.in_units": {"pixel_size": LEVEL - {str(10**30)}, "unit": TEXT},
    "TransferEstimate.resolution": {"level": LEVEL, "of": NOTHING},
    "add_spectra": {"first": array("spectra")},
    "blur": {
        "image": ANY_IMAGE,
        "params_or_sigma": PARAMS - {str(1e9)},
        **KERNEL_OPTIONS,
        "boundary": BOUNDARY - {"'valid'"},
    },
    "blur_map": {
        **PAIR_OPTIONS,
        "noise_correlation": static("None"),
        **GRID,
        "tile": TILE,
        "step": STEP,
        "shrink": FLAG,
    },
    "compare_families": {
        **PAIR_OPTIONS,
        **GRID,
        "boundary": BOUNDARY,
    },
    "compare_kernels": {
        "reference": static(*IMAGE.valid),
        "blurred": static(*IMAGE.valid),
        **NUISANCES,
        "noise_std": static(*NOISE.valid),
        "mask": static(*MASK.valid),
        "weights": static(*WEIGHTS.valid),
        "truncate": TRUNCATE,
        "radius": RADIUS,
        "estimate": ESTIMATE | {"None"},
        **GRID,
    },
    "draw_map": {"reference": static(*FINITE, *WITH_NAN), "blur_map": NOTHING},
    "draw_report": {
        "reference": static(*FINITE),
        "blurred": static(*FINITE),
        "estimate": ESTIMATE,
        "profile": NOTHING,
        "comparison": NOTHING,
        "kernels": static("None"),
        "mask": static(*MASK.valid),
    },
    "estimate_blur": {
        **PAIR_OPTIONS,
        "boundary": BOUNDARY,
        "noise_correlation": static("None"),  # there are no levels
        "motion": static("None"),
        **GRID,
        "spacing": SPACING,
        "precision": POSITIVE | {"None"},
        "buckets": FLAG,
    },
    "estimate_blurs": {
        **PAIR_OPTIONS,
        "references": STACK,
        "blurreds": STACK,
        "boundary": BOUNDARY,
        "mask": STACK_MAP,
        "weights": STACK_MAP,
        "noise_correlation": static("None"),
        "motion": static("None"),
        **GRID,
        "spacing": SPACING,
        "precision": static("None"),
        "buckets": FLAG,
    },
    "fit_dataset": {
        "pairs": NOTHING,
        "family": FAMILY,
        **KERNEL_OPTIONS,
        "boundary": BOUNDARY,
        "loss": LOSS,
        **NUISANCES,
        "noise_std": static("None", "'estimate'", *PAIR),
        "noise_correlation": static("None"),
        # Of which shapes pairs are is not known at the door.
        **GRID,
        "sampling": RATIOS,
        "initial": static(*INITIAL.valid),
        "covariates": static("None"),
        "batched": FLAG,
        "max_passes": COUNT | {str(10**30)},
        "tolerance": NOT_NEGATIVE,
        "max_bad": ANY_COUNT,
        "state": PATH | {"None"},
        "save_every": NOT_NEGATIVE,
        "on_progress": static("None", *CALLABLES),
    },
    "fit_free_kernel": {**RATIO, "threshold": THRESHOLD},
    "fit_frequency_ratio": {**RATIO, "amplitude": FLAG},
    "fit_gauss_newton": {**RATIO, **KERNEL_OPTIONS, "initial": INITIAL, "bounds": BOUNDS},
    "fit_optax": {
        **RATIO,
        "optimizer": NOTHING,
        **KERNEL_OPTIONS,
        "initial": INITIAL,
        "num_steps": COUNT,
        "parameter": static("'log_sigma'"),
    },
    "fit_pointwise_ratio": {**RATIO, "amplitude": FLAG, "threshold": THRESHOLD},
    "fit_transfer": {
        "reference": FINITE_IMAGE,
        "blurred": FINITE_IMAGE,
        "direction": static("0", "1", "-1"),
        "boundary": static("'valid'"),
        "gain": FLAG,
        "shift": FLAG,
        "noise_std": NOISE,
        "noise_correlation": static("None"),
        "mask": MASK,
        **GRID,
        "num_bins": COUNT | {"None"},
        "margin": COUNT | {"0", "None"},
    },
    "image_loss": {
        "params": PARAMS - {str(1e9)},
        "reference": IMAGE,
        "blurred": IMAGE,
        **KERNEL_OPTIONS,
        "boundary": BOUNDARY,
    },
    "keep_programs": {"folder": PATH | {"None", "a long text"}},
    "loss": {"params": SIGMA - {str(1e9)}, "spectra": SPECTRA, **KERNEL_OPTIONS},
    "map_rows": {"blur_map": NOTHING},
    "noise_of_repeats": {
        "exposures": static(  # an image holds the exposures of a signal
            *FINITE, "a batch", "an image of another shape", "a colour image", "an array of rank 4"
        )
    },
    "open_pairs": {
        "reference": PATH,
        "blurred": PATH | {"None"},
        "workers": COUNT | {"None"},
        "linearize": FLAG,
        "dtype": static("'float64'"),
    },
    "pair_spectra": {"reference": IMAGE, "blurred": IMAGE},
    "read_image": {
        "path": PATH,
        "linearize": FLAG,
        "channel": TEXT | {"None", "text with a zero", "no text"},
        "page": ANY_COUNT | {"None"},
    },
    "share_nuisances": {"estimates": NOTHING, "names": NOTHING},
    "sum_spectra": {"batch": array("spectra of a batch")},
    "transfer_function": {"params": PARAMS - {str(1e9)}, "image_shape": SHAPE, **KERNEL_OPTIONS},
    "transfer_profile": {
        "reference": static(*FINITE),
        "blurred": static(*FINITE),
        "estimate": ESTIMATE,
        "mask": static(*MASK.valid),
        "num_bins": COUNT,
    },
}
ARGUMENTS["add_spectra"]["second"] = ARGUMENTS["add_spectra"]["first"]
for _absent in ("family", "loss", "bounds", "initial"):
    del ARGUMENTS["compare_families"][_absent]
for _absent in ("reference", "blurred"):
    del ARGUMENTS["estimate_blurs"][_absent]

# What functions make, and whose fields are checked where they are used.
MADE_BY_FUNCTIONS = {
    "Adequacy",
    "BlurEstimate",
    "BlurMap",
    "BlurParams",
    "Cause",
    "DatasetEstimate",
    "FamilyComparison",
    "Gaussianity",
    "ImageFile",
    "KernelComparison",
    "KernelFit",
    "PairSet",
    "SharedNuisances",
    "Spectra",
    "Status",
    "TransferEstimate",
    "TransferProfile",
    "Verdict",
}
# Methods whose arguments are those of a class of the standard library.
_INHERITED = {"Cause", "Status", "Verdict"}
# Called in the midst of fits, with what the fits have checked.
_INTERNAL = {"BlurParams.axis_variances"}
_INTERNAL |= {"Kernel.margin_at", "Kernel.reach", "Kernel.support_at"}


@dataclass(frozen=True)
class Call:
    """A public function with arguments that are right, and what lies behind its checks."""

    function: object
    given: dict = field(default_factory=dict)
    behind: tuple[str, ...] = ()  # stands for the work, which a test of arguments does not want


def calls():
    """Of every public function and method with arguments, by name."""
    known = values()
    spectra, batch, one = (known[k] for k in ("spectra", "spectra of a batch", "an estimate"))
    pair = {"reference": RAMP, "blurred": RAMP}
    found_map = gj.BlurMap(
        estimate((2, 2)),
        np.zeros((2, 2, 2)),
        *np.ones((2, 2, 2)),
        np.ones(()),
        None,
        None,
        make_grid(RAMP.shape, 8, 4),
    )
    number = np.ones(3, np.float32)
    profile = gj.TransferProfile(*[number] * 6)
    comparison = gj.FamilyComparison(np.ones(2), ("none", "isotropic"))
    report = {**pair, "estimate": one}
    pairs = _pair_set()
    filters = "gaussjax.statistics.transfer_estimate"
    parts = {f.name: number for f in fields(gj.TransferEstimate) if f.default is MISSING}
    found_transfer = gj.TransferEstimate(**parts)
    solver = "gaussjax.spectra.iterative_fit"
    ratio = "gaussjax.spectra.frequency_ratio"
    fit = ("gaussjax.pair.estimate.estimate_within", "gaussjax.pair.partial_reading._search")
    repeats = "gaussjax.spectra.noise_of_repeats"
    many = ("gaussjax.dataset.stack._together", "gaussjax.dataset.stack._one_by_one")
    oriented = ("gaussjax.pair.oriented_pair.is_swapped",)
    stacks = {"references": known["a batch"], "blurreds": known["a batch"]}
    found = {
        "BlurEstimate.energy_radius": Call(one.energy_radius),
        "BlurEstimate.in_units": Call(one.in_units, {"pixel_size": 2.0}),
        "BlurEstimate.interval": Call(one.interval),
        "BlurParams.covariance_matrix": Call(one.params.covariance_matrix),
        "BlurParams.sigma": Call(one.params.sigma),
        "DatasetEstimate.worst": Call(_dataset().worst),
        "Gaussianity.interval": Call(gj.Gaussianity(*np.ones((4, 1), np.float32)).interval),
        "Kernel": Call(gj.Kernel),
        "TransferEstimate.at": Call(found_transfer.at, {}, (f"{filters}.spline_rows",)),
        "TransferEstimate.in_units": Call(found_transfer.in_units, {"pixel_size": 2.0}),
        "TransferEstimate.resolution": Call(
            found_transfer.resolution, {}, (f"{filters}.crossing",)
        ),
        "PairSet.shard": Call(pairs.shard, {"index": 0, "count": 2}),
        "PairSet.starting_at": Call(pairs.starting_at),
        "Spectra.folded": Call(spectra.folded),
        "add_spectra": Call(gj.add_spectra, {"first": spectra, "second": spectra}),
        "blur": Call(
            gj.blur,
            {"image": RAMP, "params_or_sigma": 1.0, "boundary": "reflect"},
            ("gaussjax.model.transfer._blur",),
        ),
        "blur_map": Call(
            gj.blur_map, {**pair, "tile": 5}, ("gaussjax.maps.blur_map.estimate_tiles",)
        ),
        "compare_families": Call(gj.compare_families, pair, fit),
        "compare_kernels": Call(gj.compare_kernels, pair, (*fit, *oriented)),
        "draw_map": Call(
            gj.draw_map,
            {"reference": RAMP, "blur_map": found_map},
            ("gaussjax.report.style.new_figure",),
        ),
        "draw_report": Call(
            gj.draw_report, {**report, "profile": profile, "comparison": comparison}, oriented
        ),
        "estimate_blur": Call(gj.estimate_blur, pair, fit),
        "estimate_blurs": Call(gj.estimate_blurs, stacks, many),
        "fit_dataset": Call(
            gj.fit_dataset, {"pairs": [(RAMP, RAMP)]}, ("gaussjax.dataset.start._shared_start",)
        ),
        "fit_free_kernel": Call(
            gj.fit_free_kernel, {"spectra": spectra}, (f"{ratio}._free_kernel",)
        ),
        "fit_frequency_ratio": Call(
            gj.fit_frequency_ratio, {"spectra": spectra}, (f"{ratio}._frequency_ratio",)
        ),
        "fit_gauss_newton": Call(
            gj.fit_gauss_newton, {"spectra": spectra}, (f"{solver}._fit_gauss_newton",)
        ),
        "fit_optax": Call(
            gj.fit_optax,
            {"spectra": spectra, "optimizer": optax.adam(0.1)},
            (f"{solver}._fit_optax",),
        ),
        "fit_transfer": Call(gj.fit_transfer, pair, ("gaussjax.pair.transfer_fit._fit_transfer",)),
        "fit_pointwise_ratio": Call(
            gj.fit_pointwise_ratio, {"spectra": spectra}, (f"{ratio}._pointwise_ratio",)
        ),
        "image_loss": Call(
            gj.image_loss,
            {"params": 1.0, **pair, "boundary": "reflect"},
            ("gaussjax.pair.prediction.make_frame",),
        ),
        "keep_programs": Call(gj.keep_programs, {}, ("gaussjax.numerics.program_cache._mend",)),
        "loss": Call(
            gj.loss,
            {"params": 1.0, "spectra": spectra},
            ("gaussjax.spectra.loss.spectral_squares",),
        ),
        "map_rows": Call(gj.map_rows, {"blur_map": found_map}),
        "noise_of_repeats": Call(
            gj.noise_of_repeats, {"exposures": known["a batch"]}, (f"{repeats}._autocovariance",)
        ),
        "open_pairs": Call(
            gj.open_pairs, {"reference": "a", "blurred": "b"}, ("gaussjax.io.pair_set.open_source",)
        ),
        "pair_spectra": Call(
            gj.pair_spectra, pair, ("gaussjax.spectra.cross_spectra._pair_spectra",)
        ),
        "read_image": Call(gj.read_image, {"path": "a"}, ("gaussjax.io.images.one_line_errors",)),
        "share_nuisances": Call(
            gj.share_nuisances,
            {"estimates": estimate((3,), **_with_shifts(3)), "names": ["shift"]},
            ("gaussjax.statistics.shared_nuisances._pooled",),
        ),
        "sum_spectra": Call(
            gj.sum_spectra, {"batch": batch}, ("gaussjax.spectra.cross_spectra.squared_magnitude",)
        ),
        "transfer_function": Call(
            gj.transfer_function,
            {"params": 1.0, "image_shape": (5, 4)},
            ("gaussjax.model.transfer.gaussian_transfer",),
        ),
        "transfer_profile": Call(gj.transfer_profile, report, oriented),
    }
    return {name: _with_taps(name, call) for name, call in found.items()}


def _with_taps(name, call):
    """With the kernel that has a truncate and a radius, where it is not the one of a fit."""
    kernel = {"Kernel": "name"}.get(name, "kernel")
    if not {kernel, "truncate"} <= set(ARGUMENTS[name]):
        return call
    return replace(call, given={kernel: "sampled", **call.given})


def _pair_set():
    from gaussjax.io.pair_sources import Source

    return gj.PairSet(Source(()))


def _with_shifts(count):
    """What a batch of estimates holds that have a shift."""
    params = gj.BlurParams(np.ones((count, 1), np.float32), shift=np.ones((count, 2), np.float32))
    return {"params": params, "parameter_covariance": np.ones((count, 3, 3), np.float32)}


def _dataset():
    parts = dict.fromkeys(field.name for field in fields(gj.DatasetEstimate))
    pairs = SimpleNamespace(misfit=np.zeros(3))
    return gj.DatasetEstimate(**{**parts, "pairs": pairs, "names": ("a", "b", "c")})


def public_arguments():
    """Names of the arguments of every public function, and of every method, as they are."""
    found = {}
    for name in gj.__all__:
        public = getattr(gj, name)
        if not isinstance(public, type):
            found[name] = _arguments(public)
            continue
        if name not in MADE_BY_FUNCTIONS:
            found[name] = _arguments(public)
        if name in _INHERITED:
            continue
        for method, function in vars(public).items():
            if not method.startswith("_") and callable(function):
                named = _arguments(function) - {"self"}
                found |= {f"{name}.{method}": named} if named else {}
    return {name: named for name, named in found.items() if name not in _INTERNAL}


def _arguments(function):
    """Their names; those of ``estimate_blur`` where it takes the options of that."""
    parameters = signature(function).parameters.values()
    names = {each.name for each in parameters if each.kind != Parameter.VAR_KEYWORD}
    if any(each.kind == Parameter.VAR_KEYWORD for each in parameters):
        names |= _arguments(gj.estimate_blur) - {"reference", "blurred"}
    return names
