"""Transfer functions without a family: known filters, nuisances, noise in both, error bars."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.special
from cells import thorough
from problems import natural_scene, photograph

import gaussjax as gj

MTF50 = np.sqrt(2 * np.log(2)) / (2 * np.pi)  # of a Gaussian, times 1 / sigma
SIZE = 128


def gaussian(w, sigma):
    return np.exp(-0.5 * (sigma * w) ** 2)


def airy(w, radius):
    x = np.maximum(radius * w, 1e-9)
    return 2 * scipy.special.j1(x) / x


def sharpened(w, amount):
    return 1 + amount * (1 - gaussian(w, 1.5))


def waves(shape):
    return np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in shape), indexing="ij")


def cropped(transfer, name="camera", size=SIZE, response=1.0):
    """A crop of a photograph before and after a filter of all of it, over the crop's contrast."""
    scene = photograph(name)
    spectrum = np.fft.fft2(scene) * transfer * response
    start = [(n - size) // 2 for n in scene.shape]
    inside = tuple(slice(s, s + size) for s in start)
    pair = scene[inside], np.fft.ifft2(spectrum).real[inside]
    return [image / pair[0].std() for image in pair]


def radial(function, parameter, name="camera"):
    return function(np.hypot(*waves(photograph(name).shape)), parameter)


def deviations(found, truth):
    known = np.asarray(found.standard_error) < 0.25
    return ((np.asarray(found.transfer) - truth) / np.asarray(found.standard_error))[known]


FILTERS = [(gaussian, 0.7), (gaussian, 2.0), (gaussian, 4.0), (airy, 3.0), (sharpened, 1.0)]


def test_known_filters_of_cropped_photographs(dtype, rng):
    for function, parameter in FILTERS:
        a, b = (x.astype(dtype) for x in cropped(radial(function, parameter)))
        found = gj.fit_transfer(a, b)
        assert found.transfer.dtype == dtype
        truth = function(np.asarray(found.frequency), parameter)
        # Exact but for what a spline leaves and what a kernel without an end leaks.
        np.testing.assert_allclose(found.transfer, truth, atol=2e-3)
        if function is gaussian:
            np.testing.assert_allclose(found.mtf50 * parameter, MTF50, rtol=1e-3)
        noisy = gj.fit_transfer(a, b + dtype(0.02) * rng.normal(size=b.shape).astype(dtype))
        z = deviations(noisy, truth)
        assert z.size == found.frequency.size == 25
        assert np.sqrt(np.mean(z**2)) < 1.6
        assert np.max(np.abs(z)) < 4.5


def test_it_is_what_it_says(x64):
    a, b = cropped(radial(gaussian, 2.0))
    found = gj.fit_transfer(a, b)
    value, error = map(float, str(found).splitlines()[0].removeprefix("MTF50").split()[:3:2])
    assert value == pytest.approx(float(found.mtf50), abs=0.05 * error)
    assert error == pytest.approx(float(found.mtf50_standard_error), rel=0.05)
    value, error = found.at([0.3, 0.7])
    np.testing.assert_allclose(value, gaussian(np.array([0.3, 0.7]), 2.0), atol=1e-4)
    assert error.shape == (2,)
    np.testing.assert_allclose(found.resolution(), 1 / found.mtf50, rtol=1e-6)
    # A tenth of the contrast is left at sqrt(2 ln 10) / sigma.
    np.testing.assert_allclose(
        found.resolution(0.1), 4 * np.pi / np.sqrt(2 * np.log(10)), rtol=1e-3
    )
    in_um = found.in_units(0.5, "um")
    np.testing.assert_allclose(in_um.resolution(0.1), 0.5 * found.resolution(0.1), rtol=1e-6)
    np.testing.assert_allclose(in_um.mtf50, 2 * found.mtf50)
    np.testing.assert_allclose(in_um.frequency[-1], 2 * np.pi)
    assert "cycles/um" in str(in_um)
    assert np.all(found.coherence[:5] > 0.999)
    same = gj.fit_transfer(a, a)
    np.testing.assert_allclose(same.transfer, 1, rtol=1e-14)
    assert np.isnan(same.mtf50)
    assert np.isnan(same.resolution())
    flat = gj.fit_transfer(np.ones_like(a), np.ones_like(a))
    assert np.all(np.isnan(flat.transfer))
    assert np.all(np.isinf(flat.standard_error))


def test_coherence_is_what_noise_leaves(x64, rng):
    a, b = cropped(radial(gaussian, 2.0))
    found = gj.fit_transfer(a, b + 0.05 * rng.normal(size=b.shape))
    assert found.coherence[0] > 0.99
    assert np.max(found.coherence[15:]) < 0.05
    assert 3 < found.resolution(0.5, of="coherence") < 10
    np.testing.assert_allclose(found.noise_std, [0, 0.05], rtol=0.02)


def test_a_filter_that_is_not_linear(x64):
    scene = photograph("camera")
    inside = (slice(190, 190 + SIZE),) * 2
    found = gj.fit_transfer(scene[inside], scipy.ndimage.median_filter(scene, 5)[inside])
    assert found.transfer[0] == pytest.approx(1, abs=0.05)
    assert found.coherence[2] > 0.8
    assert np.min(found.coherence) < 0.3  # the rest is no filter of A
    assert found.standard_error[-1] > 1e-3


def test_gain_offset_and_shift_are_nuisances(x64, rng):
    w = waves(photograph("camera").shape)
    response = 0.8 * np.exp(-1j * (2.3 * w[0] - 1.7 * w[1]))
    a, b = cropped(radial(gaussian, 1.5), response=response)
    noisy = b + 5 + 0.01 * rng.normal(size=b.shape)
    found = gj.fit_transfer(a, noisy, gain=True, shift=True)
    z = deviations(found, gaussian(np.asarray(found.frequency), 1.5))
    assert np.sqrt(np.mean(z**2)) < 1.6
    np.testing.assert_allclose(found.gain, 0.8, atol=4 * float(found.gain_standard_error))
    off = (found.shift - np.array([2.3, -1.7])) / found.shift_standard_error
    assert np.max(np.abs(off)) < 4
    assert np.max(found.shift_standard_error) < 0.005
    # Asked about neither, the transfer shows the gain, and what the shift has cost.
    still = gj.fit_transfer(a, noisy)
    assert still.gain == pytest.approx(0.8, abs=0.01)
    assert still.transfer[8] < 0.5 * found.transfer[8]


def test_along_an_axis(x64, rng):
    w = waves(photograph("camera").shape)
    a, b = cropped(np.sin(2.5 * w[1] + 1e-9) / (5 * np.sin(0.5 * w[1] + 2e-10)) * gaussian(w[0], 1))
    b = b + 0.01 * rng.normal(size=b.shape)
    for axis in (1, -2):
        found = gj.fit_transfer(a, b, direction=axis)
        u = np.asarray(found.frequency)
        box = np.sin(2.5 * u) / (5 * np.sin(0.5 * u))
        z = deviations(found, box if axis == 1 else gaussian(u, 1))
        assert z.size > 12
        assert np.sqrt(np.mean(z**2)) < 1.7


def test_noise_in_both(x64, rng):
    a, b = cropped(radial(gaussian, 1.0, "grass"), "grass")
    noisy = a + 0.2 * rng.normal(size=a.shape), b + 0.1 * rng.normal(size=b.shape)
    found = gj.fit_transfer(*noisy, noise_std=(0.2, 0.1))
    truth = gaussian(np.asarray(found.frequency), 1.0)
    assert np.sqrt(np.mean(deviations(found, truth) ** 2)) < 1.6
    plain = gj.fit_transfer(*noisy)
    assert np.mean(deviations(plain, truth)) < -1  # least squares reads noise of A as blur
    only = gj.fit_transfer(noisy[0], b, noise_std=(0.2, 0.0))
    # Noise of B counts as a hundredth of A's: the last bins, where T is smaller, are drawn to 0.
    assert np.sqrt(np.mean(deviations(only, truth)[truth > 0.03] ** 2)) < 1.6


def test_noise_levels_of_both_are_found(x64, rng):
    a, b = cropped(radial(gaussian, 1.5, "grass"), "grass")
    noisy = a + 0.2 * rng.normal(size=a.shape), b + 0.1 * rng.normal(size=b.shape)
    found = gj.fit_transfer(*noisy, noise_std="estimate")
    np.testing.assert_allclose(found.noise_std, [0.2, 0.1], rtol=0.1)
    truth = gaussian(np.asarray(found.frequency), 1.5)
    assert np.sqrt(np.mean(deviations(found, truth) ** 2)) < 1.6
    told = gj.fit_transfer(*noisy, noise_std=(0.2, 0.1))
    # To find them costs something.
    assert np.all(found.standard_error[:10] > 0.99 * told.standard_error[:10])
    # Of two exposures only the sum of the levels is told, and T no better than that tells it.
    same = a + 0.3 * rng.normal(size=(2, *a.shape))
    found = gj.fit_transfer(*same, noise_std="estimate")
    assert np.sqrt(np.mean(deviations(found, 1.0) ** 2)) < 1.6
    np.testing.assert_allclose(np.sum(found.noise_std**2), 2 * 0.3**2, rtol=0.05)
    told = gj.fit_transfer(*same, noise_std=(0.3, 0.3))
    assert np.all(found.standard_error[8:16] > 1.2 * told.standard_error[8:16])


def test_missing_pixels(x64, rng):
    a, b = cropped(radial(gaussian, 2.0))
    b = b + 0.02 * rng.normal(size=b.shape)
    known_a, known_b = np.ones((2, SIZE, SIZE), bool)
    known_a[70:73, 40:42] = known_b[20:50, 90:110] = False
    damaged = np.where(known_a, a, np.nan), np.where(known_b, b, 1e9)
    found = gj.fit_transfer(*damaged, mask=(known_a, known_b))
    truth = gaussian(np.asarray(found.frequency), 2.0)
    assert np.sqrt(np.mean(deviations(found, truth) ** 2)) < 1.6
    with pytest.raises(ValueError, match="NaN"):
        gj.fit_transfer(*damaged)


def test_signals_and_volumes_and_batches(x64, rng):
    signals = [natural_scene((256,), seed=k, slope=0.5) for k in range(2)]
    w = 2 * np.pi * np.fft.fftfreq(256)
    blurred = [np.fft.ifft(np.fft.fft(s) * gaussian(w, 2.0)).real for s in signals]
    fit = jax.vmap(lambda x, y: gj.fit_transfer(x, y, boundary="periodic"))
    found = fit(jnp.stack(signals), jnp.stack(blurred) + 0.01 * rng.normal(size=(2, 256)))
    truth = gaussian(np.asarray(found.frequency), 2.0)
    assert np.sqrt(np.mean(deviations(found, truth) ** 2)) < 1.6
    assert "TransferEstimate(" in str(found)
    np.testing.assert_allclose(found.mtf50, MTF50 / 2, rtol=0.03)
    scene = natural_scene((24, 22, 26), seed=6, slope=0.5)
    radius = np.sqrt(sum(g**2 for g in waves(scene.shape)))
    blurred = np.fft.ifftn(np.fft.fftn(scene) * gaussian(radius, 1.0)).real
    found = gj.fit_transfer(scene, blurred, boundary="periodic")
    truth = gaussian(np.asarray(found.frequency), 1.0)
    np.testing.assert_allclose(found.transfer, truth, atol=5e-3)


def test_what_it_refuses():
    scene = np.zeros((32, 33))
    for options, message in (
        ({"direction": 2}, "axis of the images: it must be a whole number from -2 to 1"),
        ({"direction": "x"}, "direction must be one of radial"),
        ({"boundary": "reflect"}, "valid, periodic"),
        ({"num_bins": 17}, "num_bins must be a whole number from 1 to 16"),
        ({"num_bins": 0}, "num_bins"),
        ({"margin": 13}, "margin must be a whole number from 0 to 12"),
    ):
        with pytest.raises(ValueError, match=message):
            gj.fit_transfer(scene, scene, **options)
    found = gj.TransferEstimate(*[jnp.ones(3)] * 14)
    with pytest.raises(ValueError, match="pixel_size"):
        found.in_units(0)
    with pytest.raises(ValueError, match="pixel_size must be a positive number, from 1e-18"):
        found.in_units(1e-320)
    with pytest.raises(ValueError, match="frequency has values beyond"):
        found.at(1e308)
    with pytest.raises(ValueError, match="level must be a finite number above 0"):
        found.resolution(0)
    with pytest.raises(ValueError, match="of must be one of"):
        found.resolution(of="phase")


@pytest.mark.slow
@pytest.mark.parametrize("noise", [(0.0, 0.01), (0.0, 0.05), (0.1, 0.05)])
@pytest.mark.parametrize(
    ("function", "parameter"),
    [FILTERS[1], FILTERS[4], *(thorough(*FILTERS[k]) for k in (0, 2, 3))],
)
def test_error_bars_cover(function, parameter, noise, x64, rng):
    draws = int(os.environ.get("GAUSSJAX_DRAWS", "10"))
    a, b = cropped(radial(function, parameter))
    z, mtf50 = [], []
    for _ in range(draws):
        pair = [x + s * rng.normal(size=x.shape) for x, s in zip((a, b), noise, strict=True)]
        found = gj.fit_transfer(*pair, noise_std=noise if noise[0] else None)
        z.append(deviations(found, function(np.asarray(found.frequency), parameter)))
        mtf50.append((found.mtf50 - MTF50 / parameter) / found.mtf50_standard_error)
    inside = np.mean(np.abs(np.concatenate(z)) < 1.96)
    # Bins of one pair are not independent: a hundred draws of 25 bins are about 1,000 numbers.
    assert abs(inside - 0.95) < 0.02 + 3 * np.sqrt(0.05 * 0.95 / (10 * draws))
    if function is gaussian:
        assert np.mean(np.abs(mtf50) < 1.96) > 0.95 - 0.03 - 3 * np.sqrt(0.05 * 0.95 / draws)
