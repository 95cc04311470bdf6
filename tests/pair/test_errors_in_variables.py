"""Noise in both images: unbiased where least squares is not, with honest error bars.

Nearly all pairs are of 128 x 128 px, so that they share their programs, where the time goes.
"""

import jax
import numpy as np
import pytest
import scipy.fft
import scipy.optimize
from cells import thorough
from problems import cropped_photograph

import gaussjax as gj
from gaussjax import Verdict
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.noise_levels import noise_regression


def noisy_pairs(sigma, levels, draws, seed=0, size=128, name="camera"):
    """References, blurred images and both standard deviations."""
    reference, blurred = cropped_photograph(name, sigma, size)
    stds = np.asarray(levels) * reference.std()
    noise = np.random.default_rng(seed).normal(size=(2, draws, size, size))
    return reference + stds[0] * noise[0], blurred + stds[1] * noise[1], stds


def estimates(references, blurreds, noise_std, masks=None):
    """Of each pair, by one program whatever the number of pairs."""
    masks = [None] * len(blurreds) if masks is None else masks
    rows = [
        gj.estimate_blur(a, b, kernel="sampled", noise_std=noise_std, mask=mask)
        for a, b, mask in zip(references, blurreds, masks, strict=True)
    ]
    # In NumPy: what is stacked by JAX is compiled for every number of rows.
    return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(rows))


def relative_error(estimate, sigma):
    return np.asarray(estimate.sigma) / sigma - 1


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("name", ["camera", "coffee"])
def test_noise_in_the_reference_does_not_read_as_blur(sigma, name, x64):
    references, blurreds, stds = noisy_pairs(sigma, (0.2, 0.1), 8, name=name)
    plain = gj.estimate_blur(references[0], blurreds[0], kernel="sampled")
    ours = estimates(references, blurreds, tuple(stds))
    assert (ours.status == 0).all()
    error = relative_error(ours, sigma)
    spread = np.asarray(ours.sigma_standard_error) / sigma
    # The mean of eight draws, within three of its standard errors.
    assert abs(error.mean()) < 3 * np.sqrt((spread**2).mean() / len(error))
    if sigma < 2:
        assert relative_error(plain, sigma) > 5 * spread.mean()


@pytest.mark.parametrize("levels", [(0.2, 0.1), (0.05, 0.002)])
@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_noise_levels_are_found_from_the_pair(sigma, levels):
    references, blurreds, stds = noisy_pairs(sigma, levels, 4)
    ours = estimates(references, blurreds, "estimate")
    assert (ours.status == 0).all()
    np.testing.assert_allclose(ours.noise_std, np.broadcast_to(stds, (4, 2)), rtol=0.2)
    error = relative_error(ours, sigma)
    assert (np.abs(error) < 4 * np.asarray(ours.sigma_standard_error) / sigma).all()


def test_the_optimum_is_that_of_a_dense_whitened_sum(x64):
    # The same estimating equation in the interior's own cosine transform, by SciPy.
    sigma, levels = 1.5, (0.1, 0.05)
    references, blurreds, stds = noisy_pairs(sigma, levels, 1)
    ours = gj.estimate_blur(references[0], blurreds[0], kernel="sampled", noise_std=tuple(stds))
    margin = int(4 * sigma + 0.5)

    def objective(candidate):
        blurred = scipy.ndimage.gaussian_filter(references[0], candidate, radius=margin)
        inside = (blurreds[0] - blurred)[margin:-margin, margin:-margin]
        n = np.arange(-margin, margin + 1)
        taps = np.exp(-(n**2) / (2 * candidate**2))
        w = np.pi * np.arange(len(inside)) / len(inside)
        noise_gain = (np.cos(np.outer(w, n)) @ (taps / taps.sum())) ** 2
        density = stds[1] ** 2 + stds[0] ** 2 * np.outer(noise_gain, noise_gain)
        return np.sum(scipy.fft.dctn(inside, norm="ortho") ** 2 / density)

    dense = scipy.optimize.minimize_scalar(objective, bounds=(1.2, 1.8), options={"xatol": 1e-8})
    # Two windows of the same data: they differ by a part of the standard error.
    assert abs(ours.sigma - dense.x) < 0.5 * ours.sigma_standard_error
    np.testing.assert_allclose(ours.adequacy.reduced_chi_square, 1, atol=0.05)


