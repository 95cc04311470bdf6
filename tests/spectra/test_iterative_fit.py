"""Fits to spectra agree with each other and with SciPy and optimistix on the same objective."""

import jax
import numpy as np
import optax
import optimistix
import pytest
import scipy.optimize
from problems import natural_scene, periodic_blur, periodic_problems

import gaussjax as gj
from gaussjax import Status
from gaussjax.model.fourier import half_plane_weights

SHAPE = (47, 63)


def dense_residual(reference, blurred):
    """Pixel residual as a function of sigma, by NumPy's complex FFT."""
    a = np.fft.fft2(reference)
    w2 = sum(
        np.square(w)
        for w in np.meshgrid(
            *(2 * np.pi * np.fft.fftfreq(n) for n in reference.shape), indexing="ij"
        )
    )

    def residual(sigma):
        return (np.fft.ifft2(a * np.exp(-0.5 * sigma[0] ** 2 * w2)).real - blurred).ravel()

    return residual


@pytest.fixture
def noisy_pair(rng):
    scene = natural_scene(SHAPE, seed=2)
    blurred = periodic_blur(scene, 1.44 * np.eye(2))
    return scene, blurred + 0.05 * rng.normal(size=SHAPE)


@pytest.mark.parametrize("problem", periodic_problems(), ids=repr)
def test_gauss_newton_is_exact_without_noise(problem, x64):
    estimate = gj.fit_gauss_newton(gj.pair_spectra(problem.reference, problem.blurred))
    rtol = 1e-10 if "units" not in problem.tags else 1e-9
    np.testing.assert_allclose(estimate.sigma, problem.sigma, rtol=rtol)
    assert estimate.status == Status.ESTIMATED


