"""Cells of tables of options, of which not every run needs all."""

import pytest


def thorough(*values):
    """A cell whose neighbours run in every test run: it is left out unless it is asked for."""
    return pytest.param(*values, marks=pytest.mark.thorough)
