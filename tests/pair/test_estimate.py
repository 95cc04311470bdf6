"""estimate_blur on pairs with exact answers: photographs, every boundary, family and kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import (
    PHOTOGRAPHS,
    cropped_photograph,
    cropped_scene,
    natural_scene,
    periodic_blur,
    seed_blur,
)
from wrong_values import Tensor

import gaussjax as gj
from gaussjax import Status


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.7, 1.0, 2.0, 4.0, 8.0])
def test_cropped_photographs(sigma, dtype):
    # 256 px: an earlier build crashed at this size only.
    for name in PHOTOGRAPHS:
        images = (image.astype(dtype) for image in cropped_photograph(name, sigma))
        estimate = gj.estimate_blur(*images, kernel="sampled")
        rtol = 1e-6 if dtype is np.float64 else 2e-4
        np.testing.assert_allclose(estimate.sigma, sigma, rtol=rtol, err_msg=name)
        assert estimate.status == Status.ESTIMATED, name
        assert estimate.sigma.dtype == dtype


@pytest.mark.parametrize(
    ("radius", "dtype"),
    [thorough(1, np.float64), (2, np.float32), (5, np.float64)],
    indirect=["dtype"],
)
def test_a_fixed_radius_also_when_sigma_is_as_wide(radius, dtype):
    # A kernel of 5 x 5 px and sigma 2: OpenCV's ksize cuts it where it is still high.
    for sigma in (0.8, 2.0, 3.0):
        images = (
            image.astype(dtype) for image in cropped_photograph("camera", sigma, radius=radius)
        )
        estimate = gj.estimate_blur(*images, kernel="sampled", radius=radius)
        rtol = 1e-6 if dtype is np.float64 else 2e-4
        np.testing.assert_allclose(estimate.sigma, sigma, rtol=rtol)
        assert estimate.status == Status.ESTIMATED


def five_sigma(sigma):
    """The radius rule of a well-known least-squares answer."""
    return jnp.ceil(5 * sigma)


def test_uniform_noise_with_replicated_edges_and_a_rule_for_the_radius(x64, rng):
    # The last reaches farther than the frame is extended for at first.
    for sigma in (0.4, 3.3, 11.0, 24.0):
        image = rng.uniform(size=(200, 200))
        blurred = seed_blur(image, sigma, radius=int(np.ceil(5 * sigma)))
        estimate = gj.estimate_blur(
            image, blurred, kernel="sampled", radius=five_sigma, boundary="nearest"
        )
        # Just above 24 the radius jumps, and the sum of squares with it.
        rtol = 1e-6 if sigma == 24.0 else 1e-7
        np.testing.assert_allclose(estimate.sigma, sigma, rtol=rtol, atol=1e-7)
        assert estimate.status == Status.ESTIMATED


@pytest.mark.parametrize(
    ("boundary", "mode"), [("reflect", "reflect"), ("zero", "constant"), ("periodic", "wrap")]
)
def test_full_frame_boundaries_match_scipys_modes(boundary, mode, x64):
    image = 3 + natural_scene((64, 72))
    for sigma in (0.5, 1.7, 6.0):
        blurred = scipy.ndimage.gaussian_filter(image, sigma, mode=mode)
        estimate = gj.estimate_blur(image, blurred, kernel="sampled", boundary=boundary)
        np.testing.assert_allclose(estimate.sigma, sigma, rtol=1e-9)
        assert estimate.num_pixels == image.size


def test_a_padded_frame_inside_of_jit_tells_of_a_blur_that_is_too_wide(x64):
    image = 3 + natural_scene((64, 72))
    options = {"kernel": "sampled", "boundary": "reflect"}
    traced = jax.jit(lambda a, b: gj.estimate_blur(a, b, **options))
    for sigma, status in [(6.0, Status.ESTIMATED), (9.5, Status.TOO_SMALL)]:
        blurred = scipy.ndimage.gaussian_filter(image, sigma)
        assert traced(image, blurred).status == status


def test_another_loss_of_a_frame_that_is_padded_anew_for_a_wider_blur(x64):
    image = 3 + natural_scene((64, 72))
    blurred = scipy.ndimage.gaussian_filter(image, 5.0)
    options = {"kernel": "sampled", "boundary": "reflect", "loss": "huber"}
    estimate = gj.estimate_blur(image, blurred, **options)
    np.testing.assert_allclose(estimate.sigma, 5.0, rtol=1e-6)
    assert estimate.status == Status.ESTIMATED


@pytest.mark.parametrize(
    ("family", "kernel"),
    [
        ("isotropic", "continuous"),
        ("isotropic", "integrated"),
        thorough("isotropic", "discrete"),
        ("axis_aligned", "sampled"),
        ("axis_aligned", "continuous"),
        thorough("full", "sampled"),
        ("full", "discrete"),
        thorough("full", "continuous"),
    ],
)
def test_families_and_kernels_from_a_cropped_scene(family, kernel, x64):
    truth = {"isotropic": [2.0], "axis_aligned": [2.5, 1.2], "full": [2.5, 0.7, 1.2]}[family]
    scene = natural_scene((113, 121), seed=3)
    blurred = gj.blur(scene, gj.BlurParams(np.array(truth), family=family), kernel=kernel)
    inside = (slice(24, -25), slice(24, -25))
    forward = gj.estimate_blur(scene[inside], blurred[inside], family=family, kernel=kernel)
    # Kernels without an end reach over the margin by a little.
    rtol = 1e-9 if kernel == "sampled" else 1e-4
    np.testing.assert_allclose(forward.params.variance, truth, rtol=rtol)
    assert forward.status == Status.ESTIMATED
    backward = gj.estimate_blur(blurred[inside], scene[inside], family=family, kernel=kernel)
    np.testing.assert_allclose(backward.params.variance, -forward.params.variance, rtol=1e-9)
    assert backward.status == Status.ESTIMATED


def test_signals_and_volumes(x64):
    for shape in [(401,), (40, 36, 38)]:
        scene = natural_scene(shape, seed=6, slope=1.5)
        blurred = scipy.ndimage.gaussian_filter(scene, 1.3, mode="wrap")
        inside = (slice(6, -6),) * len(shape)
        estimate = gj.estimate_blur(scene[inside], blurred[inside], kernel="sampled")
        np.testing.assert_allclose(estimate.sigma, 1.3, rtol=1e-9)
        assert estimate.covariance_matrix.shape == (len(shape),) * 2


def test_any_start_gives_the_same_answer(dtype):
    images = [image.astype(dtype) for image in cropped_scene(2.25 * np.eye(2))]
    starts = np.array([0.0, 0.1, 1.0, 5.0, 25.0], dtype)
    estimates = [gj.estimate_blur(*images, initial=start) for start in starts]
    np.testing.assert_allclose([e.sigma for e in estimates], 1.5, rtol=2e-5)
    spread = np.ptp([e.sigma for e in estimates])
    assert spread < (1e-9 if dtype is np.float64 else 1e-5)
    assert not any(e.status for e in estimates)


@pytest.mark.parametrize(("scale", "offset"), [(1e-17, 0.0), (1e4, 0.0), (1.0, 50.0), (1e4, 3e5)])
def test_the_unit_of_the_pixels_does_not_matter(scale, offset, dtype):
    reference, blurred = cropped_scene(2.25 * np.eye(2))
    blurred = blurred + 0.01 * np.random.default_rng(0).normal(size=blurred.shape)
    plain, changed = (
        gj.estimate_blur(*(image.astype(dtype) for image in pair))
        for pair in (
            (reference, blurred),
            (scale * reference + offset, scale * blurred + offset),
        )
    )
    rtol = 1e-9 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(changed.sigma, plain.sigma, rtol=rtol)
    np.testing.assert_allclose(changed.sigma_standard_error, plain.sigma_standard_error, rtol=0.01)
    assert changed.status == plain.status == Status.ESTIMATED
    # 1e-34 has no square root of its square in float32; the unit is the caller's choice.
    if dtype is np.float64 or scale > 1e-10:
        np.testing.assert_allclose(
            changed.noise_variance, scale**2 * plain.noise_variance, rtol=0.01
        )


def test_transposing_and_mirroring_the_images(x64):
    reference, blurred = cropped_scene(np.diag([4.0, 1.0]))
    blurred = blurred + 0.01 * np.random.default_rng(0).normal(size=blurred.shape)

    def sigma(a, b):
        return np.asarray(gj.estimate_blur(a, b, family="axis_aligned").sigma)

    plain = sigma(reference, blurred)
    np.testing.assert_allclose(plain, [2, 1], rtol=0.01)
    np.testing.assert_allclose(sigma(reference.T, blurred.T), plain[::-1], rtol=1e-9)
    np.testing.assert_allclose(sigma(reference[::-1], blurred[::-1]), plain, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, thorough(np.float64)], indirect=True)
def test_integers_and_booleans_are_read_as_numbers(dtype):
    image = (200 * np.random.default_rng(0).random((64, 72))).astype(np.uint8)
    image = scipy.ndimage.gaussian_filter(image, 0.6)
    blurred = scipy.ndimage.gaussian_filter(image.astype(float), 1.5)
    as_integers = gj.estimate_blur(image, blurred.round().astype(np.uint16))
    np.testing.assert_allclose(as_integers.sigma, 1.5, rtol=0.02)
    as_tensors = gj.estimate_blur(*map(Tensor, (image, blurred.round().astype(np.uint16))))
    assert repr(as_tensors) == repr(as_integers)
    assert as_tensors.sigma == as_integers.sigma
    as_reals = gj.estimate_blur(image.astype(dtype), blurred.round().astype(dtype))
    np.testing.assert_allclose(as_integers.sigma, as_reals.sigma, rtol=1e-5)
    # Each way once: of the dtype nothing but the last line knows.
    as_tensors = gj.estimate_blur(
        *map(Tensor, (image.astype(float), blurred.round())),
        mask=Tensor(np.ones(image.shape, bool)),
        precision=0.5 if dtype == np.float32 else None,
    )
    np.testing.assert_allclose(as_tensors.sigma, as_reals.sigma, rtol=1e-4)
    assert as_tensors.narrowed == (dtype == np.float32)
    mask = image > 100
    same = gj.estimate_blur(mask, periodic_blur(mask.astype(dtype), np.eye(2)), boundary="periodic")
    np.testing.assert_allclose(same.sigma, 1, rtol=1e-4)
