"""The other kernel conventions: short filters on a box against transforms of a whole scene."""

from functools import partial

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from problems import photograph

from gaussjax.model.kernels import Kernel
from gaussjax.model.options import KERNELS
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.other_conventions import REACH, of_box, other_conventions

BOX, CORNER = (30, 26), (70, 60)


def taps(name, sigma):
    """Of a kernel that is cut off, as SciPy does, or long enough."""
    n = np.arange(-30, 31)
    if name == "sampled":
        k = np.where(np.abs(n) <= int(4 * sigma + 0.5), np.exp(-0.5 * (n / sigma) ** 2), 0)
    else:
        k = np.diff(scipy.special.ndtr((np.append(n, 31) - 0.5) / sigma))
    return n, k / np.sum(k)


def moment(name, sigma):
    """Variance that a kernel applies, px^2."""
    if name in ("continuous", "discrete"):
        return sigma**2
    n, k = taps(name, sigma)
    return np.sum(n**2 * k)


def transfer(name, sigma, size):
    w = 2 * np.pi * np.fft.fftfreq(size)
    if name == "continuous":
        return np.exp(-0.5 * sigma**2 * w**2)
    if name == "discrete":
        return np.exp(sigma**2 * (np.cos(w) - 1))
    n, k = taps(name, sigma)
    return np.cos(np.outer(w, n)) @ k


def nominal(name, variance):
    """Sigma whose kernel applies a variance, px."""
    return scipy.optimize.brentq(lambda s: moment(name, s) - variance, 0.12, 3, xtol=1e-10)


def blurred(scene, name, sigmas):
    """On the box; the scene goes on at its edge, far away."""
    for axis, sigma in enumerate(sigmas):
        factor = transfer(name, sigma, scene.shape[axis])
        factor = np.expand_dims(factor, [a for a in range(scene.ndim) if a != axis])
        scene = np.fft.ifft(np.fft.fft(scene, axis=axis) * factor, axis=axis).real
    return scene[tuple(slice(c, c + n) for c, n in zip(CORNER, BOX, strict=True))]


@pytest.fixture(scope="module")
def scene():
    return photograph("camera")[200:381, 100:271]


def others(name, family, variances, scene, *rest, **nuisances):
    """Images and changes of the other conventions, beside a fit with this one."""
    model = BlurModel(family, Kernel(name), 20, (40, 40), **nuisances)
    wide = tuple(slice(c - REACH, c + n + REACH) for c, n in zip(CORNER, BOX, strict=True))
    vector = np.asarray([*variances, *rest], scene.dtype)
    read = jax.jit(lambda v, image: other_conventions(model, v, partial(of_box, image)))
    return jax.device_get(read(vector, scene[wide]))


CASES = [("isotropic", (0.5,)), ("isotropic", (0.8,)), ("axis_aligned", (0.5, 0.8))]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("family", "sigmas"), CASES, ids=str)
def test_images_are_differences_of_exact_blurs(family, sigmas, name, scene, x64):
    images, changes = others(name, family, np.square(sigmas), scene)
    both = np.broadcast_to(sigmas, 2)
    variances = [moment(name, sigma) for sigma in both]
    own = blurred(scene, name, both)
    assert len(images) == 3
    others_of = [other for other in KERNELS if other != name]
    for j, (image, other) in enumerate(zip(images, others_of, strict=True)):
        exact = blurred(scene, other, [nominal(other, v) for v in variances]) - own
        assert image.shape == exact.shape
        # The continuous one rings on the grid, beyond the reach, at the highest frequencies.
        ringing = 3e-4 if "continuous" in (name, other) else 1e-6
        error = np.sqrt(np.mean((image - exact) ** 2))
        assert error < ringing * np.std(scene)
        assert error < 0.2 * np.std(exact)
        nominals = [nominal(other, moment(name, s)) ** 2 - s**2 for s in sigmas]
        np.testing.assert_allclose(changes[:, j], nominals, atol=2e-5)


def test_conventions_differ_by_what_is_known(scene, x64):
    # Pixel integration adds a twelfth; so its nominal variance is smaller by that.
    _, changes = others("continuous", "isotropic", (1.0,), scene)
    assert [k for k in KERNELS if k != "continuous"] == ["sampled", "integrated", "discrete"]
    np.testing.assert_allclose(changes[0, 1], -1 / 12, atol=2e-4)
    np.testing.assert_allclose(changes[0, 2], 0, atol=1e-12)


def test_a_gain_multiplies_and_is_kept(scene, x64):
    plain, changes = others("continuous", "isotropic", (0.4,), scene)
    double, both = others("continuous", "isotropic", (0.4,), scene, 2.0, 5.0, gain=1, offset=1)
    for image, twice in zip(plain, double, strict=True):
        np.testing.assert_allclose(twice, 2 * image, rtol=1e-12)
    np.testing.assert_allclose(both, [changes[0], np.zeros(3), np.zeros(3)])


@pytest.mark.parametrize("variance", [1.25**2, 9.0, -0.5, 0.0])
def test_a_wide_blur_or_none_has_no_convention(variance, scene, dtype):
    with jax.debug_nans(True):
        images, changes = others("continuous", "isotropic", (variance,), scene.astype(dtype))
    assert len(images) == 3
    np.testing.assert_array_equal(images, 0)
    np.testing.assert_array_equal(changes, 0)
    images, _ = others("continuous", "axis_aligned", (0.5, variance), scene.astype(dtype))
    np.testing.assert_array_equal(images, 0)


def test_a_full_covariance_and_a_shift_have_none(scene, x64):
    for images, changes in (
        others("continuous", "full", (0.5, 0.1, 0.5), scene),
        others("continuous", "isotropic", (0.5,), scene, 0.1, 0.2, shift=1),
    ):
        assert images == []
        assert changes.shape[1] == 0


@pytest.mark.parametrize("ndim", [1, 3])
def test_every_number_of_axes(ndim, rng, x64):
    model = BlurModel("isotropic", Kernel(), 20, (9,) * ndim)
    image = rng.normal(size=(2 * REACH + 3,) * ndim)
    read = jax.jit(lambda v, x: other_conventions(model, v, partial(of_box, x)))
    found, changes = read(np.asarray([0.25]), image)
    assert [each.shape for each in found] == [(3,) * ndim] * 3
    assert changes.shape == (1, 3)
    # A constant stays as it is, whatever the kernel.
    flat, _ = read(np.asarray([0.25]), np.ones_like(image))
    np.testing.assert_allclose(flat, 0, atol=1e-12)
