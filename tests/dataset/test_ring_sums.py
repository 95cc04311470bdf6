"""Sums of a pair over rings of frequency, against NumPy's full complex FFT."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.dataset.pooled_transfer import NUM_BINS
from gaussjax.dataset.ring_sums import in_rings, noise_probes, ring_sums
from gaussjax.model.transfer import transfer_function
from gaussjax.model.window import taper


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(33,), (18, 21), (8, 9, 10)])
def test_sums_are_those_over_the_full_plane(shape, dtype, rng):
    with jax.enable_x64(dtype == np.float64):
        images = [(rng.normal(size=shape) + 3).astype(dtype) for _ in range(3)]

        @jax.jit
        def summed(a, b, r, sigma):
            window, transfer = taper(shape, dtype), transfer_function(sigma, shape)
            probes = noise_probes(jax.random.key(0), window)
            filters = tuple(in_rings(x, shape) for x in (transfer, transfer[None] ** 2))
            return ring_sums(a, b, r, filters, window, probes), window.values

        found, w = jax.device_get(summed(*images, dtype(0.8)))
        assert found.power.dtype == dtype
    w = w.astype(float)
    a, b, r = (x.astype(float) for x in images)
    windowed = [w * (x - np.sum(w * x) / np.sum(w)) for x in (a, b, r)]
    a_hat, _, r_hat = map(np.fft.fftn, windowed)
    axes = [2 * np.pi * np.fft.fftfreq(n) for n in shape]
    squares = sum(grid**2 for grid in np.meshgrid(*axes, indexing="ij"))
    gaussian, radius = np.exp(-0.32 * squares), np.sqrt(squares)
    edges = [*np.linspace(0, np.pi, NUM_BINS + 1), np.inf]
    edges[-2] += 1e-5
    for k, (low, high) in enumerate(pairwise(edges)):
        ring = (radius > 0) & (radius >= low) & (radius < high)
        product, power = (np.conj(a_hat) * r_hat).real[ring] / a.size, np.abs(a_hat[ring]) ** 2
        expected = {
            "flat": np.sum(w**2) * ring.sum() / a.size,
            "power": power.sum() / a.size,
            "frequency": (radius[ring] * power).sum() / a.size,
            "fitted": (gaussian[ring] * power).sum() / a.size,
            "changes": (gaussian[ring] ** 2 * power).sum() / a.size,
            "cross": product.sum(),
            "residual": (np.abs(r_hat[ring]) ** 2).sum() / a.size,
        }
        for name, value in expected.items():
            rtol = 1e-9 if dtype == np.float64 else 2e-4
            np.testing.assert_allclose(getattr(found, name)[..., k], value, rtol=rtol, atol=1e-4)
    np.testing.assert_allclose(np.sum(found.output), np.sum(windowed[1] ** 2), rtol=1e-4)


def test_noise_by_chance_is_that_of_many_draws(rng):
    """The variance of the cross-spectrum with white noise, of one pair."""
    shape, draws = (24, 20), 1000
    a = rng.normal(size=shape).astype(np.float32)

    @jax.jit
    @jax.vmap
    def draw(key):
        window = taper(shape, np.float32)
        filters = in_rings(jnp.ones((24, 11)), shape), in_rings(jnp.zeros((0, 24, 11)), shape)
        chance, noise = jax.random.split(key)
        noise = jax.random.normal(noise, shape)
        found = ring_sums(a, a, noise, filters, window, noise_probes(chance, window))
        return found.noise_cross, found.cross, found.residual, found.flat

    expected, cross, residual, flat = draw(jax.random.split(jax.random.key(1), draws))
    some = np.asarray(flat[0]) > 0
    ratio = np.var(cross, 0)[some] / np.mean(expected, 0)[some]
    np.testing.assert_allclose(ratio, 1, atol=4.5 * np.sqrt(2.5 / draws))
    # The windowed mean is taken off, of which the lowest frequencies have lost a part.
    np.testing.assert_allclose(np.mean(residual / flat, 0)[some][4:], 1, atol=0.05)
