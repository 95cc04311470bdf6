"""Frozen dataclasses that are pytrees: one decorator, and fields that are static."""

import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np
from jax.core import Tracer

T = TypeVar("T")

_FEW = 4  # numbers of an array that are shown


def static(**options) -> Any:
    """A field that is part of the structure, not a leaf: hashable, and compiled for."""
    return field(metadata={"static": True}, **options)


def flatten(values: Any) -> tuple[list[Any], Any]:
    """``jax.tree.flatten`` of anything that a caller may pass; no leaves where that fails."""
    try:
        # JAX warns of generators that nobody has called a leaf.
        return jax.tree.flatten(values, is_leaf=lambda x: isinstance(x, Iterator))
    except (TypeError, ValueError):  # a dictionary whose keys have no order
        return [], None


@dataclass_transform(eq_default=False, frozen_default=True, field_specifiers=(field, static))
def pytree(cls: type[T]) -> type[T]:
    """A frozen dataclass whose fields, other than static ones, are leaves or subtrees.

    Equal to itself alone: whether arrays are equal has no single answer. Its ``repr`` is short.
    """
    if cls.__repr__ is object.__repr__:
        cls.__repr__ = lambda self: short_repr(self, [each.name for each in fields(self)])  # pyright: ignore
    return jax.tree_util.register_dataclass(dataclass(frozen=True, eq=False, repr=False)(cls))


def short_repr(value: Any, names: Iterable[str]) -> str:
    """A dataclass and some of its fields in a line: large arrays by their shapes."""
    parts = ((name, getattr(value, name)) for name in names)
    listed = ", ".join(f"{name}={_shown(part)}" for name, part in parts if part is not None)
    return f"{type(value).__name__}({listed})"


def _shown(value: Any) -> str:
    if isinstance(value, Tracer | jax.ShapeDtypeStruct):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        if value.size > _FEW:
            return f"{value.dtype}{list(value.shape)}"
        return " ".join(np.array2string(np.asarray(value), precision=6, separator=", ").split())
    return f"{type(value).__name__}(...)" if is_dataclass(value) else reprlib.repr(value)
