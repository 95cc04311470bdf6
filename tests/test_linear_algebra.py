import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.linear_algebra import inverse_small, solve_small


@pytest.mark.parametrize("size", range(1, 12))
def test_agrees_with_lapack_on_badly_scaled_curvatures(size, x64, rng):
    jacobian = rng.normal(size=(60, size)) * 10.0 ** rng.uniform(-3, 3, size)
    matrix, vector = jacobian.T @ jacobian, rng.normal(size=size)
    solution = np.linalg.solve(matrix, vector)
    np.testing.assert_allclose(solve_small(jnp.asarray(matrix), vector), solution, rtol=1e-10)
    inverse = np.linalg.inv(matrix)
    scale = np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    found = inverse_small(jnp.asarray(matrix))
    np.testing.assert_allclose(found / scale, inverse / scale, atol=1e-10)


def test_pivots(x64):
    matrix = jnp.array([[0.0, 2.0], [4.0, 1.0]])
    np.testing.assert_allclose(inverse_small(matrix) @ matrix, np.eye(2), atol=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_singular_is_not_finite(size):
    assert not np.isfinite(solve_small(jnp.zeros((size, size)), jnp.ones(size))).any()
    assert not np.isfinite(inverse_small(jnp.zeros((size, size)))).any()


def test_differentiates_both_ways_and_maps(x64, rng):
    jacobian = rng.normal(size=(4, 9, 5))
    matrices = jnp.asarray(np.einsum("nij,nik->njk", jacobian, jacobian))
    vectors = jnp.asarray(rng.normal(size=(4, 5)))
    solutions = jax.vmap(solve_small)(matrices, vectors)
    np.testing.assert_allclose(solutions, np.linalg.solve(matrices, vectors[..., None])[..., 0])
    forward = jax.jacfwd(solve_small, 1)(matrices[0], vectors[0])
    np.testing.assert_allclose(forward, np.linalg.inv(matrices[0]), rtol=1e-9)
    # As derivatives of an optimum do: the matrix is computed from the same numbers.
    backward = jax.jacrev(lambda m, v: solve_small(m @ m, v), (0, 1))(matrices[0], vectors[0])
    forward = jax.jacfwd(lambda m, v: solve_small(m @ m, v), (0, 1))(matrices[0], vectors[0])
    for one, other in zip(backward, forward, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)
