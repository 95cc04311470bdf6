"""Every argument of every public function: what it takes, and what it refuses."""

import inspect
import os
import re
import traceback
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import jax
import pytest
from argument_table import ARGUMENTS, MADE_BY_FUNCTIONS, calls, public_arguments
from wrong_values import values

import gaussjax as gj
from gaussjax.numerics.pytree import flatten

PACKAGE = str(Path(gj.__file__).parent)
EACH = [(name, argument) for name, known in ARGUMENTS.items() for argument in known]


class Reached(Exception):
    """The checks are through, and the work would begin."""


@pytest.fixture(scope="module")
def table():
    return calls()


@pytest.fixture
def doors(table, tmp_path, monkeypatch):
    """Where the work of any function would begin, it ends instead."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        for name in {name for call in table.values() for name in call.behind}:
            stack.enter_context(mock.patch(name, side_effect=Reached))
        yield


def outcome(function, given, name):
    """Empty if the checks pass; "refused" by one of ours that names the argument; else what is."""
    try:
        function(**given)
    except Reached:
        return ""
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename
        said = f"{type(error).__name__} in {os.path.basename(where)}: {error}"
        if not isinstance(error, TypeError | ValueError) or not where.startswith(PACKAGE):
            return f"not ours: {said}"
        return "refused" if re.search(rf"\b{name}\b", str(error)) else f"does not name it: {said}"
    return ""


def test_every_argument_is_in_the_table():
    """Add what is missing to ``ARGUMENTS`` in ``tests/shared/argument_table.py``."""
    public = public_arguments()
    assert {name: set(known) for name, known in ARGUMENTS.items()} == public
    assert set(calls()) == set(public)
    classes = {name for name in gj.__all__ if isinstance(getattr(gj, name), type)}
    assert classes >= MADE_BY_FUNCTIONS


@pytest.mark.usefixtures("doors")
@pytest.mark.parametrize(("name", "argument"), EACH)
def test_an_argument_is_checked_first(name, argument, table):
    kind, call = ARGUMENTS[name][argument], table[name]
    wrong = {}
    for what, value in values().items():
        if what in kind.skipped:
            continue
        found = outcome(call.function, {**call.given, argument: value}, argument)
        if found != ("" if what in kind.valid else "refused"):
            wrong[what] = found or "is taken"
    assert not wrong


def is_traceable(value):
    leaves, _ = flatten(value)
    try:
        jax.eval_shape(lambda *x: x, *leaves)
    except Exception:  # JAX has many words for it
        return False
    return bool(leaves)


@pytest.fixture(scope="module")
def traceable():
    """Names of what can be traced at all."""
    return {what for what, value in values().items() if is_traceable(value)}


@pytest.mark.usefixtures("doors")
@pytest.mark.parametrize(("name", "argument"), EACH)
def test_an_argument_is_checked_under_jit(name, argument, table, traceable):
    kind, call = ARGUMENTS[name][argument], table[name]
    valid = frozenset() if kind.traced is None else kind.traced
    wrong = {}
    for what, value in values().items():
        if what not in traceable:
            continue

        def traced(value):
            found = outcome(call.function, {**call.given, argument: value}, argument)
            if found != ("" if what in valid else "refused"):  # noqa: B023
                wrong[what] = found or "is taken"  # noqa: B023

        jax.eval_shape(traced, value)
    assert not wrong


def test_help_shows_names_of_types():
    """A module with public functions begins with ``from __future__ import annotations``."""
    for name in public_arguments():
        function = gj
        for part in name.split("."):
            function = getattr(function, part)
        shown = str(inspect.signature(function))
        assert not re.search(r"numpy\._typing|collections\.abc|<class", shown), (name, shown)
        assert len(shown) < 1000, name
