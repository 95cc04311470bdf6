"""A stack of pairs is estimated as its pairs one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from wrong_values import Tensor

from experiments.shared.synthetic import random_scene
from gaussjax import Status, Verdict, estimate_blur, estimate_blurs

SIZE, EDGE = 32, 16
SIGMAS = (0.6, 0.9, 1.1, 1.35)


def pairs(count, seed, sigmas=SIGMAS, noise=0.01):
    """Crops of one large scene, each blurred by its own sigma, float32."""
    random = np.random.default_rng(seed)
    scene = np.asarray(random_scene(jax.random.key(seed), (SIZE + 2 * EDGE, count * SIZE)), float)
    inside = slice(EDGE, -EDGE), slice(None)
    sharp, soft = np.empty((2, count, SIZE, SIZE))
    for k in range(count):
        here = slice(k * SIZE, (k + 1) * SIZE)
        blurred = scipy.ndimage.gaussian_filter(scene, sigmas[k % len(sigmas)], mode="wrap")
        sharp[k], soft[k] = scene[inside][:, here], blurred[inside][:, here]
    soft += noise * random.standard_normal(soft.shape)
    return sharp.astype(np.float32), soft.astype(np.float32)


one_by_one = jax.jit(jax.vmap(estimate_blur))


def check_alike(found, expected):
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_array_equal(found.adequacy.verdict, expected.adequacy.verdict)
    told = np.asarray(expected.status) == Status.ESTIMATED
    # One by one, a margin may be a pixel wider than sigma asks for: as its start was.
    alike = np.asarray(found.num_pixels == expected.num_pixels)
    assert np.mean(alike[told]) > 0.8
    told &= alike
    moved = np.abs(found.sigma - expected.sigma)[told]
    assert np.all(moved < 0.1 * np.asarray(expected.sigma_standard_error)[told])
    ratio = np.asarray(found.sigma_standard_error / expected.sigma_standard_error)[told]
    np.testing.assert_allclose(ratio, 1, atol=0.1)


@pytest.fixture(scope="module")
def mixed():
    """Pairs of several blurs, and some that ask for more than one look."""
    sharp, soft = pairs(24, 1)
    sharp[3], soft[3] = soft[3].copy(), sharp[3].copy()  # the other direction
    soft[7] = sharp[7]  # no blur at all
    sharp[11, 5, 5] = np.nan
    soft[13] = np.random.default_rng(0).standard_normal((SIZE, SIZE))  # another scene
    sharp[17] = soft[17] = 1.0  # flat
    soft[19] = np.roll(soft[19], 1, axis=0)
    return sharp, soft


def test_mixed_pairs_are_those_of_one_by_one(mixed):
    found, expected = estimate_blurs(*mixed), one_by_one(*mixed)
    check_alike(found, expected)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    assert found.status[11] == Status.NOT_FINITE
    assert found.sigma[3] < 0 < found.sigma[2]
    adequacy = found.adequacy
    assert adequacy is not None
    assert adequacy.verdict[19] == Verdict.MISALIGNED
    # In a program of the caller's nobody looks at what is settled.
    traced = jax.eval_shape(jax.jit(estimate_blurs), *mixed)
    assert jax.tree.structure(traced) == jax.tree.structure(found)


def test_a_stack_of_the_other_direction_is_swapped():
    sharp, soft = pairs(24, 2)
    found = estimate_blurs(soft, sharp)
    check_alike(found, one_by_one(soft, sharp))
    np.testing.assert_array_equal(found.status, Status.ESTIMATED)
    assert np.all(found.sigma < 0)


def test_other_fits_go_one_by_one():
    sharp, soft = pairs(5, 3)
    known = np.ones(soft.shape, bool)
    known[:, 10:12, 10:12] = False
    soft[~known] = np.nan
    found = estimate_blurs(sharp, 1.5 * soft, gain=True, mask=Tensor(known), kernel="sampled")
    assert "note" not in str(found)  # which a batch of signals has: tests/model/test_arguments.py
    np.testing.assert_array_equal(found.status, Status.ESTIMATED)
    gains = np.asarray(found.params.gain)
    np.testing.assert_allclose(gains, 1.5, rtol=0.05)
    truth = np.resize(SIGMAS, 5)
    assert np.all(np.abs(found.sigma - truth) < 5 * found.sigma_standard_error + 0.02)


@pytest.mark.parametrize("shapes", [((3, 8, 8), (3, 8, 9)), ((8,), (8,)), ((0, 8, 8), (0, 8, 8))])
def test_faults_of_stacks_name_their_shapes(shapes):
    images = [jnp.ones(shape) for shape in shapes]
    with pytest.raises(ValueError, match="references and blurreds must be stacks"):
        estimate_blurs(*images)


def test_faults_of_options_are_those_of_a_pair():
    sharp, soft = pairs(2, 4)
    with pytest.raises(ValueError, match="family"):
        estimate_blurs(sharp, soft, family="round")
    with pytest.raises(TypeError, match="sigma"):
        estimate_blurs(sharp, soft, sigma=2.0)
