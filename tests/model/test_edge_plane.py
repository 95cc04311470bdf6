"""The plane that a frame jumps by: changed in closed form, and what it leaves rings less."""

from functools import partial

import jax
import numpy as np
import pytest
from problems import natural_scene, periodic_blur

from gaussjax.model.edge_plane import EdgePlane, plane_image
from gaussjax.model.params import BlurParams

plane_of = jax.jit(EdgePlane.of)
SHAPES = [(40,), (18, 21), (9, 8, 7)]


def random_plane(ndim, rng):
    twist = rng.normal(size=(ndim, ndim))
    return EdgePlane(rng.normal(size=ndim), twist + twist.T - 2 * np.diag(np.diag(twist)))


@partial(jax.jit, static_argnums=1)
def image_of(plane, shape):
    return plane.image(shape)


def plane_at(plane, points):
    """P at points ``[n, ndim]``, written out."""
    b, c = np.asarray(plane.slope), np.asarray(plane.twist)
    return points @ b + 0.5 * np.einsum("ni,ij,nj->n", points, c, points)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_plane_is_found_from_its_edges(shape, rng, x64):
    plane = random_plane(len(shape), rng)
    found = plane_of(image_of(plane, shape) + 3)
    np.testing.assert_allclose(found.slope, plane.slope, atol=1e-12)
    np.testing.assert_allclose(found.twist, plane.twist, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_its_image_is_about_the_middle_of_the_frame(shape, rng, x64):
    plane = random_plane(len(shape), rng)
    points = np.stack(np.indices(shape), axis=-1).reshape(-1, len(shape))
    expected = plane_at(plane, points - (np.asarray(shape) - 1) / 2)
    np.testing.assert_allclose(np.ravel(image_of(plane, shape)), expected, atol=1e-12)


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
def test_blur_shift_and_gain_change_it_as_the_mean_over_the_kernel(family, rng, x64):
    shape, gain, shift = (12, 15), 1.3, np.array([0.7, -2.4])
    variance = {"isotropic": [2.0], "axis_aligned": [2.0, 1.1], "full": [2.0, 0.6, 1.1]}[family]
    params = BlurParams(np.array(variance), gain=np.float64(gain), shift=shift, family=family)
    plane = random_plane(2, rng)
    # Of a polynomial of second order, by Gauss and Hermite's points.
    root = np.linalg.cholesky(np.asarray(params.covariance_matrix(2)))
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    steps = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2) @ root.T
    parts = np.outer(weights, weights).ravel() / (2 * np.pi)
    points = np.stack(np.indices(shape), axis=-1).reshape(-1, 2) - (np.asarray(shape) - 1) / 2
    blurred = sum(
        w * plane_at(plane, points - shift - z) for w, z in zip(parts, steps, strict=True)
    )
    expected = gain * (blurred - plane_at(plane, points))
    found = jax.jit(lambda plane, params: plane_image(plane.change(params), shape))(plane, params)
    np.testing.assert_allclose(np.ravel(np.broadcast_to(found, shape)), expected, atol=1e-11)


@pytest.mark.parametrize(
    ("scene_shape", "crop_shape"),
    [((701,), (255,)), ((201, 205), (80, 77)), ((65, 67, 69), (36, 35, 38))],
    ids=["1-D", "2-D", "3-D"],
)
def test_what_it_leaves_rings_less(scene_shape, crop_shape, x64):
    scene = natural_scene(scene_shape, seed=5, slope=3.0)
    ramp = sum(
        np.linspace(0, 3 * np.std(scene), n).reshape(
            [-1 if k == axis else 1 for k in range(scene.ndim)]
        )
        for axis, n in enumerate(scene_shape)
    )
    cut = tuple(slice(14, 14 + n) for n in crop_shape)
    covariance = 0.4**2 * np.eye(scene.ndim)
    crop = (scene + ramp)[cut]
    truth = periodic_blur(scene, covariance)[cut] + ramp[cut]
    left = crop - np.asarray(image_of(plane_of(crop), crop_shape))
    inside = (slice(8, -8),) * scene.ndim
    rings = np.std((periodic_blur(crop, covariance) - truth)[inside])
    assert np.std((periodic_blur(left, covariance) + crop - left - truth)[inside]) < 0.5 * rings


def test_a_frame_of_one_px_has_none(dtype):
    plane = plane_of(np.ones((1, 1), dtype))
    assert not np.any(plane.slope)
    assert not np.any(plane.twist)
