"""jit, vmap and repeated calls give what one eager call gives, and compile once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cells import thorough
from problems import cropped_scene

import gaussjax as gj

# None of them where rounding decides about one more pixel of margin.
SIGMAS = (0.6, 1.6, 2.7)
ADAM = optax.adam(0.1)


@pytest.fixture
def pairs(dtype):
    """Stacks of references and blurred images: one blur each, the last pair reversed."""
    images = [cropped_scene(s**2 * np.eye(2), seed=k) for k, s in enumerate(SIGMAS)]
    images[-1] = images[-1][::-1]
    return [np.stack(stack).astype(dtype) for stack in zip(*images, strict=True)]


def assert_same(first, second, dtype):
    rtol = 1e-8 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(first.sigma, second.sigma, rtol=rtol)
    np.testing.assert_allclose(first.params.variance, second.params.variance, rtol=2 * rtol)
    np.testing.assert_array_equal(first.status, second.status)
    np.testing.assert_array_equal(first.num_pixels, second.num_pixels)


# In double precision the rows of many options are compared.
@pytest.mark.parametrize("dtype", [np.float32, thorough(np.float64)], indirect=True)
def test_vmapped_rows_are_loop_rows_and_jit_is_eager(pairs, dtype):
    rows = [gj.estimate_blur(a, b) for a, b in zip(*pairs, strict=True)]
    loop = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    np.testing.assert_allclose(loop.sigma, [*SIGMAS[:2], -SIGMAS[2]], rtol=1e-3)
    batch = jax.jit(jax.vmap(gj.estimate_blur))(*pairs)
    assert_same(batch, loop, dtype)
    jitted = jax.jit(gj.estimate_blur)(pairs[0][0], pairs[1][0])
    assert_same(jitted, rows[0], dtype)


NUISANCES = {"gain": True, "offset": True, "shift": True}


@pytest.mark.parametrize("dtype", [np.float64], indirect=True)
@pytest.mark.parametrize(
    "options",
    [NUISANCES, thorough({"family": "full", **NUISANCES, "noise_std": "estimate"})],
    ids=["nuisances", "every"],
)
def test_rows_of_many_options_are_loop_rows(options, pairs, dtype):
    noise = np.random.default_rng(0).normal(size=(2, *pairs[0].shape)).astype(dtype)
    stacks = pairs[0] + 0.02 * noise[0], pairs[1] + 0.01 * noise[1]
    batch = jax.jit(jax.vmap(lambda a, b: gj.estimate_blur(a, b, **options)))(*stacks)
    rows = [gj.estimate_blur(a, b, **options) for a, b in zip(*stacks, strict=True)]
    loop = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    # Rounding differs; it has to stay far below the error bar.
    error = np.abs(batch.params.variance - loop.params.variance)
    assert (error < 1e-5 * loop.standard_error.variance).all()
    np.testing.assert_array_equal(batch.status, loop.status)
    np.testing.assert_array_equal(batch.adequacy.verdict, loop.adequacy.verdict)


@pytest.fixture
def compilations():
    """A list that grows with every function that JAX traces and every program it compiles."""
    durations = []

    def listen(event, duration, **_):
        if event.startswith("/jax/core/compile/"):
            durations.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield durations
    jax.monitoring.unregister_event_duration_listener(listen)


def run_twice(run, compilations):
    """Run on two sets of numbers; the first compiles, the second must not."""
    first = run(0)
    assert compilations
    compilations.clear()
    second = run(1)
    assert not compilations
    assert np.abs(second.sigma - first.sigma) > 0.5


@pytest.mark.parametrize("dtype", [np.float32], indirect=True)
def test_estimate_blur_compiles_once(pairs, compilations):
    numbers = [(1.0, (0.1, 5.0)), (0.7, (0.2, 6.0))]

    def run(k):
        initial, bounds = numbers[k]
        return gj.estimate_blur(pairs[0][k], pairs[1][k], initial=initial, bounds=bounds)

    run_twice(run, compilations)


@pytest.mark.parametrize(
    "fit",
    [
        gj.fit_frequency_ratio,
        gj.fit_pointwise_ratio,
        gj.fit_free_kernel,
        gj.fit_gauss_newton,
        lambda spectra: gj.fit_optax(spectra, ADAM, num_steps=100),
    ],
    ids=["frequency_ratio", "pointwise_ratio", "free_kernel", "gauss_newton", "optax"],
)
def test_spectral_fits_compile_once(fit, compilations, rng):
    scene = rng.normal(size=(20, 22)).astype(np.float32)
    spectra = [gj.pair_spectra(scene, gj.blur(scene, sigma)) for sigma in (1.9, 0.8)]
    compilations.clear()
    run_twice(lambda k: fit(spectra[k]), compilations)


def test_pairs_are_transformed_by_one_program(compilations, rng):
    pairs = rng.normal(size=(2, 2, 18, 21)).astype(np.float32)
    gj.pair_spectra(*pairs[0])
    assert compilations
    compilations.clear()
    gj.pair_spectra(*pairs[1])
    assert not compilations


def test_numbers_given_to_spectral_fits_do_not_compile_again(compilations, rng):
    scene = rng.normal(size=(20, 23)).astype(np.float32)
    spectra = gj.pair_spectra(scene, gj.blur(scene, 1.3))
    for numbers in (
        [{"initial": 1.0}, {"initial": 2}, {"initial": np.float64(0.7)}],
        [{"bounds": (0.1, 5.0)}, {"bounds": (0, 3)}, {"bounds": np.array([0.2, 0.9])}],
    ):
        gj.fit_gauss_newton(spectra, **numbers[0])
        assert compilations
        compilations.clear()
        for other in numbers[1:]:
            gj.fit_gauss_newton(spectra, **other)
            assert not compilations
    gj.fit_pointwise_ratio(spectra, threshold=1e-3)
    compilations.clear()
    gj.fit_pointwise_ratio(spectra, threshold=1e-2)
    assert not compilations


def test_blur_of_a_batch_and_of_a_batch_of_sigmas(dtype, tolerance, rng):
    images = rng.normal(size=(3, 24, 31)).astype(dtype)
    sigmas = np.asarray(SIGMAS, dtype)
    mapped = jax.vmap(gj.blur)(images, sigmas)
    for image, sigma, row in zip(images, sigmas, mapped, strict=True):
        np.testing.assert_allclose(gj.blur(image, sigma), row, atol=tolerance)


def test_image_loss_maps_over_sigma(x64, rng):
    reference, blurred = rng.normal(size=(2, 24, 31))
    sigmas = np.asarray(SIGMAS)
    mapped = jax.jit(jax.vmap(gj.image_loss, in_axes=(0, None, None)))(sigmas, reference, blurred)
    alone = jax.jit(gj.image_loss)
    for sigma, row in zip(sigmas, mapped, strict=True):
        loss = alone(sigma, reference, blurred)
        np.testing.assert_allclose(loss, row, rtol=1e-12)
