"""Transfer functions from a fine reference to a coarse image: dense algebra, error bars."""

import os
from fractions import Fraction
from functools import partial

import jax
import numpy as np
import pytest
from cells import thorough
from coarse_pairs import coarse_pair

import gaussjax as gj
from gaussjax.model.transfer_spline import TransferSpline, spline_rows

MTF50 = np.sqrt(2 * np.log(2)) / (2 * np.pi)  # of a Gaussian, times 1 / sigma


def gaussian(w, sigma):
    return np.exp(-0.5 * (sigma * np.asarray(w)) ** 2)


def scaled_pair(*arguments, **options):
    """Of unit contrast."""
    fine, coarse = coarse_pair(*arguments, **options)
    return fine / np.std(fine), coarse / np.std(fine)


def deviations(found, truth):
    known = np.asarray(found.standard_error) < 0.25
    return ((np.asarray(found.transfer) - truth) / np.asarray(found.standard_error))[known]


def test_least_squares_by_dense_algebra(x64, rng):
    ratio, size, bins = 3, 80, 10
    w = 2 * np.pi * np.fft.fftfreq(ratio * size)
    sharp = np.fft.ifft(np.fft.fft(rng.normal(size=w.size)) / (0.2 + np.abs(w)) ** 0.7).real

    def coarse(image):
        means = image.reshape(size, ratio).mean(1)
        return means - means.mean()

    blurred = coarse(np.fft.ifft(np.fft.fft(sharp) * gaussian(w, 1.3)).real)
    blurred += 0.02 * rng.normal(size=size)
    found = gj.fit_transfer(sharp, blurred, sampling=ratio, boundary="periodic", num_bins=bins)
    spline = TransferSpline(w.shape, bins, None)
    filters = jax.jit(
        lambda rows: jax.vmap(partial(spline.combine, spline.terms(rows.dtype)))(rows)
    )(np.eye(spline.size)[:, None])
    fields = [coarse(np.fft.irfft(np.fft.rfft(sharp) * each, w.size)) for each in filters]
    matrix = np.stack(fields, axis=1)
    change = np.linalg.lstsq(matrix, blurred - coarse(sharp), rcond=None)[0]
    rows = jax.jit(spline_rows, static_argnums=1)(np.arange(1.0, bins + 1), spline.size)[0]
    # As far as the pair tells it, and not what is taken for granted.
    known = np.asarray(found.standard_error) < 0.1
    assert np.sum(known) >= 6
    np.testing.assert_allclose(found.transfer[known], (1 + rows @ change)[known], atol=1e-3)
    residual = blurred - coarse(sharp) - matrix @ change
    variance = np.sum(residual**2) / (size - spline.size - 1)
    covariance = variance * np.linalg.pinv(matrix.T @ matrix)
    errors = np.sqrt(np.diag(rows @ covariance @ rows.T))
    np.testing.assert_allclose(found.standard_error[known], errors[known], rtol=0.5)


@pytest.mark.parametrize(("ratio", "sigma"), [("3", 2.0), ("3/2", 1.5)])
def test_gaussians_between_two_grids(ratio, sigma, x64, rng):
    fine, coarse = scaled_pair(sigma, ratio, 64)
    options = {"sampling": float(Fraction(ratio))}
    found = gj.fit_transfer(fine, coarse, **options)
    w = np.asarray(found.frequency)
    # Up to half a cycle per coarse px, and beyond as far as what folds is told apart.
    told = w < np.pi / float(Fraction(ratio))
    np.testing.assert_allclose(found.transfer[told], gaussian(w, sigma)[told], atol=3e-3)
    np.testing.assert_allclose(found.mtf50 * sigma, MTF50, rtol=2e-3)
    noisy = gj.fit_transfer(fine, coarse + 0.02 * rng.normal(size=coarse.shape), **options)
    z = deviations(noisy, gaussian(w, sigma))
    assert z.size >= np.sum(told)
    assert np.sqrt(np.mean(z**2)) < 1.6
    assert np.max(np.abs(z)) < 4.5
    np.testing.assert_allclose(noisy.noise_std, [0, 0.02], rtol=0.05)
    in_um = noisy.in_units(0.5, "um")  # a fine pixel
    np.testing.assert_allclose(in_um.mtf50, 2 * noisy.mtf50)


