"""Variances of a score where noise is correlated or uneven, against sums written out and draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.statistics.long_run_covariance import (
    drawn_to_one,
    long_run,
    power_unevenness,
    unevenness,
)

SIZE, DRAWS = 40, 3000
# Four standard errors of a variance over so many draws of normal numbers.
CHANCE = 4 * np.sqrt(2 / DRAWS)


def power(image):
    return jnp.abs(jnp.fft.rfftn(image)) ** 2


@jax.jit
def of_spectrum(residual, field, num_pixels):
    return long_run(power(residual), [power(field)], residual.shape, num_pixels)


def factor_of_spectrum(residual, field):
    return of_spectrum(residual, field, residual.size).factors[0]


@jax.jit
def uneven_factor(score, field, weights, alike=1.0):
    return unevenness(score, [field], weights, alike).factors[0]


uneven = jax.jit(lambda score, field, weights: unevenness(score, [field], weights))


def left_of(noise, field):
    """What the fit of a field leaves of noise."""
    return noise - np.tensordot(noise, field, 2)[:, None, None] * field / np.sum(field**2)


def shrunk(found, chance, raised_by=None):
    """An unbiased factor with a known chance error."""
    distance = found - 1
    size = distance**2 / (distance**2 + chance)
    slope = 3 * size - 2 * size**2
    return (1 + distance * size) * (1 + (chance if raised_by is None else raised_by) * slope**2)


@pytest.fixture
def field(rng):
    """As smooth as a derivative by the blur is, and stronger on one side."""
    w = np.hypot(*np.meshgrid(*2 * [2 * np.pi * np.fft.fftfreq(SIZE)]))
    spectrum = np.fft.fftn(rng.normal(size=(SIZE, SIZE))) * w**2 * np.exp(-2 * w**2)
    return np.fft.ifftn(spectrum).real * np.linspace(0.2, 2, SIZE)


@pytest.mark.parametrize("shape", [(31,), (12, 13), (11, 10), (5, 6, 7)])
def test_it_is_the_variance_with_the_covariances_of_the_residual(shape, rng, x64):
    residual, field = rng.normal(size=(2, *shape))
    shifts = list(np.ndindex(shape))
    axes = tuple(range(len(shape)))
    covariance = [np.mean(residual * np.roll(residual, s, axes)) for s in shifts]
    overlap = [np.sum(field * np.roll(field, s, axes)) for s in shifts]
    found = np.dot(covariance, overlap) / (np.mean(residual**2) * np.sum(field**2))
    spectrum, noise = (np.abs(np.fft.fftn(x)) ** 2 for x in (field, residual))
    parts, both = spectrum / np.sum(spectrum), spectrum * noise / np.sum(spectrum * noise)
    # The covariance of an ordinate with the moved field, twice, less the field's own power.
    found *= 1 + 2 * np.sum(both * parts) - np.sum(parts**2)
    chance = 2 * np.sum(parts**2)
    expected = shrunk(found, chance, max(chance, np.sum(both**2)))
    np.testing.assert_allclose(factor_of_spectrum(residual, field), expected, rtol=1e-10)


def test_white_noise_moves_it_by_less_than_chance(field, x64):
    noise = left_of(np.random.default_rng(1).normal(size=(DRAWS, SIZE, SIZE)), field)
    factors = jax.jit(jax.vmap(factor_of_spectrum, (0, None)))(noise, field)
    spectrum = np.abs(np.fft.fftn(field)) ** 2
    chance = 2 * np.sum(spectrum**2) / np.sum(spectrum) ** 2
    assert 0 < np.var(factors) < chance
    assert abs(np.mean(factors) - 1) < chance


@pytest.mark.parametrize("width", [0.6, 1.2])
def test_it_is_the_scatter_of_the_score_in_correlated_noise(width, field, x64):
    w = np.meshgrid(2 * np.pi * np.fft.fftfreq(SIZE), 2 * np.pi * np.fft.rfftfreq(SIZE))
    transfer = np.exp(-0.5 * width**2 * (w[0] ** 2 + w[1] ** 2)).T
    white = np.random.default_rng(2).normal(size=(DRAWS, SIZE, SIZE))
    noise = np.fft.irfft2(np.fft.rfft2(white) * transfer, (SIZE, SIZE))
    factors = np.asarray(jax.jit(jax.vmap(factor_of_spectrum, (0, None)))(noise, field))
    even = np.mean(noise**2, axis=(1, 2)) * np.sum(field**2)
    scatter = np.var(np.sum(noise * field, axis=(1, 2)))
    assert abs(scatter / np.mean(even) - 1) > 3 * CHANCE
    np.testing.assert_allclose(np.mean(factors * even), scatter, rtol=CHANCE)


@pytest.mark.parametrize("width", [0.5, 0.8])
def test_squares_of_neighbours_are_alike_by_the_square_of_their_correlation(width, field, x64):
    w = np.meshgrid(*2 * [2 * np.pi * np.fft.fftfreq(SIZE)])
    spectrum = np.exp(-(width**2) * (w[0] ** 2 + w[1] ** 2))
    correlation = np.fft.ifft2(spectrum).real
    expected = np.sum((correlation / correlation[0, 0]) ** 2)
    white = np.random.default_rng(6).normal(size=(200, SIZE, SIZE))
    noise = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(spectrum)).real
    found = np.asarray(jax.jit(jax.vmap(of_spectrum, (0, None, None)))(noise, field, 1).alike)
    np.testing.assert_allclose(found.mean(), expected, atol=5 * found.std() / np.sqrt(200))


@pytest.mark.parametrize("width", [0.0, 0.4, 0.8])
def test_deviates_of_a_fit_have_a_mean_square_of_one(width, field, x64):
    """That the variance is known by chance only makes their squares larger on average."""
    w = np.meshgrid(*2 * [2 * np.pi * np.fft.fftfreq(SIZE)])
    transfer = np.exp(-0.5 * width**2 * (w[0] ** 2 + w[1] ** 2))
    white = np.random.default_rng(5).normal(size=(DRAWS, SIZE, SIZE))
    inside = np.zeros((SIZE, SIZE))
    inside[6:-6, 6:-6] = 1
    # Smooth, so that few frequencies tell.
    part = inside * np.fft.ifft2(np.fft.fft2(field) * np.exp(-4 * (w[0] ** 2 + w[1] ** 2))).real
    noise = inside * np.fft.ifft2(np.fft.fft2(white) * transfer).real
    moves, left = np.tensordot(noise, part, 2) / np.sum(part**2), left_of(noise, part)

    def factor(residual):
        found = of_spectrum(residual, part, inside.sum())
        return found.factors[0] * uneven_factor(residual, part, inside, found.alike)

    factors = np.asarray(jax.jit(jax.vmap(factor))(left))
    bars = factors * np.sum(left**2, axis=(1, 2)) / (inside.sum() - 1) / np.sum(part**2)
    np.testing.assert_allclose(np.mean(moves**2 / bars), 1, atol=CHANCE)


def test_squares_of_single_pixels_are_written_out(rng, x64):
    residual, field = rng.normal(size=(2, 9, 10))
    weights = rng.random((9, 10)) * (rng.random((9, 10)) < 0.7)
    counted = weights > 0
    mean = np.sum(weights * residual**2) / np.sum(counted)
    energy = weights * field**2
    found = np.sum(weights**2 * residual**2 * field**2) / (mean * np.sum(energy))
    chance = 2 * np.sum(energy**2) / np.sum(energy) ** 2
    factor = uneven_factor(*(jnp.asarray(x) for x in (weights * residual, field, weights)))
    expected = shrunk(found * (1 + 0.5 * chance), chance)
    np.testing.assert_allclose(factor, expected, rtol=1e-12)


@pytest.mark.parametrize("strong", ["where the field is", "where it is not"])
def test_it_is_the_scatter_of_the_score_in_uneven_noise(strong, field, x64):
    level = np.abs(field) / np.max(np.abs(field))
    level = 0.2 + (level if strong == "where the field is" else (1 - level) ** 8)
    noise = level * np.random.default_rng(3).normal(size=(DRAWS, SIZE, SIZE))
    inside = np.zeros((SIZE, SIZE))
    inside[5:-5, 3:-3] = 1
    of_draw = jax.jit(jax.vmap(lambda r: uneven_factor(inside * r, field, inside)))
    factors = np.asarray(of_draw(noise))
    even = np.sum(inside * noise**2, axis=(1, 2)) / np.sum(inside) * np.sum(inside * field**2)
    scatter = np.var(np.sum(inside * noise * field, axis=(1, 2)))
    assert abs(scatter / np.mean(even) - 1) > 3 * CHANCE
    np.testing.assert_allclose(np.mean(factors * even), scatter, rtol=CHANCE)


def test_even_noise_moves_the_uneven_factor_by_less_than_chance(field, x64):
    noise = left_of(np.random.default_rng(4).normal(size=(DRAWS, SIZE, SIZE)), field)
    everywhere = np.ones((SIZE, SIZE))
    factors = jax.jit(jax.vmap(lambda r: uneven_factor(r, field, everywhere)))(noise)
    chance = 2 * np.sum(field**4) / np.sum(field**2) ** 2
    assert 0 < np.var(factors) < chance
    assert abs(np.mean(factors) - 1) < chance


@pytest.mark.parametrize("chance", [0.0, 1e-4, 0.05, 1.0])
def test_a_factor_is_drawn_to_one_without_a_jump(chance, x64):
    given = np.linspace(0, 5, 5001)
    drawn = np.asarray(drawn_to_one(jnp.asarray(given), jnp.asarray(chance)))
    steps = np.diff(drawn) / np.diff(given)
    # The slope (u^2 + 3 u) / (u + 1)^2 with u = distance^2 / chance is largest at u = 3.
    assert np.all((steps > -1e-9) & (steps < 9 / 8 + 1e-9))
    assert np.all(np.abs(drawn - 1) <= np.abs(given - 1) + 1e-12)
    np.testing.assert_allclose(drawn[1000], 1, atol=1e-12)
    if chance == 0:
        np.testing.assert_allclose(drawn, given, rtol=1e-12)
    one_error = drawn_to_one(jnp.asarray(1 + chance**0.5), jnp.asarray(chance))
    np.testing.assert_allclose(one_error, 1 + 0.5 * chance**0.5, rtol=1e-12)


def test_nothing_to_look_at_is_finite(dtype):
    with jax.debug_nans(True):
        image, nothing = jnp.ones((6, 8), dtype), jnp.zeros((6, 8), dtype)
        for residual, field in ((nothing, image), (image, nothing), (nothing, nothing)):
            assert np.isfinite(factor_of_spectrum(residual, field))
            assert np.isfinite(uneven_factor(residual, field, image))
            assert np.isfinite(uneven_factor(nothing, field, nothing))


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_unit_of_the_images_is_no_matter(scale, field, rng):
    """Its powers stay in the range of float32."""
    residual, field = (np.float32(x) for x in (rng.normal(size=field.shape), field))
    there = factor_of_spectrum(np.float32(scale) * residual, np.float32(1e-3) * field)
    np.testing.assert_allclose(there, factor_of_spectrum(residual, field), rtol=1e-4)


@pytest.mark.parametrize("slope", [0.0, 0.9])
def test_powers_of_uneven_noise_scatter_more(slope, x64):
    window = np.outer(*2 * [np.sin(np.pi * (np.arange(SIZE) + 0.5) / SIZE)])
    strength = 1 + slope * np.sin(2 * np.pi * np.arange(SIZE) / SIZE)
    noise = window * strength * np.random.default_rng(2).normal(size=(DRAWS, SIZE, SIZE))
    radius = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    ring = (radius > 0.1) & (radius < 0.35)
    powers = np.mean(np.abs(np.fft.rfft2(noise)[:, ring]) ** 2, axis=1)
    scatter = np.var(powers) / np.mean(powers) ** 2
    v = (window * strength) ** 2
    even = np.sum(window**4) / np.sum(window**2) ** 2
    factor = np.sum(v**2) / np.sum(v) ** 2 / even
    found = jax.jit(jax.vmap(power_unevenness, (0, None)))(noise[:300], window)
    # A pixel's neighbour is not quite as noisy.
    np.testing.assert_allclose(np.mean(found), factor, rtol=0.03)
    # A ring holds what most pairs of neighbouring frequencies share.
    whole = factor * even * SIZE**2 / ring.sum()
    np.testing.assert_allclose(scatter, whole, rtol=0.2)


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_a_part_of_the_squares_lies_on_the_details(part, field, rng, x64):
    # Noise of one strength everywhere, and noise that is as strong as the field.
    strength = part * field**2 / np.mean(field**2) + 1 - part
    weights, parts, deviates = np.ones(field.shape), [], []
    for noise in rng.normal(size=(300, *field.shape)):
        found = uneven(np.sqrt(strength) * noise, field, weights)
        parts.append(found.on_details)
        deviates.append(found.deviate)
    error = np.std(parts) / np.sqrt(len(parts))
    # A quotient of means is no mean of quotients.
    np.testing.assert_allclose(np.mean(parts), part, atol=4 * error + 0.05 * part)
    if part:
        assert np.mean(deviates) > 3
    else:
        assert abs(np.mean(deviates)) < 4 / np.sqrt(len(deviates))
        np.testing.assert_allclose(np.std(deviates), 1, atol=0.2)
