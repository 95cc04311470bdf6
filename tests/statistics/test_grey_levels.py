"""Rounding by grey levels: its likelihood in dense algebra, and the interval of flat scenes."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from problems import PHOTOGRAPHS, photograph

from gaussjax import estimate_blurs
from gaussjax.model.kernels import as_kernel
from gaussjax.pair.fit import Options, fit_pair
from gaussjax.pair.frame import Usable
from gaussjax.pair.kernel_extent import largest_radius
from gaussjax.pair.level_sums import sums_by_level
from gaussjax.statistics.grey_levels import LevelSums, coherence


def discs(seed, sigma, size=64, own=False, noise=0.0):
    """Two images of bytes of discs on a ground; B made of the scene or of A's ``own`` bytes."""
    random = np.random.default_rng(seed)
    pad = int(4 * sigma + 2)
    y, x = np.mgrid[: size + 2 * pad, : size + 2 * pad]
    scene = np.full(y.shape, random.uniform(20, 230))
    for _ in range(y.size // 400):
        centre, radius = random.uniform(0, len(y), 2), random.uniform(2, 12)
        scene[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2] = random.uniform(20, 230)
    blurred = scipy.ndimage.gaussian_filter(scene.round() if own else scene, sigma)
    blurred += noise * random.normal(size=y.shape)
    inside = (slice(pad, pad + size),) * 2
    return tuple(image[inside].round().clip(0, 255).astype(np.uint8) for image in (scene, blurred))


def estimates(pairs, kind=np.uint8):
    """Of images of bytes, or of floats, of which it is not known which pixels share a level."""
    images = (np.stack(each).astype(kind) for each in zip(*pairs, strict=True))
    return jax.device_get(estimate_blurs(*images, kernel="sampled"))


def held(found, sigmas):
    """Which intervals hold the truth, and which estimates are trusted."""
    low, high = found.interval()
    trusted = (found.status == 0) & np.isin(found.adequacy.verdict, (0, 2))
    return (low <= sigmas) & (sigmas <= high), trusted


def scenes(sigmas, **how):
    return [discs(seed, sigma, **how) for seed, sigma in enumerate(sigmas)]


@pytest.fixture
def sigmas(rng):
    return rng.uniform(0.7, 3, 60)


def restricted_log_likelihood(scores, powers, variances):
    """Of contrasts of the scores that no change along their powers moves."""
    contrasts = scipy.linalg.null_space(powers[None])
    covariance = contrasts.T @ np.diag(variances) @ contrasts
    return scipy.stats.multivariate_normal(cov=covariance).logpdf(contrasts.T @ scores)


@pytest.mark.parametrize("strength", [0.5, 1, 2])
@pytest.mark.usefixtures("x64")
def test_levels_are_weighed_by_their_likelihoods(rng, strength):
    powers, gains = rng.uniform(0.2, 1, 7), rng.normal(size=7)
    variance, rounding, passed = 0.01, 0.05, rng.normal(size=(2, 7))
    scores = strength * rng.normal(size=7) * (variance * powers) ** 0.5
    scores -= powers / powers.sum() * scores.sum()
    of_blurred = np.stack([strength * rng.normal(size=9) * 0.1, rng.uniform(0.2, 1, 9)])
    of_blurred[1] *= powers.sum() / of_blurred[1].sum()
    sums = LevelSums(*map(jnp.asarray, (scores, powers, gains, passed, of_blurred)))
    summary = SimpleNamespace(
        noise_variance=jnp.asarray(variance),
        inverse=jnp.asarray([[powers.sum(), 0.3], [0.3, 2]]),
        scatter=jnp.asarray([[3.0, 0.2], [0.2, 1]]),
    )
    found = coherence(sums, summary, jnp.asarray(rounding))

    part = np.sum(powers**2) / powers.sum() ** 2
    excess = np.sum(scores**2) / (variance * powers.sum() * (1 - part)) - 1
    factor = max(1 + excess**3 / (excess**2 + 2 * part), 1)
    other = np.sum(of_blurred[1] ** 2) / powers.sum() ** 2
    beyond = np.sum(of_blurred[0] ** 2) / (variance * powers.sum() * (1 - other)) - 1
    beyond = max(beyond**3 / (beyond**2 + 2 * other), 0)
    factor = max(factor, 1 + min(2 * part, 1) ** 2 * beyond)
    plain = variance * powers
    ratio = restricted_log_likelihood(scores, powers, factor * plain)
    ratio -= restricted_log_likelihood(scores, powers, plain + rounding * gains**2)
    rounded = 1 / (1 + np.exp(ratio) / factor)
    assert 1e-5 < rounded < 1 - 1e-5
    expected = rounded * rounding * passed @ passed.T
    expected += (1 - rounded) * (factor - 1) * np.asarray(summary.scatter)
    np.testing.assert_allclose(found.scatter, expected, rtol=1e-9)
    through = np.asarray(summary.inverse)[0] @ passed
    part = min(np.sum(through**2) / np.sum(gains**2), 1)
    np.testing.assert_allclose(found.by_level, rounded * rounding * part, rtol=1e-9)
    np.testing.assert_allclose(found.by_power, (1 - rounded) * (factor - 1), rtol=1e-9)


@pytest.mark.parametrize("options", [{}, {"family": "axis_aligned", "gain": True, "shift": True}])
@pytest.mark.usefixtures("x64")
def test_errors_of_levels_move_the_optimum_as_they_tell(rng, options):
    scene, _ = discs(3, 1.5, size=80)
    scene = scene.astype(float)
    blurred = scipy.ndimage.gaussian_filter(scene, 1.5)[12:-12, 12:-12]
    kernel, shape = as_kernel("sampled", 4.0, None), blurred.shape
    how = {"family": "isotropic", "gain": False, "shift": False, "offset": False} | options
    how |= {"kernel": kernel, "boundary": "valid", "loss": "squared", "estimate_noise": False}
    how = Options(**how, largest_radius=largest_radius(shape, kernel, "valid", None))
    usable, steps = Usable(None, None, None), jnp.ones(2)

    def optimum(sharp):
        images = jnp.asarray(sharp[12:-12, 12:-12]), jnp.asarray(blurred)
        return fit_pair(*images, usable, steps, None, None, None, options=how)[0]

    errors = 0.01 * rng.normal(size=256)
    before, after = optimum(scene), optimum(scene + errors[scene.astype(int)])
    levels = before.evidence.levels
    told = -before.summary.inverse @ levels.passed @ (errors / before.scale)
    move = after.vector - before.vector
    np.testing.assert_allclose(move, told, rtol=0.03, atol=0.03 * np.max(np.abs(move)))


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_intervals_of_flat_scenes_hold_the_truth(noise, sigmas):
    right, trusted = held(estimates(scenes(sigmas, noise=noise)), sigmas)
    assert trusted.sum() >= 36
    assert right[trusted].sum() >= scipy.stats.binom(trusted.sum(), 0.92).ppf(0.01)


def test_bars_tell_rounding_of_a_from_a_blur_of_its_bytes(sigmas):
    ratios = {}
    for own in (False, True):
        pairs = scenes(sigmas, own=own)
        flat, plain = estimates(pairs), estimates(pairs, np.float32)
        right, trusted = held(flat, sigmas)
        assert right[trusted].sum() >= scipy.stats.binom(trusted.sum(), 0.92).ppf(0.01)
        ratio = flat.sigma_standard_error / plain.sigma_standard_error
        ratios[own] = np.median(ratio[trusted])
    assert 1 <= ratios[True] < 1 + 0.2 * (ratios[False] - 1)


def test_bars_of_photographs_stay_as_they_are(sigmas, rng):
    pairs = []
    for k, sigma in enumerate(sigmas):
        scene = 255 * photograph(PHOTOGRAPHS[k % len(PHOTOGRAPHS)])
        y, x = (rng.integers(n - 64) for n in scene.shape)
        images = scene, scipy.ndimage.gaussian_filter(scene, sigma)
        pairs.append([image[y : y + 64, x : x + 64].round() for image in images])
    bars = [estimates(pairs, kind).sigma_standard_error for kind in (np.uint8, np.float32)]
    told = np.isfinite(bars[0]) & np.isfinite(bars[1])
    np.testing.assert_allclose(np.mean(np.log(bars[0] / bars[1])[told]), 0, atol=0.08)
    np.testing.assert_allclose(np.median(bars[0] / bars[1]), 1, atol=0.02)


@pytest.mark.parametrize("shape", [(30,), (5, 6), (3, 4, 5)])
def test_pixels_of_every_rank_are_summed_by_level(shape, rng):
    levels, images = rng.integers(0, 256, shape), rng.normal(size=(3, *shape)).astype(np.float32)
    found = sums_by_level(jnp.asarray(levels), list(jnp.asarray(images)))
    expected = [np.bincount(levels.ravel(), x.ravel(), 256) for x in images]
    np.testing.assert_allclose(found, expected, atol=1e-6)
