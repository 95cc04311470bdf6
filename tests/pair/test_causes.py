"""Spoilt pairs from end to end: each names its cause, is doubted, and its interval holds."""

from functools import cache

import jax
import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.stats
from problems import periodic_blur, photograph

import gaussjax as gj
from gaussjax.statistics.cause import MOVES, Cause
from gaussjax.statistics.verdict import Verdict

SIZE, SIGMA, NOISE = 96, 1.2, 0.005
NAMES = ("camera", "astronaut")
DISK = np.hypot(*np.mgrid[-3:4, -3:4]) <= 2.5
DISK = DISK / DISK.sum()
CAUSES = {
    "nothing": {Cause.NONE},
    "gain": {Cause.GAIN},
    "offset": {Cause.OFFSET},
    "shift": {Cause.SHIFT},
    "rotation": {Cause.ROTATION},
    "anisotropy": {Cause.ANISOTROPY},
    "disk": {Cause.KERNEL},
    "noise": {Cause.NOISE_IN_REFERENCE},
    "convention": {Cause.CONVENTION},
    "median": {Cause.NOT_A_FILTER},
}
MOVED = ("shift", "rotation")


def crop(image):
    return image[tuple(slice((n - SIZE) // 2, (n + SIZE) // 2) for n in image.shape)]


def nearest_sigma(scene, blurred):
    """Of the Gaussian that comes nearest to a blur in the middle of a scene, px."""

    def squares(sigma):
        difference = periodic_blur(scene, sigma**2 * np.eye(2)) - blurred
        return np.sum(crop(difference)[8:-8, 8:-8] ** 2)

    return scipy.optimize.minimize_scalar(squares, bounds=(0.5, 3)).x


@cache
def spoilt_pairs(name):
    """Pairs of a photograph by what spoils them, with the sigma of each, px."""
    # Odd, so that the blur of the scene is unambiguous; large, so that its edge is far away.
    scene = photograph(name)[60:321, 90:351]
    random = np.random.default_rng(3)
    noise, other = NOISE * random.normal(size=(2, SIZE, SIZE))
    blurred = periodic_blur(scene, SIGMA**2 * np.eye(2))
    pairs = {
        "nothing": (scene, blurred, SIGMA),
        "gain": (scene, 0.9 * blurred, SIGMA),
        "offset": (scene, blurred + 0.02, SIGMA),
        "shift": (scene, scipy.ndimage.shift(blurred, (0.7, 0.0), order=5), SIGMA),
        "rotation": (scene, scipy.ndimage.rotate(blurred, 1, reshape=False, order=5), SIGMA),
        "anisotropy": (scene, periodic_blur(scene, np.diag([0.9, 1.5]) ** 2), SIGMA),
        "disk": (scene, disk := scipy.ndimage.convolve(scene, DISK), nearest_sigma(scene, disk)),
        "convention": (scene, scipy.ndimage.gaussian_filter(scene, 0.6), 0.6),
        "median": (scene, scipy.ndimage.median_filter(scene, 3), None),
    }
    cut = {k: (crop(a), crop(b) + noise, sigma) for k, (a, b, sigma) in pairs.items()}
    reference, spoilt, sigma = cut["nothing"]
    return {**cut, "noise": (reference + 4 * other, spoilt, sigma)}


def noise_free(name):
    """The pair that nothing spoils."""
    reference, spoilt, sigma = spoilt_pairs(name)["nothing"]
    return reference, spoilt - NOISE * np.random.default_rng(3).normal(size=(SIZE, SIZE)), sigma


@cache
def estimates(name, dtype):
    """Of all pairs of a photograph, under jit and vmap; one compilation for each dtype."""
    with jax.enable_x64(dtype is np.float64):
        references, blurred, _ = zip(*spoilt_pairs(name).values(), strict=True)
        stacks = (np.stack(images).astype(dtype) for images in (references, blurred))
        batch = jax.device_get(many(*stacks))
    keys = list(spoilt_pairs(name))
    return {k: jax.tree.map(lambda leaf, i=i: leaf[i], batch) for i, k in enumerate(keys)}


estimated = jax.jit(gj.estimate_blur)
many = jax.jit(jax.vmap(gj.estimate_blur))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spoil", CAUSES)
def test_a_cause_is_named_and_doubted(spoil, name, dtype):
    estimate = estimates(name, dtype)[spoil]
    assert estimate.status == 0
    assert Cause(int(estimate.adequacy.cause)) in CAUSES[spoil]
    expected = Verdict.MISALIGNED if spoil in MOVED else Verdict.EXPLAINED_POORLY
    expected = Verdict.EXPLAINED if spoil == "nothing" else expected
    assert estimate.adequacy.verdict == expected
    assert (estimate.adequacy.p_value < 0.01) == (spoil != "nothing")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spoil", [k for k in CAUSES if k != "median"])  # it has no sigma
def test_the_interval_covers_what_noise_alone_would_not(spoil, name, dtype):
    estimate, sigma = estimates(name, dtype)[spoil], spoilt_pairs(name)[spoil][-1]
    low, high = estimate.interval()
    assert low < sigma < high
    if spoil == "nothing":
        assert estimate.sigma_model_error == 0
    else:
        assert estimate.sigma_model_error > 0
    # Of another shape the verdict tells: it is no part of the error of the nearest Gaussian.
    named = {"nothing": "", "disk": f"poorly: {estimate.adequacy.cause_message}\n"}
    expected = named.get(spoil, f"(model: {estimate.adequacy.cause_message})")
    assert expected in str(estimate)
    assert ("(model:" in str(estimate)) == (spoil not in named)


def displaced(image, angle, scale, shift):
    """Turned by an angle in rad, and scaled, about the centre, and moved by some px."""
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape) - 1) / 2
    return scipy.ndimage.affine_transform(image, matrix, centre - matrix @ centre + shift, order=5)


@pytest.mark.parametrize("name", [*NAMES, "noise"])
@pytest.mark.parametrize("sigma", [0.6, 1.0])
@pytest.mark.parametrize(
    "motion",
    [(0, 1, (0.2, 0.15)), (0.007, 1, (0, 0)), (0, 1.006, (0, 0))],
    ids=["shift", "rotation", "scale"],
)
def test_what_a_displacement_smears_is_counted(motion, sigma, name, rng):
    scene = rng.normal(size=(261, 261)) if name == "noise" else photograph(name)[60:321, 90:351]
    blurred = displaced(periodic_blur(scene, sigma**2 * np.eye(2)), *motion)
    noise = 0.002 * scene.std() * rng.normal(size=(SIZE, SIZE))
    pair = (image.astype(np.float32) for image in (crop(scene), crop(blurred) + noise))
    estimate = jax.device_get(estimated(*pair))
    assert Cause(int(estimate.adequacy.cause)) in MOVES
    # Nearly all of the error.
    model_error = 2 * estimate.sigma * estimate.sigma_model_error
    added = estimate.sigma**2 - sigma**2
    assert 0.3 * added < model_error < 4 * added


@pytest.mark.parametrize("spoil", ["shift", "noise"])
@pytest.mark.parametrize("dtype", [np.float64], indirect=True)
def test_one_pair_says_what_a_batch_says(spoil, dtype):
    reference, blurred, _ = spoilt_pairs("camera")[spoil]
    alone = gj.estimate_blur(reference.astype(dtype), blurred.astype(dtype))
    row = estimates("camera", dtype)[spoil]
    np.testing.assert_allclose(alone.sigma, row.sigma, rtol=1e-9)
    np.testing.assert_allclose(alone.sigma_model_error, row.sigma_model_error, rtol=1e-8)
    np.testing.assert_array_equal(alone.adequacy.verdict, row.adequacy.verdict)
    np.testing.assert_array_equal(alone.adequacy.cause, row.adequacy.cause)


@pytest.mark.parametrize("name", NAMES)
def test_an_inverted_contrast_is_answered_and_doubted(name, x64):
    reference, blurred, _ = spoilt_pairs(name)["nothing"]
    estimate = gj.estimate_blur(reference, 1 - blurred, gain=True, offset=True)
    assert estimate.params.gain < 0
    assert estimate.adequacy.cause == Cause.INVERTED
    assert "negate" in estimate.adequacy.cause_message
    assert estimate.adequacy.verdict == Verdict.EXPLAINED_POORLY


@pytest.mark.slow
@pytest.mark.parametrize("name", ["camera", "moon"])
def test_white_noise_alone_is_seldom_doubted(name, draws, x64):
    count, size = 5 * draws, np.s_[16:-16, 16:-16]
    scene, blurred, sigma = noise_free(name)
    noise = NOISE * np.random.default_rng(11).normal(size=(count, *blurred[size].shape))
    found = jax.device_get(in_parts(scene[size], blurred[size] + noise))
    low, high = found.interval()
    assert not np.any(found.status)
    # Beyond these one time in a thousand, if the level holds and the interval is honest.
    for doubted in (found.adequacy.verdict != Verdict.EXPLAINED, found.adequacy.p_value < 0.01):
        assert scipy.stats.binom(count, 0.01).sf(np.sum(doubted) - 1) > 1e-3
    covered = np.sum((low < sigma) & (sigma < high))
    # Departures that are possible, if not significant, widen some of the intervals.
    assert scipy.stats.binom(count, 0.95).cdf(covered) > 1e-3


@jax.jit
def in_parts(reference, blurred):
    """One reference against a stack of blurred images, some at a time."""
    return jax.lax.map(lambda b: gj.estimate_blur(reference, b), blurred, batch_size=50)


def test_the_remedy_helps(x64):
    both = {"gain": True, "offset": True}
    remedies = {"gain": both, "offset": both, "convention": {"kernel": "sampled"}}
    for spoil, remedy in remedies.items():
        reference, blurred, sigma = spoilt_pairs("camera")[spoil]
        estimate = gj.estimate_blur(reference, blurred, **remedy)
        assert estimate.adequacy.verdict == Verdict.EXPLAINED, spoil
        low, high = estimate.interval()
        assert low < sigma < high, spoil