def test_the_area_of_a_coarse_pixel_is_no_part_of_the_filter(x64, rng):
    size = 600
    w = 2 * np.pi * np.fft.rfftfreq(size)
    sharp = rng.normal(size=size)
    blurred = np.fft.irfft(np.fft.rfft(sharp) * gaussian(w, 1.0), size)
    options = {"sampling": 2, "boundary": "periodic"}
    alone = gj.fit_transfer(sharp, blurred.reshape(-1, 2).mean(1), **options)
    w = np.asarray(alone.frequency)
    np.testing.assert_allclose(alone.transfer, gaussian(w, 1.0), atol=2e-3)
    # Called a sample at the centre of its area, of whatever shape that is, it is.
    both = gj.fit_transfer(
        sharp, blurred.reshape(-1, 2).mean(1), **options, pixel="point", centre=0.5
    )
    np.testing.assert_allclose(both.transfer, gaussian(w, 1.0) * np.cos(w / 2), atol=2e-3)


def test_nuisances_and_noise_in_both_between_two_grids(x64, rng):
    fine, coarse = scaled_pair(1.5, "2", 64, shift=(2.3, -1.7), gain=0.8)
    noise = 0.1, 0.03
    pair = [x + s * rng.normal(size=x.shape) for x, s in zip((fine, coarse), noise, strict=True)]
    known = np.ones(fine.shape, bool)
    known[60:63, 40:42] = False
    damaged = np.where(known, pair[0], np.nan), pair[1]
    found = gj.fit_transfer(
        *damaged, sampling=2, noise_std=noise, gain=True, shift=True, mask=(known, None)
    )
    truth = gaussian(found.frequency, 1.5)
    assert np.sqrt(np.mean(deviations(found, truth) ** 2)) < 1.6
    np.testing.assert_allclose(found.gain, 0.8, atol=4 * float(found.gain_standard_error))
    off = (found.shift - np.array([2.3, -1.7])) / found.shift_standard_error
    assert np.max(np.abs(off)) < 4
    assert np.max(found.shift_standard_error) < 0.03


IMAGES = np.zeros((64, 64)), np.zeros((32, 32))


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (IMAGES, {"sampling": 4}, "does not fit the shapes"),
        (IMAGES[::-1], {}, "the image on the finer grid.*exchange"),
        ((IMAGES[0],) * 2, {"pixel": "point"}, "go with sampling"),
        (IMAGES, {"margin": 24}, "margin must be a whole number from 0 to 23"),
        (IMAGES, {"num_bins": 33}, "num_bins must be a whole number from 1 to 32"),
        (IMAGES, {"mask": np.ones((64, 64), bool)}, r"mask of blurred.*\(32, 32\)"),
    ],
)
def test_bad_input_is_told(images, options, message):
    with pytest.raises(ValueError, match=message):
        gj.fit_transfer(*images, **options)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [(0.0, 0.01), thorough((0.05, 0.02))])
def test_error_bars_cover(noise, x64, rng):
    # All ratios together: ten draws of one are too few to say anything of it.
    draws = int(os.environ.get("GAUSSJAX_DRAWS", "10"))
    z, mtf50 = [], []
    for ratio, sigma in [("2", 1.5), ("3", 2.0), ("3/2", 1.5)]:
        images = scaled_pair(sigma, ratio, 64)
        options = {"sampling": float(Fraction(ratio)), "noise_std": noise if noise[0] else None}
        for _ in range(draws):
            pair = [x + s * rng.normal(size=x.shape) for x, s in zip(images, noise, strict=True)]
            found = gj.fit_transfer(*pair, **options)
            z.append(deviations(found, gaussian(found.frequency, sigma)))
            mtf50.append((found.mtf50 - MTF50 / sigma) / found.mtf50_standard_error)
    inside = np.mean(np.abs(np.concatenate(z)) < 1.96)
    # Bins of one pair are not independent: a hundred draws are about 1,000 numbers.
    assert abs(inside - 0.95) < 0.02 + 3 * np.sqrt(0.05 * 0.95 / (10 * len(mtf50)))
    assert np.mean(np.abs(mtf50) < 1.96) > 0.95 - 0.03 - 3 * np.sqrt(0.05 * 0.95 / len(mtf50))
