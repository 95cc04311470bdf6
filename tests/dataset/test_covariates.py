from types import SimpleNamespace

import numpy as np
import pytest

from gaussjax.dataset.covariates import as_covariates


def source(*names):
    """Pairs whose names are known before they are read."""
    return SimpleNamespace(source=SimpleNamespace(pairs=[SimpleNamespace(name=n) for n in names]))


def test_values_are_found_by_position_and_by_name():
    given = {"epoch": [1.0, 2.0, 3.0], "airmass": {"b": 5, "a": 4}}
    found = as_covariates(given, source("a", "b", "c")).of(["c", "a"], [2, 0])
    np.testing.assert_array_equal(found["epoch"], [3, 1])
    np.testing.assert_array_equal(found["airmass"], [np.nan, 4])
    assert as_covariates(None, []) is None
    # More pairs than an array has values: of an iterator nobody knows before.
    beyond = as_covariates({"epoch": [1.0, 2.0]}, iter([])).of(["0", "5"], [0, 5])
    np.testing.assert_array_equal(beyond["epoch"], [1, np.nan])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": ["a", "b"]}, "'x' must be numbers; give a category as columns of 0 and 1"),
        ({"x": {"a": 1, "b": "two"}}, "'x' must be numbers"),
        ({"x": [[1.0, 2.0]]}, r"'x' must be one number for each pair; got shape \(1, 2\)"),
        ({"x": [1.0, np.inf]}, "'x' must be finite, or NaN for a pair without it"),
        ({"x": [2.0, 2.0]}, "'x' must differ between the pairs; it is the same in all"),
        ({"x": [np.nan, 2.0]}, "'x' must differ"),
        ({"x": [1.0, 2.0, 3.0]}, "'x' must have a value for each of the 2 pairs; got 3"),
        (
            {"x": {"a.png": 1, "b.png": 2}},
            "'x' is of no pair here: it is given for 'a.png', 'b.png'; the pairs are 'a', 'b'",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_pairs_are_read(given, message):
    with pytest.raises(ValueError, match=message):
        as_covariates(given, source("a", "b"))


@pytest.mark.parametrize("given", [{}, [1.0, 2.0], "epoch"])
def test_no_mapping_is_a_type_error(given):
    with pytest.raises(TypeError, match="must be a mapping from names"):
        as_covariates(given, [])


def test_the_number_of_pairs_is_checked_where_it_is_known():
    with pytest.raises(ValueError, match="each of the 4 pairs; got 2"):
        as_covariates({"x": [1.0, 2.0]}, [], count=4)
