"""Pairs of many shapes run a few programs, and give what they give in frames of their own."""

import numpy as np
import pytest
from photograph_pairs import crops, fitted

from gaussjax.dataset import passes
from gaussjax.dataset.batch_sums import batch_sums

SHAPES = (48, 80), (60, 70), (72, 66)


@pytest.fixture
def pairs():
    """Photographs cut to these shapes, of which all but the first share a frame."""
    return [
        (name, *(image[: shape[0], : shape[1]] for image in images))
        for (name, *images), shape in zip(
            crops(12, noise=0.01, size=80, dtype=np.float64), 4 * SHAPES, strict=True
        )
    ]


def num_programs():
    # Of one function JAX counts together.
    return batch_sums.programs[1]._cache_size()


def test_pairs_in_buckets_are_those_in_frames_of_their_own(pairs, x64, monkeypatch):
    before = num_programs()
    found = fitted(pairs)
    programs = num_programs() - before
    monkeypatch.setattr(passes, "_in_bucket", lambda pair: pair)
    own = fitted(pairs)
    assert num_programs() - before - programs == len(SHAPES) - 1
    assert programs == 2
    assert found.joint.status == own.joint.status
    np.testing.assert_allclose(found.sigma, own.sigma, rtol=1e-9)
    assert found.joint.num_pixels == own.joint.num_pixels
    order, places = np.argsort(found.names), np.argsort(own.names)
    mine, other = found.pairs, own.pairs
    np.testing.assert_array_equal(mine.status[order], other.status[places])
    np.testing.assert_array_equal(mine.verdict[order], other.verdict[places])
    told = other.told[places]
    # The passes begin at blurs of their own, near which a pair's root is looked for: it is known
    # to a small part of its error bar.
    apart = np.abs(mine.sigma[order][told] - other.sigma[places][told])
    bars = other.standard_error[places][told]
    assert np.all(apart < 1e-3 * bars)
    # Rings of frequency are those of other grids: compared by what they are known to.
    beside = [x.transfer.transfer - x.transfer.fitted for x in (found, own)]
    apart = np.abs(beside[0] - beside[1])
    assert np.nanmax(apart / np.hypot(own.transfer.noise_error, own.transfer.pair_error)) < 1
