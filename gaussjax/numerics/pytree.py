"""Frozen dataclasses that are pytrees: one decorator, and fields that are static."""

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

import jax

T = TypeVar("T")


def static(**options) -> Any:
    """A field that is part of the structure, not a leaf: hashable, and compiled for."""
    return field(metadata={"static": True}, **options)


@dataclass_transform(frozen_default=True, field_specifiers=(field, static))
def pytree(cls: type[T]) -> type[T]:
    """A frozen dataclass whose fields, other than static ones, are leaves or subtrees."""
    return jax.tree_util.register_dataclass(dataclass(frozen=True)(cls))
