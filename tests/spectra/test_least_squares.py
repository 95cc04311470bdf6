"""Sums over frequencies as bilinear forms, against dense sums and their numerical derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax import BlurParams, blur, pair_spectra, transfer_function
from gaussjax.model.fourier import half_plane_weights
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import KERNELS
from gaussjax.spectra.least_squares import blur_sums, coarse_variance, minimise
from gaussjax.spectra.loss import without_zero_frequency

SHAPES = [(23,), (12, 15), (13, 14), (6, 7, 8)]
# Every shape with every kernel, and either of them with both families.
CASES = [
    (shape, ("isotropic", "axis_aligned")[(row + column) % 2], kernel)
    for row, shape in enumerate(SHAPES)
    for column, kernel in enumerate(KERNELS)
]


def powers(shape, rng, dtype=float):
    reference, blurred = rng.normal(size=(2, *shape))
    spectra = pair_spectra((3 + reference).astype(dtype), (3 + reference + blurred).astype(dtype))
    return (
        without_zero_frequency(spectra.reference_power),
        without_zero_frequency(spectra.cross_power.real),
    )


def dense_objective(power, cross, shape, family, kernel):
    weights = np.asarray(half_plane_weights(shape, np.float64))

    def objective(variance):
        t = transfer_function(BlurParams(variance, family=family), shape, kernel=kernel)
        return jnp.sum(weights * (0.5 * power * t**2 - cross * t))

    return objective


@pytest.mark.parametrize(("shape", "family", "kernel"), CASES)
def test_value_gradient_and_curvature_are_those_of_dense_sums(shape, family, kernel, x64, rng):
    power, cross = powers(shape, rng)
    variance = np.linspace(0.8, 1.3, 1 if family == "isotropic" else len(shape))
    params = BlurParams(jnp.asarray(variance), family=family)
    sums = jax.jit(blur_sums, static_argnums=(3, 4, 5))(
        power, cross, params, shape, Kernel(kernel), max(shape)
    )
    objective = dense_objective(power, cross, shape, family, kernel)
    value, gradient, bend = jax.jit(
        lambda v: (objective(v), jax.grad(objective)(v), jax.hessian(objective)(v))
    )(variance)
    np.testing.assert_allclose(0.5 * sums.power - sums.cross, value, rtol=1e-12)
    slope = sums.gradient
    np.testing.assert_allclose(slope, gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(sums.curvature, bend, rtol=1e-10, atol=1e-12)


def test_the_coarse_start_is_within_a_step_of_the_blur(dtype, rng):
    shape = (48, 50)
    scene = rng.normal(size=shape).astype(dtype)
    for sigma in (0.3, 1.0, 4.0):
        spectra = pair_spectra(scene, blur(scene, sigma))
        power, cross = spectra.reference_power, spectra.cross_power.real
        found = coarse_variance(power, cross, shape, Kernel())
        assert abs(found / sigma**2 - 1) < 0.05


@pytest.mark.parametrize("distance", [1e-4, 0.03, 0.5])
def test_newton_reaches_the_minimum_from_near_and_from_far(distance, x64, rng):
    shape = (24, 31)
    scene = rng.normal(size=shape)
    spectra = pair_spectra(scene, blur(scene, 1.1) + 0.01 * rng.normal(size=shape))
    powers = spectra.reference_power, spectra.cross_power.real
    power, cross = map(jax.jit(without_zero_frequency), powers)

    @jax.jit
    def minimum(start):
        def sums_at(variance):
            return blur_sums(power, cross, BlurParams(variance), shape, Kernel(), 0)

        return minimise(sums_at, start)

    best = minimum(np.array([3.0]))
    objective = dense_objective(power, cross, shape, "isotropic", "continuous")
    gradient = jax.jit(jax.grad(objective))
    assert abs(gradient(best.params)[0]) < 1e-9 * abs(gradient(np.array([1.3]))[0])
    state = minimum(best.params * (1 + distance))
    assert state.converged
    np.testing.assert_allclose(state.params, best.params, rtol=1e-9)
