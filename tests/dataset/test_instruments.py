from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import natural_scene, periodic_blur

from gaussjax.dataset.estimating_equation import find_root
from gaussjax.dataset.instruments import pair_sums
from gaussjax.dataset.noisy_instruments import noisy_pair_sums
from gaussjax.dataset.options import JointOptions
from gaussjax.model.boundary import largest_margins
from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.errors_in_variables import ErrorsInVariables
from gaussjax.pair.frame import make_frame

SHAPE = (48, 54)
MODEL = BlurModel("axis_aligned", Kernel("continuous"), 60, largest_margins(SHAPE))
NOISY = replace(MODEL, gain=True, offset=True)
ORIGIN = np.array([1.5, 2.0])
MARGINS = np.array([7.0, 8.0])
TRUTH = np.array([2.0, 1.4])


@jax.jit
def project(coefficients, variances):
    return MODEL.project(coefficients, variances, SHAPE)


def crop(image):
    return image[9 : 9 + SHAPE[0], 11 : 11 + SHAPE[1]]


@pytest.fixture
def images():
    scene = 2 + natural_scene((75, 81), seed=3)
    return crop(scene), crop(periodic_blur(scene, np.diag(TRUTH)))


def framed(a, b):
    centre, scale = jnp.asarray(a.mean()), jnp.asarray(0.5)
    a, b = jnp.asarray(a), jnp.asarray(b)
    return make_frame(a, b, b - a, "valid", 0, centre=centre, scale=scale)


def filters(variances):
    return MODEL.responses(jnp.asarray(variances), SHAPE)


def dense(a, variances):
    """Blurred by the periodic FFT, and its derivatives by the variances."""
    w = [2 * np.pi * np.fft.fftfreq(n) for n in a.shape]
    form = np.stack(np.broadcast_arrays(w[0][:, None] ** 2, w[1][None] ** 2))
    response = np.exp(-0.5 * np.einsum("j,jyx->yx", variances, form))
    spectrum = np.fft.fft2(a) * response
    return np.fft.ifft2(spectrum).real, np.fft.ifft2(-0.5 * form * spectrum).real


def inside(image):
    return image[..., 7:-7, 8:-8]


def options(gain=False, offset=False):
    return JointOptions(MODEL.family, MODEL.kernel, "valid", gain, offset)


PLAIN, BOTH = options(), options(True, True)


@partial(jax.jit, static_argnames="nuisances")
def sums_of(a, b, nuisances=PLAIN, point=ORIGIN):
    return pair_sums(framed(a, b), filters(point), nuisances, jnp.asarray(MARGINS))


def test_the_sums_are_those_of_dense_algebra(x64, images):
    a, b = ((image - images[0].mean()) / 0.5 for image in images)
    prediction, fields = dense(a, ORIGIN)
    sums = sums_of(*images)
    counted = sums.equations
    residual = inside(prediction - b)
    np.testing.assert_allclose(
        counted.gradient, np.tensordot(inside(fields), residual, 2), rtol=1e-10
    )
    np.testing.assert_allclose(
        counted.information, np.einsum("iyx,jyx->ij", inside(fields), inside(fields)), rtol=1e-10
    )
    np.testing.assert_allclose(counted.squares, np.sum(residual**2), rtol=1e-10)
    np.testing.assert_allclose(counted.change, np.sum(inside(b - a) ** 2), rtol=1e-10)
    assert counted.num_pixels == residual.size
    # The coefficients hold the products of the fields with any other prediction.
    elsewhere, _ = dense(a, np.array([0.3, 4.0]))
    expected = np.tensordot(inside(fields), inside(elsewhere - a), 2)
    found = project(sums.coefficients, np.array([0.3, 4.0]))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("nuisances", [PLAIN, BOTH, options(True), options(False, True)])
