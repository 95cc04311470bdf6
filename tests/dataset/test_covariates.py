from types import SimpleNamespace

import numpy as np
import pytest
import scipy.ndimage

from gaussjax.dataset.covariates import as_covariates
from gaussjax.dataset.fit import fit_dataset
from gaussjax.io.pair_reader import BadPair
from gaussjax.report.dataset_figure import draw_sigmas


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


SLOPE = 0.05  # px per unit of epoch
EPOCHS = np.random.default_rng(3).uniform(0, 10, 24)


@pytest.fixture(scope="module")
def pairs():
    """Of two shapes, so that they are not fitted in their order; the third one is damaged."""
    random = np.random.default_rng(4)
    made = []
    for k, epoch in enumerate(EPOCHS):
        size = 64 if k % 2 else 48
        scene = scipy.ndimage.gaussian_filter(random.normal(size=(size + 40,) * 2), 0.7)
        soft = scipy.ndimage.gaussian_filter(scene, 1 + SLOPE * epoch)
        images = (image[20:-20, 20:-20].astype(np.float32) for image in (scene, soft))
        reference, blurred = images
        noise = 0.002 * random.normal(size=blurred.shape).astype(np.float32)
        made.append((f"p{k}", reference, blurred + noise))
    made[2] = BadPair("p2", 2, "is damaged")
    return made


def fit(pairs, **options):
    return fit_dataset(pairs, kernel="sampled", max_passes=1, **options)


@pytest.fixture(scope="module")
def found(pairs):
    return fit(pairs, covariates={"epoch": EPOCHS})


def test_sigma_is_regressed_on_what_belongs_to_each_pair(found):
    assert found.names != tuple(f"p{k}" for k in range(24) if k != 2)
    expected = [EPOCHS[int(name[1:])] for name in found.names]
    np.testing.assert_array_equal(found.covariates["epoch"], expected)
    low, high = found.regression.interval[:, 1]
    assert low < SLOPE < high < 1.2 * SLOPE
    assert found.regression.explained > 0.98
    assert found.regression.num_pairs == 23
    assert "\nagainst   epoch: " in str(found)
    assert "px per unit (p = " in str(found)


def test_pairs_without_a_covariate_stay_in_the_joint_fit(pairs, found):
    by_name = {f"p{k}": epoch for k, epoch in enumerate(EPOCHS) if k > 5}
    some = fit(pairs, covariates={"epoch": by_name})
    assert some.regression.num_pairs == 18
    assert some.sigma == found.sigma
    assert np.count_nonzero(np.isnan(some.covariates["epoch"])) == 5


def test_what_the_pairs_do_not_determine_costs_no_estimate(pairs, found):
    twice = {"epoch": EPOCHS, "year": EPOCHS / 365}
    without = fit(pairs, covariates=twice)
    assert without.regression_problem.endswith("from each other; these do: 'epoch', 'year'")
    assert without.regression_problem in str(without)
    assert without.regression is None
    assert without.sigma == found.sigma
    with pytest.raises(ValueError, match="each of the 24 pairs; got 23"):
        fit(pairs, covariates={"epoch": EPOCHS[1:]})


def test_the_figure_has_a_panel_for_the_covariate(found):
    panels = {axes.get_xlabel(): axes for axes in draw_sigmas(found).axes}
    assert len(panels) == 3  # beside the sigmas and the transfer function
    assert len(panels["epoch"].lines[0].get_xdata()) == 23


def test_the_title_of_the_figure_names_a_doubt(found):
    assert draw_sigmas(found).get_suptitle().endswith("1 left out\nheterogeneous")
