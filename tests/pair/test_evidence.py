"""Evidence of a fit: the box that is looked at, and its sums written out."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel
from gaussjax.model.window import interior_window
from gaussjax.pair.departure_fields import HALO, derivative
from gaussjax.pair.evidence import Box, causes, gather_evidence
from gaussjax.pair.frame import centre_and_scale, make_frame
from gaussjax.pair.objective import View
from gaussjax.pair.other_conventions import REACH
from gaussjax.pair.prediction import residual_and_fields
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.long_run_covariance import long_run, unevenness

SHAPES = [(9000,), (300,), (150, 170), (60, 70), (12, 2000), (30, 31, 32)]
MARGIN = 5


def slices(box, halo=0):
    """Of the frame, as indices that go on at the opposite edge."""
    corner = np.asarray(box.corner)
    grids = (np.arange(c - halo, c + n + halo) for c, n in zip(corner, box.shape, strict=True))
    return np.ix_(*(g % size for g, size in zip(grids, box.frame, strict=True)))


def with_rest_of_blocks(box, image):
    """An image with zeros up to the end of the last block."""
    block = {1: 16, 2: 8, 3: 4}[image.ndim]
    return np.pad(image, [(0, -n % block) for n in box.shape])


# As programs: one operation at a time, each would be compiled for every shape.
densest = jax.jit(lambda energy: Box.densest(energy))
inside = jax.jit(Box.of)
surroundings = jax.jit(Box.around, static_argnums=2)
positions = jax.jit(Box.positions, static_argnums=1)
derivative_of = jax.jit(derivative, static_argnums=1)
correlated = jax.jit(long_run, static_argnums=2)
uneven = jax.jit(unevenness)


def box_of(shape, where=0.6):
    """Around a bright spot at a part of every axis."""
    energy = np.full(shape, 1e-3)
    energy[tuple(int(where * n) for n in shape)] = 1
    energy = scipy.ndimage.gaussian_filter(energy, 3.0) + 1e-9
    return energy, densest(energy)


@pytest.mark.parametrize("where", [0.01, 0.6, 0.98])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_box_holds_what_is_brightest(shape, where, x64):
    energy, box = box_of(shape, where)
    image = np.random.default_rng(0).normal(size=shape)
    corner = np.asarray(box.corner)
    assert np.all(corner >= 0)
    assert np.all(corner + box.shape <= shape)
    np.testing.assert_array_equal(inside(box, image), with_rest_of_blocks(box, image[slices(box)]))
    # The brightest pixel, unless it lies where a filter would reach beyond the edge, or where the
    # frame has less than the quarter of a box, in whose steps it moves, to spare.
    brightest = np.unravel_index(np.argmax(energy), shape)
    is_inside = [
        c <= b < c + n or b < REACH or size - 1 - b < max(n // 4, REACH)
        for b, c, n, size in zip(brightest, corner, box.shape, shape, strict=True)
    ]
    assert all(is_inside)


@pytest.mark.parametrize("halo", [HALO, REACH])
@pytest.mark.parametrize("where", [0.01, 0.98])
@pytest.mark.parametrize("shape", SHAPES[1:5], ids=str)
def test_its_surroundings_go_on_at_the_edge_only_where_there_is_no_room(shape, where, halo, x64):
    _, box = box_of(shape, where)
    image = np.random.default_rng(0).normal(size=shape)
    around = surroundings(box, image, halo)
    expected = with_rest_of_blocks(box, image[slices(box, halo)])
    np.testing.assert_array_equal(around, expected)
    for corner, size, length in zip(np.asarray(box.corner), box.shape, shape, strict=True):
        if length - size >= 2 * REACH:
            assert REACH <= corner <= length - size - REACH


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_positions_are_of_the_whole_frame(shape, x64):
    _, box = box_of(shape)
    for axis, place in enumerate(positions(box, np.float64)):
        whole = (2 * np.arange(shape[axis]) + 1) / shape[axis] - 1
        first = int(box.corner[axis])
        expected = whole[first : first + box.shape[axis]]
        np.testing.assert_allclose(np.ravel(place)[: len(expected)], expected, atol=1e-14)
        assert place.shape[axis] == place.size
        assert place.ndim == len(shape)


@partial(jax.jit, static_argnums=0)
def window_of(shape):
    return interior_window(shape, 0, jnp.full(len(shape), MARGIN), jnp.float64)


@pytest.fixture(params=[(40, 44), (130, 110), (400,), (22, 20, 24)], ids=str)
def fit(request, x64):
    """A pair near its optimum: frame, model, vector, window, residual, fields."""
    shape = request.param
    random = np.random.default_rng(1)
    reference = scipy.ndimage.gaussian_filter(random.normal(size=shape), 0.5, mode="wrap")
    blurred = scipy.ndimage.gaussian_filter(reference, 0.8, mode="wrap")
    blurred = blurred + 0.02 * random.normal(size=shape)
    model = BlurModel("isotropic", Kernel(), 30, (9,) * len(shape), gain=True)
    vector = jnp.asarray([0.62, 1.01])
    frame = framed(reference, blurred)
    window = window_of(shape)
    return (frame, model, vector, window, *predict(model, vector, frame))


@jax.jit
def framed(reference, blurred):
    centre, scale = centre_and_scale(reference)
    change = blurred - reference
    return make_frame(reference, blurred, change, "valid", 0, centre=centre, scale=scale)


predict = jax.jit(residual_and_fields, static_argnums=0)
gather = jax.jit(gather_evidence, static_argnums=1)


def evidence_of(frame, model, vector, window, residual, fields):
    seen = View(frame, window, residual, fields, window.values * residual)
    return gather(seen, model, vector)


def test_sums_are_those_of_the_box(fit):
    frame, model, _, window, residual, fields = fit
    found = evidence_of(*fit)
    weights, residual, fields = (np.asarray(x) for x in (window.values, residual, fields))
    box = densest(weights * fields[0] ** 2)
    cut = slices(box)
    w, r = weights[cut], residual[cut]
    j = np.stack([field[cut] for field in fields])
    sums = found.departures
    flat = j.reshape(len(j), -1)
    products = (np.ravel(w) * flat) @ flat.T
    assert sums.num_pixels == np.sum(w > 0)
    np.testing.assert_allclose(
        sums.variance, np.sum((w * r) ** 2) / (np.sum(w > 0) - len(j)), rtol=1e-10
    )
    # One of the directions: the fourth derivatives of the prediction, which has no level here.
    names, ndim = causes(model), frame.blurred.ndim
    assert len(names) == len(sums.powers) == sums.mixed.shape[1]
    predicted = np.asarray(frame.blurred) + residual_of(fit) - level(fit)
    around = predicted[slices(box, HALO)]
    fourth = sum(
        np.asarray(derivative_of(around, tuple(4 if a == b else 0 for b in range(ndim))))
        for a in range(ndim)
    )
    k = names.index(Cause.KERNEL)
    np.testing.assert_allclose(sums.powers[k], np.sum(w * fourth**2), rtol=1e-9)
    mixed = np.sum((w * fourth)[None] * j, axis=tuple(range(1, j.ndim)))
    np.testing.assert_allclose(sums.mixed[:, k], mixed, rtol=1e-7)
    # What the fields cannot imitate of it. Scores of B - predicted, the opposite of the residual.
    own, beside = np.linalg.solve(products, mixed), sums.beside
    left = fourth - np.tensordot(own, j, 1)
    power, score = w * left**2, -w * r * left
    np.testing.assert_allclose(beside.coefficients[:, k], own, rtol=1e-7)
    np.testing.assert_allclose(beside.power[k], np.sum(power), rtol=1e-7)
    np.testing.assert_allclose(beside.total[k], np.sum(score), rtol=1e-6, atol=1e-9)
    # Without what the direction itself explains, by blocks of neighbours and by pixels.
    score = score - np.sum(score) / np.sum(power) * power
    for expected, images in ((sums.spread.squares, score), (sums.spread.powers, power)):
        by_blocks = blocks_of(with_rest_of_blocks(box, images))
        assert 16 <= by_blocks.size <= 256
        np.testing.assert_allclose(expected[0, k], np.sum(by_blocks**2), rtol=1e-6)
        np.testing.assert_allclose(expected[1, k], np.sum(images**2), rtol=1e-6)


def blocks_of(image):
    """Sums over boxes of neighbours."""
    block = {1: 16, 2: 8, 3: 4}[image.ndim]
    split = [n for size in image.shape for n in (size // block, block)]
    return image.reshape(split).sum(axis=tuple(range(1, len(split), 2)))


def residual_of(fit):
    return np.asarray(fit[4])


def level(fit):
    """(gain - 1) times the mean of A, which is subtracted, in the scale of the frame."""
    frame, vector = fit[0], fit[2]
    return float((vector[1] - 1) * frame.centre / frame.scale)


def test_factors_are_of_the_whole_frame(fit):
    frame, _, _, window, residual, fields = fit
    found = evidence_of(*fit)
    score = window.values * residual
    power = np.abs(np.fft.rfftn(score)) ** 2
    for k, field in enumerate(fields):
        field_power = np.abs(np.fft.rfftn(np.asarray(window.values) * field)) ** 2
        expected = correlated(power, [field_power], frame.blurred.shape, window.num_pixels)
        np.testing.assert_allclose(found.correlated[k], expected.factors[0], rtol=1e-9)
        expected = uneven(score, [field], window.values, expected.alike).factors[0]
        np.testing.assert_allclose(found.uneven.factors[k], expected, rtol=1e-9)


def test_conventions_are_beside_the_directions(fit):
    _, model, vector, *_ = fit
    found = evidence_of(*fit)
    assert found.conventions.powers.shape == (3,)
    assert found.changes.shape == (2, 3)
    assert np.all(found.conventions.powers > 0)
    assert found.conventions.beside.power.shape == found.conventions.spread.powers[0].shape == (3,)
    np.testing.assert_array_equal(found.conventions.variance, found.departures.variance)
    shifted = replace(model, shift=True)
    wider = jnp.concatenate([vector, jnp.zeros(model.ndim)])
    again = predict(shifted, wider, fit[0])
    none = evidence_of(fit[0], shifted, wider, fit[3], *again)
    assert none.conventions.powers.shape == (0,)
