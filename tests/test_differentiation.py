"""The estimate differentiates by its images: implicit derivatives against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import cropped_photograph

import gaussjax as gj

NUISANCES = {"gain": True, "offset": True, "shift": True}
STDS = (0.01, 0.006)


def noisy_pair(size=64):
    reference, blurred = cropped_photograph("camera", 1.3, size)
    noise = np.random.default_rng(1).normal(size=(2, *reference.shape))
    return reference + STDS[0] * noise[0], 0.9 * blurred + 0.05 + STDS[1] * noise[1]


def total(options):
    """A sum of all fitted parameters, as a function of the images."""

    def function(reference, blurred):
        params = gj.estimate_blur(reference, blurred, **options).params
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(params))

    return function


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"family": "full", **NUISANCES},
        {"noise_std": STDS, **NUISANCES},
        {"noise_std": "estimate", "gain": True, "offset": True},
        {"loss": lambda z: jnp.logaddexp(z, -z), "gain": True, "offset": True},
    ],
    ids=["plain", "full", "given", "estimate", "rho"],
)
def test_gradient_is_the_finite_difference(options, x64):
    images = noisy_pair()
    function = jax.jit(total(options))
    gradients = jax.grad(total(options), argnums=(0, 1))(*images)
    # A smooth change of the images: of the median residual only its smooth part differentiates.
    waves = np.sin(np.arange(64) / 5)[:, None] * np.cos(np.arange(64) / 7)
    steps = 0.1 * waves * (images[0] - 0.5), 0.1 * waves[::-1] * images[1]
    # Far above what the solver leaves of a fit: a millionth of its error bar.
    h = 1e-3 if "loss" not in options else 3e-2
    ends = [function(*(x + s * h * d for x, d in zip(images, steps, strict=True))) for s in (1, -1)]
    numerical = (ends[0] - ends[1]) / (2 * h)
    analytic = sum(np.vdot(g, d) for g, d in zip(gradients, steps, strict=True))
    np.testing.assert_allclose(analytic, numerical, rtol=1e-4 if "loss" not in options else 0.05)


def test_of_a_sharper_image_too(x64):
    images = noisy_pair()[::-1]
    function = total({})
    direction = np.random.default_rng(2).normal(size=images[1].shape)
    h = 1e-5
    numerical = (
        function(images[0], images[1] + h * direction)
        - function(images[0], images[1] - h * direction)
    ) / (2 * h)
    gradient = jax.grad(function, argnums=1)(*images)
    np.testing.assert_allclose(np.vdot(gradient, direction), numerical, rtol=1e-5)


def test_gradients_map_over_batches(x64):
    reference, blurred = noisy_pair()
    stack = np.stack([blurred, blurred[::-1]])
    references = np.stack([reference, reference[::-1]])
    gradient = jax.grad(lambda a, b: gj.estimate_blur(a, b).sigma, argnums=1)
    mapped = jax.vmap(gradient)(references, stack)
    for k in range(2):
        alone = gradient(references[k], stack[k])
        np.testing.assert_allclose(mapped[k], alone, rtol=1e-7, atol=1e-12)


def test_by_the_noise_levels(x64):
    images = noisy_pair()

    def sigma(first):
        return gj.estimate_blur(*images, noise_std=(first, STDS[1]), gain=True, offset=True).sigma

    numerical = (sigma(STDS[0] + 1e-5) - sigma(STDS[0] - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(sigma)(STDS[0]), numerical, rtol=1e-4)


def test_sigma_is_a_loss_that_descends(x64):
    # Sharpening B by gradient steps on its estimated blur.
    reference, blurred = cropped_photograph("camera", 1.3, 64)
    value_and_grad = jax.value_and_grad(lambda b: gj.estimate_blur(reference, b).sigma ** 2)
    first, gradient = value_and_grad(jnp.asarray(blurred))
    step = 0.1 * first / jnp.sum(gradient**2)
    second, _ = value_and_grad(blurred - step * gradient)
    np.testing.assert_allclose(second, 0.9 * first, rtol=0.02)


@pytest.mark.parametrize("kernel", ["continuous", "sampled"])
def test_no_gradient_is_nan_where_the_pair_does_not_tell(kernel, x64):
    reference, _ = cropped_photograph("camera", 1.3, 48)
    gradient = jax.grad(lambda b: gj.estimate_blur(reference, b, kernel=kernel).params.variance[0])
    assert jnp.isfinite(gradient(reference)).all()
    flat = jnp.ones((32, 32))
    both = jax.grad(lambda a, b: gj.estimate_blur(a, b).params.variance[0], argnums=(0, 1))
    assert all(jnp.isfinite(each).all() for each in both(flat, flat))
