"""Robust losses: the true minimum of the absolute sum, and outliers that do no harm."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import cropped_photograph, interior_blur, photograph

import gaussjax as gj
from gaussjax.statistics.robust_losses import huber, influence, median_scale, smooth_absolute


def saturated_pair(name, share=0.02):
    reference, blurred = cropped_photograph(name, 2.0, 128)
    hit = np.random.default_rng(0).random(blurred.shape) < share
    return reference, np.where(hit, 1.0, blurred)


# Either loss and either precision once; below "absolute" is tried in float64 as well.
LOSSES = ("absolute", np.float32), ("huber", np.float64)


@pytest.mark.parametrize("name", ["camera", "coffee", "moon"])
@pytest.mark.parametrize(("loss", "dtype"), LOSSES, indirect=["dtype"])
def test_saturated_pixels_do_no_harm(name, loss, dtype):
    reference, blurred = (image.astype(dtype) for image in saturated_pair(name))
    robust = gj.estimate_blur(reference, blurred, kernel="sampled", loss=loss)
    plain = gj.estimate_blur(reference, blurred, kernel="sampled")
    assert robust.status == 0
    np.testing.assert_allclose(robust.sigma, 2, rtol=1e-3)
    assert abs(plain.sigma - 2) > 0.01


def degraded(name, how):
    scene = photograph(name)[100:360, 100:360]
    made = (
        scipy.ndimage.median_filter(scene, size=5)
        if how == "median"
        else np.round(16 * scipy.ndimage.gaussian_filter(scene, 1.5)) / 16
    )
    return scene[50:-50, 50:-50], made[50:-50, 50:-50]


@pytest.mark.parametrize("how", ["median", "posterised"])
@pytest.mark.parametrize("name", ["camera", "coffee"])
def test_absolute_is_the_least_of_a_dense_grid(how, name, x64):
    reference, blurred = degraded(name, how)
    estimate = gj.estimate_blur(reference, blurred, loss="absolute")
    assert estimate.status == 0
    margin = (len(reference) - round(float(estimate.num_pixels) ** 0.5)) // 2
    inside = (slice(margin, -margin),) * 2

    def mean_absolute(sigma):
        predicted = interior_blur(reference, float(sigma) ** 2 * np.eye(2))
        return float(np.mean(np.abs(predicted - blurred)[inside]))

    grid = np.concatenate([np.linspace(0.02, 4, 60), estimate.sigma * np.linspace(0.9, 1.1, 41)])
    assert mean_absolute(estimate.sigma) <= 1.0001 * min(mean_absolute(s) for s in grid)
    np.testing.assert_allclose(
        estimate.loss / estimate.num_pixels, mean_absolute(estimate.sigma), rtol=1e-6
    )


def test_a_rho_function_of_the_users(x64):
    reference, blurred = saturated_pair("camera")
    logcosh = gj.estimate_blur(
        reference, blurred, kernel="sampled", loss=lambda z: jnp.logaddexp(z, -z) - jnp.log(2.0)
    )
    np.testing.assert_allclose(logcosh.sigma, 2, rtol=1e-3)
    squares = gj.estimate_blur(reference, blurred, kernel="sampled", loss=lambda z: 0.5 * z**2)
    plain = gj.estimate_blur(reference, blurred, kernel="sampled")
    np.testing.assert_allclose(squares.sigma, plain.sigma, rtol=1e-7)


@pytest.mark.parametrize("loss", ["absolute", thorough("huber")])
def test_error_bars_are_the_scatter_under_heavy_tails(loss, x64):
    reference, clean = cropped_photograph("camera", 1.5, 128)
    noise = 0.01 * np.random.default_rng(5).standard_t(2, size=(80, *clean.shape))
    estimates = [gj.estimate_blur(reference, clean + n, kernel="sampled", loss=loss) for n in noise]
    values = np.array([e.sigma for e in estimates])
    bars = np.array([e.sigma_standard_error for e in estimates])
    np.testing.assert_allclose(values.std(), bars.mean(), rtol=0.25)
    plain = [gj.estimate_blur(reference, clean + n, kernel="sampled").sigma for n in noise[:40]]
    assert values.std() < 0.7 * np.std(plain)


@pytest.mark.parametrize("rho", [huber, smooth_absolute, lambda z: 0.5 * z**2])
def test_influence_is_the_derivative(rho, x64):
    z = np.linspace(-5, 5, 23)  # 0 is among them
    psi, slope = jax.jit(partial(influence, rho))(z)
    more, less = jax.jit(rho)(np.stack([z + 1e-5, z - 1e-5]))
    np.testing.assert_allclose(psi, (more - less) / 2e-5, atol=1e-8)
    assert (slope >= 0).all()
    np.testing.assert_allclose(slope[11], 1)


def test_scale_is_the_standard_deviation_of_normal_noise(x64):
    noise = 3 * np.random.default_rng(0).normal(size=(200, 200))
    window = np.ones_like(noise)
    window[:50] = 0
    noise[:50] = 1e6
    np.testing.assert_allclose(jax.jit(median_scale)(noise, window), 3, rtol=0.02)


@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_scale_is_made_of_the_median_itself(count, dtype, rng):
    # Of any magnitude, some of them zero, some alike, and with pixels that do not count.
    sizes = np.exp(rng.uniform(-60, 60, (5, 20, 30))).astype(dtype)
    sizes[0] = 0
    sizes[1, :, ::2] = 3
    windows = np.zeros((5, 600), dtype)
    for window in windows:
        window[rng.permutation(600)[:count]] = 1
    windows = windows.reshape(sizes.shape)
    found = jax.jit(jax.vmap(median_scale))(sizes * rng.choice([-1, 1], sizes.shape), windows)
    for scale, size, window in zip(found, sizes, windows, strict=True):
        expected = np.sort(size[window > 0])[(count - 1) // 2]
        np.testing.assert_allclose(scale, 1.4826 * expected, rtol=4 * np.finfo(dtype).eps)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss must be one of squared, absolute, huber"):
        gj.estimate_blur(*np.zeros((2, 8, 8)), loss="l1")
