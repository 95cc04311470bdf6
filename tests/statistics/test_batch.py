"""Estimates as objects: equality, print, and one of a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from wrong_values import estimate

import gaussjax as gj


@pytest.fixture
def batch():
    sigma = np.asarray([1.0, 2.0, 3.0, 4.0], np.float32)
    return jax.tree.map(
        jnp.asarray, estimate((4,), sigma=sigma, status=np.asarray([0, 0, 2, 0], np.int32))
    )


def test_equality_has_an_answer(batch):
    assert batch == batch
    assert batch != estimate((4,))
    assert batch != None  # noqa: E711
    assert len({batch, batch.params, batch}) == 2


def test_one_of_a_batch(batch):
    one = batch[1]
    assert one.sigma == 2
    assert one.fwhm == pytest.approx(2 * 2.3548, rel=1e-4)
    assert one.message == "estimated"
    assert str(one).startswith("sigma     2.0 ")
    assert batch[-1].sigma == 4
    assert [float(each.sigma) for each in batch] == [1, 2, 3, 4]
    np.testing.assert_array_equal(batch[batch.status == 0].sigma, [1, 2, 4])


def test_an_index_beyond_the_batch(batch):
    with pytest.raises(IndexError, match="a batch of 4; got 4"):
        batch[4]
    with pytest.raises(TypeError, match="one estimate, not a batch"):
        estimate()[0]
    with pytest.raises(TypeError, match="nothing to iterate over"):
        iter(estimate())


def test_one_of_a_traced_batch(batch):
    assert jax.jit(lambda many: many[2].sigma)(batch) == 3


def test_a_batch_prints_counts(batch):
    lines = str(batch).splitlines()
    assert lines[0].split()[:2] == ["estimates", "4,"]
    assert lines[1].startswith("sigma     1.0 to 4.0 (median 2.0) px")
    assert lines[2] == "error     1.0 px, the median standard error"
    assert lines[3] == "status    3 estimated, 1 not identifiable"


def test_repr_is_short(batch):
    assert repr(estimate()) == "BlurEstimate(sigma=1., sigma_standard_error=1., status=0)"
    assert len(repr(estimate((1000, 1000)))) < 120
    params = gj.BlurParams(np.ones(6, np.float32), gain=np.float32(2), family="full")
    assert repr(params) == "BlurParams(variance=float32[6], gain=2., family='full')"
    assert "sigma=float32[4]" in str(jax.eval_shape(lambda each: each, batch))


def test_a_refusal_leads():
    refused = estimate(status=np.int32(gj.Status.TOO_SMALL))
    assert str(refused).splitlines()[0].startswith("status    3 the frame is too small")
    assert str(refused).count("status") == 1


def test_a_doubted_volume_may_be_a_stack():
    refused = estimate(ndim=3, status=np.int32(gj.Status.TOO_SMALL))
    assert "of a stack of images, or of channels, use estimate_blurs" in str(refused)
    assert "stack" not in str(estimate(ndim=3))