@pytest.mark.parametrize("how", ["given", thorough("estimate")])
@pytest.mark.parametrize("sigma", [0.4, 1.2, 3.0])
def test_swapping_the_images_and_their_noise_negates(how, sigma, x64):
    references, blurreds, stds = noisy_pairs(sigma, (0.05, 0.03), 1)
    levels = tuple(stds) if how == "given" else how
    swapped_levels = tuple(stds[::-1]) if how == "given" else how
    kwargs = {"kernel": "sampled"} if how == "given" else {"gain": True, "shift": True}
    there = gj.estimate_blur(references[0], blurreds[0], noise_std=levels, **kwargs)
    back = gj.estimate_blur(blurreds[0], references[0], noise_std=swapped_levels, **kwargs)
    np.testing.assert_allclose(back.params.variance, -there.params.variance, rtol=1e-9)
    np.testing.assert_allclose(back.noise_std, there.noise_std[::-1], rtol=1e-7)
    if "gain" in kwargs:
        np.testing.assert_allclose(back.params.gain, 1 / there.params.gain, rtol=1e-9)
        np.testing.assert_allclose(back.params.shift, -there.params.shift, atol=1e-9)


def test_only_the_ratio_of_the_levels_matters_to_the_estimate(x64):
    references, blurreds, stds = noisy_pairs(1.2, (0.1, 0.05), 1)
    one, other = (
        gj.estimate_blur(
            references[0], blurreds[0], kernel="sampled", noise_std=(f * stds[0], f * stds[1])
        )
        for f in (1, 3)
    )
    np.testing.assert_allclose(other.sigma, one.sigma, rtol=1e-8)
    np.testing.assert_allclose(other.sigma_standard_error, one.sigma_standard_error, rtol=1e-6)
    chi_squares = one.adequacy.reduced_chi_square, other.adequacy.reduced_chi_square
    np.testing.assert_allclose(chi_squares[1], chi_squares[0] / 9, rtol=1e-6)
    assert (one.adequacy.verdict, other.adequacy.verdict) == (Verdict.EXPLAINED,) * 2


@pytest.mark.parametrize("factor", [0.3, 1.5, 2.0, 2.5])
def test_levels_that_are_wrong_by_a_factor_are_followed_as_well(factor, x64):
    references, blurreds, stds = noisy_pairs(1.0, (0.2, 0.1), 2, seed=31)
    right, wrong = (estimates(references, blurreds, tuple(f * stds)) for f in (1, factor))
    np.testing.assert_array_equal(wrong.status, 0)
    np.testing.assert_allclose(wrong.sigma, right.sigma, rtol=1e-10)


def test_noise_in_b_alone_is_least_squares(x64):
    references, blurreds, stds = noisy_pairs(1.5, (0.0, 0.05), 1)
    pair = references[0], blurreds[0]
    both = gj.estimate_blur(*pair, kernel="sampled", noise_std=(0.0, stds[1]))
    plain = gj.estimate_blur(*pair, kernel="sampled")
    assert abs(both.sigma - plain.sigma) < 0.5 * plain.sigma_standard_error
    # The window of the first rises slowly from the edge.
    np.testing.assert_allclose(both.sigma_standard_error, plain.sigma_standard_error, rtol=0.1)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 3.5])
def test_noise_in_a_alone(sigma):
    # In single precision: the blur empties frequencies down to rounding and leakage.
    references, blurreds, stds = noisy_pairs(sigma, (0.05, 0.0), 16, seed=3)
    ours = estimates(references, blurreds, (stds[0], 0.0))
    assert (ours.status == 0).all()
    # A hundredth of them may be doubted.
    assert np.sum(np.asarray(ours.adequacy.verdict) != Verdict.EXPLAINED) <= 1
    np.testing.assert_allclose(ours.adequacy.reduced_chi_square, 1, atol=0.15)
    z = relative_error(ours, sigma) * sigma / np.asarray(ours.sigma_standard_error)
    # Sixteen standard normal deviates: mean and spread within four of their standard errors.
    assert abs(z.mean()) < 1
    assert 0.4 < z.std() < 1.8


