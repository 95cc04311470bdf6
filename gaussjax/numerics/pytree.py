"""Frozen dataclasses that are pytrees: one decorator, and fields that are static."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

import jax

T = TypeVar("T")


def static(**options) -> Any:
    """A field that is part of the structure, not a leaf: hashable, and compiled for."""
    return field(metadata={"static": True}, **options)


def flatten(values: Any) -> tuple[list[Any], Any]:
    """As ``jax.tree.flatten``, of anything that a caller may pass; no leaves where that fails."""
    try:
        # JAX warns of generators that nobody has called a leaf.
        return jax.tree.flatten(values, is_leaf=lambda x: isinstance(x, Iterator))
    except (TypeError, ValueError):  # a dictionary whose keys have no order
        return [], None


@dataclass_transform(frozen_default=True, field_specifiers=(field, static))
def pytree(cls: type[T]) -> type[T]:
    """A frozen dataclass whose fields, other than static ones, are leaves or subtrees."""
    return jax.tree_util.register_dataclass(dataclass(frozen=True)(cls))
