"""The noise of a data set, as it is told to all its pairs."""

import numpy as np
import pytest

from gaussjax.dataset.given_noise import ToldNoise

IMAGE = np.zeros((4, 4), np.float32)
ALONG_X = np.array([[0.5, 1, 0.5]])


def test_the_sharper_images_come_first():
    told = ToldNoise.of((2, 1), (ALONG_X, None), "valid")
    variances, correlation = told.oriented(IMAGE, unit=2.0, swapped=True)
    np.testing.assert_allclose(variances, [0.25, 1])
    np.testing.assert_allclose(correlation, [[[0, 1, 0]], ALONG_X])


def test_a_run_goes_on_with_the_same_noise_only():
    names = [
        str(ToldNoise.of(levels, shapes, "valid"))
        for levels in ((2, 1), (1, 2))
        for shapes in (None, (0.5, 0.5), (0.5, 0.6), (ALONG_X, None), (None, ALONG_X))
    ]
    assert len(set(names)) == len(names)
    assert names[0] == "(2.0, 1.0)"  # as in states of before


def test_lags_are_of_the_axes_of_the_images():
    told = ToldNoise.of((2, 1), (ALONG_X, None), "valid")
    with pytest.raises(ValueError, match=r"noise_correlation.*1 axes"):
        told.oriented(IMAGE[0], unit=1.0, swapped=False)
    number = ToldNoise.of((2, 1), (0.5, None), "valid")
    _, correlation = number.oriented(IMAGE[0], unit=1.0, swapped=False)
    assert correlation.shape == (2, 9)