@pytest.mark.parametrize("sigma", [0.5, 0.8])
def test_strong_noise_leaves_it_near_the_bound(sigma, x64):
    # Little detail under much noise: without weights the error is 1.7 times the bound.
    levels, draws, margin = (0.2, 0.1), 24, int(4 * sigma + 0.5)
    references, blurreds, stds = noisy_pairs(sigma, levels, draws, name="coffee")
    ours = estimates(references, blurreds, tuple(stds))
    reference, _ = cropped_photograph("coffee", sigma, 128)
    depth = np.minimum(np.arange(128), np.arange(128)[::-1]) - margin
    profile = np.sin(0.5 * np.pi * np.clip(depth / 6, 0, 1)) ** 2
    window = np.outer(profile, profile)
    power = np.abs(np.fft.fft2(window * (reference - reference.mean()))) ** 2 / np.sum(window**2)
    w = 2 * np.pi * np.fft.fftfreq(128)
    band = np.round(16 / np.pi * np.hypot(w[:, None], w)).astype(int)
    power = (np.bincount(band.ravel(), power.ravel()) / np.bincount(band.ravel()))[band]
    n = np.arange(-margin, margin + 1)

    def transfer(s):
        taps = np.exp(-(n**2) / (2 * s**2))
        along = np.cos(np.outer(w, n)) @ (taps / taps.sum())
        return np.outer(along, along)

    slope = (transfer(sigma + 1e-4) - transfer(sigma - 1e-4)) / 2e-4
    v_a, v_b = stds**2
    density = v_b + v_a * transfer(sigma) ** 2
    information = np.mean(slope**2 * power**2 / (power * density + v_a * v_b))
    bound = 1 / np.sqrt(information) / (128 - 2 * margin)
    error = np.asarray(ours.sigma) - sigma
    np.testing.assert_allclose(ours.sigma_standard_error / bound, 1.1, atol=0.25)
    # The root mean square of so many draws, within three of its standard errors.
    assert np.sqrt(np.mean(error**2)) < 1.1 * bound * (1 + 3 / np.sqrt(2 * draws))


@pytest.mark.parametrize("length", [0.5, 1.0, 2.0])
def test_the_error_bar_knows_that_noise_is_correlated(length):
    sigma, draws = 1.5, 48
    reference, blurred = cropped_photograph("camera", sigma, 128)
    level = 0.05 * reference.std()
    white = np.random.default_rng(2).normal(size=(draws, *blurred.shape))
    noise = scipy.ndimage.gaussian_filter(white, (0, length, length), mode="wrap")
    noisy = blurred + level * noise / noise.std()
    ours = estimates(np.broadcast_to(reference, noisy.shape), noisy, (0.0, level))
    z = relative_error(ours, sigma) * sigma / np.asarray(ours.sigma_standard_error)
    # The spread of so many standard normal deviates within three standard errors of it.
    assert abs(z.std() - 1) < 3 / np.sqrt(2 * draws)


def test_the_error_bar_knows_that_noise_follows_the_signal():
    # A dark coat before a bright sky: most of the noise is where the photograph is bright.
    sigma, draws, random = 1.0, 48, np.random.default_rng(3)
    images = cropped_photograph("camera", sigma, 128)
    stds = np.array([0.1, 0.05]) * images[0].std()
    per_photon = [std**2 / image.mean() for std, image in zip(stds, images, strict=True)]
    noisy = [
        unit * random.poisson(np.maximum(image, 0) / unit, (draws, *image.shape))
        for image, unit in zip(images, per_photon, strict=True)
    ]
    ours = estimates(*noisy, tuple(stds))
    z = relative_error(ours, sigma) * sigma / np.asarray(ours.sigma_standard_error)
    assert abs(z.mean()) < 3 / np.sqrt(draws)
    assert abs(z.std() - 1) < 3 / np.sqrt(2 * draws)
    assert np.sum(ours.adequacy.verdict != Verdict.EXPLAINED) <= 2
    # The middle of the frame is the coat: a bound on the levels from there is too low.
    found = estimates(*(images[:6] for images in noisy), "estimate")
    assert (found.adequacy.verdict == Verdict.EXPLAINED).all()
    assert (found.noise_std / stds > 0.85).all()


@pytest.mark.parametrize("told", [(0.4, 1.0), (1.0, 0.8)])
def test_levels_of_the_wrong_ratio_widen_the_interval(told):
    sigma = 1.0
    references, blurreds, stds = noisy_pairs(sigma, (0.1, 0.1), 8)
    ours = estimates(references, blurreds, tuple(told * stds))
    error, noise = np.asarray(ours.sigma) - sigma, np.asarray(ours.sigma_standard_error)
    assert abs(error.mean()) > 4 * noise.mean() / np.sqrt(8)
    assert (ours.adequacy.cause == Cause.NOISE_SPECTRUM).all()
    assert (ours.adequacy.verdict == Verdict.EXPLAINED_POORLY).all()
    assert (np.abs(error) < 2 * np.hypot(ours.sigma_model_error, noise)).all()


def test_a_halo_is_seen_through_noise_in_both():
    reference, blurred = cropped_photograph("camera", 2.0, 128)
    wide, _ = cropped_photograph("camera", 5.0, 128)[::-1]
    random = np.random.default_rng(7)
    levels = 0.01 * reference.std(), 0.01 * reference.std()
    images = reference, 0.95 * blurred + 0.05 * wide
    noisy = [x + s * random.normal(size=x.shape) for x, s in zip(images, levels, strict=True)]
    estimate = gj.estimate_blur(*noisy, kernel="sampled", noise_std=levels)
    assert estimate.adequacy.p_value < 1e-4
    assert estimate.adequacy.verdict == Verdict.EXPLAINED_POORLY
    noisy[1] = noisy[1] - 0.05 * (wide - blurred)
    assert gj.estimate_blur(*noisy, kernel="sampled", noise_std=levels).adequacy.p_value > 0.01


