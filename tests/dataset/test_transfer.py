"""The transfer function that the pairs of a data set have in common."""

import numpy as np
import pytest
import scipy.ndimage
from photograph_pairs import SIZE, crops, fitted
from problems import periodic_blur

from gaussjax.dataset.fit import fit_dataset

NOISE = 0.002


# Hann's over the pixels that the kernel does not carry over an edge.
PROFILE = np.pad(np.sin(np.pi * (np.arange(SIZE - 12) + 0.5) / (SIZE - 12)) ** 2, 6)
WINDOW = PROFILE * PROFILE[:, None]


def power(image):
    """In the window, about the mean there."""
    mean = np.sum(WINDOW * image) / np.sum(WINDOW)
    return np.sum((WINDOW * (image - mean)) ** 2)


@pytest.mark.parametrize("swapped", [False, True])
def test_distortion_beside_the_blur_is_recovered(swapped, rng):
    pairs, powers = [], []
    for name, a, b in crops(80, noise=NOISE, seed=1):
        field = scipy.ndimage.gaussian_filter(rng.normal(size=b.shape), 3, mode="wrap")
        field *= 0.2 * np.std(b) / np.std(field)
        powers.append((power(field), power(b + field)))
        soft = (b + field).astype(np.float32)
        pairs.append((name, soft, a) if swapped else (name, a, soft))
    found = fitted(pairs)
    assert found.num_pairs > 60
    planted = np.sum(np.array(powers)[np.asarray(found.pairs.counted)], 0)
    shares = found.transfer.shares
    np.testing.assert_allclose(shares.distortion, planted[0] / planted[1], rtol=0.05)
    np.testing.assert_allclose(found.transfer.noise_std, NOISE, rtol=0.05)
    assert found.transfer.num_pairs == found.num_pairs


def test_gains_of_their_own_are_no_distortion(rng):
    pairs = [
        (name, a, (gain * b).astype(np.float32))
        for gain, (name, a, b) in zip(
            rng.uniform(0.5, 1.5, 40), crops(40, noise=NOISE), strict=True
        )
    ]
    with_gains, without = fitted(pairs, gain=True, offset=True).transfer, fitted(pairs).transfer
    assert abs(with_gains.shares.distortion) < 1e-4
    np.testing.assert_allclose(with_gains.transfer[:4], with_gains.fitted[:4], atol=2e-3)
    if without.num_pairs > 20:
        assert without.shares.distortion > 100 * with_gains.shares.distortion


def test_pairs_that_do_not_belong_are_left_out():
    pairs = crops(24, noise=NOISE)
    whole = fitted(pairs).transfer
    a, b = pairs[0][1], pairs[5][2]
    spoilt = fitted([*pairs, ("foreign", a, b)])
    assert [*spoilt.aside()] == ["foreign"]
    np.testing.assert_allclose(spoilt.transfer.transfer, whole.transfer, atol=1e-4)


def test_a_periodic_set_needs_no_window(x64):
    rng = np.random.default_rng(3)
    a = rng.normal(size=(20, SIZE, SIZE))
    # The options of tests/dataset/test_fit.py.
    pairs = [(f"{k}", x, periodic_blur(x, 1.5**2 * np.eye(2))) for k, x in enumerate(a)]
    found = fit_dataset(pairs, boundary="periodic").transfer
    np.testing.assert_allclose(found.shares.linear, 1, atol=1e-5)
    np.testing.assert_allclose(found.transfer, found.fitted, atol=1e-4)


def test_pairs_that_are_all_the_same_do_not_differ():
    ((_, a, b),) = crops(1, noise=NOISE)
    found = fitted([(f"{k}", a, b) for k in range(3)]).transfer
    known = np.isfinite(found.transfer)
    assert np.all(found.pair_error[known] < 1e-6)
