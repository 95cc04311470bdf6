"""The solvers on problems without images: SciPy as the oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

from gaussjax.numerics.newton import Evaluation, gradient_descent, newton
from gaussjax.statistics.status import Status

TIMES = np.linspace(0, 4, 40)


def gauss_newton(residual, start, **options):
    def evaluate(x):
        value, jacobian = residual(x), jax.jacfwd(residual)(x)
        return Evaluation(0.5 * value @ value, jacobian.T @ value, jacobian.T @ jacobian)

    return newton(evaluate, start, **options)


def rosenbrock(x):
    return jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def exponential(data):
    """Residual of amplitude * exp(-rate t) + floor: correlated parameters of unequal size."""
    return lambda p: p[0] * jnp.exp(-p[1] * TIMES.astype(data.dtype)) + p[2] - data


@pytest.fixture
def decay(dtype, rng):
    clean = 5 * np.exp(-1.3 * TIMES) + 0.2
    return (clean + 0.05 * rng.normal(size=TIMES.size)).astype(dtype)


def test_rosenbrock_from_its_classic_start(dtype):
    state = jax.jit(lambda x: gauss_newton(rosenbrock, x))(np.asarray([-1.2, 1.0], dtype))
    assert state.converged
    np.testing.assert_allclose(state.params, 1, rtol=1e-5 if dtype == np.float32 else 1e-12)
    assert state.params.dtype == dtype


def test_least_squares_fit_is_scipys(decay, dtype):
    residual = exponential(decay)
    state = jax.jit(lambda x: gauss_newton(residual, x))(np.asarray([1, 0.1, 0], dtype))
    exact = scipy.optimize.least_squares(
        lambda p: p[0] * np.exp(-p[1] * TIMES) + p[2] - decay, [1, 0.1, 0], xtol=1e-15, ftol=1e-15
    )
    assert state.converged
    np.testing.assert_allclose(state.params, exact.x, rtol=1e-4 if dtype == np.float32 else 1e-8)
    np.testing.assert_allclose(state.evaluation.cost, exact.cost, rtol=1e-5)


@pytest.mark.parametrize("bounds", [([0, 0, 0.3], [9, 9, 9]), ([0, 1.5, -1], [4, 2, 1])])
def test_active_bounds_leave_the_other_parameters_optimal(bounds, decay, dtype):
    lower, upper = (np.asarray(bound, dtype) for bound in bounds)
    residual = exponential(decay)
    solve = jax.jit(lambda x: gauss_newton(residual, x, lower=lower, upper=upper))
    state = solve(np.asarray([1, 0.1, 0], dtype))
    exact = scipy.optimize.least_squares(
        lambda p: p[0] * np.exp(-p[1] * TIMES) + p[2] - decay,
        np.clip([1, 1.7, 0.5], *bounds),
        bounds=bounds,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    assert state.converged
    np.testing.assert_allclose(state.params, exact.x, rtol=1e-4)
    assert ((state.params >= lower) & (state.params <= upper)).all()
    assert ((state.params == lower) | (state.params == upper)).any()


def test_steps_into_an_undefined_region_are_refused(dtype):
    # log is NaN below zero, where a full step from 9 goes: 9 - 9 (log 9 - log 1/2) < 0.
    state = jax.jit(lambda x: gauss_newton(lambda x: jnp.log(x) - np.log(0.5).astype(dtype), x))(
        np.asarray([9.0], dtype)
    )
    assert state.converged
    np.testing.assert_allclose(state.params, 0.5, rtol=1e-5)


def test_a_start_at_the_solution_converges_at_once(dtype):
    state = jax.jit(lambda x: gauss_newton(rosenbrock, x))(np.ones(2, dtype))
    assert state.converged
    assert state.num_steps <= 2
    np.testing.assert_array_equal(state.params, 1)


def test_running_out_of_steps_is_told(dtype):
    solve = jax.jit(lambda x: gauss_newton(rosenbrock, x, max_steps=2))
    state = solve(np.asarray([-1.2, 1.0], dtype))
    assert not state.converged
    assert state.num_steps == 2


def test_a_parameter_without_influence_stays(dtype):
    solve = jax.jit(lambda x: gauss_newton(lambda x: x[:1] - 3, x))
    state = solve(np.asarray([1.0, 7.0], dtype))
    assert state.converged
    np.testing.assert_allclose(state.params, [3, 7], rtol=1e-6)


def test_a_residual_of_nan_does_not_converge_to_a_number(dtype):
    solve = jax.jit(lambda x: gauss_newton(lambda x: x * np.nan, x, max_steps=20))
    state = solve(np.ones(1, dtype))
    assert not state.converged
    assert not np.isfinite(state.evaluation.cost)


def test_vmapped_problems_are_solved_as_alone(dtype):
    solve = jax.jit(lambda x: gauss_newton(rosenbrock, x).params)
    starts = np.asarray([[-1.2, 1], [3, 3], [0, -2]], dtype)
    alone = np.stack([solve(start) for start in starts])
    np.testing.assert_allclose(jax.vmap(solve)(starts), alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "num_steps"),
    [(optax.sgd(0.1), 300), (optax.adam(0.1), 600), (optax.lbfgs(), 30)],
    ids=["sgd", "adam", "lbfgs"],
)
def test_gradient_descent_drives_any_optax_transformation(optimizer, num_steps, x64):
    matrix = np.array([[2.0, 0.4], [0.4, 1.0]])
    target = np.array([1.0, -3.0])

    def objective(point):
        moved = point["x"] - target
        return 0.5 * moved @ matrix @ moved

    params, trace = gradient_descent(objective, {"x": np.zeros(2)}, optimizer, num_steps)
    np.testing.assert_allclose(params["x"], target, atol=1e-4)
    assert trace.shape == (num_steps,)
    np.testing.assert_allclose(trace[0], 0.5 * target @ matrix @ target)
    assert trace[-1] < 1e-6 * trace[0]


def test_every_status_says_something_else():
    messages = [status.message for status in Status]
    assert len(set(messages)) == len(messages)
    assert Status(0).message == "estimated"
    assert all(len(message) > 20 for message in messages[1:])
