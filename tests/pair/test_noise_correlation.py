"""Noise whose neighbours correlate, told: as right as white noise, and no longer doubted."""

from fractions import Fraction
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.signal
from problems import cropped_photograph, natural_scene, periodic_blur

import gaussjax as gj
from gaussjax import Verdict
from gaussjax.model.folding import CoarseGrid, fold
from gaussjax.model.fourier import forward_transform, inverse_transform
from gaussjax.model.noise_correlation import as_noise_correlation, noise_colour
from gaussjax.pair.filtered_noise import noise_gains
from gaussjax.statistics.cause import Cause

TAPS = np.ones(2) / np.sqrt(2)
PAIRS = np.outer(*2 * [np.correlate(TAPS, TAPS, "full")])  # of means over 2 x 2 px
WHITE = np.pad(np.ones((1, 1)), 1)


def averaged(noise):
    """White noise averaged over two px along the last two axes, of the same variance."""
    for axis in (-2, -1):
        noise = (noise + np.roll(noise, 1, axis)) / np.sqrt(2)
    return noise


def noisy_pairs(sigma, levels, draws, seed=0, size=96):
    """Pairs whose noise correlates in both images, and their standard deviations."""
    reference, blurred = cropped_photograph("camera", sigma, size)
    stds = np.asarray(levels) * reference.std()
    noise = averaged(np.random.default_rng(seed).normal(size=(2, draws, size, size)))
    return reference + stds[0] * noise[0], blurred + stds[1] * noise[1], stds


@pytest.fixture(scope="module")
def estimates():
    """Of pairs, by programs that are compiled once for all tests."""

    def given(reference, blurred, noise_std, correlation):
        return gj.estimate_blur(
            reference, blurred, kernel="sampled", noise_std=noise_std, noise_correlation=correlation
        )

    program = jax.jit(given)

    def found(references, blurreds, noise_std, correlation):
        pairs = zip(*np.float32([references, blurreds]), strict=True)
        told = np.float32(noise_std), np.float32(correlation)
        rows = [program(a, b, told[0], tuple(told[1])) for a, b in pairs]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(rows))

    return found


@pytest.mark.parametrize("shape", [(12, 9), (3, 4)])
def test_the_spectrum_is_the_transform_of_the_autocorrelation(shape, x64):
    rho = np.random.default_rng(0).normal(size=(5, 3)) / 20
    rho = (rho + np.flip(rho)) / 2
    rho[2, 1] = 1
    folded = np.zeros(shape)
    for y, x in np.ndindex(rho.shape):
        folded[(y - 2) % shape[0], (x - 1) % shape[1]] += rho[y, x]
    expected = np.fft.rfftn(folded).real
    np.testing.assert_allclose(noise_colour(jnp.asarray(rho), shape), expected, atol=1e-12)


def test_of_a_periodic_pair_it_is_the_optimum_of_the_exact_sum(x64):
    sigma, shape, levels = 1.3, (64, 64), np.array([0.2, 0.1])
    scene = natural_scene(shape, seed=3)
    noise = averaged(np.random.default_rng(4).normal(size=(2, *shape)))
    noise[1] = np.random.default_rng(5).normal(size=shape)
    pair = scene, periodic_blur(scene, sigma**2 * np.eye(2))
    pair = [image + std * n for image, std, n in zip(pair, levels, noise, strict=True)]
    w = [2 * np.pi * np.fft.fftfreq(n) for n in shape]
    colour = np.outer(*(1 + np.cos(wj) for wj in w))
    a, b = map(np.fft.fft2, pair)

    def objective(candidate):
        transfer = np.exp(-0.5 * candidate**2 * (w[0][:, None] ** 2 + w[1] ** 2))
        density = levels[1] ** 2 + levels[0] ** 2 * transfer**2 * colour
        return np.sum(np.abs(b - transfer * a) ** 2 / density)

    dense = scipy.optimize.minimize_scalar(objective, bounds=(1, 1.6), options={"xatol": 1e-8})
    found = gj.estimate_blur(
        *pair, boundary="periodic", noise_std=levels, noise_correlation=(PAIRS, None)
    )
    # Frequencies that the noise hides count less: a part of the standard error.
    assert abs(found.sigma - dense.x) < 0.5 * found.sigma_standard_error
    assert abs(found.sigma - sigma) < 3 * found.sigma_standard_error
    np.testing.assert_allclose(found.adequacy.reduced_chi_square, 1, atol=0.05)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_told_it_is_right_and_explained(sigma, estimates):
    draws = 24
    references, blurreds, stds = noisy_pairs(sigma, (0.1, 0.05), draws)
    ours = estimates(references, blurreds, stds, [PAIRS, PAIRS])
    assert (ours.status == 0).all()
    z = (ours.sigma - sigma) / ours.sigma_standard_error
    assert abs(z.mean()) < 3 / np.sqrt(draws)
    assert abs(z.std() - 1) < 3 / np.sqrt(2 * draws)
    np.testing.assert_allclose(ours.adequacy.reduced_chi_square, 1, atol=0.15)
    assert np.sum(ours.adequacy.verdict != Verdict.EXPLAINED) <= 1


def test_taken_for_white_it_is_doubted(estimates):
    references, blurreds, stds = noisy_pairs(1.0, (0.1, 0.05), 4)
    blind = estimates(references, blurreds, stds, [WHITE, WHITE])
    assert (blind.adequacy.cause == Cause.NOISE_SPECTRUM).all()
    told = estimates(references, blurreds, stds, [PAIRS, PAIRS])
    # Of two frequencies with as much noise the wrong ones were listened to.
    assert np.mean(np.abs(told.sigma - 1)) < np.mean(np.abs(blind.sigma - 1))


