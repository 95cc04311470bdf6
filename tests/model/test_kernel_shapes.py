"""Transfer functions of other kernels: against closed forms, and against sums over pixels."""

import math

import numpy as np
import pytest
import scipy.special

from gaussjax.model import kernel_shapes as shapes

PLANE = np.ix_(np.linspace(-math.pi, math.pi, 21), np.linspace(0, math.pi, 11))
RADIUS = np.hypot(*PLANE)


@pytest.mark.parametrize("radius", [0.7, 3.0, 12.0])
def test_disk_is_a_bessel_function(radius):
    x = np.maximum(radius * RADIUS, 1e-9)
    expected = 2 * scipy.special.j1(x) / x
    np.testing.assert_allclose(shapes.disk(PLANE, radius), expected, atol=2e-5)


def test_ball_in_three_dimensions():
    w = np.ix_([0.3], [0.0, 1.0], [0.2, 2.0])
    x = 2.5 * np.sqrt(shapes.squared_radius(w))
    expected = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    np.testing.assert_allclose(shapes.disk(w, 2.5), expected, atol=2e-5)


@pytest.mark.parametrize("exponent", [1.3, 2.5, 4.765, 40.0])
def test_moffat_is_a_bessel_function(exponent):
    x = np.maximum(1.7 * RADIUS, 1e-3)
    k = exponent - 1
    expected = 2 * (x / 2) ** k * scipy.special.kv(k, x) / scipy.special.gamma(k)
    expected = np.where(RADIUS > 0, expected, 1)
    np.testing.assert_allclose(shapes.moffat(PLANE, 1.7, exponent), expected, atol=5e-5)


def test_a_moffat_of_large_exponent_is_a_gaussian():
    gaussian = shapes.gaussian(PLANE, 2.0)
    moffat = shapes.moffat(PLANE, math.sqrt(2 * 1000 * 2.0), 1000.0)
    np.testing.assert_allclose(moffat, gaussian, atol=1e-3)
    np.testing.assert_allclose(shapes.generalised(PLANE, math.sqrt(2), 2.0), gaussian, rtol=1e-12)
    np.testing.assert_allclose(shapes.gaussian(PLANE, 2 * np.eye(2)), gaussian, rtol=1e-12)


def test_taps_of_a_disk_cover_its_area():
    for radius in (1.0, 2.9, 5.0):
        covered = shapes.disk_coverage(radius)
        assert covered.max() == pytest.approx(1)
        assert covered.sum() == pytest.approx(math.pi * radius**2, rel=5e-3)
        reach, parts = len(covered) // 2, 40
        n = (np.arange(len(covered) * parts) + 0.5) / parts - reach - 0.5
        inside = (np.hypot(*np.ix_(n, n)) <= radius).reshape(len(covered), parts, -1, parts)
        np.testing.assert_allclose(covered, inside.mean(axis=(1, 3)), atol=0.01)
    assert shapes.disk_taps(2.0, 2, 0.0).sum() == 13


@pytest.mark.parametrize("width", [1.0, 3.0, 4.4, 7.0])
def test_box_and_segment_cover_pixels(width):
    taps = shapes.box_taps(width)
    assert 2 * taps.sum() - taps[0] == pytest.approx(width)
    along = shapes.from_even_taps(PLANE[1], taps)
    segment = shapes.from_taps(PLANE, shapes.segment_taps(np.array([0.0, width])))
    np.testing.assert_allclose(segment, np.broadcast_to(along, segment.shape), atol=1e-12)


def test_a_segment_drawn_finely_is_the_continuous_one():
    lengths = np.array([30.0, -17.0])
    low = np.ix_([0.0, 0.05], [0.0, 0.02, 0.1])
    for taps in (shapes.segment_taps(lengths), shapes.thick_segment_taps(lengths)):
        drawn = shapes.from_taps(low, taps)
        np.testing.assert_allclose(drawn, shapes.segment(low, lengths), atol=2e-3)


def test_taps_are_summed_as_by_a_transform(rng):
    taps = rng.random((5, 3))
    taps = taps + np.flip(taps)
    frame = np.zeros((8, 8))
    frame[:5, :3] = taps / taps.sum()
    expected = np.fft.rfft2(np.roll(frame, (-2, -1), (0, 1))).real
    w = np.ix_(2 * np.pi * np.fft.fftfreq(8), 2 * np.pi * np.fft.rfftfreq(8))
    np.testing.assert_allclose(shapes.from_taps(w, taps), expected, atol=1e-12)


def test_core_and_halo_is_a_sum():
    expected = 0.9 * shapes.gaussian(PLANE, 1.0) + 0.1 * shapes.gaussian(PLANE, 9.0)
    np.testing.assert_allclose(shapes.core_and_halo(PLANE, 1.0, 3.0, 0.1), expected, rtol=1e-12)
