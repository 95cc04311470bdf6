"""Departures from a linear model: what a second least-squares fit would say, without one."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gaussjax.statistics.cause import Cause
from gaussjax.statistics.departures import (
    LEVEL,
    Departures,
    DepartureSums,
    Spread,
    beside_the_fit,
    no_blur_at_all,
    reference_noise_departure,
    reference_noise_effect,
    rounding_noise_level,
    told_apart,
)
from gaussjax.statistics.departures import alternatives as alternatives_eagerly
from gaussjax.statistics.departures import directed as directed_eagerly
from gaussjax.statistics.long_run_covariance import Unevenness
from gaussjax.statistics.noise_weighted_sums import ReferenceNoise

EVEN = Unevenness(jnp.ones(1), jnp.zeros(()), jnp.zeros(()))
alternatives = jax.jit(alternatives_eagerly, static_argnums=3)

PIXELS, FITTED, DIRECTIONS, BLOCKS = 1600, 3, 12, 100
CAUSES = [Cause.GAIN, Cause.OFFSET, Cause.SHIFT] * 4
DRAWS = 500


def directed(sums, rounding, causes):
    return directed_in_one(sums, rounding, tuple(causes))


directed_in_one = jax.jit(directed_eagerly, static_argnums=2)


def fit(fields, data, weights):
    """Parameters and residual of weighted least squares; fields ``[k, n]``."""
    root = np.sqrt(weights)
    theta = np.linalg.lstsq((root * fields).T, root * data, rcond=None)[0]
    return theta, data - theta @ fields


@partial(jax.jit, static_argnames="blocks")
def departure_sums(fields, found, residual, weights, blocks=BLOCKS):
    """The sums of one residual; neighbours share a block."""
    k, columns = len(fields), jnp.concatenate([fields, found])
    inner = (weights[None] * columns) @ columns.T
    count = jnp.sum(weights > 0)
    totals = columns @ (weights * residual)
    beside = beside_the_fit(inner[:k, :k], inner[:k, k:], jnp.diag(inner)[k:], totals)
    left = found - beside.coefficients.T @ fields
    power = weights[None] * left**2
    own = (weights * residual)[None] * left - beside.strengths[:, None] * power

    def squares(images):
        each = jnp.sum(images.reshape(len(images), blocks, -1), axis=2), images
        return jnp.stack([jnp.sum(x**2, axis=1) for x in each])

    return DepartureSums(
        beside=beside,
        mixed=inner[:k, k:],
        powers=jnp.diag(inner)[k:],
        levels=columns[k:] @ weights,
        spread=Spread(squares(own), squares(power)),
        variance=jnp.sum((weights * residual) ** 2) / (count - k),
        num_pixels=count.astype(residual.dtype),
    )


@pytest.fixture
def problem(rng):
    """Fields J, directions z that J can imitate in part, data, and weights 0 or 1."""
    fields = rng.normal(size=(FITTED, PIXELS))
    mixing = rng.normal(size=(DIRECTIONS, FITTED))
    found = rng.normal(size=(DIRECTIONS, PIXELS)) + mixing @ fields
    data = 0.7 * fields[0] + 0.05 * found[4] + rng.normal(size=PIXELS)
    return fields, found, data, (rng.random(PIXELS) < 0.8).astype(float)


def evenly(sums):
    """Sums of scores that are spread over very many pixels evenly: these tell no larger error."""
    return replace(sums, spread=jax.tree.map(jnp.zeros_like, sums.spread))


def test_effect_and_deviate_are_those_of_a_fit_with_the_direction(problem, x64):
    fields, found, data, weights = problem
    theta, residual = fit(fields, data, weights)
    departures = directed(evenly(departure_sums(fields, found, residual, weights)), 0.0, CAUSES)
    squares = np.sum(weights * residual**2)
    variance = squares / (np.sum(weights) - FITTED)
    for j, direction in enumerate(found):
        both = np.concatenate([fields, direction[None]])
        wider, less = fit(both, data, weights)
        error = np.sqrt(variance * np.linalg.inv((weights * both) @ both.T)[-1, -1])
        np.testing.assert_allclose(departures.z_scores[j], abs(wider[-1]) / error, rtol=1e-9)
        np.testing.assert_allclose(departures.effects[:, j], theta - wider[:-1], atol=1e-12)
        # Of the variance that is left, times the number of pixels.
        explained = (squares - np.sum(weights * less**2)) / (variance * np.sum(weights))
        np.testing.assert_allclose(departures.shares[j], explained, rtol=1e-9)


def test_p_values_are_two_sided_and_adjusted_for_their_number(problem, x64):
    fields, found, data, weights = problem
    _, residual = fit(fields, data, weights)
    departures = directed(departure_sums(fields, found, residual, weights), 0.0, CAUSES)
    single = 2 * scipy.stats.norm.sf(np.asarray(departures.z_scores))
    expected = np.minimum(DIRECTIONS * single, 1)
    np.testing.assert_allclose(departures.p_values, expected, rtol=1e-9)
    assert departures.causes == tuple(CAUSES)


def test_blocks_and_pixels_widen_the_error_of_a_score(problem, x64):
    fields, found, data, weights = problem
    # Stronger noise in some blocks, and in some pixels of each.
    uneven = np.repeat(np.linspace(0.2, 2, BLOCKS), PIXELS // BLOCKS) * np.tile(
        [0.5, 2], PIXELS // 2
    )
    data = data + uneven * np.random.default_rng(8).normal(size=PIXELS)
    _, residual = fit(fields, data, weights)
    sums = departure_sums(fields, found, residual, weights)
    departures = directed(sums, 0.0, CAUSES)
    factors = []
    for j, direction in enumerate(found):
        _, left = fit(fields, direction, weights)
        power = weights * left**2
        total = np.sum(weights * left * residual)
        own = weights * left * residual - total / np.sum(power) * power
        classical = float(sums.variance) * np.sum(power)
        for blocks in (BLOCKS, PIXELS):
            share = np.sum(np.sum(power.reshape(blocks, -1), axis=1) ** 2) / np.sum(power) ** 2
            squares = np.sum(np.sum(own.reshape(blocks, -1), axis=1) ** 2)
            distance = squares / (1 - share) / classical - 1
            factors.append(1 + distance**3 / (distance**2 + 2 * share))
        factor = max(*factors[-2:], 1)
        expected = abs(total) / np.sqrt(classical * factor + share * total**2)
        np.testing.assert_allclose(departures.z_scores[j], expected, rtol=1e-9)
    assert min(factors) < 1 < max(factors)


def of_a_gain(scene, residual):
    """The deviate of the gain of a scene, one of a few stars, beside their width."""
    fields, weights = np.gradient(np.gradient(scene))[None], np.ones(PIXELS)
    _, left = fit(fields, residual, weights)
    return directed(departure_sums(fields, scene[None], left, weights), 0.0, CAUSES[:1]).z_scores[0]


def test_a_departure_in_few_places_is_no_noise_of_these(x64):
    # One star is ten times brighter than the next, and so on.
    star = np.exp(-0.5 * np.linspace(-3, 3, PIXELS // BLOCKS) ** 2)
    scene = np.kron(10.0 ** -np.arange(BLOCKS), star)
    noise = 0.01 * np.random.default_rng(9).normal(size=PIXELS)
    assert of_a_gain(scene, noise) < 2
    assert of_a_gain(scene, noise + 0.05 * scene) > 2.5
    # One pixel may be off by any amount.
    assert of_a_gain(scene, noise + 100 * (np.arange(PIXELS) == np.argmax(scene))) < 2


def test_beside_a_level_that_explains_most_effects_are_those_of_a_fit_with_both(problem, x64):
    fields, found, data, weights = problem
    found = found + 0.5
    found[1] = 1.0
    level = CAUSES.index(Cause.OFFSET)
    assert level == 1
    data = data + 5 + 0.5 * found[4]
    _, residual = fit(fields, data, weights)
    departures = directed(evenly(departure_sums(fields, found, residual, weights)), 0.0, CAUSES)
    assert np.argmax(departures.shares) == level
    left, effects = np.asarray(departures.left), np.asarray(departures.effects)
    np.testing.assert_array_equal(left[:, level], effects[:, level])
    with_level = np.concatenate([fields, found[1:2]])
    theta, _ = fit(with_level, data, weights)
    for j in set(range(DIRECTIONS)) - {level}:
        both, _ = fit(np.concatenate([with_level, found[j : j + 1]]), data, weights)
        np.testing.assert_allclose(left[:, j], (theta - both[:-1])[:FITTED], atol=1e-12)


@pytest.mark.parametrize("rounding", [1e-6, 1.0])
def test_rounding_lowers_every_deviate_alike(rounding, problem, x64):
    fields, found, data, weights = problem
    _, residual = fit(fields, data, weights)
    sums = evenly(departure_sums(fields, found, residual, weights))
    plain, rounded = (directed(sums, r, CAUSES).z_scores for r in (0.0, rounding))
    factor = np.sqrt(1 + rounding * np.sum(weights) / float(sums.variance))
    np.testing.assert_allclose(plain, factor * rounded, rtol=1e-9)


def test_a_direction_that_the_fit_imitates_says_nothing(problem, dtype):
    fields, found, data, weights = (x.astype(dtype) for x in problem)
    imitated = np.stack([fields[1], fields[0] - 2 * fields[2], np.zeros(PIXELS, dtype)])
    _, residual = fit(fields, data, weights)
    with jax.debug_nans(True):
        sums = departure_sums(fields, np.concatenate([imitated, found]), residual, weights)
        departures = directed(sums, 0.0, [Cause.TONE] * 3 + CAUSES)
        other = alternatives(sums, 0.0, jnp.zeros((FITTED, 15), dtype), Cause.CONVENTION)
    for each in (departures, other):
        np.testing.assert_array_equal(each.z_scores[:3], 0)
        np.testing.assert_array_equal(each.effects[:, :3], 0)
        assert np.all(np.isfinite(each.shares))
    assert np.max(departures.z_scores) > 1


@pytest.mark.parametrize("noise", ["white", "uneven", "correlated"])
def test_noise_alone_is_seldom_taken_for_a_departure(noise, x64):
    random = np.random.default_rng(5)
    # Neighbours of the fields resemble each other, as those of a photograph do.
    columns = random.normal(size=(FITTED + DIRECTIONS, PIXELS // 4, 1)) + 0.5 * random.normal(
        size=(FITTED + DIRECTIONS, PIXELS // 4, 4)
    )
    columns = columns.reshape(FITTED + DIRECTIONS, PIXELS)
    fields, found = columns[:FITTED], columns[FITTED:]
    white = random.normal(size=(DRAWS, PIXELS))
    if noise == "uneven":
        white = white * np.linspace(0.2, 2, PIXELS)
    if noise == "correlated":
        white = white + np.repeat(random.normal(size=(DRAWS, PIXELS // 4)), 4, axis=1)
    projector = np.linalg.pinv(fields)
    residuals = white - white @ projector @ fields

    @jax.jit
    @jax.vmap
    def least_p_value(residual):
        sums = departure_sums(fields, found, residual, jnp.ones(PIXELS))
        return jnp.min(directed(sums, 0.0, CAUSES).p_values)

    taken = np.sum(least_p_value(residuals) < LEVEL)
    # More than this happens one time in a thousand at the level.
    assert scipy.stats.binom(DRAWS, LEVEL).sf(taken - 1) > 1e-3
    # And the test is not dead: where a direction is there at six errors it is found.
    strength = 6 * np.std(white) / np.sqrt(np.sum(found[4] ** 2))
    there = white + strength * found[4] * (3 if noise == "correlated" else 1)
    assert np.mean(least_p_value(there - there @ projector @ fields) < LEVEL) > 0.9


def test_an_alternative_is_a_likelihood_ratio(problem, x64):
    fields, found, data, weights = problem
    theta, residual = fit(fields, data, weights)
    sums = evenly(departure_sums(fields, 0.1 * found, residual, weights))
    changes = np.random.default_rng(6).normal(size=(FITTED, DIRECTIONS))
    departures = alternatives(sums, 0.0, jnp.asarray(changes), Cause.CONVENTION)
    squares, ratios, moved = np.sum(weights * residual**2), [], []
    for direction, change in zip(0.1 * found, changes.T, strict=True):
        # The other model predicts the direction on top, and is fitted anew.
        again, other = fit(fields, data - theta @ fields - direction, weights)
        ratios.append((squares - np.sum(weights * other**2)) / float(sums.variance))
        moved.append(change + again)
    best = int(np.argmax(ratios))
    assert ratios[best] > 1
    np.testing.assert_allclose(departures.z_scores[best] ** 2, ratios[best], rtol=1e-9)
    np.testing.assert_allclose(departures.effects[:, best], moved[best], rtol=1e-9)
    # One of them at most is true.
    np.testing.assert_array_equal(np.delete(departures.z_scores, best), 0)
    np.testing.assert_array_equal(np.delete(departures.effects, best, axis=1), 0)


def test_alternatives_that_fit_worse_are_none(problem, x64):
    fields, found, _, weights = problem
    noise = np.random.default_rng(7).normal(size=PIXELS)
    _, residual = fit(fields, noise, weights)
    sums = departure_sums(fields, found, residual, weights)
    departures = alternatives(sums, 0.0, jnp.ones((FITTED, DIRECTIONS)), Cause.CONVENTION)
    np.testing.assert_array_equal(departures.z_scores, 0)
    np.testing.assert_array_equal(departures.effects, 0)
    assert not np.any(departures.possible)


def test_what_an_interval_allows_for(problem, x64):
    fields, found, data, weights = problem
    _, residual = fit(fields, data, weights)
    sums = departure_sums(fields, found, residual, weights)
    unknown = directed(sums, 0.0, CAUSES)
    np.testing.assert_array_equal(unknown.possible, unknown.p_values < LEVEL)
    # A whole other model counts from a likelihood ratio of e on, where it is no evidence yet.
    strength = 2.2 * float(jnp.sqrt(sums.variance / sums.powers[7]))
    likely = strength * found[7:8] * np.sign(np.sum(weights * residual * found[7]))
    known = departure_sums(fields, likely, residual + 0.75 * likely[0], weights)
    known = alternatives(known, 0.0, jnp.zeros((FITTED, 1)), Cause.CONVENTION)
    both = unknown.joined(known)
    assert both.effects.shape == (FITTED, DIRECTIONS + 1)
    np.testing.assert_array_equal(both.possible[:-1], unknown.possible)
    assert both.possible[-1] == (known.z_scores[0] ** 2 > 2)
    assert both.causes[-1] == Cause.CONVENTION


def summary(squares=200.0, num_pixels=100.0, inverse=((0.5,),)):
    return SimpleNamespace(
        squares=jnp.asarray(squares),
        num_pixels=jnp.asarray(num_pixels),
        mean_square=jnp.asarray(squares / num_pixels),
        inverse=jnp.asarray(inverse),
    )


def reference_noise(part, error, bias=(-0.3,), most=np.inf):
    return ReferenceNoise(*map(jnp.asarray, (part, error, most, bias)))


def test_noise_of_a_hides_blur(x64):
    # The residual has a variance of 2 per pixel, of which A holds a quarter.
    def departure(part, known):
        noise = reference_noise(part, 0.02)
        return reference_noise_departure(noise, summary(), jnp.asarray(known), 0.0, uneven=EVEN)

    found = departure(0.25, 0.05)
    np.testing.assert_allclose(found.z_scores, [(0.5 - 0.05) / 0.04, 0])
    np.testing.assert_allclose(found.effects, [[0.5 * -0.3 * 0.45 * 100, 0]])
    assert found.serious[0]
    fewer = departure(0.25, 0.2)
    assert not fewer.serious[0]
    # Nor has an interval to allow for more than all that is seen, but for the doubt it counts.
    less = reference_noise_departure(
        reference_noise(0.25, 0.02, most=0.1), summary(), jnp.asarray(0.05), 0.0, uneven=EVEN
    )
    np.testing.assert_allclose(less.left, [[0.5 * -0.3 * 0.2 * 100, 0]])
    np.testing.assert_array_equal(less.effects, found.effects)
    # What something else explains an interval need not allow for.
    explained = reference_noise_departure(
        reference_noise(0.25, 0.02), summary(), jnp.asarray(0.05), 0.0, 0.1, uneven=EVEN
    )
    np.testing.assert_allclose(explained.left, 0.1 * found.left)
    np.testing.assert_array_equal(explained.effects, found.effects)
    none = departure(-0.25, 0.0)
    np.testing.assert_array_equal(none.z_scores, 0)
    np.testing.assert_array_equal(none.effects, 0)


def named(found):
    """The cause of the significant departure that explains most."""
    found = told_apart(found)
    first = jnp.argmax(jnp.where(found.p_values < LEVEL, found.shares, -1))
    return found.causes[int(first)] if found.p_values[first] < LEVEL else Cause.NONE


@pytest.mark.parametrize(
    ("part", "on_details", "deviate", "cause"),
    [
        (0.8, 0.09, 9.0, Cause.NOISE_IN_REFERENCE),  # which would explain a quarter of 0.8
        (0.8, 0.11, 9.0, Cause.NOT_A_FILTER),
        (0.8, 0.11, 1.0, Cause.NOISE_IN_REFERENCE),  # by chance
        (0.8, -0.3, -9.0, Cause.NOISE_IN_REFERENCE),
        (0.0, 0.5, 9.0, Cause.NONE),  # uneven noise in B
    ],
)
def test_noise_of_a_is_not_where_the_details_are(part, on_details, deviate, cause, x64):
    uneven = Unevenness(jnp.ones(1), jnp.asarray(on_details), jnp.asarray(deviate))
    args = reference_noise(part, 0.02), summary(), jnp.asarray(0.0), 0.0
    found = reference_noise_departure(*args, uneven=uneven)
    assert named(found) == cause
    # Only the name depends on it.
    even = reference_noise_departure(*args, uneven=EVEN)
    np.testing.assert_array_equal(found.effects, even.effects)
    np.testing.assert_array_equal(found.left, even.left)
    np.testing.assert_array_equal(found.z_scores[0], even.z_scores[0])


@pytest.mark.parametrize(("share", "cause"), [(0.2, Cause.NOT_A_FILTER), (0.4, Cause.KERNEL)])
def test_what_lies_on_the_details_is_a_filter_if_one_explains_more(share, cause, x64):
    uneven = Unevenness(jnp.ones(1), jnp.asarray(0.3), jnp.asarray(9.0))
    none = reference_noise_departure(
        reference_noise(0.0, 0.02), summary(), jnp.asarray(0.0), 0.0, uneven=uneven
    )
    kernel = Departures(
        z_scores=jnp.asarray([20.0]),
        effects=jnp.ones((1, 1)),
        shares=jnp.asarray([share]),
        serious=jnp.ones(1, bool),
        additive=jnp.asarray([20.0]),
        trials=(2,),
        causes=(Cause.KERNEL,),
    )
    assert named(kernel.joined(none)) == cause


def test_the_effect_of_noise_of_a_is_that_on_least_squares(x64):
    # Periodic signals, whose blur is the variance of exp(-v w^2 / 2), fitted many times.
    random, size, draws, variance, level = np.random.default_rng(8), 512, 400, 1.0, 0.01
    w = 2 * np.pi * np.fft.fftfreq(size)
    response = np.exp(-0.5 * variance * w**2)
    slope = -0.5 * w**2 * response
    signal = np.fft.fft(random.normal(size=size)) * np.exp(-0.5 * w**2)
    noisy = signal + np.fft.fft(level**0.5 * random.normal(size=(draws, size)))
    # First-order least squares at the truth: d = -<J, r> / <J, J>, with J of the noisy signal.
    residual, fields = response * (noisy - signal), slope * noisy
    scores = np.sum((np.conj(fields) * residual).real, axis=1) / size
    information = np.mean(np.sum(np.abs(fields) ** 2, axis=1)) / size
    moved = -scores / information
    noise = reference_noise(1.0, 0.0, [np.mean(response * slope)])
    whole = summary(num_pixels=float(size), inverse=[[1 / information]])
    effect = float(reference_noise_effect(noise, whole, jnp.asarray(level))[0])
    # What the fit has lost has to be added, so it is the other way.
    error = np.std(moved) / np.sqrt(draws)
    assert abs(effect) > 10 * error
    np.testing.assert_allclose(np.mean(moved), -effect, atol=4 * error)


def test_rounding_is_anything_up_to_its_largest(x64):
    def level(part, error):
        found = rounding_noise_level(reference_noise(part, error), summary(), jnp.asarray(0.3))
        return [float(x) for x in found]

    # The spectrum tells all, nothing, or as much as the bound itself does.
    np.testing.assert_allclose(level(0.1, 0.0), [0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(level(0.1, 1e6), [0.15, 0.3 / 12**0.5], rtol=1e-6)
    even = 0.3 / 12**0.5
    np.testing.assert_allclose(level(0.1, even / 2), [0.175, even / 2**0.5], rtol=1e-9)
    for part in (-3.0, 3.0):
        assert 0 <= level(part, 0.01)[0] <= 0.3
    nothing = rounding_noise_level(reference_noise(0.1, 0.0), summary(), jnp.asarray(0.0))
    np.testing.assert_array_equal(nothing, 0)


def test_no_blur_at_all_is_possible_where_noise_of_a_may_be_all_of_it(x64):
    def possible(variance, part):
        variances = jnp.asarray([variance])
        found = no_blur_at_all(reference_noise(part, 0.0), summary(), variances, 1)
        assert not found.serious[0]
        np.testing.assert_allclose(found.effects, [[variance if found.possible[0] else 0]])
        return bool(found.possible[0])

    # Noise of variance v hides 0.5 * 0.3 * v * 100 px^2; the residual's is 2.
    assert possible(14.9, 0.5)
    assert not possible(15.1, 0.5)
    # No more of it than the residual holds.
    assert possible(29.9, 5.0)
    assert not possible(30.1, 5.0)
    # Less than none: the noise is not white, and the spectrum misleads by as much.
    assert possible(14.9, -0.5)
    assert not possible(15.1, -0.5)
    assert possible(29.9, -5.0)
    assert not possible(30.1, -5.0)
    # No noise of A, or B is the sharper image.
    assert not possible(0.1, 0.0)
    assert not possible(-1.0, 0.5)
