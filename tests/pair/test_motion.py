"""Pairs whose images are turned and scaled against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import photograph

from gaussjax import Status, Verdict, estimate_blur
from gaussjax.model.similarity_transform import Similarity

SIZE, SIGMA, ANGLE, SCALE, SHIFT = 96, 2.0, np.radians(1.0), 1.01, np.array([1.3, -0.7])


def turned_pair(dtype=np.float32, noise=0.01, seed=0, name="camera"):
    """A crop, and one of the blurred photograph as a turned camera would see it."""
    scene = photograph(name)
    blurred = scipy.ndimage.gaussian_filter(scene, SIGMA, truncate=8)
    corner = (np.array(scene.shape) - SIZE) // 2
    centre = (SIZE - 1) / 2
    cos, sin = np.cos(ANGLE), np.sin(ANGLE)
    inverse = np.linalg.inv(SCALE * np.array([[cos, sin], [-sin, cos]]))
    places = np.indices((SIZE, SIZE)).reshape(2, -1) - centre - SHIFT[:, None]
    source = inverse @ places + centre + corner[:, None]
    seen = scipy.ndimage.map_coordinates(blurred, source, order=5).reshape(SIZE, SIZE)
    seen += noise * seen.std() * np.random.default_rng(seed).standard_normal(seen.shape)
    cut = tuple(slice(c, c + SIZE) for c in corner)
    return scene[cut].astype(dtype), seen.astype(dtype)


@pytest.fixture(scope="module")
def found():
    return jax.device_get(estimate_blur(*turned_pair(), motion="similarity"))


def test_blur_and_motion_are_found_within_their_error_bars(found):
    motion = found.motion
    assert found.status == Status.ESTIMATED
    assert found.adequacy.verdict == Verdict.EXPLAINED
    assert abs(found.sigma - SIGMA) < 4 * found.sigma_standard_error < 0.05 * SIGMA
    assert abs(motion.angle - ANGLE) < 4 * motion.angle_standard_error < np.radians(0.05)
    assert abs(motion.scale - SCALE) < 4 * motion.scale_standard_error < 1e-3
    errors = found.standard_error.shift
    assert np.all(np.abs(found.params.shift - SHIFT) < 4 * errors)
    assert np.all(errors < 0.05)


def test_the_table_shows_degrees(found):
    (row,) = (line for line in str(found).splitlines() if line.startswith("rotation"))
    value, error, unit = row.removeprefix("rotation").replace("+-", "").split()
    assert float(value) == pytest.approx(np.degrees(found.motion.angle), abs=0.05 * float(error))
    assert unit == "degrees"


def test_across_grids_the_finer_image_is_turned():
    reference, blurred = turned_pair(noise=0)
    coarse = blurred.reshape(SIZE // 2, 2, -1, 2).mean((1, 3))
    found = estimate_blur(reference, coarse, sampling=2, motion="similarity")
    assert found.status == Status.ESTIMATED
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=2e-3)
    np.testing.assert_allclose(found.motion.angle, ANGLE, atol=np.radians(0.005))
    np.testing.assert_allclose(found.motion.scale, SCALE, atol=1e-4)
    np.testing.assert_allclose(found.params.shift, SHIFT, atol=0.005)


@pytest.mark.parametrize("centre", [0.0, (0.3, 0.8)])
def test_a_change_of_the_place_that_is_turned_about(centre):
    turned = Similarity(jnp.asarray(0.1), jnp.asarray(1.2), jnp.asarray([0.5, -2.0]))
    off, middle = jnp.broadcast_to(jnp.asarray(centre), (2,)), jnp.asarray([7.0, 5.0])
    point = jnp.asarray([3.0, 11.0])

    def moved(similarity, place, about):
        return about + similarity.matrix @ (place - about) + similarity.shift

    other = turned.about(off)
    there = moved(turned, point, middle + off)
    np.testing.assert_allclose(moved(other, point, middle), there, rtol=1e-6)
    both = moved(turned, moved(other, point, middle), middle)
    np.testing.assert_allclose(moved(other.before(turned), point, middle), both, rtol=1e-5)
    np.testing.assert_allclose(moved(turned.inverse, moved(turned, point, middle), middle), point)


def test_without_the_motion_the_pair_is_not_explained():
    found = estimate_blur(*turned_pair(), shift=True)
    assert found.motion is None
    assert found.adequacy.verdict != Verdict.EXPLAINED


def test_the_roles_may_be_the_other_way_round(found):
    reference, blurred = turned_pair()
    back = estimate_blur(blurred, reference, motion="similarity")
    assert back.sigma == pytest.approx(-found.sigma, rel=0.02)
    assert back.motion.angle == pytest.approx(-ANGLE, abs=np.radians(0.05))
    assert back.motion.scale == pytest.approx(1 / SCALE, abs=1e-3)


def test_masked_pixels_do_not_matter():
    reference, blurred = turned_pair()
    mask = np.ones(blurred.shape, bool)
    mask[40:44, 50:54] = False
    spoilt = np.where(mask, blurred, np.nan)
    found = estimate_blur(reference, spoilt, motion="similarity", mask=mask)
    assert found.status == Status.ESTIMATED
    assert abs(found.sigma - SIGMA) < 4 * found.sigma_standard_error


@pytest.mark.thorough
def test_a_batch_gives_what_its_pairs_give(found):
    pairs = [turned_pair(), turned_pair(seed=1)]
    stacks = (jnp.stack(images) for images in zip(*pairs, strict=True))
    batch = jax.vmap(lambda a, b: estimate_blur(a, b, motion="similarity"))(*stacks)
    assert batch.sigma[0] == pytest.approx(found.sigma, abs=0.1 * float(found.sigma_standard_error))
    assert np.all(batch.status == Status.ESTIMATED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"motion": "affine"}, "motion must be one of similarity; got 'affine'"),
        ({"boundary": "reflect"}, "boundary='valid', got 'reflect'"),
        ({"noise_std": (0.1, 0.1)}, "leave out noise_std"),
        ({"precision": 1e-2}, "precision reads tiles"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        estimate_blur(*turned_pair(), **{"motion": "similarity"} | options)


def test_a_motion_is_of_two_axes():
    with pytest.raises(ValueError, match="two axes, got 1"):
        estimate_blur(np.arange(50.0), np.arange(50.0), motion="similarity")
