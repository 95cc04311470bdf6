"""JAX's strict modes: no dtype is promoted and no NaN arises; ranks are strict in every test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cells import thorough
from problems import cropped_photograph

import gaussjax as gj
from gaussjax.statistics.verdict import Verdict

SIZE = 96
ALL = {"family": "full", "gain": True, "offset": True, "shift": True}
KNOWN = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 97 > 0
PARAMS = gj.BlurParams(
    np.asarray([2.0, 0.3, 1.0], np.float32),
    gain=np.float32(1.1),
    shift=np.asarray([0.5, -1.0], np.float32),
    family="full",
)


@pytest.fixture
def images(rng):
    """A noisy pair in single precision, as most users have it."""
    reference, blurred = cropped_photograph("camera", 1.2, SIZE)
    blurred = blurred + 0.005 * rng.normal(size=blurred.shape)
    return reference.astype(np.float32), blurred.astype(np.float32)


@pytest.fixture
def strict():
    with jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
        yield


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    "options",
    [
        {},
        thorough({"gain": True, "offset": True, "mask": KNOWN}),
        {"noise_std": (0.01, 0.01)},
    ],
    ids=lambda options: " ".join(options),
)
def test_an_estimate_runs(options, images):
    estimate = gj.estimate_blur(*images, kernel="sampled", **options)
    assert estimate.status == 0
    assert estimate.adequacy.verdict == Verdict.EXPLAINED


def spectral(fit, **options):
    return lambda a, b: fit(gj.pair_spectra(a, b), **options)


def estimated(**options):
    return lambda a, b: gj.estimate_blur(a, b, **options)


# Dtypes are known where a function is traced: nothing needs to be compiled.
TRACED = {
    "all": estimated(**ALL),
    "all with noise": estimated(**ALL, noise_std="estimate", mask=(KNOWN, KNOWN)),
    "sampled": estimated(kernel="sampled", family="axis_aligned", bounds=(0, 5), initial=2),
    "sampled, full": estimated(kernel="sampled", family="full", boundary="periodic"),
    "integrated": estimated(kernel="integrated", boundary="reflect", mask=KNOWN),
    "discrete, absolute": estimated(kernel="discrete", loss="absolute", weights=1 * KNOWN, **ALL),
    "huber": estimated(loss="huber", boundary="zero", mask=(KNOWN, None)),
    "derivative": jax.grad(lambda a, b: gj.estimate_blur(a, b).sigma),
    "batch": lambda a, b: jax.vmap(gj.estimate_blur)(jnp.stack([a, b]), jnp.stack([b, a])),
    "mixed": lambda a, b: gj.estimate_blur(a.astype(jnp.uint8), b),
    "signals": lambda a, b: gj.estimate_blur(a[0], b[0], gain=True, shift=True),
    "blur": lambda a, b: [gj.blur(a, PARAMS), gj.blur(b, 1, kernel="sampled", boundary="zero")],
    "ratio": spectral(gj.fit_frequency_ratio, family="full"),
    "pointwise": spectral(gj.fit_pointwise_ratio),
    "free kernel": spectral(gj.fit_free_kernel),
    "Gauss-Newton": spectral(gj.fit_gauss_newton, kernel="sampled", initial=1),
    "map": lambda a, b: gj.blur_map(a, b, tile=32, shrink=True, mask=KNOWN).sigma,
    "transfer": lambda a, b: gj.fit_transfer(
        a, b, direction=1, gain=True, shift=True, noise_std=(0.01, 0.02), mask=KNOWN
    ),
    "transfer of two grids": lambda a, b: gj.fit_transfer(
        a, b[::2, ::2], sampling=2, shift=True, noise_std="estimate", mask=(KNOWN, None)
    ),
    "generalised on two grids": lambda a, b: gj.estimate_blur(
        a, b[::2, ::2], sampling=2, family="generalised", gain=True
    ),
    "losses": lambda a, b: [
        gj.loss(PARAMS, gj.pair_spectra(a, b)),
        gj.image_loss(1, a, b),
    ],
}


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("name", TRACED)
def test_every_way_is_traced(name, images):
    jax.eval_shape(TRACED[name], *images)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("name", ["all with noise", "sampled", "integrated", "mixed", "losses"])
def test_single_precision_where_double_is_the_default(name, images, x64):
    jax.eval_shape(TRACED[name], *images)


@pytest.mark.usefixtures("strict")
def test_reports_run(images):
    reference, blurred = (image[40] for image in images)
    estimate = gj.estimate_blur(reference, blurred)
    known = KNOWN[0]
    profile = gj.transfer_profile(reference, blurred, estimate, mask=known)
    assert np.isfinite(profile.mtf50)
    for options in ({"mask": known, "weights": 1 * known}, {"noise_std": (0.01, 0.01)}):
        assert gj.compare_families(reference, blurred, **options).best == "isotropic"
    # A row of an image that is blurred along both axes is no blur of a row.
    assert estimate.adequacy.verdict == Verdict.EXPLAINED_POORLY
    assert "sigma" in str(estimate)


@pytest.mark.usefixtures("strict")
def test_a_data_set_runs(images):
    cuts = [np.s_[y : y + 48, x : x + 48] for y in (0, 48) for x in (0, 48)]
    found = gj.fit_dataset([tuple(image[cut] for image in images) for cut in cuts], gain=True)
    assert found.sigma == pytest.approx(1.2, abs=0.1)
    assert str(found).startswith("sigma")
