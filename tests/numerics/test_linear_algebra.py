"""Small systems against LAPACK, inner products against plain sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.numerics.linear_algebra import (
    diagonal,
    diagonal_matrix,
    inner_products,
    inverse_small,
    real_products,
    solve_small,
)

# As programs: one operation at a time, each would be compiled for every size.
solve = jax.jit(solve_small)
inverse_of = jax.jit(inverse_small)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 11])
def test_agrees_with_lapack_on_badly_scaled_curvatures(size, x64, rng):
    jacobian = rng.normal(size=(60, size)) * 10.0 ** rng.uniform(-3, 3, size)
    matrix, vector = jacobian.T @ jacobian, rng.normal(size=size)
    solution = np.linalg.solve(matrix, vector)
    found = solve(matrix, vector)
    np.testing.assert_allclose(found, solution, rtol=1e-10)
    inverse = np.linalg.inv(matrix)
    scale = np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    found = inverse_of(matrix)
    np.testing.assert_allclose(found / scale, inverse / scale, atol=1e-10)


def test_pivots(x64):
    matrix = np.array([[0.0, 2.0], [4.0, 1.0]])
    np.testing.assert_allclose(inverse_of(matrix) @ matrix, np.eye(2), atol=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_singular_is_not_finite(size):
    assert not np.isfinite(solve(np.zeros((size, size)), np.ones(size))).any()
    assert not np.isfinite(inverse_of(np.zeros((size, size)))).any()


def test_differentiates_both_ways_and_maps(x64, rng):
    jacobian = rng.normal(size=(4, 9, 5))
    matrices = jnp.asarray(np.einsum("nij,nik->njk", jacobian, jacobian))
    vectors = jnp.asarray(rng.normal(size=(4, 5)))
    solutions = jax.jit(jax.vmap(solve_small))(matrices, vectors)
    np.testing.assert_allclose(solutions, np.linalg.solve(matrices, vectors[..., None])[..., 0])
    forward = jax.jit(jax.jacfwd(solve_small, 1))(matrices[0], vectors[0])
    np.testing.assert_allclose(forward, np.linalg.inv(matrices[0]), rtol=1e-9)
    # As derivatives of an optimum do: the matrix is computed from the same numbers.
    backward, forward = (
        jax.jit(derivative(lambda m, v: solve_small(m @ m, v), (0, 1)))(matrices[0], vectors[0])
        for derivative in (jax.jacrev, jax.jacfwd)
    )
    for one, other in zip(backward, forward, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("count", [1, 3])
def test_inner_products_are_the_plain_sums(count, rng, dtype, tolerance):
    # As large as what once crashed the compiler.
    first, second = rng.normal(size=(2, count, 256, 129)).astype(dtype)
    found = jax.jit(lambda x, y: inner_products(2 * x, jnp.exp(0.1 * y)))(first, second)
    expected = np.einsum("ixy,jxy->ij", 2.0 * first, np.exp(0.1 * second))
    np.testing.assert_allclose(found, expected, atol=tolerance * first[0].size, rtol=0)
    both = first + 1j * second
    array = second[0] - 1j * first[0]
    np.testing.assert_allclose(
        real_products(jnp.asarray(both), jnp.asarray(array)[None])[:, 0],
        np.sum(np.conj(both) * array[None], axis=(1, 2)).real,
        atol=tolerance * first[0].size,
        rtol=0,
    )


@pytest.mark.parametrize("size", [1, 2, 5])
def test_diagonals(size, rng):
    matrix = rng.normal(size=(size, size)).astype(np.float32)
    matrix[0, -1] = np.nan if size > 1 else 1.0
    np.testing.assert_array_equal(diagonal(matrix), np.diag(matrix))
    vector = matrix[:, 0]
    np.testing.assert_array_equal(diagonal_matrix(vector), np.diag(vector))
