"""The interior fit against dense least squares over the compared pixels."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
from problems import cropped_scene, interior_blur, levelled_blur

import gaussjax as gj

NOISE_STD = 0.03


def noisy_pair(covariance, seed=0):
    reference, blurred = cropped_scene(covariance)
    return reference, blurred + NOISE_STD * np.random.default_rng(seed).normal(size=blurred.shape)


def compared(estimate, reference):
    """The box of pixels that the estimate compared."""
    sigma = np.broadcast_to(estimate.sigma, (2,))
    if estimate.kernel.name == "sampled":
        margins = [int(4 * s + 0.5) for s in sigma]
    else:
        margins = [int(np.ceil(4 * s)) + 1 for s in sigma]
    inside = tuple(slice(m, -m) for m in margins)
    assert estimate.num_pixels == reference[inside].size
    return inside


def interior(estimate, reference, blurred, model):
    """Residual over those pixels, as a function of sigma."""
    inside = compared(estimate, reference)
    return lambda sigma: (model(reference, sigma) - blurred)[inside].ravel()


def drawn_to_one(found, chance, raised_by):
    """A factor without bias, drawn to 1 and raised by what chance does to it."""
    distance = found - 1
    size = distance**2 / (distance**2 + chance)
    return (1 + distance * size) * (1 + raised_by * (3 * size - 2 * size**2) ** 2)


def long_run_factors(residual, jacobian, inside, shape):
    """By the spectrum of the residual, times by where its squares lie; of each column."""

    def placed(values):
        frame = np.zeros(shape)
        frame[inside] = values.reshape(frame[inside].shape)
        return frame

    power = np.abs(np.fft.fftn(placed(residual))) ** 2
    alike = 0.5 * np.mean(power**2) / np.mean(power) ** 2
    factors = []
    for column in jacobian.T:
        part = np.abs(np.fft.fftn(placed(column))) ** 2
        part /= np.sum(part)
        both = part * power / np.sum(part * power)
        repeated = power.size / residual.size
        lost = repeated * np.sum(2 * part * both - part**2)
        found = np.sum(part * power) / np.mean(power) * (1 + lost)
        chance = repeated * np.sum(2 * part**2)
        chances = chance, max(chance, repeated * np.sum(both**2))
        where = column**2 / np.sum(column**2)
        by_chance = 2 * np.sum(where**2)
        uneven = np.sum(where * residual**2) / np.mean(residual**2) * (1 + by_chance / 2)
        uneven = drawn_to_one(uneven, alike * by_chance, alike * by_chance)
        factors.append(drawn_to_one(found, *chances) * uneven)
    return np.asarray(factors)


def along_axes(image, sigma):
    return levelled_blur(image, np.diag(np.broadcast_to(np.square(sigma), (2,))))


def isotropic(image, sigma):
    return interior_blur(image, np.diag(np.broadcast_to(np.square(sigma), (2,))))


def sampled(image, sigma):
    return scipy.ndimage.gaussian_filter(image, np.broadcast_to(sigma, (2,)), radius=6)


@pytest.mark.parametrize(
    ("family", "covariance", "options", "model"),
    [
        ("isotropic", 2.25 * np.eye(2), {}, isotropic),
        ("axis_aligned", np.diag([4.0, 1.0]), {}, along_axes),
        ("isotropic", 2.25 * np.eye(2), {"kernel": "sampled"}, sampled),
    ],
    ids=["continuous", "axis_aligned", "sampled"],
)
def test_estimate_error_bar_and_loss_are_those_of_dense_least_squares(
    family, covariance, options, model, x64
):
    reference, blurred = noisy_pair(covariance)
    estimate = gj.estimate_blur(reference, blurred, family=family, **options)
    assert estimate.status == 0
    residual = interior(estimate, reference, blurred, model)
    start = np.atleast_1d(estimate.sigma) + 0.3
    dense = scipy.optimize.least_squares(residual, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    np.testing.assert_allclose(np.atleast_1d(estimate.sigma), dense.x, rtol=1e-6)
    np.testing.assert_allclose(estimate.loss, dense.cost, rtol=1e-9)
    steps = 1e-5 * np.eye(dense.x.size)
    jacobian = np.stack([(residual(dense.x + h) - residual(dense.x - h)) / 2e-5 for h in steps], 1)
    noise_variance = 2 * dense.cost / (len(jacobian) - dense.x.size)
    np.testing.assert_allclose(estimate.noise_variance, noise_variance, rtol=1e-9)
    inverse = noise_variance * np.linalg.inv(jacobian.T @ jacobian)
    inside = compared(estimate, reference)
    factors = long_run_factors(residual(dense.x), jacobian, inside, reference.shape)
    scatter = np.linalg.inv(inverse) * np.sqrt(np.outer(factors, factors))
    expected = np.sqrt(np.diag(inverse @ scatter @ inverse))
    errors = np.atleast_1d(estimate.sigma_standard_error)
    np.testing.assert_allclose(errors, expected, rtol=0.01)
    variance_errors = 2 * dense.x * expected
    np.testing.assert_allclose(estimate.standard_error.variance, variance_errors, rtol=1e-5)


def test_padded_frames_too(x64):
    reference, _ = cropped_scene(np.eye(2))
    noise = NOISE_STD * np.random.default_rng(1).normal(size=reference.shape)
    blurred = scipy.ndimage.gaussian_filter(reference, 1.5, mode="nearest") + noise
    estimate = gj.estimate_blur(reference, blurred, kernel="sampled", boundary="nearest")
    dense = scipy.optimize.least_squares(
        lambda s: (
            scipy.ndimage.gaussian_filter(reference, s[0], radius=6, mode="nearest") - blurred
        ).ravel(),
        [2.0],
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    np.testing.assert_allclose(estimate.sigma, dense.x[0], rtol=1e-6)
    np.testing.assert_allclose(estimate.loss, dense.cost, rtol=1e-9)
    assert estimate.num_pixels == reference.size


def test_the_edge_does_not_leak_in(x64):
    # What lies beyond the frame changes nothing, because those pixels are not compared.
    reference, blurred = cropped_scene(2.25 * np.eye(2))
    spoiled = blurred.copy()
    spoiled[:6] += 10
    spoiled[:, -6:] -= 10
    clean, still_clean = (gj.estimate_blur(reference, b) for b in (blurred, spoiled))
    np.testing.assert_allclose(still_clean.sigma, clean.sigma, rtol=1e-9)
    np.testing.assert_allclose(clean.sigma, 1.5, rtol=1e-4)