@pytest.mark.parametrize("noise_std", [0.0, 0.05])
def test_every_least_squares_solver_finds_the_same_minimum(noise_std, x64, rng):
    scene = natural_scene(SHAPE, seed=2)
    blurred = periodic_blur(scene, 1.44 * np.eye(2)) + noise_std * rng.normal(size=SHAPE)
    spectra = gj.pair_spectra(scene, blurred)
    ours = gj.fit_gauss_newton(spectra)
    scipys = scipy.optimize.least_squares(
        dense_residual(scene, blurred), [3.0], xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(ours.sigma, scipys.x[0], rtol=1e-7)
    np.testing.assert_allclose(ours.loss, scipys.cost, rtol=1e-8, atol=1e-20)
    np.testing.assert_allclose(ours.loss, gj.loss(ours.params, spectra), rtol=1e-8, atol=1e-20)
    a, b = (np.fft.rfft2(image) for image in (scene, blurred))
    root = np.sqrt(half_plane_weights(SHAPE, np.float64))

    def residual(variance, _):
        misfit = root * (gj.transfer_function(gj.BlurParams(variance), SHAPE) * a - b)
        return misfit.real, misfit.imag

    for solver in (
        optimistix.LevenbergMarquardt(1e-12, 1e-12),
        optimistix.GaussNewton(1e-12, 1e-12),
    ):
        theirs = optimistix.least_squares(residual, solver, np.array([1.0])).value
        np.testing.assert_allclose(ours.params.variance, theirs, rtol=1e-8)
    closed = gj.fit_frequency_ratio(spectra)
    tolerance = 1e-10 if noise_std == 0 else 3 * ours.sigma_standard_error / ours.sigma
    np.testing.assert_allclose(closed.sigma, ours.sigma, rtol=tolerance)


@pytest.mark.parametrize(
    ("family", "kernel"),
    [
        ("isotropic", "sampled"),
        ("isotropic", "integrated"),
        ("axis_aligned", "integrated"),
        ("axis_aligned", "discrete"),
        ("full", "continuous"),
    ],
)
def test_families_and_kernels(family, kernel, x64):
    truth = {"isotropic": [2.0], "axis_aligned": [2.0, 0.7], "full": [2.0, 0.5, 0.9]}[family]
    params = gj.BlurParams(np.array(truth), family=family)
    scene = natural_scene(SHAPE, seed=4)
    spectra = gj.pair_spectra(scene, gj.blur(scene, params, kernel=kernel))
    estimate = gj.fit_gauss_newton(spectra, family=family, kernel=kernel)
    np.testing.assert_allclose(estimate.params.variance, truth, rtol=1e-10)
    assert estimate.status == Status.ESTIMATED
    swapped = gj.fit_gauss_newton(spectra.swapped(), family=family, kernel=kernel)
    np.testing.assert_allclose(swapped.params.variance, -np.array(truth), rtol=1e-8)


def test_any_start_leads_to_the_same_minimum(noisy_pair, dtype):
    spectra = gj.pair_spectra(*(image.astype(dtype) for image in noisy_pair))
    starts = np.array([0.0, 0.1, 1.0, 5.0, 25.0], dtype)
    fits = jax.vmap(lambda start: gj.fit_gauss_newton(spectra, initial=start))(starts)
    expected = gj.fit_gauss_newton(spectra).sigma
    np.testing.assert_allclose(fits.sigma, expected, rtol=1e-8 if dtype is np.float64 else 1e-4)
    assert not np.any(fits.status)


def test_summed_spectra_give_the_joint_fit(x64, rng):
    scenes = np.stack([natural_scene(SHAPE, seed) for seed in range(3)])
    blurred = np.stack([periodic_blur(scene, 1.44 * np.eye(2)) for scene in scenes])
    blurred += 0.05 * rng.normal(size=blurred.shape)
    joint = gj.fit_gauss_newton(gj.sum_spectra(jax.vmap(gj.pair_spectra)(scenes, blurred)))
    residuals = [dense_residual(a, b) for a, b in zip(scenes, blurred, strict=True)]
    scipys = scipy.optimize.least_squares(
        lambda sigma: np.concatenate([residual(sigma) for residual in residuals]),
        [1.0],
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    np.testing.assert_allclose(joint.sigma, scipys.x[0], rtol=1e-7)
    np.testing.assert_allclose(joint.loss, scipys.cost, rtol=1e-9)
    information = np.sum(scipys.jac**2)
    noise_variance = 2 * scipys.cost / (blurred.size - 1)
    assert joint.num_pixels == blurred.size
    np.testing.assert_allclose(
        joint.sigma_standard_error, np.sqrt(noise_variance / information), rtol=1e-3
    )


def test_bounds(noisy_pair, x64):
    spectra = gj.pair_spectra(*noisy_pair)
    fit = jax.jit(lambda low, high: gj.fit_gauss_newton(spectra, bounds=(low, high)))
    inside = fit(0.5, 3.0)
    np.testing.assert_allclose(inside.sigma, gj.fit_gauss_newton(spectra).sigma, rtol=1e-9)
    assert inside.status == Status.ESTIMATED
    for low, high, bound in [(0.1, 0.9, 0.9), (2.0, 5.0, 2.0), (-3.0, -0.5, -0.5)]:
        outside = fit(low, high)
        np.testing.assert_allclose(outside.sigma, bound, rtol=1e-12)
        assert outside.status == Status.AT_BOUND


@pytest.mark.parametrize("parameter", ["variance", "log_sigma"])
@pytest.mark.parametrize(
    ("optimizer", "num_steps"),
    [(optax.adam(0.05), 400), (optax.lbfgs(), 30)],
    ids=["adam", "lbfgs"],
)
def test_optax_reaches_the_same_minimum(optimizer, num_steps, parameter, noisy_pair, x64):
    spectra = gj.pair_spectra(*noisy_pair)
    exact = gj.fit_gauss_newton(spectra)
    estimate = gj.fit_optax(spectra, optimizer, num_steps=num_steps, parameter=parameter)
    np.testing.assert_allclose(estimate.sigma, exact.sigma, rtol=1e-5)
    np.testing.assert_allclose(estimate.loss, exact.loss, rtol=1e-9)
    np.testing.assert_allclose(estimate.sigma_standard_error, exact.sigma_standard_error, rtol=1e-4)
    assert estimate.status == Status.ESTIMATED


def test_optax_over_a_batch_of_pairs(dtype, rng):
    sigmas = np.array([0.6, 1.0, 1.9])
    scenes = np.stack([natural_scene(SHAPE, seed) for seed in range(3)])
    blurred = np.stack(
        [periodic_blur(a, s**2 * np.eye(2)) for a, s in zip(scenes, sigmas, strict=True)]
    )
    batch = jax.vmap(gj.pair_spectra)(scenes.astype(dtype), blurred.astype(dtype))
    adam = optax.adam(optax.cosine_decay_schedule(0.1, 400))
    fits = jax.vmap(lambda s: gj.fit_optax(s, adam, num_steps=400))(batch)
    np.testing.assert_allclose(fits.sigma, sigmas, rtol=1e-3)
    assert not np.any(fits.status)


def test_optax_that_stopped_short_says_so(noisy_pair):
    spectra = gj.pair_spectra(*noisy_pair)
    for optimizer, num_steps in [(optax.sgd(0.0), 1), (optax.adam(0.05), 3)]:
        estimate = gj.fit_optax(spectra, optimizer, initial=4.0, num_steps=num_steps)
        assert estimate.status == Status.NOT_CONVERGED


def test_optax_counts_the_distance_left_as_error(noisy_pair, x64):
    spectra = gj.pair_spectra(*noisy_pair)
    best = gj.fit_gauss_newton(spectra)
    for num_steps in (20, 60, 200):
        near = gj.fit_optax(spectra, optax.adam(0.1), num_steps=num_steps)
        distance = np.abs(near.params.variance - best.params.variance)
        assert np.all(distance < 2 * near.standard_error.variance)


def test_an_optimizer_is_a_gradient_transformation(noisy_pair):
    with pytest.raises(TypeError, match="'adam'"):
        gj.fit_optax(gj.pair_spectra(*noisy_pair), "adam")


def test_options_are_checked(noisy_pair):
    spectra = gj.pair_spectra(*noisy_pair)
    for options, message in [
        ({"family": "round"}, "family must be one of"),
        ({"kernel": "boxcar"}, "kernel must be one of"),
        ({"family": "full", "kernel": "integrated"}, "integrated"),
        ({"family": "full", "bounds": (0, 1)}, "bounds"),
        ({"bounds": (2, 1)}, "bounds"),
        ({"initial": np.ones(3)}, "shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            gj.fit_gauss_newton(spectra, **options)
    for options in ({"parameter": "fwhm"}, {"parameter": "log_sigma", "family": "full"}):
        with pytest.raises(ValueError, match="parameter"):
            gj.fit_optax(spectra, optax.adam(0.1), **options)


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
def test_float32_stays_float32_where_jax_has_float64(family, x64):
    scene = natural_scene((40, 36), seed=7).astype(np.float32)
    blurred = np.asarray(gj.blur(scene, 1.3))
    assert blurred.dtype == np.float32
    found = gj.fit_gauss_newton(gj.pair_spectra(scene, blurred), family=family)
    assert found.sigma.dtype == np.float32
    np.testing.assert_allclose(found.sigma, 1.3, rtol=1e-4)
