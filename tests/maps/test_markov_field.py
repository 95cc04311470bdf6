"""The smoothing of a map against dense algebra, and what it makes of steps and of gaps."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.maps.markov_field import posterior as posterior_eagerly
from gaussjax.maps.markov_field import smooth as smooth_eagerly
from gaussjax.maps.variogram import Observations, resistance
from gaussjax.maps.variogram import increment_variance as increment_variance_eagerly
from gaussjax.maps.variogram import neighbour_weights as neighbour_weights_eagerly
from gaussjax.numerics.block_tridiagonal import solve_block_tridiagonal as solve_eagerly

smooth = jax.jit(smooth_eagerly, static_argnames="lags")
posterior = jax.jit(posterior_eagerly)
increment_variance = jax.jit(increment_variance_eagerly, static_argnums=1)
neighbour_weights = jax.jit(neighbour_weights_eagerly, static_argnums=(2, 3))
solve_block_tridiagonal = jax.jit(solve_eagerly)


def observations(value, deviation, place=None, unseen=(), dtype=float):
    nodes = np.stack(np.meshgrid(*map(np.arange, value.shape), indexing="ij"), -1)
    variance = np.full(value.shape, deviation**2)
    for node in unseen:
        variance[node] = np.inf
    arrays = np.where(np.isfinite(variance), value, 0), variance, nodes if place is None else place
    return Observations(*(jnp.asarray(a, dtype) for a in arrays))


def laplacian(down, across):
    """Of a grid with these ties, dense."""
    ny, nx = len(across), down.shape[1]
    index = np.arange(ny * nx).reshape(ny, nx)
    pairs = [(index[:-1], index[1:], down), (index[:, :-1], index[:, 1:], across)]
    matrix = np.zeros((ny * nx, ny * nx))
    for first, second, ties in pairs:
        for i, j, tie in zip(first.ravel(), second.ravel(), ties.ravel(), strict=True):
            matrix[[i, j, i, j], [i, j, j, i]] += tie * np.array([1, 1, -1, -1])
    return matrix


def test_block_tridiagonal_against_dense(dtype, tolerance, rng):
    m, n = 4, 3
    dense = np.zeros((m * n, m * n))
    for k in range(m - 1):
        dense[k * n : (k + 1) * n, (k + 1) * n : (k + 2) * n] = rng.normal(size=(n, n))
    dense += dense.T + 8 * np.eye(m * n)
    right = rng.normal(size=m * n)
    blocks = dense.reshape(m, n, m, n)
    diagonal = np.array([blocks[k, :, k] for k in range(m)], dtype)
    upper = np.array([blocks[k, :, k + 1] for k in range(m - 1)], dtype)
    solution, variances = solve_block_tridiagonal(
        *map(jnp.asarray, (diagonal, upper, right.reshape(m, n, 1).astype(dtype)))
    )
    np.testing.assert_allclose(solution.ravel(), np.linalg.solve(dense, right), atol=tolerance)
    np.testing.assert_allclose(variances.ravel(), np.diag(np.linalg.inv(dense)), rtol=tolerance)


@pytest.mark.parametrize("shape", [(4, 5), (1, 6), (6, 1)])
def test_posterior_against_dense_algebra(shape, x64, rng):
    columns = rng.normal(size=(*shape, 2))
    variances = rng.uniform(0.1, 0.5, size=shape)
    variances[0, 2 % shape[1]] = np.inf
    down = rng.uniform(0.5, 2, size=(shape[0] - 1, shape[1]))
    across = rng.uniform(0.5, 2, size=(shape[0], shape[1] - 1))
    ties = jnp.asarray(down), jnp.asarray(across)
    mean, variance = posterior(jnp.asarray(variances), ties, jnp.asarray(columns))
    precision = np.diag(1 / variances.ravel())
    full = precision + laplacian(down, across)
    expected = np.linalg.solve(full, precision @ columns.reshape(-1, 2))
    np.testing.assert_allclose(mean.reshape(-1, 2), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(variance.ravel(), np.diag(np.linalg.inv(full)), rtol=1e-9)


def test_resistance_of_the_lattice():
    assert resistance(1, (9, 9)) == pytest.approx(0.5)
    assert resistance(2, (9, 9)) == pytest.approx(2 - 4 / np.pi)
    assert resistance(3, (1, 9)) == 3
    # Nodes in the middle of a large grid.
    dense = np.linalg.pinv(laplacian(np.ones((20, 21)), np.ones((21, 20))))
    i, j = 10 * 21 + 10, 10 * 21 + 12
    assert dense[i, i] + dense[j, j] - 2 * dense[i, j] == pytest.approx(2 - 4 / np.pi, rel=0.02)


def test_variance_of_the_increments_is_found_in_the_noise(x64, rng):
    walk = np.cumsum(0.5 * rng.normal(size=4000))[None]
    seen = observations(walk + 0.8 * rng.normal(size=walk.shape), 0.8)
    np.testing.assert_allclose(increment_variance(seen, (1, 3)), 0.25, rtol=0.2)
    noise = observations(0.7 * rng.normal(size=(30, 30)), 0.8)
    assert increment_variance(noise, (2, 2)) == 0
    assert np.isnan(increment_variance(noise, (30, 30)))


def test_a_poorly_known_node_is_no_bridge_over_a_step(x64):
    value = np.array([[1.0, 1.0, 2.0, 5.0, 5.0]])
    seen = observations(value, 0.1)
    seen = Observations(seen.value, seen.variance.at[0, 2].set(9.0), seen.place)
    weights = neighbour_weights(seen, jnp.asarray(0.01), 1, 2)
    np.testing.assert_array_equal(weights[0, 1:3], 0)
    assert np.all(neighbour_weights(seen, jnp.asarray(0.01), 1, 1)[0, 1:3] > 0.5)
    assert weights[0, 0] > 0.9


def test_smoothing_averages_the_noise_and_tells_so(dtype, rng):
    truth = 2 + 0.02 * np.arange(12)[:, None] * np.ones(12)
    seen = observations(truth + 0.2 * rng.normal(size=truth.shape), 0.2, dtype=dtype)
    mean, deviation = map(np.asarray, smooth(seen, (2, 2)))
    assert mean.dtype == dtype
    assert np.std(mean - truth) < 0.5 * 0.2
    assert 0.7 < np.sqrt(np.mean(((mean - truth) / deviation) ** 2)) < 1.3


def test_a_surface_is_no_scatter(dtype, rng):
    y, x = np.mgrid[:12, :12]
    truth = 3 + 0.5 * x - 0.2 * y + 0.03 * x * x
    gap = [(0, 3), (5, 5), (11, 8)]
    seen = observations(truth + 0.1 * rng.normal(size=truth.shape), 0.1, unseen=gap, dtype=dtype)
    mean, deviation = map(np.asarray, smooth(seen, (2, 2)))
    assert 0.7 < np.sqrt(np.mean(((mean - truth) / deviation) ** 2)) < 1.3
    # A node without a value is known as well as its neighbours let the surface tell.
    assert np.max(deviation) < 0.1


def test_a_step_stays_and_a_gap_in_it_bridges_nothing(x64, rng):
    truth = np.where(np.arange(12) < 6, 1.0, 9.0) * np.ones((12, 1))
    gap = [(4, 5), (5, 5), (5, 6), (9, 2)]
    seen = observations(truth + 0.1 * rng.normal(size=truth.shape), 0.1, unseen=gap)
    mean, deviation = map(np.asarray, smooth(seen, (2, 2)))
    unseen = np.isinf(seen.variance)
    assert np.max(np.abs(mean - truth)[~unseen]) < 0.3
    assert np.std((mean - truth)[~unseen]) < 0.7 * 0.1
    # What is interpolated over the step says how little it knows.
    assert np.all(np.abs(mean - truth)[unseen] < 2 * deviation[unseen])
    assert deviation[5, 5] > 1
    np.testing.assert_allclose(mean[9, 2], 1, atol=0.2)


def test_places_are_met(x64):
    # Noise so small that the field passes through what is seen, at its place.
    nodes = np.stack(np.meshgrid(np.arange(7), np.arange(7), indexing="ij"), -1)
    place = nodes + np.random.default_rng(1).uniform(-0.4, 0.4, size=nodes.shape)
    seen = observations(3 + place[..., 0] - 0.5 * place[..., 1], 0.01, place)
    mean, _ = smooth(seen, (2, 2))
    np.testing.assert_allclose(mean, 3 + nodes[..., 0] - 0.5 * nodes[..., 1], atol=0.05)


@pytest.mark.parametrize("field", ["slopes", "step"])
def test_a_tile_that_is_left_out_is_as_far_off_as_its_error_bar(field, rng, x64):
    y, x = np.mgrid[:10, :10] / 9.0
    slopes, step = 20 * np.sin(3 * x) * np.cos(4 * y), np.where(x < 0.4, 0, 2.0)
    truth = slopes if field == "slopes" else step
    seen = observations(truth + 0.1 * rng.normal(size=truth.shape), 0.1)
    deviates, deviations = [], []
    for node in np.ndindex(8, 8):
        node = (node[0] + 1, node[1] + 1)
        without = replace(seen, variance=seen.variance.at[node].set(jnp.inf))
        mean, deviation = (np.asarray(each)[node] for each in smooth(without, (1, 1)))
        deviates.append((mean - seen.value[node]) / np.hypot(deviation, 0.1))
        deviations.append(deviation)
    assert np.mean(np.abs(deviates) < 1.96) > 0.9
    if field == "slopes":
        # Its neighbours differ by the slope, which the tiles beyond them tell.
        slope = np.sqrt(np.mean([np.mean(np.diff(truth, axis=k) ** 2) for k in range(2)]))
        assert np.median(deviations) < slope
