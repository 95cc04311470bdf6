"""What pairs have in common and what differs: planted, and against SciPy's Welch estimates."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from problems import PHOTOGRAPHS, natural_scene, photograph

from gaussjax.dataset.pooled_transfer import NUM_BINS, TransferSums, pooled_transfer
from gaussjax.dataset.ring_sums import in_rings, noise_probes, ring_sums
from gaussjax.model.transfer import blur, transfer_function
from gaussjax.model.window import interior_window, taper

SIGMA, NOISE = 1.5, 0.01


@partial(jax.jit, static_argnames="margin")
def _rings(a, b, sigma, key, margin):
    shape = a.shape[1:]
    margins, ramps = jnp.full(len(shape), margin), 0.5 * jnp.asarray(shape) - margin
    window = interior_window(shape, 0, margins, a.dtype, ramps)
    filters = jax.linearize(lambda v: transfer_function(jnp.sqrt(v), shape), sigma**2)
    filters = filters[0], filters[1](jnp.ones_like(sigma))[None]
    filters = tuple(in_rings(each, shape) for each in filters)
    probes = noise_probes(key, window)
    residual = b - jax.vmap(lambda image: blur(image, sigma))(a)
    rings = jax.vmap(lambda *images: ring_sums(*images, filters, window, probes))(a, b, residual)
    return rings, window.values


def _sums(a, b, *, sigma=SIGMA, margin=0, seed=0, dtype=np.float32):
    """Sums of stacks of pairs, and the window."""
    a, b, sigma = (jnp.asarray(x, dtype) for x in (a, b, sigma))
    rings, window = _rings(a, b, sigma, jax.random.key(seed), margin)
    return TransferSums.of_pairs(rings, np.arange(len(a))), np.asarray(window, float)


def _power(images, window):
    """Of the windowed images about their means there."""
    axes = tuple(range(1, images.ndim))
    mean = np.sum(window * images, axes, keepdims=True) / np.sum(window)
    return np.sum((window * (images - mean)) ** 2, axes)


def _scenes(shape, count, seed):
    """Periodic scenes and their blurs."""
    a = np.stack([natural_scene(shape, seed + k, slope=len(shape) / 2) for k in range(count)])
    return a, np.stack(
        [scipy.ndimage.gaussian_filter(x, SIGMA, mode="wrap", truncate=8) for x in a]
    )


def _crops(rng, size, count):
    """Crops of photographs of unit contrast, and of their blurs."""
    scenes = [photograph(name) for name in PHOTOGRAPHS]
    scenes = [scene / scene.std() for scene in scenes]
    soft = [scipy.ndimage.gaussian_filter(scene, SIGMA, truncate=6) for scene in scenes]
    pairs = []
    for _ in range(count):
        k = rng.integers(len(scenes))
        y, x = (rng.integers(0, n - size) for n in scenes[k].shape)
        cut = np.s_[y : y + size, x : x + size]
        pairs.append((scenes[k][cut], soft[k][cut]))
    return map(np.stack, zip(*pairs, strict=True))


def test_transfer_is_that_of_welch(rng):
    """Without a Gaussian H is the cross-spectral density over that of A, ring by ring."""
    count, size = 50, 128
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    a, noise = rng.normal(size=(2, count, size))
    b = 0.6 * a + 0.3 * np.roll(a, 1, 1) + 0.5 * noise
    a, b = (x - (x @ window)[:, None] / window.sum() for x in (a, b))
    with jax.enable_x64(True):
        shared = taper((size,), np.float64)
        probes = noise_probes(jax.random.key(0), shared)
        filters = jnp.zeros(size // 2 + 1), jnp.zeros((0, size // 2 + 1))
        filters = tuple(in_rings(each, (size,)) for each in filters)
        rings = jax.vmap(lambda x, y: ring_sums(x, y, y, filters, shared, probes))
        found = pooled_transfer(TransferSums.of_pairs(jax.jit(rings)(a, b), np.arange(count)))
    welch = {"window": window, "noverlap": 0, "detrend": False, "nperseg": size, "fs": 2 * np.pi}
    w, cross = scipy.signal.csd(a.ravel(), b.ravel(), **welch)
    power = scipy.signal.welch(a.ravel(), **welch)[1]
    ring = np.minimum((w[1:] / np.pi * NUM_BINS + 1e-6).astype(int), NUM_BINS - 1)
    cross, power = (np.bincount(ring, x[1:]) for x in (cross.real, power))
    np.testing.assert_allclose(found.transfer, cross / power, rtol=1e-9)


@pytest.mark.parametrize("shape", [(512,), (48, 64), (20, 24, 22)])
def test_no_distortion_is_none_within_the_error_bar(shape, dtype, rng):
    a, soft = _scenes(shape, 60, 7)
    sums, _ = _sums(a, soft + NOISE * rng.normal(size=a.shape), dtype=dtype)
    found = pooled_transfer(sums)
    assert found.num_pairs == 60
    for name in ("distortion", "filters"):
        value, error = (getattr(x, name) for x in (found.shares, found.share_errors))
        assert abs(value) < 4 * error < 1e-3
    np.testing.assert_allclose(found.noise_std, NOISE, rtol=0.03)
    known = pooled_transfer(sums, NOISE)
    assert abs(known.shares.distortion) < 1e-4
    np.testing.assert_allclose(found.shares.linear, found.shares.gaussian, atol=1e-5)
    shares = found.shares
    np.testing.assert_allclose(shares.linear + shares.noise + shares.distortion, 1, rtol=1e-9)


@pytest.mark.parametrize("shape", [(512,), (64, 64), (32, 24, 28)])
def test_a_filter_of_each_pair_is_recovered(shape, rng):
    count = 200 if len(shape) < 3 else 100
    a, soft = _scenes(shape, count, 1000)
    factor = np.sqrt(0.05) * rng.choice([-1, 1], count)
    distortion = factor.reshape(-1, *[1] * len(shape)) * soft
    b = soft + distortion + NOISE * rng.normal(size=a.shape)
    sums, window = _sums(a, b)
    found = pooled_transfer(sums)
    # About the mean of the pairs that there are, of which it is a part.
    weights = _power(soft, window)
    mean, leverage = factor @ weights / weights.sum(), np.sum(weights**2) / weights.sum() ** 2
    planted = np.sum(weights * (factor - mean) ** 2) / (1 - leverage) / np.sum(_power(b, window))
    np.testing.assert_allclose(found.shares.distortion, planted, rtol=0.05)
    np.testing.assert_allclose(found.shares.filters, planted, rtol=0.05)
    shown = found.fitted > 0.2
    std = np.sqrt(0.05) / np.sqrt(1.05)
    np.testing.assert_allclose(found.distortion_std[shown], std, rtol=0.25)
    # The common filter is off by the mean of the factors, the error bar by pairs says as much.
    off = (found.transfer / found.fitted - 1)[shown] / (found.pair_error / found.fitted)[shown]
    assert np.all(np.abs(off) < 4)
    assert np.all(found.pair_error[shown] > 3 * found.noise_error[shown])


@pytest.mark.parametrize("size", [64, 128])
def test_a_field_that_differs_by_pair_is_recovered_in_photographs(size, rng):
    a, soft = _crops(rng, size, 200)
    margin = 8
    field = scipy.ndimage.gaussian_filter(rng.normal(size=a.shape), (0, 3, 3), mode="wrap")
    field *= np.sqrt(0.05) * np.std(soft) / np.std(field)
    b = soft + field + NOISE * rng.normal(size=a.shape)
    sums, window = _sums(a, b, margin=margin)
    found = pooled_transfer(sums)
    planted = np.sum(_power(field, window)) / np.sum(_power(b, window))
    np.testing.assert_allclose(found.shares.distortion, planted, rtol=0.05)
    assert abs(found.shares.filters) < 4 * found.share_errors.filters + 0.1 * planted
    np.testing.assert_allclose(found.noise_std, NOISE, rtol=0.03)


def test_a_common_filter_that_is_no_gaussian_is_not_distortion(rng):
    a, soft = _scenes((64, 64), 60, 1)
    wide = np.stack([scipy.ndimage.gaussian_filter(x, 4, mode="wrap") for x in a])
    b = 0.8 * soft + 0.2 * wide + NOISE * rng.normal(size=a.shape)
    found = pooled_transfer(_sums(a, b)[0])
    w = found.frequency
    expected = 0.8 * np.exp(-0.5 * (SIGMA * w) ** 2) + 0.2 * np.exp(-8 * w**2)
    np.testing.assert_allclose(found.transfer[2:8], expected[2:8], rtol=0.02)
    planted = np.mean((0.2 * (wide - soft)) ** 2) / np.mean((b - b.mean()) ** 2)
    shares = found.shares
    np.testing.assert_allclose(shares.linear - shares.gaussian, planted, rtol=0.2)
    assert abs(shares.distortion) < 0.1 * planted


def test_error_bar_by_noise_is_the_scatter_of_the_transfer(rng):
    a, soft = _scenes((48, 48), 640, 50)
    b = soft + 0.1 * rng.normal(size=a.shape)
    parts = [pooled_transfer(_sums(a[k::32], b[k::32], seed=k)[0]) for k in range(32)]
    off = np.stack([part.transfer - part.fitted for part in parts])[:, :-1]
    for name in ("noise_error", "pair_error"):
        errors = np.stack([getattr(part, name) for part in parts])[:, :-1]
        # 32 draws in each of 15 rings.
        np.testing.assert_allclose(np.mean(off**2 / errors**2), 1, atol=0.25)


def test_sums_of_several_shapes_add_up(rng):
    parts, names = [], ("distortion", "linear")
    for shape in ((48, 48), (64, 40)):
        a, soft = _scenes(shape, 20, 3)
        parts.append(_sums(a, soft + NOISE * rng.normal(size=a.shape))[0])
    both = parts[0] + parts[1]
    found = pooled_transfer(both)
    assert found.num_pairs == 40
    power = [part.moments.sum(0)[2].sum() for part in (*parts, both)]
    np.testing.assert_allclose(power[0] + power[1], power[2])
    assert all(np.isfinite(getattr(found.share_errors, name)) for name in names)


def test_one_pair_has_no_scatter(rng):
    a, soft = _scenes((48, 48), 1, 0)
    found = pooled_transfer(_sums(a, soft + NOISE * rng.normal(size=a.shape))[0])
    assert np.all(np.isnan(found.pair_error))
    assert np.isnan(found.shares.distortion)
    np.testing.assert_allclose(found.transfer[:6], found.fitted[:6], atol=0.02)
    assert np.all(found.noise_error[:6] < 0.02)


def test_no_pairs_are_no_error():
    found = pooled_transfer(TransferSums.none(1))
    assert found.num_pairs == 0
    assert np.all(np.isnan(found.transfer))


def test_the_gaussian_moves_from_the_sums_to_the_fit(rng):
    a, soft = _scenes((64, 64), 40, 9)
    b = soft + NOISE * rng.normal(size=a.shape)
    far = _sums(a, b, sigma=1.01 * SIGMA)[0]
    there, moved = pooled_transfer(far), pooled_transfer(far, move=[(1 - 1.01**2) * SIGMA**2])
    exact = pooled_transfer(_sums(a, b)[0])
    np.testing.assert_allclose(moved.fitted, exact.fitted, atol=2e-4)
    np.testing.assert_allclose(moved.transfer, exact.transfer, atol=2e-4)
    lost = [x.shares.linear - x.shares.gaussian for x in (there, moved)]
    assert lost[0] > 1e-6
    assert abs(lost[1]) < 0.1 * lost[0]
