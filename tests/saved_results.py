"""Results of every public function and command, saved once to compare later commits with.

    python -m tests.saved_results save tests/data/saved_results.json
    python -m tests.saved_results compare tests/data/saved_results.json [--only TEXT] [--bars X]

``compare`` prints a line for every case that differs by more than its tolerance, and ends with 1
if there is one. A value with an error bar beside it may move by 1e-6 of that bar (float64; float32:
1e-2), or by rounding; other figures by 1e-9 of themselves (2e-3); ``--bars`` sets another fraction
of the bar, and scales the other tolerances alike. Whole numbers (status, verdict, pixels) have to
be the same, but for steps of a solver, which are only reported, as are figures beside a refusal.
Only public names are used, so that modules may move. Names of cases end in their precision:
``--only "[f64]"`` or ``--only fit`` is a part, and ``save --only`` renews that part of a file.
"""
# ruff: noqa: E402

import argparse
import contextlib
import csv
import io
import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Most of the time is compilation, as in the tests. What the caller has set comes last and wins.
_HASTY = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1 "
_HASTY += "--xla_cpu_use_fusion_emitters=false " * version("jaxlib").startswith("0.10.")
os.environ["XLA_FLAGS"] = _HASTY + os.environ.get("XLA_FLAGS", "")
os.environ["GAUSSJAX_CACHE"] = "0"

import jax
import numpy as np
import optax
import PIL.Image
import scipy.ndimage
from skimage import color, data

import gaussjax as gj
from gaussjax.cli import main as command_main

BARS = {"f64": 1e-6, "f32": 1e-2}  # of the error bar
RELATIVE = {"f64": 1e-9, "f32": 2e-3}  # of figures without one
ROUNDING = {"f64": 1e-11, "f32": 1e-6}  # of a value with a bar, in any case
MEANINGLESS = (2, 3, 4)  # statuses whose figures are only reported, as those of equal images
# Figures that are near 0 where all is well are measured by what would be large; the rest by itself.
UNITS = {"autocorrelation": 1.0, "displacement": 1.0, "unexplained": 1e-6}
UNITS |= {"unexplained_change": 1e-4, "misfit": 1.0, "angle": 1.0, "phase": 1.0, "offset": 1.0}
NUMBER = re.compile(r"([-+]?\d+\.?\d*(?:e[-+]?\d+)?)")
FEW, KEPT = 24, 8  # an array of more entries is told by its rms and some of them

SHAPE = (96, 80)
RANDOM = np.random.default_rng(1)
HOLE = np.ones(SHAPE, bool)
HOLE[30:44, 20:31] = False
SPOTS = RANDOM.random(SHAPE) > 0.004
WEIGHTS = RANDOM.uniform(0.5, 1.5, SHAPE)
CASES: dict[str, Callable[[], Any]] = {}
# What float32 has no way of its own for, to save time.
ONLY_DOUBLE = re.compile(
    "(axis_aligned|full) (continuous|integrated|discrete)|truncate|(nearest|zero) all|cauchy all"
    "|weights (mask|absolute)|estimated (axes|full|periodic)|bounds (axes|inside)|initial (full|a)"
    "|shift (of|ignored)|mask (of|nothing)|sharper (along|sampled)|size 129|3-D axes|coins|flat n"
    "|: (sampled|integrated|discrete) (nearest|zero)|vmap huber|(ratio|adam) (axis|full)"
    "|report: (full|mask)|map: (axes|mask)|dataset: (full|far|sharper|3-D|batched)|files sampled"
)


