"""Intervals of variances whose information falls off within them."""

import jax
import numpy as np
import pytest
from problems import natural_scene, periodic_blur

import gaussjax as gj
from gaussjax.model.fourier import forward_transform, squared_magnitude
from gaussjax.statistics.curvature import ends, squared_frequencies


@pytest.mark.parametrize(
    ("mean", "variance"),
    [(0.0, 0.0), (1e-4, 1e-8), (0.8, 0.0), (0.8, 0.32), (0.8, 2.0), (3.0, 1.0)],
)
def test_the_far_end_is_where_the_likelihood_ratio_has_it(mean, variance):
    half = np.float64(0.3)
    below, above = ends(half, np.float64(mean), np.float64(variance))
    assert below == half
    # In standard errors, with what is left of the information at d.
    d = np.linspace(0, above, 10_001)
    spread = max(variance / mean, 1e-6 * mean) if mean else 1.0
    left = (1 + spread * d) ** (-mean / spread)
    assert np.trapezoid(np.sqrt(left), d) == pytest.approx(half, rel=1e-6)
    assert ends(half, np.float64(-mean), np.float64(variance)) == (
        (above, below) if mean else (below, above)
    )


def test_no_blur_is_too_wide_where_all_of_them_are_nearer():
    assert ends(np.float64(0.6), np.float64(4.0), np.float64(0.0)) == (0.6, np.inf)


@pytest.mark.parametrize("shape", [(31,), (24, 25), (8, 9, 10)])
def test_frequencies_are_those_of_the_field(shape, x64):
    waves, squares = [], []
    for cycles in (2, 3):
        w = [2 * np.pi * cycles / n for n in shape]
        waves.append(np.cos(sum(k * x for k, x in zip(w, np.indices(shape), strict=True))))
        squares.append(sum(k**2 for k in w))
    powers = [squared_magnitude(forward_transform(x, len(shape))) for x in (waves[0], sum(waves))]
    found = squared_frequencies(powers, shape)
    expected = [[squares[0], 0], [np.mean(squares), np.var(squares)]]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_strong_noise_makes_no_narrow_interval_below_the_truth():
    """A fit that comes out too narrow has a standard error that is too small."""
    sigma, count, random = 2.0, 300, np.random.default_rng(5)
    scene = natural_scene((96, 96), 4)
    sharp, soft = (x[16:-16, 16:-16] for x in (scene, periodic_blur(scene, sigma**2 * np.eye(2))))
    noisy = soft + 2 * sharp.std() * random.normal(size=(count, *soft.shape))
    stacks = np.float32(np.broadcast_to(sharp, noisy.shape)), np.float32(noisy)
    found = jax.device_get(gj.estimate_blurs(*stacks))
    _, high = found.interval()
    fitted = found.status == gj.Status.ESTIMATED
    assert np.mean(fitted) > 0.9
    assert np.mean(high[fitted] < sigma) <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / count)


def test_the_far_end_of_a_pair_told_backwards_is_the_lower_one():
    scene = natural_scene((80, 80), 4)
    sharp, soft = (x[16:-16, 16:-16] for x in (scene, periodic_blur(scene, np.eye(2))))
    noisy = np.float32(soft + 0.2 * sharp.std() * np.random.default_rng(5).normal(size=soft.shape))
    there, back = (
        jax.device_get(gj.estimate_blur(*pair))
        for pair in ((np.float32(sharp), noisy), (noisy, np.float32(sharp)))
    )
    np.testing.assert_allclose(back.told_by, there.told_by * [-1, 1], rtol=1e-3)
    np.testing.assert_allclose(back.interval()[0], -there.interval()[1], rtol=1e-3)
