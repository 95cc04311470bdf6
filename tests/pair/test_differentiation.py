"""The estimate differentiates by its images: implicit derivatives against finite differences."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cells import thorough
from problems import cropped_photograph

import gaussjax as gj

NUISANCES = {"gain": True, "offset": True, "shift": True}
STDS = np.array([0.01, 0.006])
OPTIONS = {
    "plain": {},
    "sampled": {"kernel": "sampled"},
    "full": {"family": "full", **NUISANCES},
    "given": NUISANCES,
    "estimate": {"noise_std": "estimate", "gain": True, "offset": True},
    "rho": {"loss": lambda z: jnp.logaddexp(z, -z), "gain": True, "offset": True},
}


def noisy_pair(size=64):
    reference, blurred = cropped_photograph("camera", 1.3, size)
    noise = np.random.default_rng(1).normal(size=(2, *reference.shape))
    return reference + STDS[0] * noise[0], 0.9 * blurred + 0.05 + STDS[1] * noise[1]


@cache
def total_and_gradients(name):
    """A sum of all fitted parameters, as a function of the images and any known noise levels."""

    def function(reference, blurred, *stds):
        levels = {"noise_std": (stds[0][0], stds[0][1])} if stds else {}
        params = gj.estimate_blur(reference, blurred, **OPTIONS[name], **levels).params
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(params))

    argnums = (0, 1, 2) if name == "given" else (0, 1)
    return jax.jit(jax.value_and_grad(function, argnums=argnums))


@pytest.mark.parametrize("name", ["plain", "full", "given", thorough("estimate"), "rho"])
def test_gradient_is_the_finite_difference(name, x64):
    images = noisy_pair()
    levels = (STDS,) if name == "given" else ()

    def function(*images):
        return total_and_gradients(name)(*images, *levels)

    gradients = function(*images)[1][:2]
    # A smooth change of the images: of the median residual only its smooth part differentiates.
    waves = np.sin(np.arange(64) / 5)[:, None] * np.cos(np.arange(64) / 7)
    steps = 0.1 * waves * (images[0] - 0.5), 0.1 * waves[::-1] * images[1]
    # Far above what the solver leaves of a fit: a millionth of its error bar.
    h = 1e-3 if name != "rho" else 3e-2
    ends = [
        function(*(x + s * h * d for x, d in zip(images, steps, strict=True)))[0] for s in (1, -1)
    ]
    numerical = (ends[0] - ends[1]) / (2 * h)
    analytic = sum(np.vdot(g, d) for g, d in zip(gradients, steps, strict=True))
    np.testing.assert_allclose(analytic, numerical, rtol=1e-4 if name != "rho" else 0.05)


def test_of_a_sharper_image_too(x64):
    images = noisy_pair()[::-1]
    function = total_and_gradients("plain")
    direction = np.random.default_rng(2).normal(size=images[1].shape)
    h = 1e-5
    numerical = (
        function(images[0], images[1] + h * direction)[0]
        - function(images[0], images[1] - h * direction)[0]
    ) / (2 * h)
    _, (_, gradient) = function(*images)
    np.testing.assert_allclose(np.vdot(gradient, direction), numerical, rtol=1e-5)


def test_gradients_map_over_batches(x64):
    reference, blurred = noisy_pair()
    stack = np.stack([blurred, blurred[::-1]])
    references = np.stack([reference, reference[::-1]])
    function = total_and_gradients("plain")
    _, (_, mapped) = jax.vmap(function)(references, stack)
    for k in range(2):
        _, (_, alone) = function(references[k], stack[k])
        np.testing.assert_allclose(mapped[k], alone, rtol=1e-7, atol=1e-12)


def test_forward_derivatives_are_the_reverse_ones(x64):
    reference, blurred = noisy_pair(48)

    @jax.jit
    def both(weights):
        def fitted(weights):
            found = gj.estimate_blur(reference, weights[0] * blurred + weights[1], gain=True)
            return found.sigma, found.params.gain

        # As jax.jvp and jax.vjp make them, of one trace.
        _, forward = jax.linearize(fitted, weights)
        reverse = jax.linear_transpose(forward, weights)
        unit = np.eye(2)
        return jax.vmap(forward)(unit), jax.vmap(lambda row: reverse(tuple(row)))(unit)

    forward, (reverse,) = both(np.array([1.0, 0.01]))
    for one, other in zip(forward, reverse, strict=True):
        assert np.max(np.abs(other)) > 0.1
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)


def test_by_the_noise_levels(x64):
    images, function = noisy_pair(), total_and_gradients("given")
    *_, gradient = function(*images, STDS)[1]
    for k, step in enumerate(1e-5 * np.eye(2)):
        ends = [function(*images, STDS + s * step)[0] for s in (1, -1)]
        np.testing.assert_allclose(gradient[k], (ends[0] - ends[1]) / 2e-5, rtol=1e-4)


def test_the_square_of_sigma_is_a_loss_that_descends(x64):
    # Sharpening B by gradient steps on its estimated blur.
    reference, blurred = cropped_photograph("camera", 1.3, 64)
    square_and_gradients = total_and_gradients("plain")
    first, (_, gradient) = square_and_gradients(reference, blurred)
    step = 0.1 * first / jnp.sum(gradient**2)
    second, _ = square_and_gradients(reference, blurred - step * gradient)
    np.testing.assert_allclose(second, 0.9 * first, rtol=0.02)


@pytest.mark.parametrize("name", ["plain", "sampled"])
def test_no_gradient_is_nan_where_the_pair_does_not_tell(name, x64):
    reference, _ = cropped_photograph("camera", 1.3, 64)
    for image in (reference, np.ones((64, 64))):
        _, gradients = total_and_gradients(name)(image, image)
        assert all(jnp.isfinite(each).all() for each in gradients)


def test_second_derivatives_follow_the_optimum(x64):
    reference, blurred = noisy_pair()
    direction = np.sin(np.arange(64) / 5)[:, None] * (reference - reference.mean())

    def slope(step):
        _, (_, gradient) = total_and_gradients("plain")(reference, blurred + step * direction)
        return jnp.sum(gradient * direction)

    h = 1e-4
    numerical = (slope(h) - slope(-h)) / (2 * h)
    assert abs(numerical) > 1e-3
    np.testing.assert_allclose(jax.grad(slope)(0.0), numerical, rtol=1e-3)
