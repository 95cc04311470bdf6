"""Data sets whose pairs are fitted by themselves first: shifts, robust losses, noise levels."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from photograph_pairs import SIGMA, crops, fitted
from problems import natural_scene, periodic_blur

import gaussjax
from gaussjax.dataset.checkpoint import StateError
from gaussjax.dataset.held_instruments import held_pair_sums
from gaussjax.model.boundary import largest_margins
from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.frame import make_frame
from gaussjax.pair.least_squares import LeastSquares
from gaussjax.pair.prediction import residual_and_fields
from gaussjax.pair.robust import Robust
from gaussjax.statistics.status import Status

SHAPE = (40, 44)
MODEL = BlurModel("isotropic", Kernel("continuous"), 60, largest_margins(SHAPE))
EVERY = replace(MODEL, gain=True, offset=True, shift=True)


def log_cosh(z):
    return jnp.abs(z) + jnp.log1p(jnp.exp(-2 * jnp.abs(z))) - jnp.log(2.0)


def moved(count, largest=1.5, seed=0, **options):
    """Pairs, the second images of which are displaced."""
    random = np.random.default_rng(seed)
    shifts = random.uniform(-largest, largest, (count, 2))
    pairs = [
        (name, a, scipy.ndimage.shift(b, shift, order=5, mode="nearest"))
        for (name, a, b), shift in zip(crops(count, seed=seed, **options), shifts, strict=True)
    ]
    return pairs, shifts


def spoilt(count, part=0.03, **options):
    """Pairs, a part of the pixels of whose second images is wrong."""
    random, pairs = np.random.default_rng(9), []
    for name, a, b in crops(count, **options):
        wrong = random.random(b.shape) < part
        pairs.append((name, a, np.where(wrong, random.uniform(0, 1, b.shape), b).astype(b.dtype)))
    return pairs


def noisy(count, levels=(0.03, 0.01)):
    """Pairs, both images of which have noise."""
    random = np.random.default_rng(4)
    return [
        (name, (a + levels[0] * random.standard_normal(a.shape)).astype(a.dtype), b)
        for name, a, b in crops(count, noise=levels[1])
    ]


# Each two of what has code of its own meet, as few programs as that takes.
OPTIONS = {
    "shift": {"shift": True},
    "absolute": {"loss": "absolute"},
    "function": {"loss": log_cosh, "shift": True},
    "estimate": {"noise_std": "estimate"},
    "noise and all": {"noise_std": (0.03, 0.01), "shift": True, "gain": True, "offset": True},
}


def pairs_for(options, count):
    if "noise_std" in options:
        return noisy(count)
    return spoilt(count, noise=0.01) if "loss" in options else moved(count, noise=0.01)[0]


# Those of one option each are fitted to sets of several pairs below.
@pytest.mark.parametrize(
    "name",
    [*map(thorough, ("shift", "absolute", "function", "estimate")), "noise and all"],
)
def test_a_set_of_one_pair_is_that_pair(name):
    ((_, a, b),) = pairs_for(OPTIONS[name], 1)
    found = fitted([(a, b)], **OPTIONS[name])
    alone = gaussjax.estimate_blur(a, b, kernel="sampled", **OPTIONS[name])
    error = alone.sigma_standard_error
    assert alone.status == found.joint.status == Status.ESTIMATED
    assert abs(found.sigma - alone.sigma) < 0.01 * error
    np.testing.assert_allclose(found.sigma_standard_error, error, rtol=0.01)
    np.testing.assert_allclose(found.pairs.sigma[0], alone.sigma, rtol=1e-5)
    np.testing.assert_allclose(found.pairs.standard_error[0], error, rtol=1e-3)
    assert found.pairs.verdict[0] == alone.adequacy.verdict
    if alone.params.shift is not None:
        np.testing.assert_allclose(found.pairs.shift[0], alone.params.shift, atol=1e-4)


def test_shifts_are_each_pairs_own():
    pairs, shifts = moved(12, noise=0.003)
    blind, found = fitted(pairs), fitted(pairs, shift=True)
    assert abs(blind.sigma - SIGMA) > 0.05
    assert abs(found.sigma - SIGMA) < 4 * found.sigma_standard_error < 0.01
    told = found.pairs.standard_error < 0.01  # others have little to tell a shift by, too
    assert np.sum(told) >= 8
    np.testing.assert_allclose(found.pairs.shift[told], shifts[told], atol=0.03)
    assert found.num_aside == 0
    # What is one filter stays one: no shift is taken for distortion.
    assert found.transfer.shares.distortion < 0.01
    reverse = fitted([(name, b, a) for name, a, b in pairs], shift=True)
    np.testing.assert_allclose(reverse.sigma, -found.sigma, rtol=2e-3)
    np.testing.assert_allclose(reverse.pairs.shift[told], -shifts[told], atol=0.03)


# "huber" with wrong pixels is in tests/cli/test_dataset.py.
def test_wrong_pixels_do_not_pull_at_a_robust_fit():
    pairs = spoilt(16, noise=0.01)
    squared, found = fitted(pairs), fitted(pairs, loss="absolute")
    assert found.sigma_standard_error < 0.5 * squared.sigma_standard_error
    assert abs(found.sigma - SIGMA) < 4 * found.sigma_standard_error
    assert found.num_aside == 0


def test_noise_levels_that_pairs_tell_are_no_blur():
    pairs = noisy(24)
    blind, found = fitted(pairs), fitted(pairs, noise_std="estimate")
    assert abs(blind.sigma - SIGMA) > 4 * blind.sigma_standard_error
    assert abs(found.sigma - SIGMA) < 2 * found.sigma_standard_error
    # Without levels there is nothing to weight a pair by.
    assert found.refused().keys() == found.aside().keys()


@pytest.mark.parametrize("loss", ["squared", "huber", log_cosh])
def test_the_equations_are_those_of_the_profile(x64, loss):
    scene = 2 + natural_scene((70, 74), seed=3)
    blurred = np.roll(periodic_blur(scene, 2 * np.eye(2)), 1, 1)
    a, b = (x[15:55, 15:59] for x in (scene, 0.8 * blurred + 0.5))
    b = b + 0.02 * np.random.default_rng(1).standard_normal(b.shape)
    margins = jnp.asarray([9.0, 9.0])
    make = jax.jit(partial(make_frame, boundary="valid", pad=0, scale=0.5))
    frame = make(a, b, b - a, centre=np.mean(a))
    objective = LeastSquares(frame, EVERY)
    if loss != "squared":
        objective = Robust(frame, EVERY, loss)
    weights = objective.window(margins).values
    rho = (lambda z: 0.5 * z**2) if loss == "squared" else objective.rho

    @jax.jit
    def cost(vector, scale):
        residual, _ = residual_and_fields(EVERY, vector, frame)
        return scale**2 * jnp.sum(weights * rho(residual / scale))

    slopes = jax.jit(lambda *at: (jax.grad(cost)(*at), jax.hessian(cost)(*at)))

    def profiled(vector, scale):
        """The vector with the nuisances of the least loss."""
        for _ in range(8):
            gradient, curvature = map(np.asarray, slopes(vector, scale))
            step = np.linalg.solve(curvature[1:, 1:], gradient[1:])
            vector = vector - np.array([0, *step])
        return vector

    def moved(vector, side):
        return vector + np.array([side, 0, 0, 0, 0])

    point, change = 1.8, 1e-3
    context = jax.jit(lambda vector, scale: objective.context(vector, margins, scale))
    held = jax.jit(lambda vector: held_pair_sums(objective, vector, margins))
    vector, scale = np.array([point, 0.8, 0.0, 0.0, 1.0]), np.array(1.0)
    for _ in range(6):
        vector = profiled(vector, scale)
        scale = np.asarray(context(vector, scale[None]))[0]
    assert np.all(np.abs(vector[3:] - np.array([0.0, 1.0])) < 0.05)
    np.testing.assert_allclose(held(vector + 1e-3).gain, vector[1], rtol=1e-2)
    sums = held(vector)
    np.testing.assert_allclose(sums.gain, vector[1], rtol=1e-3)
    sides = [cost(profiled(moved(vector, side), scale), scale) for side in (-change, change)]
    slope = (sides[1] - sides[0]) / (2 * change)
    np.testing.assert_allclose(sums.equations.gradient[0], slope, rtol=0.01)
    # The coefficients hold the slope of the equation, in which the nuisances give way.
    project = jax.jit(lambda variances: MODEL.project(sums.coefficients, variances, SHAPE)[0])
    values = [project(np.array([point + side])) for side in (-change, change)]
    slope = (values[1] - values[0]) / (2 * change)
    np.testing.assert_allclose(sums.equations.information[0, 0], slope, rtol=1e-3)


def test_a_state_is_of_its_loss_and_its_shifts(tmp_path):
    pairs, _ = moved(4, noise=0.01)
    state = tmp_path / "run.state"
    found = fitted(pairs, shift=True, state=state, save_every=0)
    again = fitted(pairs, shift=True, state=state, save_every=0)
    np.testing.assert_array_equal(again.pairs.shift, found.pairs.shift)
    np.testing.assert_allclose(again.sigma, found.sigma, rtol=1e-12)
    for other in ({}, {"shift": True, "loss": "huber"}):
        with pytest.raises(StateError, match="other options"):
            fitted(pairs, state=state, **other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "round"}, "loss must be one of"),
        ({"loss": "huber", "noise_std": (1, 1)}, "goes with loss='squared'"),
        ({"noise_std": "guess"}, "noise_std must be None, .estimate. or"),
        ({"noise_std": "estimate", "boundary": "zero"}, "needs boundary='valid' or 'periodic'"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(options, message):
    with pytest.raises(ValueError, match=message):
        gaussjax.fit_dataset(crops(2), **options)


def test_weights_do_not_go_with_noise_levels():
    ((_, a, b),) = noisy(1)
    with pytest.raises(ValueError, match="without weights"):
        fitted([{"reference": a, "blurred": b, "weights": np.ones_like(b)}], noise_std="estimate")
