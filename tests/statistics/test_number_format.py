"""Numbers are printed in the digits that their error bars justify."""

import re
from decimal import Decimal

import numpy as np
import pytest

from gaussjax.statistics.number_format import as_error, span, to_error, with_errors


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.000674, 0.000374, "2.00067 +- 0.00037"),
        (-0.000206334, 0.00027, "-0.00021 +- 0.00027"),
        (-1e-9, 0.00027, "0.00000 +- 0.00027"),
        (0.05, 1.4, "0.1 +- 1.4"),
        (3.0, 2e5, "0 +- 200000"),
        # A bar that is rounded up gains no third digit.
        (1.41, 0.0996, "1.41 +- 0.10"),
        (123456, 1234.0, "123500 +- 1200"),
        # Many zeros are a power of ten.
        (1.0, 1.94e-11, "1.000000000000 +- 1.9e-11"),
        (1.2345e-15, 3.4e-17, "1.235e-15 +- 3.4e-17"),
        (0.0, 1e-20, "0 +- 1.0e-20"),
        (1e12, 3e9, "1.0000e+12 +- 3.0e+09"),
        # Nothing is known of the digits.
        (2.5, 0.0, "2.5 +- 0"),
        (2.123456789, np.nan, "2.12346 +- nan"),
        (2.123456789, np.inf, "2.1 +- inf"),
        (np.nan, 0.1, "nan +- 0.10"),
        (-np.inf, 0.1, "-inf +- 0.10"),
        ([2.000674, 3.0], [0.000374, 0.04], "2.00067 +- 0.00037, 3.000 +- 0.040"),
    ],
)
def test_a_value_ends_where_its_error_bar_does(value, error, text):
    assert with_errors(value, error) == text


def test_digits_beyond_those_of_the_dtype_are_not_printed():
    value = np.float32(2.1)
    assert to_error(value, 1e-12) == "2.1"  # its neighbours are 2.4e-7 away
    assert to_error(np.float32(2), 1e-12) == "2"
    assert to_error(value, 2.4e-6) == "2.0999999"
    assert to_error(np.float64(2.1), 1e-12) == "2.1000000000000"
    assert to_error(value, 0.037) == "2.100"


def test_another_error_limits_the_value_alone():
    assert with_errors(1.40927, 0.0243, 0.4) == "1.41 +- 0.024"
    assert with_errors([1.0, 2.0], [0.01, 0.02], [0.0, 0.5]) == "1.000 +- 0.010, 2.00 +- 0.020"
    assert with_errors(0.5, 0.01, sign="\u00b1") == "0.500 \u00b1 0.010"


def test_a_span_shows_all_values_alike():
    assert span(np.array([1.98765, 2.0, 2.1234]), 0.012) == "1.988 to 2.123 (median 2.000)"


def test_what_is_left_out_is_less_than_the_error_bar_shows():
    random = np.random.default_rng(0)
    for _ in range(500):
        error = 10 ** random.uniform(-12, 8)
        value = error * 10 ** random.uniform(-3, 3) * random.choice([-1, 1])
        shown, bar = map(Decimal, with_errors(value, error).split(" +- "))
        assert abs(float(bar) / error - 1) <= 0.05
        assert abs(float(shown) - value) <= 0.5001 * 10 ** (np.floor(np.log10(float(bar))) - 1)
        assert len(re.sub(r"e.*|\D", "", as_error(error)).strip("0")) <= 2
