"""Images resampled by a similarity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from problems import photograph

from gaussjax.model.similarity_transform import Similarity, motion_fields

SIZE, CENTRE = 48, 23.5


def waves(y, x):
    """A scene that is known everywhere; up to half of the Nyquist frequency."""
    random = np.random.default_rng(3)
    w, phase = random.uniform(-np.pi / 2, np.pi / 2, (40, 2)), random.uniform(0, 6, 40)
    return np.cos(w[:, 0] * y[..., None] + w[:, 1] * x[..., None] + phase).mean(-1)


def some(dtype=np.float64):
    return Similarity(dtype(0.05), dtype(1.03), np.array([1.3, -2.4], dtype))


@jax.jit
def resample(similarity, image, known=None):
    return similarity.resample(image, known)


def places(similarity):
    y = np.indices((SIZE, SIZE)).reshape(2, -1) - CENTRE
    return (np.asarray(similarity.matrix) @ y + np.asarray(similarity.shift)[:, None]) + CENTRE


def test_the_image_is_read_where_the_similarity_says(x64):
    image = waves(*np.indices((SIZE, SIZE)))
    found, known = resample(some(), image)
    expected = waves(*places(some())).reshape(SIZE, SIZE)
    error = np.where(known > 0, found - expected, 0)
    assert 0.4 < known.mean() < 0.9
    assert np.max(np.abs(error)) < 1e-3 * image.std()


def test_no_tap_beyond_the_edge_or_on_a_missing_pixel_is_used(x64):
    image = waves(*np.indices((SIZE, SIZE)))
    known = np.ones((SIZE, SIZE))
    known[20, 30] = 0
    clean, _ = resample(some(), image, known)
    # Of a copy: a program may still be reading the image that it was given.
    changed = image.copy()
    changed[20, 30] += 100
    spoilt, inside = resample(some(), changed, known)
    same = np.isclose(spoilt, clean, rtol=0, atol=1e-12)
    assert not np.all(same)
    assert np.all(same | (inside == 0))


def test_the_angle_has_the_other_sign_than_in_scipy(x64):
    image = scipy.ndimage.gaussian_filter(photograph("camera")[100:149, 100:149], 2)
    turned = scipy.ndimage.rotate(image, -3.0, reshape=False, order=5)
    similarity = Similarity(np.radians(3.0), np.float64(1), np.zeros(2))
    back, known = resample(similarity, turned)
    error = (back - image)[np.asarray(known) > 0]
    assert np.std(error) < 1e-3 * np.std(image)


def test_motion_fields_are_derivatives_of_the_resampled_image(x64):
    image = jnp.asarray(waves(*np.indices((SIZE, SIZE))))
    one = jnp.ones(())

    def moved(vector):
        # An image that is displaced by d is read at y - d.
        angle, log_scale, up, along = -vector
        similarity = Similarity(angle, jnp.exp(log_scale) * one, jnp.stack([up, along]))
        return similarity.resample(image)[0]

    slopes = np.moveaxis(np.asarray(jax.jit(jax.jacfwd(moved))(np.zeros(4))), -1, 0)
    inside = np.s_[10:-10, 10:-10]
    fields = jax.jit(motion_fields)(list(slopes[2:]))
    for field, slope in zip(fields, slopes, strict=False):
        assert np.asarray(field)[inside] == pytest.approx(
            slope[inside], abs=1e-6 * float(np.std(slope))
        )


def test_similarities_compose(x64):
    first = jax.tree.map(jnp.asarray, some())
    second = Similarity(jnp.asarray(-0.02), jnp.asarray(0.99), jnp.asarray([0.4, 2]))
    both = first.after(second.angle, jnp.log(second.scale), second.shift)
    assert both.matrix == pytest.approx(first.matrix @ second.matrix)
    assert both.shift == pytest.approx(first.shift + first.matrix @ second.shift)