@lru_cache(maxsize=8)
def texture(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Filtered noise of unit contrast around 3."""
    image = scipy.ndimage.gaussian_filter(
        np.random.default_rng(seed).standard_normal(shape), 1.0, mode="wrap"
    )
    return 3 + image / image.std()


def photograph(name: str) -> np.ndarray:
    """A picture of the scikit-image wheel, grey, in the unit of a texture."""
    image = getattr(data, name)()
    return 5 * (color.rgb2gray(image) if image.ndim == 3 else image / 255.0)


def pair(dtype, shape=SHAPE, sigma=1.5, noise=(0, 0.01), gain=1, offset=0, shift=0, crop=16, **how):
    """A, and B = gain (g * A)(x - shift) + offset + noise; ``sigma`` or a covariance matrix."""
    seed, ndim = how.get("seed", 0), len(shape)
    whole = photograph(how["photo"]) if "photo" in how else None
    if whole is None:
        whole = texture(tuple(n + 2 * crop for n in shape), seed)
    w = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in whole.shape), indexing="ij")
    w, matrix = np.stack(w), np.asarray(sigma, float)
    if matrix.ndim < 2:
        matrix = np.diag(np.broadcast_to(matrix**2, ndim))
    exponent = -0.5 * np.einsum("i...,ij,j...->...", w, matrix, w)
    exponent = exponent - 1j * np.einsum("i...,i->...", w, np.broadcast_to(shift, ndim))
    soft = np.fft.ifftn(np.fft.fftn(whole) * np.exp(exponent)).real
    cut = tuple(
        slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(whole.shape, shape, strict=False)
    )
    rng = np.random.default_rng(seed + 1000)
    images = [whole[cut], gain * soft[cut] + offset]
    images = [x + s * rng.standard_normal(shape) for x, s in zip(images, noise, strict=False)]
    if how.get("outliers"):
        images[1] = images[1] + 20 * (rng.random(shape) < 0.01)
    for place, good in how.get("missing", {}).items():
        images[place] = np.where(good, images[place], np.nan)
    images = images[::-1] if how.get("swapped") else images
    return tuple(x.astype(dtype) for x in images)


def stack(dtype, count=8, **scene):
    """Several pairs along a first axis."""
    pairs = [pair(dtype, seed=k, **scene) for k in range(count)]
    return tuple(np.stack(images) for images in zip(*pairs, strict=False))


def add(name: str, function: Callable, *arguments, precisions=("f32", "f64"), **options) -> None:
    """One case for each precision; the function gets the dtype first."""
    precisions = ("f64",) if len(precisions) > 1 and ONLY_DOUBLE.search(name) else precisions
    for precision in precisions:
        dtype = np.float64 if precision == "f64" else np.float32
        CASES[f"{name} [{precision}]"] = partial(function, dtype, *arguments, **options)


def estimate(name: str, scene=None, how="", precisions=("f32", "f64"), **options) -> None:
    """Cases of ``estimate_blur``."""

    def run(dtype):
        images = (stack if how == "vmap" else pair)(dtype, **(scene or {}))
        fit = partial(gj.estimate_blur, **options)
        if how == "grad":
            objective = lambda a, b: fit(a, b).params.variance.sum()  # noqa: E731
            return dict(zip("ab", jax.grad(objective, (0, 1))(*images), strict=False))
        return {"": fit, "jit": jax.jit(fit), "vmap": jax.vmap(fit)}[how](*images)

    add(f"estimate: {name}", run, precisions=precisions)


def reach(sigma):
    """A radius of a sampled kernel, as a function of sigma."""
    return 3.0 * sigma + 1.0


def cauchy(residual):
    """Somebody's own loss."""
    return jax.numpy.log1p(residual**2)


FULL = [[2.6, 0.7], [0.7, 1.5]]
ALL = {"gain": True, "offset": True, "shift": True}
MOVED = {"gain": 1.2, "offset": 0.4, "shift": (0.6, -0.35)}
NOISY = {"noise": (0.05, 0.03)}
AXES = {"sigma": (1.2, 2.0)}


def add_estimates() -> None:
    """Options of ``estimate_blur``, alone and together."""
    truth = {"isotropic": 1.5, "axis_aligned": (1.2, 2.0), "full": FULL}
    for family, sigma in truth.items():
        for kernel in ("continuous", "sampled", "integrated", "discrete"):  # integrated full: error
            estimate(f"{family} {kernel}", {"sigma": sigma}, family=family, kernel=kernel)
    estimate("sampled truncate", kernel="sampled", truncate=3.0)
    estimate("sampled radius", kernel="sampled", radius=6)
    estimate("sampled function", kernel="sampled", radius=reach)
    estimate("narrow sampled", {"sigma": 0.5}, kernel="sampled")
    for boundary in ("periodic", "reflect", "nearest", "zero"):
        crop = 0 if boundary == "periodic" else 16
        estimate(boundary, {"crop": crop}, boundary=boundary)
        estimate(f"{boundary} all", {"crop": crop, **MOVED}, boundary=boundary, **ALL)
    estimate("reflect full sampled", boundary="reflect", family="full", kernel="sampled")
    estimate("zero bounds", boundary="zero", bounds=(0.5, 3.0))
    spoilt = {"outliers": True}
    for loss in ("absolute", "huber", cauchy):
        label = getattr(loss, "__name__", loss)
        estimate(f"{label}", spoilt, loss=loss)
        estimate(f"{label} all", {**spoilt, **MOVED}, loss=loss, **ALL)
    estimate(
        "absolute axes sampled", AXES, loss="absolute", family="axis_aligned", kernel="sampled"
    )
    estimate("huber full reflect", spoilt, loss="huber", family="full", boundary="reflect")
    estimate("gain", {"gain": 1.2}, gain=True)
    estimate("offset", {"offset": 0.4}, offset=True)
    estimate("shift", {"shift": (0.6, -0.35)}, shift=True)
    estimate("shift of pixels", {"shift": (5.3, -3.8)}, shift=True)
    estimate("shift ignored", {"shift": (0.6, -0.35)})
    estimate("gain offset", {"gain": 1.2, "offset": 0.4}, gain=True, offset=True)
    estimate("all", MOVED, **ALL)
    estimate("all full sampled", {"sigma": FULL, **MOVED}, family="full", kernel="sampled", **ALL)
    one = {"missing": {1: HOLE & SPOTS}}
    two = {"missing": {0: SPOTS, 1: HOLE}}
    estimate("mask", mask=HOLE)
    estimate("mask NaN", one, mask=HOLE & SPOTS)
    estimate("mask pair NaN", two, mask=(SPOTS, HOLE))
    estimate("mask of reference", {"missing": {0: SPOTS}}, mask=(SPOTS, None))
    estimate("mask reflect", two, mask=(SPOTS, HOLE), boundary="reflect")
    estimate("mask huber", {**one, "outliers": True}, mask=HOLE & SPOTS, loss="huber")
    estimate("mask all", {**two, **MOVED}, mask=(SPOTS, HOLE), **ALL)
    estimate("mask noise", {**two, **NOISY}, mask=(SPOTS, HOLE), noise_std=(0.05, 0.03))
    estimate("mask nothing", mask=np.zeros(SHAPE, bool))
    estimate("NaN refused", one)
    estimate("weights", weights=WEIGHTS)
    estimate("weights mask", one, weights=WEIGHTS, mask=HOLE & SPOTS)
    estimate("weights absolute", spoilt, weights=WEIGHTS, loss="absolute")
    estimate("weights all", MOVED, weights=WEIGHTS, **ALL)
    for noise in ((0.05, 0.03), "estimate"):
        label = "noise estimated" if noise == "estimate" else "noise given"
        estimate(label, NOISY, noise_std=noise)
        estimate(f"{label} all", {**NOISY, **MOVED}, noise_std=noise, **ALL)
        estimate(f"{label} axes", {**NOISY, **AXES}, noise_std=noise, family="axis_aligned")
        estimate(f"{label} full", {**NOISY, "sigma": FULL}, noise_std=noise, family="full")
        estimate(f"{label} periodic", {**NOISY, "crop": 0}, noise_std=noise, boundary="periodic")
        estimate(f"{label} sharper", {**NOISY, "swapped": True}, noise_std=noise)
        estimate(
            f"{label} 700", {**NOISY, "shape": (700, 704)}, noise_std=noise, precisions=["f64"]
        )
    estimate("noise of reference", {"noise": (0.05, 0)}, noise_std=(0.05, 0.0), kernel="sampled")
    estimate("noise wrong", {**NOISY}, noise_std=(0.01, 0.01))
    estimate("noise not separable", {**NOISY, "sigma": 0.2}, noise_std="estimate")
    estimate("bound below", bounds=(2.0, 4.0))
    estimate("bound above", bounds=(0.5, 1.0))
    estimate("bounds inside", bounds=(-1.0, 3.0))
    estimate("bounds axes", AXES, bounds=(0.5, 1.6), family="axis_aligned")
    estimate("initial", initial=3.0)
    start = gj.BlurParams(np.array([2.0, 0.1, 2.0]), family="full")
    estimate("initial full", {"sigma": FULL}, family="full", initial=start)
    start = gj.BlurParams(np.array([4.0]), gain=1.0, offset=0.0, shift=np.zeros(2))
    estimate("initial all", MOVED, initial=start, **ALL)
    estimate("sharper", {"swapped": True})
    estimate("sharper sampled", {"swapped": True}, kernel="sampled")
    estimate("sharper all", {"swapped": True, **MOVED}, **ALL)
    estimate("sharper along one axis", {"sigma": [[2.0, 0], [0, -0.3]]}, family="full")
    still = {"sigma": 0.0, "noise": (0, 0)}
    estimate("identical", still)
    estimate("identical all", still, **ALL)
    estimate("noise only", {"sigma": 0.0})
    flat = {"gain": 0, "offset": 3, "noise": (0, 0)}
    estimate("flat", {**flat, "swapped": True}, how="jit")
    estimate("flat blurred", flat, how="jit")
    estimate("flat noise", {**flat, "swapped": True}, how="jit", noise_std=(1.0, 1.0))
    estimate("NaN jit", one, how="jit")
    estimate("wide", {"sigma": 14.0, "crop": 60})
    estimate("unrelated", {"shift": (40, 30), "crop": 60})
    for shape in ((24, 24), (129, 127), (320, 200)):
        estimate(f"size {shape[0]}", {"shape": shape})
        estimate(f"size {shape[0]} all", {"shape": shape, **MOVED}, **ALL)
    wave = {"shape": (300,), "gain": 1.2, "offset": 0.4, "shift": 0.6}
    estimate("1-D", {"shape": (300,)}, kernel="sampled")
    estimate("1-D all", wave, **ALL)
    estimate("1-D noise full", {"shape": (700,), **NOISY}, noise_std="estimate", family="full")
    solid = {"shape": (28, 24, 30), "crop": 8, "sigma": 1.0}
    estimate("3-D", solid)
    estimate("3-D full all", {**solid, "gain": 1.2, "shift": 0.3}, family="full", **ALL)
    estimate("3-D axes sampled", solid, family="axis_aligned", kernel="sampled", bounds=(0.3, 2))
    for photo, size in (("camera", 256), ("coins", 200), ("coffee", 360)):
        estimate(f"photograph {photo}", {"photo": photo, "shape": (size, size)}, kernel="sampled")
    large = {"shape": (700, 700)}
    estimate("700 shift gain", {**large, "gain": 1.2, "shift": (0.6, -0.35)}, gain=True, shift=True)
    estimate("700 full", {**large, "sigma": FULL}, family="full", precisions=["f64"])
    estimate("700 absolute", {**large, **spoilt}, loss="absolute", precisions=["f32"])
    estimate("700 reflect", large, boundary="reflect", precisions=["f32"])
    estimate("1100", {"shape": (1100, 1100)})
    batch = {"shape": (48, 48)}
    estimate("vmap", batch, how="vmap")
    estimate("vmap all", {**batch, **MOVED}, how="vmap", **ALL)
    estimate("vmap noise", {**batch, **NOISY}, how="vmap", noise_std="estimate")
    estimate("vmap huber 32", {"shape": (32, 32), **spoilt}, how="vmap", loss="huber")
    estimate("gradient", batch, how="grad")
    estimate("gradient all sampled", {**batch, **MOVED}, how="grad", kernel="sampled", **ALL)
    estimate("gradient noise", {**batch, **NOISY}, how="grad", noise_std=(0.05, 0.03))
    estimate("gradient sharper huber", {**batch, "swapped": True}, how="grad", loss="huber")


def add_spectral() -> None:
    """Blurs, losses and the fits to spectra."""
    spectra = lambda dtype, **scene: gj.pair_spectra(*pair(dtype, crop=0, **scene))  # noqa: E731
    params = gj.BlurParams(np.array([2.0, 0.5, 1.5]), 1.2, 0.3, np.array([0.4, -0.2]), "full")
    for kernel in ("continuous", "sampled", "integrated", "discrete"):
        for boundary in ("periodic", "reflect", "nearest", "zero"):
            add(
                f"blur: {kernel} {boundary}",
                lambda dtype, **how: [
                    gj.blur(pair(dtype)[0], sigma, **how) for sigma in (1.3, np.array([0.6, 2.0]))
                ],
                kernel=kernel,
                boundary=boundary,
            )

        def values(dtype, kernel):
            sigmas = (1.3, -0.8, np.array([0.6, 2.0]))
            found = [gj.transfer_function(dtype(s), (40, 31), kernel=kernel) for s in sigmas]
            total = lambda s: gj.transfer_function(s, (40, 31), kernel=kernel).sum()  # noqa: E731
            return [*found, jax.jit(jax.grad(total))(dtype(1.3))]

        add(f"transfer_function: {kernel}", values, kernel)

        def losses(dtype, kernel):
            def spectral(s, a, b):
                return gj.loss(s, gj.pair_spectra(a, b), kernel=kernel)

            functions = {"loss": spectral}
            for edge in ("valid", "periodic", "reflect", "nearest", "zero"):
                functions[edge] = partial(gj.image_loss, kernel=kernel, boundary=edge)
            return {
                name: jax.jit(jax.value_and_grad(f, (0, 1)))(dtype(1.2), *pair(dtype))
                for name, f in functions.items()
            }

        add(f"loss: {kernel}", losses, kernel)
    add("blur: params", lambda dtype: gj.blur(pair(dtype)[0], params, boundary="reflect"))
    add("blur: sharpen", lambda dtype: gj.blur(pair(dtype)[1], -0.7, kernel="discrete"))

    def powers(dtype):
        batch = jax.vmap(gj.pair_spectra)(*stack(dtype, 4, crop=0, noise=(0.05, 0.05)))
        total = gj.sum_spectra(batch)
        both = gj.add_spectra(total, spectra(dtype))
        names = ("transfer", "inverse_noise_transfer", "coherence", "blurred_power")
        figures = {name: getattr(total, name) for name in names}
        return total, both, figures, gj.fit_gauss_newton(total), gj.fit_frequency_ratio(both)

    add("spectra: sums", powers)
    scenes = {"isotropic": {}, "axis_aligned": AXES, "full": {"sigma": FULL}}
    fit_newton, fit_optax = gj.fit_gauss_newton, gj.fit_optax

    def fit(name, function, *arguments, scene=None, **options):
        run = lambda dtype: function(spectra(dtype, **(scene or {})), *arguments, **options)  # noqa: E731
        add(f"fit: {name}", run)

    for family, scene in scenes.items():
        for kernel in ("continuous", "sampled", "integrated", "discrete"):
            fit(f"newton {family} {kernel}", fit_newton, scene=scene, family=family, kernel=kernel)
        for function in (gj.fit_frequency_ratio, gj.fit_pointwise_ratio):
            label = function.__name__.removeprefix("fit_")
            fit(f"{label} {family}", function, scene=scene, family=family)
            fit(f"{label} {family} gain", function, scene=scene, family=family, amplitude=True)
        fit(f"free kernel {family}", gj.fit_free_kernel, scene=scene, family=family)
        fit(f"adam {family}", fit_optax, optax.adam(0.1), scene=scene, family=family, num_steps=100)
    fit("newton bounds", fit_newton, bounds=(0.5, 1.0))
    fit("newton initial", fit_newton, initial=4.0, bounds=(0.2, 9.0))
    fit("newton sharper", fit_newton, scene={"swapped": True}, kernel="sampled")
    fit("ratio sharper", gj.fit_frequency_ratio, scene={"swapped": True})
    fit("newton 1-D", fit_newton, scene={"shape": (300,)})
    fit("newton 3-D", fit_newton, scene={"shape": (24, 20, 28)}, family="full")
    fit("lbfgs", fit_optax, optax.lbfgs(), num_steps=20, kernel="sampled")
    fit("log sigma", fit_optax, optax.adam(0.1), parameter="log_sigma", initial=2.0)
    fit("stopped short", fit_optax, optax.sgd(1e-3), num_steps=5)


def dataset_figures(found: gj.DatasetEstimate) -> dict[str, Any]:
    """All that a joint fit says."""
    pairs = ("sigma", "standard_error", "status", "misfit", "noise_std", "gain", "offset")
    return {
        "joint": found.joint,
        **{f"pairs.{name}": getattr(found.pairs, name) for name in pairs},
        **{name: getattr(found, name) for name in ("scatter", "heterogeneity", "num_pairs")},
        **{name: getattr(found, name) for name in ("num_bad", "num_passes")},
        "names": [*found.names, *found.worst(3), *(f"{b.name}: {b.reason}" for b in found.bad)],
        "text": str(found),
    }


def add_datasets() -> None:
    """``fit_dataset`` in memory, and from files with a state."""

    def joint(dtype, scene=None, sigmas=(1.4, 1.5, 1.6, 1.5, 1.45, 1.5), batched=False, **options):
        scene = {"shape": (72, 64), **(scene or {})}
        pairs = [pair(dtype, **{"sigma": s, **scene}, seed=k) for k, s in enumerate(sigmas)]
        if options.pop("mixed", False):
            pairs += [
                pair(dtype, shape=(48, 56), seed=9),
                tuple(np.full((2, 48, 56), np.nan, dtype)),
            ]
        if batched:
            pairs = [tuple(map(np.stack, zip(*pairs[k : k + 3], strict=False))) for k in (0, 3)]
        return dataset_figures(gj.fit_dataset(pairs, batched=batched, **options))

    add("dataset: plain", joint)
    add("dataset: mixed", joint, mixed=True, max_passes=1)
    add("dataset: batched periodic", joint, {"crop": 0}, batched=True, boundary="periodic")
    add("dataset: nuisances", joint, MOVED | {"shift": 0}, gain=True, offset=True)
    add("dataset: noise", joint, NOISY, noise_std=(0.05, 0.03), gain=True)
    add("dataset: sampled axes", joint, AXES, family="axis_aligned", kernel="sampled")
    add("dataset: full", joint, {"sigma": FULL}, family="full", initial=1.0)
    add("dataset: far start", joint, initial=4.0, tolerance=1e-6, max_passes=3)
    add("dataset: sharper", joint, {"swapped": True}, kernel="discrete")
    add("dataset: 3-D", joint, {"shape": (24, 20, 22), "crop": 8, "sigma": 1.0})

    def filed(dtype, **options):
        with in_files():
            Path("run.state").unlink(missing_ok=True)
            pairs = gj.open_pairs("sharp", "soft", workers=2, dtype=np.dtype(dtype).name)

            def stop(count):
                raise RuntimeError(f"stopped after {count}")

            stopped = ""
            try:
                gj.fit_dataset(pairs, state="run.state", save_every=0, on_progress=stop, **options)
            except RuntimeError as error:
                stopped = str(error)
            fits = [gj.fit_dataset(pairs, state="run.state", **options) for _ in range(2)]
            return [*map(dataset_figures, fits), stopped, pairs.shard(1, 2).source.pairs[0].name]

    add("dataset: files", filed)
    add("dataset: files sampled", filed, kernel="sampled", gain=True, offset=True)


def add_maps() -> None:
    """Blur over the frame, and what reports say of a pair."""

    def mapped(dtype, scene=None, **options):
        a, b = pair(dtype, shape=(128, 112), **(scene or {}))
        if options.pop("varying", False):
            ramp = np.linspace(0, 1, a.shape[1])[None].astype(dtype)
            b = (1 - ramp) * b + ramp * pair(dtype, shape=a.shape, sigma=2.2)[1]
        found = gj.blur_map(a, b, **options)
        names = ("sigma", "sigma_standard_error", "status", "positions")
        names += ("shrunk_sigma", "shrunk_standard_error")
        figures = {name: getattr(found, name) for name in names}
        figures |= {"verdict": found.estimates.adequacy.verdict, "text": str(found)}
        if found.sigma.ndim == 2:
            figures["drawing"] = drawing(gj.draw_map(a, found))
            figures["rows"] = columns(list(gj.map_rows(found)))
        return figures

    add("map: plain", mapped, tile=48)
    add("map: shrunk", mapped, tile=32, step=32, shrink=True, varying=True, kernel="sampled")
    add("map: axes", mapped, AXES, tile=56, family="axis_aligned")
    add("map: all huber", mapped, MOVED, tile=(64, 56), loss="huber", **ALL)
    add("map: noise", mapped, NOISY, tile=64, noise_std=(0.05, 0.03), bounds=(0.5, 4.0))
    hole = np.ones((128, 112), bool)
    hole[:50, :60] = False
    missing = {"missing": {1: hole}}
    add("map: mask shrunk", mapped, missing, tile=40, step=40, shrink=True, mask=hole)

    def reported(dtype, scene=None, options=None, **shared):
        images = pair(dtype, **(scene or {}))
        found = gj.estimate_blur(*images, **(options or {}), **shared)
        profile = gj.transfer_profile(*images, found, mask=shared.get("mask"), num_bins=12)
        families = gj.compare_families(*images, **shared)
        figure = gj.draw_report(*images, found, profile, families, mask=shared.get("mask"))
        names = ("fwhm", "mtf50", "sigma_major", "sigma_minor", "angle", "interval")
        read = {k: getattr(found, k)() if k == "interval" else getattr(found, k) for k in names}
        measured = {"best": families.best, "mtf50": profile.mtf50, "text": str(found)}
        return profile, families, drawing(figure), read, measured | {"families": str(families)}

    add("report: plain", reported)
    add("report: full sampled", reported, {"sigma": FULL}, {"family": "full"}, kernel="sampled")
    add("report: all", reported, MOVED, **ALL)
    add("report: noise", reported, NOISY, noise_std=(0.05, 0.03))
    add("report: mask", reported, {"missing": {1: HOLE}}, mask=HOLE)


def drawing(figure) -> dict[str, Any]:
    """What a figure shows, without its pixels."""
    lines = [line.get_ydata() for axes in figure.axes for line in axes.lines]
    curves = [np.asarray(y, float) for y in lines]
    return {
        "titles": [axes.get_title() for axes in figure.axes],
        "curves": [c.size for c in curves],
    }


@lru_cache(maxsize=1)
def files() -> tempfile.TemporaryDirectory:
    """A folder of images for the commands."""
    folder = tempfile.TemporaryDirectory()
    root = Path(folder.name)
    images = dict(zip("ab", pair(np.float64), strict=False))
    images |= dict(zip("uv", pair(np.float64, **MOVED), strict=False)) | dict(
        zip("mn", pair(np.float64, **NOISY), strict=False)
    )
    for name, image in images.items():
        np.save(root / f"{name}.npy", image)
        PIL.Image.fromarray(np.uint16(np.clip(6000 * image + 9000, 0, 65535))).save(
            root / f"{name}.png"
        )
    PIL.Image.fromarray(np.uint8(255 * HOLE)).save(root / "mask.png")
    PIL.Image.fromarray(data.coffee()[:90, :100]).save(root / "colour.png")
    np.save(root / "nan.npy", np.where(SPOTS, images["b"], np.nan))
    np.save(root / "small.npy", images["b"][:50])
    for place, name in enumerate(("sharp", "soft")):
        (root / name).mkdir()
        for k in range(6):
            image = pair(np.float64, shape=(72, 64) if k < 4 else (56, 60), seed=k)[place]
            grey = np.uint8(np.clip(30 * image + 40, 0, 255))
            PIL.Image.fromarray(grey).save(root / name / f"{k}.png")
        np.save(root / f"{name}.npy", stack(np.float32, 5, shape=(64, 64), gain=1.1)[place])
    (root / "soft" / "5.png").write_bytes(b"broken")
    (root / "list.csv").write_text("reference,blurred\na.png,b.png\nu.png,v.png\n")
    return folder


def in_files() -> contextlib.AbstractContextManager:
    """Work in that folder."""
    return contextlib.chdir(files().name)


def add_commands() -> None:
    """The command line, in this process."""

    def run(dtype, line, *outputs):
        out, err = io.StringIO(), io.StringIO()
        with in_files(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = command_main(line.split())
            except SystemExit as end:
                code = int(end.code or 0)
            result = {"code": code, "stderr": err.getvalue()}
            shown = "json" if "--json" in line and out.getvalue() else "stdout"
            result[shown] = json.loads(out.getvalue()) if shown == "json" else out.getvalue()
            for name in outputs:
                result[name] = written(Path(name))
        return result

    def command(line, *outputs, precision="f64"):
        add(f"command: {line}", run, line, *outputs, precisions=[precision])

    command("estimate a.png b.png")
    command("estimate a.npy b.npy --json")
    command("estimate b.npy a.npy --json --kernel discrete")
    command("estimate u.png v.png --gain --offset --shift")
    command("estimate u.png v.png --gain --offset --shift --family full --kernel sampled --json")
    command("estimate m.npy n.npy --noise estimate --fwhm --pixel-size 0.2 --unit arcsec")
    command("estimate m.npy n.npy --noise 0.05 0.03 --pixel-size 0.2 --unit arcsec --json")
    command("estimate a.npy nan.npy --json")
    command("estimate a.png b.png --loss absolute --mask mask.png --plot r.png --json", "r.png")
    command("estimate a.png b.png --bounds 2 4 --boundary reflect --initial 3 --truncate 3 --json")
    command("estimate a.png b.png --bounds 2 4 --boundary reflect --initial 3")
    command("estimate colour.png colour.png --linearize --json")
    command("estimate a.npy small.npy")
    command("estimate a.npy none.npy")
    command("estimate a.npy b.npy --loss huber --noise 1 1")
    command("estimate a.npy b.npy --family odd")
    command("blur a.png --sigma 2 -o blurred.png", "blurred.png")
    command("blur a.npy --sigma 1.2 --kernel sampled --boundary reflect -o s.npy", "s.npy")
    command("blur colour.png --sigma 1 -o colour-out.png", "colour-out.png")
    command("blur nan.npy --sigma 2 -o nan-out.npy")
    quiet = partial(command, precision="f32")
    quiet("dataset sharp soft --quiet --csv pairs.csv --resume run1.state", "pairs.csv")
    quiet("dataset sharp soft --quiet --json --kernel sampled --plot sigmas.png", "sigmas.png")
    command("dataset sharp soft --quiet --json --double")
    quiet("dataset sharp.npy soft.npy --gain --offset --json --quiet")
    quiet("dataset list.csv --quiet --json --boundary periodic --initial 1 --passes 1")
    quiet("dataset sharp soft --quiet --max-bad 0")
    command("map a.png b.png --tile 40 --csv map.csv -o map.png", "map.csv", "map.png")
    command("map a.png b.png --tile 32 --step 32 --shrink --json")
    command("map a.npy nan.npy --tile 32 --json")
    command("map a.npy b.npy --tile 32 --step 64")


def written(path: Path) -> Any:
    """What a command has put into a file."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return columns(list(csv.DictReader(file)))
    if path.suffix == ".npy":
        return np.load(path)
    image = np.asarray(PIL.Image.open(path))
    # Rounded samples may flip by one: as a float.
    return list(image.shape) if image.shape[-1] == 4 else image.astype(float).mean()


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """A table by its columns, numbers where all entries are numbers or missing."""
    table: dict[str, list[Any]] = {}
    for name in rows[0]:
        entries = [row[name] for row in rows]
        try:
            table[name] = [math.nan if x in (None, "") else float(x) for x in entries]
        except ValueError:
            table[name] = [str(x) for x in entries]
    return table


def flat(result: Any, path: str = "") -> dict[str, Any]:
    """``{path: number, text or list of them}`` of a pytree; large arrays in brief."""
    if isinstance(result, str) or result is None:
        return {path: str(result)}
    if isinstance(result, dict):
        return {k: v for name in result for k, v in flat(result[name], f"{path}.{name}").items()}
    if isinstance(result, list | tuple) and any(isinstance(x, str) for x in result):
        return {path: [str(x) for x in result]}
    with contextlib.suppress(TypeError, ValueError):
        # None inside of the arrays of a JSON record is an unknown number.
        values = np.asarray(jax.device_get(result))
        values = values.astype(float) if values.dtype == object else values
        if values.dtype.kind in "biufc":
            return brief(values, path)
    if isinstance(result, list | tuple):
        parts = {f"{path}.{k}": part for k, part in enumerate(result)}
    else:
        children, _ = jax.tree_util.tree_flatten_with_path(
            result, is_leaf=lambda node: node is not result
        )
        parts = {path + jax.tree_util.keystr(key): child for key, child in children}
    return {k: v for name, part in parts.items() for k, v in flat(part, name).items()}


def brief(values: np.ndarray, path: str) -> dict[str, Any]:
    """Entries in as many digits as tell them apart in their precision."""
    if values.dtype.kind == "c":
        return brief(values.real, f"{path}.real") | brief(values.imag, f"{path}.imag")
    if values.dtype.kind in "bi" or values.dtype.kind == "u":
        return {path: values.astype(int).tolist()}
    if values.size > FEW:
        rms = np.sqrt(np.mean(np.square(values, dtype=np.float64))).astype(values.dtype)
        some = values.reshape(-1)[np.linspace(0, values.size - 1, KEPT).astype(int)]
        values = np.concatenate([rms[None], some])
    entries = [float(str(x)) for x in values.reshape(-1)]
    return {path: entries if values.ndim else entries[0]}


def results(only: str, verbose: bool):
    """Name and flat result of every case that is asked for."""
    for group in (add_estimates, add_spectral, add_datasets, add_maps, add_commands):
        group()
    for count, name in enumerate([name for name in CASES if only in name]):
        if count % 50 == 49:
            jax.clear_caches()  # the system lets a process hold only so many compiled programs
        start = time.perf_counter()
        with jax.enable_x64("[f64]" in name and not name.startswith("command")):
            try:
                found = flat(CASES[name]())
            except Exception as error:  # a case that fails is a difference, and the rest goes on
                found = {"error": f"{type(error).__name__}: {error}"}
        if verbose:
            print(f"{time.perf_counter() - start:7.2f} s  {name}", file=sys.stderr, flush=True)
        yield name, {key.strip("."): value for key, value in found.items()}


def packed(found: dict[str, dict[str, Any]]) -> str:
    """A line for every case; names of fields, which many cases share, once for each set of them."""
    layouts = list(dict.fromkeys(tuple(fields) for fields in found.values()))
    head = [json.dumps(names, separators=(",", ":")) for names in layouts]
    lines = []
    for name, fields in found.items():
        row = json.dumps([layouts.index(tuple(fields)), *fields.values()], separators=(",", ":"))
        lines.append(f"{json.dumps(name)}:{row}")
    return '{"fields":[\n%s],\n"cases":{\n%s}}\n' % (",\n".join(head), ",\n".join(lines))  # noqa: UP031


def unpacked(file: Path) -> dict[str, dict[str, Any]]:
    """The inverse."""
    saved = json.loads(file.read_text())
    layouts = saved["fields"]
    return {
        name: dict(zip(layouts[row[0]], row[1:], strict=True))
        for name, row in saved["cases"].items()
    }


def error_bar(path: str, fields: dict[str, Any]) -> np.ndarray | None:
    """Of a value: what stands beside it under one of the names that error bars have."""
    stem, _, leaf = path.rpartition(".")
    beside = {
        "fwhm": ("standard_error", 2.36),
        "fwhm_in_unit": ("standard_error_in_unit", 2.36),
        "sigma_in_unit": ("standard_error_in_unit", 1),
        "shrunk_sigma": ("shrunk_standard_error", 1),
        "covariance_matrix": ("standard_error.variance", 1),
        **dict.fromkeys(("sigma_major", "sigma_minor", "transfer"), ("standard_error", 1)),
    }
    names = [beside.get(leaf, (f"{leaf}_standard_error", 1)), ("standard_error", 1)]
    if stem.endswith("params"):
        stem, names = stem.removesuffix("params"), [(f"standard_error.{leaf}", 1)]
    elif leaf not in beside and leaf != "sigma":
        names = names[:1]
    for name, factor in names:
        bar = fields.get(f"{stem.strip('.')}.{name}".strip("."))
        if bar is not None:
            return factor * np.asarray(bar, float)
    return None


def text_excess(old: str, new: str, bars: float, relative: float) -> float:
    """How far two texts are apart, in tolerances: by the digits that are printed."""
    old_parts, new_parts = NUMBER.split(old), NUMBER.split(new)
    if old_parts[::2] != new_parts[::2]:
        return math.inf
    worst = 0.0
    for k in range(1, len(old_parts), 2):
        a, b = Decimal(old_parts[k]), Decimal(new_parts[k])
        last = max(Decimal(1).scaleb(int(x.as_tuple().exponent)) for x in (a, b))
        allowed = 1.01 * float(last) * ("." in old_parts[k]) + relative * abs(float(a))
        if old_parts[k + 1] == " +- ":
            allowed += bars * float(old_parts[k + 2])
        worst = max(worst, float(abs(a - b)) / allowed if a != b else 0.0)
    return worst


def excess(path: str, old: dict[str, Any], new: Any, precision: str, bars: float | None) -> float:
    """Difference of a field over its tolerance; above 1 it is one."""
    was, share = old[path], BARS[precision] if bars is None else bars
    relative = RELATIVE[precision] * share / BARS[precision]
    if np.shape(was) != np.shape(new):
        return math.inf
    pairs = list(zip(np.ravel(was).tolist(), np.ravel(new).tolist(), strict=True))
    if any(isinstance(x, str) for x, _ in pairs):
        return max(text_excess(str(x), str(y), share, relative) for x, y in pairs)
    if all(isinstance(x, int) for x, _ in pairs):
        return 0.0 if was == new else math.inf
    was, new = np.ravel(np.asarray(was, float)), np.ravel(np.asarray(new, float))
    known = np.isfinite(was)
    if (
        not np.array_equal(was[~known], new[~known], equal_nan=True)
        or not np.isfinite(new[known]).all()
    ):
        return math.inf
    scale = max(np.max(np.abs(was[known]), initial=0.0), UNITS.get(path.split(".")[-1], 1e-300))
    bar, tolerance = error_bar(path, old), np.full(was.shape, relative * scale)
    if bar is not None:
        bar = np.broadcast_to(bar, was.shape) if bar.size in (1, was.size) else np.max(bar)
        bar = np.ravel(bar) if np.size(bar) == was.size else np.full(was.shape, bar)
        told = np.maximum(share * bar, ROUNDING[precision] * scale)
        tolerance = np.where(np.isfinite(bar), told, tolerance)
    return float(np.max(np.abs(new[known] - was[known]) / tolerance[known], initial=0.0))


def compare(saved: dict[str, Any], options: argparse.Namespace) -> int:
    """Print what differs; 1 if anything does."""
    differing = count = 0
    missing = {name for name in saved if options.only in name}
    found = results(options.only, options.verbose)
    if options.other:
        found = [(k, v) for k, v in unpacked(options.other).items() if options.only in k]
    for name, new in found:
        count, old = count + 1, saved.get(name)
        missing.discard(name)
        if old is None:
            print(f"{name}: is not in the saved file")
            continue
        precision = "f64" if "[f64]" in name else "f32"
        told = old.get("status") not in MEANINGLESS and "identical" not in name
        worst, where = 0.0, ""
        for path in old:
            ratio = math.inf
            if path in new:
                ratio = excess(path, old, new[path], precision, options.bars)
            loose = not told and isinstance((np.ravel(old[path]).tolist() or [0])[0], float)
            if path.endswith("num_steps") or loose:
                if ratio > 1:
                    print(f"  note: {name}: {path} {old[path]} -> {new.get(path)}"[:200])
            elif ratio > worst:
                worst, where = ratio, path
        if worst > 1:
            differing += 1
            was, now = str(old[where]).splitlines(), str(new.get(where)).splitlines()
            was, now = [x for x in was if x not in now], [x for x in now if x not in was]
            text = (
                f"{name}: {where} by {worst:.3g} tolerances: {'; '.join(was)} -> {'; '.join(now)}"
            )
            print(text[:400])
        for path in new.keys() - old.keys():
            print(f"  note: {name}: {path} is new")
    for name in sorted(missing):
        print(f"{name}: is missing")
    print(f"{differing + len(missing)} of {count + len(missing)} cases differ")
    return 1 if differing or missing else 0


def main() -> int:
    """Save, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("save", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--other", type=Path, help="compare with this file; nothing is computed")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--bars", type=float, help="fraction of an error bar that is no difference")
    parser.add_argument("--verbose", action="store_true", help="time of every case, to stderr")
    options = parser.parse_args()
    jax.config.update("jax_traceback_in_locations_limit", 0)  # programs are kept by what they are
    if options.action == "compare":
        return compare(unpacked(options.file), options)
    found = unpacked(options.file) if options.only and options.file.exists() else {}
    found.update(results(options.only, options.verbose))  # a part goes into the file that is there
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(packed(found))
    print(f"{len(found)} cases saved")
    return 0


if __name__ == "__main__":
    sys.exit(main())
