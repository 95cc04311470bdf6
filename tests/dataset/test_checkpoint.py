import errno
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from photograph_pairs import crops

from gaussjax.dataset.checkpoint import StateError, StateWarning
from gaussjax.dataset.fit import fit_dataset
from gaussjax.io.pair_reader import BadPair


class Interrupted(Exception):
    pass


class Pairs:
    """Pairs that can begin anywhere, of which the reader dies at a position."""

    def __init__(self, pairs, dies_at=None, identity="these"):
        self.pairs, self.dies_at, self.identity = pairs, dies_at, identity

    def __iter__(self):
        for position, pair in enumerate(self.pairs):
            if position == self.dies_at:
                raise Interrupted
            yield pair

    def fingerprint(self):
        return self.identity


PAIRS = crops(30, noise=0.01)
PAIRS[4] = BadPair("damaged", 4, "is damaged")


@pytest.fixture(scope="module")
def whole():
    return fit_dataset(PAIRS, kernel="sampled")


def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path, whole):
    state = tmp_path / "run.state"
    for dies_at in (7, 8, 23):
        with pytest.raises(Interrupted):
            fit_dataset(Pairs(PAIRS, dies_at), kernel="sampled", state=state, save_every=0)
    found = fit_dataset(Pairs(PAIRS), kernel="sampled", state=state, save_every=0)
    np.testing.assert_allclose(found.sigma, whole.sigma, rtol=1e-6)
    np.testing.assert_allclose(found.sigma_standard_error, whole.sigma_standard_error, rtol=1e-4)
    np.testing.assert_allclose(found.heterogeneity, whole.heterogeneity, rtol=1e-4)
    assert found.names == whole.names
    np.testing.assert_allclose(found.pairs.sigma, whole.pairs.sigma, rtol=1e-4)
    np.testing.assert_allclose(found.transfer.transfer, whole.transfer.transfer, atol=1e-6)
    shares = [each.transfer.shares.distortion for each in (found, whole)]
    # A save cuts the batches elsewhere, and each draws white noise that tells what is chance.
    np.testing.assert_allclose(*shares, atol=0.5 * whole.transfer.share_errors.distortion)
    assert [pair.name for pair in found.bad] == ["damaged"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]
    # A run that is through is not run again.
    seen = []
    again = fit_dataset(Pairs(PAIRS), kernel="sampled", state=state, on_progress=seen.append)
    assert not seen
    np.testing.assert_allclose(again.sigma, found.sigma, rtol=1e-12)


def test_other_data_or_options_are_refused(tmp_path):
    state = tmp_path / "run.state"
    fit_dataset(Pairs(PAIRS[:4]), kernel="sampled", state=state)
    with pytest.raises(StateError, match="other data"):
        fit_dataset(Pairs(PAIRS[:4], identity="those"), kernel="sampled", state=state)
    with pytest.raises(StateError, match="other options"):
        fit_dataset(Pairs(PAIRS[:4]), kernel="discrete", state=state)


def test_a_state_of_the_version_before_is_refused_and_kept(tmp_path):
    # Written by the version whose files had no format: the first four pairs, as above.
    written = Path(__file__).parents[1] / "data" / "state_format_1.npz"
    state = tmp_path / "run.state"
    state.write_bytes(written.read_bytes())
    with pytest.raises(StateError, match=r"another version of gaussjax \(format 1, here 7\)"):
        fit_dataset(Pairs(PAIRS[:4]), kernel="sampled", state=state)
    assert state.read_bytes() == written.read_bytes()


@pytest.mark.parametrize("kind", [list, iter])
def test_other_first_pairs_are_other_data(tmp_path, kind):
    state = tmp_path / "run.state"
    fit_dataset(kind(PAIRS[:4]), kernel="sampled", state=state)
    fit_dataset(kind(PAIRS[:4]), kernel="sampled", state=state)
    with pytest.raises(StateError, match="other data"):
        fit_dataset(kind(PAIRS[1:4]), kernel="sampled", state=state)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_file_that_is_no_state_is_refused(tmp_path, content):
    state = tmp_path / "run.state"
    state.write_bytes(content)
    with pytest.raises(StateError, match="is no state"):
        fit_dataset(Pairs(PAIRS[:4]), kernel="sampled", state=state)
    assert state.read_bytes() == content


def failing(error_numbers):
    """In the place of os.fsync: one error after the other; 0 stands for none."""
    remaining = iter(error_numbers)

    def fsync(_):
        if number := next(remaining, 0):
            raise OSError(number, os.strerror(number))

    return fsync


def warned(state):
    """The estimate of the pairs, saved after every one, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StateWarning)
        found = fit_dataset(Pairs(PAIRS), kernel="sampled", state=state, save_every=0)
    assert all(each.filename == __file__ for each in caught)
    return found, [each.message for each in caught]


def test_a_save_that_fails_is_a_warning_and_tried_again(tmp_path, monkeypatch, whole):
    state = tmp_path / "run.state"
    full, denied = errno.ENOSPC, errno.EACCES
    monkeypatch.setattr("os.fsync", failing([0, full, full, 0, full, denied, denied, 0]))
    found, told = warned(state)
    assert [each.reason for each in told] == [os.strerror(full), os.strerror(denied)]
    assert all(str(each).startswith(f"{state}: {each.reason}: the state of") for each in told)
    assert not any(each.is_last for each in told)
    np.testing.assert_allclose(found.sigma, whole.sigma, rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]
    with np.load(state) as saved:
        assert json.loads(str(saved["header"]))["position"] == len(PAIRS)


def test_a_run_whose_last_save_fails_says_so(tmp_path, monkeypatch, whole):
    monkeypatch.setattr("os.fsync", failing([errno.ENOSPC] * 1000))
    found, told = warned(tmp_path / "run.state")
    assert [each.is_last for each in told] == [False, True]
    assert "is not saved" in str(told[-1])
    np.testing.assert_allclose(found.sigma, whole.sigma, rtol=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_cannot_be_written_is_known_before_the_first_pair(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run\.state"):
        fit_dataset(Pairs(PAIRS, dies_at=0), state=tmp_path / "no" / "run.state")
