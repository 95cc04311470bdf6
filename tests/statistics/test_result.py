"""The estimate: its error bar under simulation, its interval, how it prints and travels."""

from functools import partial

import jax
import numpy as np
import pytest
import scipy.stats
from cells import thorough
from problems import cropped_photograph, cropped_scene

import gaussjax as gj
from gaussjax.statistics.curvature import ends

NOISE_STD = 0.03


@partial(jax.jit, static_argnames="kernel")
def estimate_many(reference, blurred, kernel="continuous"):
    """One reference against a stack of blurred images."""
    return jax.vmap(lambda b: gj.estimate_blur(reference, b, kernel=kernel))(blurred)


@pytest.fixture
def estimate(x64):
    reference, blurred = cropped_scene(2.25 * np.eye(2))
    noise = NOISE_STD * np.random.default_rng(0).normal(size=blurred.shape)
    return gj.estimate_blur(reference, blurred + noise)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.4, 1.5, 3.0])
def test_intervals_cover_the_truth_as_often_as_they_say(sigma, draws, x64):
    reference, blurred = cropped_scene(sigma**2 * np.eye(2))
    noise = np.random.default_rng(7).normal(size=(3 * draws, *blurred.shape))
    estimates = estimate_many(reference, blurred + NOISE_STD * noise)
    assert not np.any(estimates.status)
    for level in (0.5, 0.95):
        low, high = estimates.interval(level)
        covered = np.sum((low <= sigma) & (sigma <= high))
        # Outside this band one time in a thousand if the interval is honest.
        assert scipy.stats.binom(3 * draws, level).cdf(covered) > 5e-4
        assert scipy.stats.binom(3 * draws, level).sf(covered - 1) > 5e-4


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, thorough(8.0)])
def test_scatter_is_near_the_cramer_rao_bound(sigma, draws, x64):
    draws = max(2, draws // 4)
    margin = int(np.ceil(3 * sigma)) + 2
    # A wide blur leaves so little of a small frame that the bound is hardly reached.
    size = 128 if sigma < 8 else 256
    rng = np.random.default_rng(11)
    squares = []
    for name in ("camera", "coffee", "grass"):
        reference, blurred = cropped_photograph(name, sigma, size)
        # A fixed radius: the derivative is that of the kernel, not of its truncation.
        wider, narrower = (
            cropped_photograph(name, s, size, radius=int(4 * sigma + 0.5))[1]
            for s in (1.0001 * sigma, 0.9999 * sigma)
        )
        derivative = ((wider - narrower) / (2e-4 * sigma))[margin:-margin, margin:-margin]
        for fraction in (0.01, 0.05):
            noise_std = fraction * reference.std()
            bound = noise_std / np.sqrt(np.sum(derivative**2))
            noise = noise_std * rng.normal(size=(draws, *blurred.shape))
            estimates = estimate_many(reference, blurred + noise, kernel="sampled")
            assert not np.any(estimates.status)
            squares.append(np.square((np.asarray(estimates.sigma) - sigma) / bound))
    assert np.sqrt(np.mean(squares)) <= 1.15


def test_interval_is_normal_in_the_variance(estimate):
    low, high = estimate.interval(0.95)
    centre, error = estimate.params.variance[0], estimate.standard_error.variance[0]
    z = scipy.stats.norm.ppf(0.975)
    # But for the end where less and less is left of what tells the variance.
    _, above = ends(np.asarray(z * error), *np.asarray(estimate.told_by))
    np.testing.assert_allclose([low**2, high**2], [centre - z * error, centre + above])
    assert z * error < above < 1.05 * z * error
    narrow = estimate.interval(0.5)
    assert low < narrow[0] < estimate.sigma < narrow[1] < high
    np.testing.assert_allclose(
        estimate.sigma_standard_error, error / (2 * estimate.sigma), rtol=0.01
    )


@pytest.mark.parametrize("level", [0, 1, 95, float("nan")])
def test_interval_takes_a_probability(level, estimate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        estimate.interval(level)


def test_interval_near_zero_blur_reaches_both_signs(x64):
    reference, _ = cropped_scene(np.eye(2))
    noise = NOISE_STD * np.random.default_rng(0).normal(size=reference.shape)
    low, high = gj.estimate_blur(reference, reference + noise).interval()
    assert low < 0 < high


def test_fwhm_is_where_the_gaussian_halves(estimate):
    half = np.exp(-((0.5 * estimate.fwhm) ** 2) / (2 * estimate.sigma**2))
    np.testing.assert_allclose(half, 0.5)


def test_it_prints_a_short_table(estimate):
    lines = str(estimate).splitlines()
    assert len(lines) <= 8
    value, error = map(float, lines[0].removeprefix("sigma").removesuffix("px").split("+-"))
    assert value == pytest.approx(float(estimate.sigma), abs=0.05 * error)
    assert error == pytest.approx(float(estimate.sigma_standard_error), rel=0.05)
    assert lines[0].endswith(" px")
    assert "continuous" in str(estimate)
    assert "float64" in str(estimate)
    assert estimate.message == "estimated"


def test_it_says_which_image_is_the_sharper_one(estimate, x64):
    reference, blurred = cropped_scene(2.25 * np.eye(2))
    assert "sharper" in str(gj.estimate_blur(blurred, reference)).splitlines()[0]
    assert "sharper" not in str(estimate)


def test_it_says_when_float64_was_narrowed():
    images = cropped_scene(2.25 * np.eye(2))
    with jax.enable_x64(False):
        estimate = gj.estimate_blur(*images)
        assert estimate.narrowed
        assert "float32" in str(estimate)
        assert "jax_enable_x64" in str(estimate)
        assert not gj.estimate_blur(*(image.astype(np.float32) for image in images)).narrowed


def test_it_is_a_pytree_and_batches_print_and_explain_themselves(estimate):
    leaves, structure = jax.tree.flatten(estimate)
    assert jax.tree.unflatten(structure, leaves).kernel == estimate.kernel
    batch = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), estimate)
    assert batch.message == ["estimated", "estimated"]
    assert str(batch).startswith("estimates 2,")
    low, high = batch.interval()
    assert low.shape == high.shape == (2,)
    jax.jit(lambda e: print(e))(estimate)


def test_on_the_host_it_is_all_numpy_and_prints_the_same(estimate):
    host = jax.device_get(estimate)
    names = ("fwhm", "mtf50", "sigma_major", "sigma_minor", "angle", "is_positive_definite")
    for name in names:
        value = getattr(host, name)
        assert not isinstance(value, jax.Array)
        np.testing.assert_allclose(value, getattr(estimate, name), rtol=1e-14)
    for ours, theirs in zip(host.interval(), estimate.interval(), strict=True):
        assert not isinstance(ours, jax.Array)
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    assert str(host) == str(estimate)


def test_printing_compiles_nothing(estimate, caplog):
    with jax.log_compiles():
        str(estimate)
    assert not [record for record in caplog.records if "ompil" in record.getMessage()]
