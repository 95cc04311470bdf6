"""A blur that is round in space, of voxels that are not: one sigma, in the unit of their size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from gaussjax import blur, estimate_blur, transfer_function
from gaussjax.model.params import BlurParams

SPACING = (2.0, 2.5, 4.0)
SIGMA = 3.0  # in the unit: 1.5, 1.2 and 0.75 px


@pytest.fixture(scope="module")
def volumes():
    scene = np.random.default_rng(1).random((28, 26, 24)).astype(np.float32)
    # Cut out, so that what lies beyond the frame is not known.
    soft = scipy.ndimage.gaussian_filter(scene, [SIGMA / size for size in SPACING])
    cut = np.s_[2:-2, 2:-2, 2:-2]
    noise = 1e-3 * np.random.default_rng(2).standard_normal(scene.shape)
    return scene[cut], (soft + noise.astype(np.float32))[cut]


@pytest.fixture(scope="module")
def found(volumes):
    return estimate_blur(*volumes, kernel="sampled", spacing=SPACING)


def test_the_one_sigma_of_oblong_voxels(found):
    assert int(found.status) == 0
    assert abs(found.sigma - SIGMA) < 4 * found.sigma_standard_error
    assert found.sigma_standard_error < 0.01 * SIGMA
    expected = np.diag([(float(found.sigma) / size) ** 2 for size in SPACING])
    np.testing.assert_allclose(found.covariance_matrix, expected, rtol=1e-5)
    np.testing.assert_allclose(found.params.variance, [float(found.sigma) ** 2], rtol=1e-5)
    assert "in the unit of spacing" in str(found)


def test_nothing_but_the_noise_is_left(found):
    # A blur that is round in px would leave several times as much.
    np.testing.assert_allclose(found.noise_variance, 1e-6, rtol=0.1)


def test_the_unit_changes_no_more_than_the_unit(volumes, found):
    coarse = estimate_blur(*volumes, kernel="sampled", spacing=[size / 1000 for size in SPACING])
    np.testing.assert_allclose(1000 * coarse.sigma, found.sigma, rtol=1e-5)
    np.testing.assert_allclose(
        1000 * coarse.sigma_standard_error, found.sigma_standard_error, rtol=1e-3
    )
    physical = found.in_units(SPACING, "mm")
    assert physical.sigma.shape == ()
    np.testing.assert_allclose(physical.sigma, found.sigma, rtol=1e-6)
    np.testing.assert_allclose(found.in_units(1).sigma, np.divide(SIGMA, SPACING), rtol=0.01)


def test_parameters_blur_as_they_say(volumes, found):
    scene, _ = volumes
    params = BlurParams(jnp.array([SIGMA**2]), spacing=SPACING)
    sigmas = [SIGMA / size for size in SPACING]
    np.testing.assert_allclose(
        blur(scene, params, kernel="sampled"),
        scipy.ndimage.gaussian_filter(scene, sigmas, mode="wrap"),
        atol=1e-5,
    )
    each = BlurParams(jnp.square(jnp.asarray(sigmas)), family="axis_aligned")
    for kernel in ("continuous", "discrete"):
        np.testing.assert_allclose(
            transfer_function(params, scene.shape, kernel=kernel),
            transfer_function(each, scene.shape, kernel=kernel),
            atol=1e-6,
        )
    assert params.inverse().spacing == SPACING


def test_equal_sizes_are_a_blur_in_px(rng):
    scene = rng.random(400)
    soft = scipy.ndimage.gaussian_filter(scene, 1.2) + 1e-3 * rng.standard_normal(scene.shape)
    plain = estimate_blur(scene, soft, kernel="sampled", bounds=(0.1, 3.0))
    found = estimate_blur(
        scene, soft, kernel="sampled", spacing=0.5, bounds=(0.05, 1.5), initial=0.4
    )
    np.testing.assert_allclose(2 * found.sigma, plain.sigma, rtol=1e-5)
    np.testing.assert_allclose(
        2 * found.sigma_standard_error, plain.sigma_standard_error, rtol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        (
            {"spacing": (1, 2, 3)},
            ValueError,
            "spacing must be a number or one for each of the 2 axes",
        ),
        ({"spacing": "mm"}, TypeError, "spacing must be a number or one for each"),
        ({"spacing": (1, -2)}, ValueError, "spacing must be .* positive, from"),
        ({"spacing": (1, 2), "family": "full"}, ValueError, "family='full'"),
        ({"spacing": (1, 2), "motion": "similarity"}, ValueError, "without motion"),
        ({"spacing": (1, 2), "sampling": 2}, ValueError, "without sampling"),
        ({"spacing": (1, 2), "precision": 0.1}, ValueError, "without precision"),
    ],
)
def test_what_spacing_does_not_go_with(options, error, reason):
    image = np.ones((20, 20))
    with pytest.raises(error, match=reason):
        estimate_blur(image, image, **options)
    traced = jax.eval_shape
    with pytest.raises(error, match=reason):
        traced(lambda x: estimate_blur(x, x, **options), image)
