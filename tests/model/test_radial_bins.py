"""Bins of radial frequency against the full plane, frequency by frequency."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.radial_bins import RadialBins


@pytest.mark.parametrize("shape", [(12, 15), (9, 8), (31,), (6, 7, 8)])
def test_sums_are_those_over_the_full_plane(shape, rng):
    bins = RadialBins(shape, 5)
    power = np.abs(np.fft.fftn(rng.normal(size=shape))) ** 2
    axes = [2 * np.pi * np.fft.fftfreq(n) for n in shape]
    radius = np.sqrt(sum(grid**2 for grid in np.meshgrid(*axes, indexing="ij")))
    edges = np.linspace(0, np.pi, 6)
    edges[-1] += 1e-5
    expected = []
    for low, high in [*pairwise(edges), (edges[-1], np.inf)]:
        ring = (radius > 0) & (radius >= low) & (radius < high)
        expected.append([ring.sum(), power[ring].sum(), (power * radius)[ring].sum()])
    half = power[..., : shape[-1] // 2 + 1]
    values = [half, half * bins.radius]
    found = np.stack([bins.counts, *map(bins.sum, values)], axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    traced = jax.jit(lambda *x: bins.ordered_sums([bins.in_order(each) for each in x]))
    traced = traced(*map(jnp.asarray, values))
    np.testing.assert_allclose(traced.T, found[:, 1:], rtol=1e-5)


def test_zero_frequency_and_empty_rings_count_nothing():
    bins = RadialBins((8,), 40)
    np.testing.assert_array_equal(bins.counts[bins.counts > 0], [2, 2, 2, 1])
    assert len(bins.counts) == 41