def test_the_root_is_exact_and_with_nuisances_where_it_is_near(x64, images, nuisances):
    a, b = images
    b = 0.8 * b if nuisances.gain else b
    b = b + 3 if nuisances.offset else b
    origin, sums = jnp.asarray(ORIGIN), None
    for _ in range(8 if nuisances.has_nuisances else 1):
        sums = sums_of(a, b, nuisances, point=origin)
        away = jax.tree_util.Partial(MODEL.project, sums.coefficients, shape=SHAPE)
        equations = sums.equations
        origin = find_root(away, equations.gradient, equations.information, origin).vector
    # A hundred-thousandth: what the continuous kernel's tail brings in over the margin.
    np.testing.assert_allclose(origin, TRUTH, rtol=1e-5)
    np.testing.assert_allclose(sums.gain, 0.8 if nuisances.gain else 1, rtol=1e-4)


LEVELS = np.array([0.2, 0.1])  # of the noise in A and in B, in the unit of the images


ALONG_X = np.array([[0.5, 1, 0.5]])  # of means over two px


@jax.jit
def noisy_sums(a, b, correlation=None):
    noise = jnp.asarray((LEVELS / 0.5) ** 2)
    point = jnp.asarray(ORIGIN)
    margins = jnp.asarray(MARGINS)
    filtered = filters(point)
    return noisy_pair_sums(framed(a, b), point, filtered, NOISY, margins, noise, correlation)


@pytest.mark.parametrize("correlation", [None, np.stack([ALONG_X, ALONG_X])])
def test_noise_in_both_adds_nothing_on_average_to_the_equation_of_another_blur(
    correlation, x64, images
):
    draws, random = 300, np.random.default_rng(5)
    noise = random.standard_normal((draws, 2, *SHAPE)) * LEVELS[:, None, None]
    if correlation is not None:
        noise = (noise + np.roll(noise, 1, -1)) / np.sqrt(2)

    def balance(extra):
        both = (image + x for image, x in zip(images, extra, strict=True))
        sums = noisy_sums(*both, correlation)
        values = [project(sums.coefficients, v) for v in (TRUTH, ORIGIN)]
        return sums.equations.gradient, values[0] - values[1]

    gradients, moved = jax.jit(jax.vmap(balance))(jnp.asarray(noise))
    total = np.asarray(gradients + moved)
    z = np.mean(total, axis=0) / (np.std(total, axis=0) / np.sqrt(draws))
    # That the noise meets itself elsewhere than at the point is not small.
    assert np.max(np.abs(z)) < 4
    assert np.min(np.abs(np.mean(gradients, axis=0))) > 20 * np.max(np.std(total, axis=0)) / 17


def test_whitened_sums_are_the_equations_of_errors_in_variables(x64, images):
    a, b = images
    sums = noisy_sums(a, 0.8 * b + 3)
    noise = jnp.asarray((LEVELS / 0.5) ** 2)
    level = 3 / 0.5 + (0.8 - 1) * a.mean() / 0.5

    @jax.jit
    def slope_of(vector, a, b):
        objective = ErrorsInVariables(framed(a, b), NOISY, False, noise, jnp.inf * noise)
        return objective.gradient(vector, jnp.asarray(MARGINS), noise)

    gradient = slope_of(np.array([*ORIGIN, sums.gain, sums.level]), a, 0.8 * b + 3)
    np.testing.assert_allclose(gradient[2:], 0, atol=1e-9 * np.max(np.abs(gradient)))
    np.testing.assert_allclose(sums.equations.gradient, jnp.sum(noise) * gradient[:2], rtol=1e-6)
    np.testing.assert_allclose([sums.gain, sums.level], [0.8, level], rtol=0.1)
    # What is held is the product with any other prediction, less what noise of A has in it.
    step = np.array([1e-4, 0.0])
    slope = [project(sums.coefficients, ORIGIN + s * step) for s in (1, -1)]
    slope = (slope[0] - slope[1]) / 2e-4
    np.testing.assert_allclose(slope, sums.equations.information[:, 0], rtol=0.1)


def test_structure_is_nothing_for_white_noise_and_all_for_a_shift(x64, images):
    a, _ = images
    blurred, _ = dense(a - a.mean(), ORIGIN)
    blurred = blurred + a.mean()
    noise = 0.3 * np.random.default_rng(1).standard_normal(SHAPE)
    white = sums_of(a, blurred + noise).equations
    moved = sums_of(a, np.roll(blurred, 2, 0)).equations
    assert abs(white.structure / white.squares) < 0.1
    assert moved.structure / moved.squares > 0.5
