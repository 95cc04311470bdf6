import numpy as np
import pytest

from gaussjax.random_effects import SigmaMoments


def moments(sigma, error):
    return SigmaMoments.of(np.asarray(sigma)[:, None], np.asarray(error)[:, None], np.array([2.0]))


def added(first, second):
    return SigmaMoments(**{name: vars(first)[name] + vars(second)[name] for name in vars(first)})


def textbook(sigma, error):
    """Q and DerSimonian and Laird's variance, as the paper writes them."""
    weights = 1 / error**2
    mean = np.sum(weights * sigma) / np.sum(weights)
    q = np.sum(weights * (sigma - mean) ** 2)
    scale = np.sum(weights) - np.sum(weights**2) / np.sum(weights)
    return q, max(0, (q - len(sigma) + 1) / scale)


@pytest.mark.parametrize("spread", [0, 0.3])
def test_agrees_with_the_textbook_and_adds_up(rng, spread):
    error = rng.uniform(0.05, 0.2, 40)
    sigma = 2.1 + error * rng.standard_normal(40) + spread * rng.standard_normal(40)
    q, variance = textbook(sigma, error)
    found = added(moments(sigma[:13], error[:13]), moments(sigma[13:], error[13:]))
    np.testing.assert_allclose(found.heterogeneity, q / 39, rtol=1e-10)
    np.testing.assert_allclose(found.scatter, np.sqrt(variance), rtol=1e-8, atol=1e-9)


def test_the_scatter_is_unbiased(rng):
    spread, count, draws = 0.3, 60, 500
    error = rng.uniform(0.05, 0.5, (draws, count))
    noise, between = rng.standard_normal((2, draws, count))
    sigma = 2 + error * noise + spread * between
    rows = zip(sigma, error, strict=True)
    variances = [moments(*row).scatter.item() ** 2 for row in rows]
    assert abs(np.mean(variances) - spread**2) < 4 * np.std(variances) / np.sqrt(draws)


def test_one_pair_tells_no_scatter_and_a_million_equal_ones_do_not_drift():
    assert np.isnan(moments([2.0], [0.1]).scatter)
    many = moments(np.full(1000, 2 + 1e-3), np.full(1000, 1e-4))
    for _ in range(10):
        many = added(many, many)
    assert many.count == 1024_000
    np.testing.assert_allclose(many.heterogeneity, 0, atol=1e-6)
