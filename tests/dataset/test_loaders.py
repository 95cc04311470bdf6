"""Loaders of others as a source of pairs."""

import numpy as np
import pytest
from photograph_pairs import crops, fitted

PAIRS = crops(20, noise=0.01)


@pytest.fixture(scope="module")
def expected():
    return fitted(PAIRS)


def test_grain(expected):
    grain = pytest.importorskip("grain.python")
    named = grain.MapDataset.source(PAIRS).map(
        lambda pair: dict(zip(("name", "reference", "blurred"), pair, strict=True))
    )
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=8)
    found = fitted(named.to_iter_dataset(options))
    assert found.names == expected.names
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-6)
    # Every process its own share, in stacks.
    halves = [
        fitted(
            named[k::2].map(lambda pair: (pair["reference"], pair["blurred"])).batch(3),
            batched=True,
        )
        for k in range(2)
    ]
    assert sum(half.num_pairs for half in halves) == 20


def test_stacks_as_a_torch_loader_collates_them(expected):
    class Loader:
        """Yields lists of stacks; begins anew whenever it is iterated over."""

        def __iter__(self):
            for first in range(0, 20, 8):
                some = PAIRS[first : first + 8]
                yield [np.stack([pair[k] for pair in some]) for k in (1, 2)]

    found = fitted(Loader(), batched=True, tolerance=0)
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-5)
    assert found.num_passes == 2


def test_a_source_is_not_written_out_unless_it_is_refused(expected):
    class Source(list):
        written = 0

        def __repr__(self):
            self.written += 1
            return "Source"

    source = Source(PAIRS)
    np.testing.assert_array_equal(fitted(source).sigma, expected.sigma)
    assert source.written == 0