@pytest.mark.parametrize("sigma", [0.8, 2.0, 4.0])
def test_levels_of_a_pair_without_noise_do_not_matter(sigma):
    reference, blurred = cropped_photograph("camera", sigma, 128)
    estimate = gj.estimate_blur(reference, blurred, kernel="sampled", noise_std="estimate")
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.sigma, sigma, rtol=1e-4)


def test_a_direction_that_noise_hides_is_found(x64):
    # Before its level is taken into account, the noise of B makes it look like the sharper image.
    references, blurreds, stds = noisy_pairs(1.0, (0.05, 0.5), 8, name="coffee")
    ours = estimates(references, blurreds, tuple(stds))
    assert (ours.status == 0).all()
    assert (np.abs(ours.sigma - 1.0) < 4 * ours.sigma_standard_error).all()


def test_levels_that_cannot_be_told_apart_are_declined():
    # White noise in both, no blur to speak of: |R|^2 is as flat as the other level.
    references, blurreds, _ = noisy_pairs(0.3, (0.2, 0.2), 1)
    assert estimates(references, blurreds, "estimate").status[0] != gj.Status.ESTIMATED


@pytest.mark.thorough
def test_holes_in_b_leave_it_unbiased(x64):
    sigma = 1.5
    references, blurreds, stds = noisy_pairs(sigma, (0.2, 0.05), 8)
    hidden = np.random.default_rng(1).random(blurreds.shape) < 0.05
    spoiled = np.where(hidden, np.nan, blurreds)
    estimate = estimates(references, spoiled, tuple(stds), ~hidden)
    error, spread = relative_error(estimate, sigma), np.asarray(estimate.sigma_standard_error)
    assert (estimate.status == 0).all()
    assert abs(error.mean()) < 3 * spread.mean() / sigma / np.sqrt(len(error))


@pytest.mark.parametrize("true", [(2.0, 0.5), (0.0, 1.0), (3.0, 0.0)])
def test_noise_regression_is_exact_on_exact_spectra(true, x64):
    noise_gain = np.linspace(0, 1, 50)
    power = true[0] * noise_gain + true[1]
    regression = jax.jit(noise_regression)
    found = regression(power, noise_gain, np.ones(50), np.full(2, 10.0))
    np.testing.assert_allclose(found, true, atol=1e-5)
    capped = regression(power, noise_gain, np.ones(50), np.full(2, 1.5))
    assert (capped < 1.51).all()


@pytest.mark.parametrize(
    ("noise_std", "match"),
    [
        (0.1, "for noise in blurred only, leave it out"),
        ((0.1, 0.1, 0.1), "must be None"),
        ((0.0, 0.0), "not both 0"),
        ((-1.0, 1.0), "not negative"),
        ("guess", r"must be None, .estimate. or \(std_reference, std_blurred\); got .guess."),
    ],
)
def test_levels_that_make_no_sense_are_refused(noise_std, match):
    images = np.zeros((2, 16, 16))
    with pytest.raises(ValueError, match=match):
        gj.estimate_blur(*images, noise_std=noise_std)


@pytest.mark.parametrize("other", [{"loss": "absolute"}, {"weights": np.ones((16, 16))}])
def test_noise_levels_go_with_squares_and_without_weights(other):
    images = np.zeros((2, 16, 16))
    with pytest.raises(ValueError, match="noise_std describes the noise of both images"):
        gj.estimate_blur(*images, noise_std=(0.1, 0.1), **other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "sigma", "levels"),
    [
        ("given", 0.7, (0.2, 0.1)),
        ("given", 4.0, (0.05, 0.002)),
        ("estimate", 1.0, (0.2, 0.1)),
        ("estimate", 4.0, (0.05, 0.002)),
    ],
)
def test_coverage_and_efficiency(how, sigma, levels, draws):
    draws = draws // 2
    references, blurreds, stds = noisy_pairs(sigma, levels, draws)
    ours = estimates(references, blurreds, tuple(stds) if how == "given" else how)
    z = (np.asarray(ours.sigma) - sigma) / np.asarray(ours.sigma_standard_error)
    assert np.mean(np.asarray(ours.status) == 0) > 0.95
    # 95 % within three standard errors of a proportion, and one point of bias.
    band = 3 * np.sqrt(0.05 * 0.95 / draws) + 0.01
    assert abs(np.mean(np.abs(z) < 1.96) - 0.95) < band
    assert np.sqrt(np.mean(z**2)) < 1.2 + 2 / np.sqrt(2 * draws)