@pytest.mark.thorough
def test_white_noise_told_so_is_white_noise(estimates):
    references, blurreds, stds = noisy_pairs(1.0, (0.1, 0.05), 1)
    told = estimates(references, blurreds, stds, [WHITE, WHITE])
    plain = gj.estimate_blur(
        *np.float32([references[0], blurreds[0]]),
        kernel="sampled",
        noise_std=stds,
        noise_correlation=(None, None),
    )
    np.testing.assert_allclose(told.sigma[0], plain.sigma, atol=0.02 * plain.sigma_standard_error)
    np.testing.assert_allclose(told.sigma_standard_error[0], plain.sigma_standard_error, rtol=0.01)


@pytest.mark.thorough
@pytest.mark.parametrize("sigma", [1.2, 3.0])
def test_swapping_the_images_and_their_noise_negates(sigma, x64):
    references, blurreds, stds = noisy_pairs(sigma, (0.05, 0.03), 1, size=64)
    pair, correlations = (references[0], blurreds[0]), (PAIRS, None)
    there = gj.estimate_blur(*pair, noise_std=stds, noise_correlation=correlations)
    back = gj.estimate_blur(*pair[::-1], noise_std=stds[::-1], noise_correlation=correlations[::-1])
    np.testing.assert_allclose(back.sigma, -there.sigma, rtol=1e-9)
    np.testing.assert_allclose(back.sigma_standard_error, there.sigma_standard_error, rtol=1e-9)


def test_levels_of_noise_of_a_known_shape_are_found():
    references, blurreds, stds = noisy_pairs(1.5, (0.1, 0.05), 1)
    told = {"noise_std": "estimate", "noise_correlation": (PAIRS, PAIRS)}
    found = gj.estimate_blur(references[0], blurreds[0], kernel="sampled", **told)
    assert (found.status, found.adequacy.verdict) == (0, Verdict.EXPLAINED)
    np.testing.assert_allclose(found.noise_std, stds, rtol=0.2)
    assert abs(found.sigma - 1.5) < 4 * found.sigma_standard_error


NEGATIVE = np.outer([0.9, 1, 0.9], [0, 1, 0])


@pytest.mark.parametrize(
    ("correlation", "noise_std", "error", "match"),
    [
        ((PAIRS, None), None, ValueError, "noise_std"),
        (PAIRS, (1, 1), TypeError, "must be"),
        ((PAIRS,), (1, 1), TypeError, "must be"),
        ((PAIRS[0], None), (1, 1), ValueError, "of shape"),
        ((None, PAIRS[:2]), (1, 1), ValueError, "of shape"),
        ((None, 2 * PAIRS), (1, 1), ValueError, "middle, where it is 1"),
        ((None, PAIRS * np.linspace(0.9, 1.1, 3)), (1, 1), ValueError, "symmetric"),
        ((None, NEGATIVE), (1, 1), ValueError, "its transform"),
        ((0.5, -1), (1, 1), ValueError, "sigma in px"),
        (("white", None), (1, 1), TypeError, "real numbers"),
    ],
)
def test_what_is_no_autocorrelation_is_refused(correlation, noise_std, error, match):
    with pytest.raises(error, match=f"noise_correlation.*{match}"):
        gj.estimate_blur(*np.zeros((2, 16, 16)), noise_std=noise_std, noise_correlation=correlation)


@pytest.mark.parametrize("ratio", [Fraction(2), Fraction(3, 2)])
def test_across_grids_the_noise_of_the_fine_image_is_folded(ratio, x64):
    shape = 4 * ratio.denominator, 5 * ratio.denominator
    grid = CoarseGrid((ratio,) * 2, "area", (0.25, 0.5))
    fine = grid.fine_shape(shape)

    def seen(image):
        return inverse_transform(
            fold(grid, grid.seen(forward_transform(image, 2), shape), shape), shape
        )

    white = np.eye(np.prod(fine)).reshape(-1, *fine)
    matrix = np.asarray(jax.jit(jax.vmap(seen))(white)).reshape(len(white), -1).T
    smoothed = averaged(white).reshape(len(white), -1)
    covariance = (matrix @ smoothed.T @ smoothed @ matrix.T)[:, 0].reshape(shape)
    frame = SimpleNamespace(grid=grid, blurred=np.zeros(shape))

    @jax.jit
    def folded(correlation):
        colour = noise_colour(correlation, fine)
        gain, _ = noise_gains(frame, jnp.ones_like(colour), colour=colour)
        return inverse_transform(gain, shape)

    # The fine Nyquist frequency has no place of its own; this noise has none of it.
    np.testing.assert_allclose(folded(PAIRS), covariance, atol=1e-12)


def test_a_number_is_the_gaussian_that_has_smoothed_the_noise():
    white = np.zeros((41, 41))
    white[20, 20] = 1
    taps = scipy.ndimage.gaussian_filter(white, 0.8)
    expected = scipy.signal.correlate2d(taps, taps, "same") / np.sum(taps**2)
    found = as_noise_correlation((0.8, 0), (1, 1), np.zeros((2, 2)))
    reach = found.shape[-1] // 2
    middle = np.s_[20 - reach : 21 + reach]
    np.testing.assert_allclose(found[0], expected[middle, middle], atol=1e-7)
    np.testing.assert_allclose(found[1], np.pad(np.ones((1, 1)), reach))
    assert as_noise_correlation((None, None), (1, 1), np.zeros((2, 2))) is None  # white in both


def test_while_they_are_traced_wrong_values_are_nan():
    def prepared(correlation):
        return as_noise_correlation((correlation, None), (1, 1), np.zeros((2, 2), np.float32))

    assert np.isnan(jax.jit(prepared)(2 * PAIRS)).any()
    np.testing.assert_allclose(jax.jit(prepared)(PAIRS), [PAIRS, WHITE])
