"""Loops and branches of ``jax.lax`` that work inside of ``jax.shard_map``.

There the type of an array says over which axes of the mesh its values differ from device to device.
JAX wants the carry of a loop to have one type from beginning to end, while a carry that begins with
constants, which are the same everywhere, becomes different by the first pass; and both branches of
a condition to have the same type, of which one may return constants.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import jax

F = TypeVar("F", bound=Callable)


def inlined(function: F) -> F:
    """The function without programs of their own for what it calls of ``jax.numpy``.

    To trace and to lower those one by one is a third of both. A loop has to stay one: see below.
    """

    @wraps(function)
    def traced(*args, **kwargs):
        with jax.disable_jit():
            return function(*args, **kwargs)

    return traced  # pyright: ignore[reportReturnType]


def _kept(loop: Callable, *arguments) -> Any:
    """A loop of ``jax.lax`` that is not run by Python, inside of an inlined function."""
    if not jax.config.jax_disable_jit:  # pyright: ignore[reportAttributeAccessIssue]
        return loop(*arguments)
    arguments = [inlined(x) if callable(x) else x for x in arguments]
    with jax.disable_jit(False):
        return loop(*arguments)


def traced_once(function: F, *arguments: Any) -> tuple[F, Any]:
    """The function as a program of its own, and the shapes of its results: one trace gives both."""
    inlines = jax.config.jax_disable_jit  # pyright: ignore[reportAttributeAccessIssue]
    program = jax.jit(inlined(function) if inlines else function)

    @wraps(function)
    def called(*arguments):
        with jax.disable_jit(False):
            return program(*arguments)

    with jax.disable_jit(False):
        shapes = jax.eval_shape(program, *arguments)
    return called, shapes  # pyright: ignore[reportReturnType]


def while_loop(unfinished: Callable, step: Callable, initial: Any) -> Any:
    """As ``jax.lax.while_loop``."""
    return _kept(jax.lax.while_loop, unfinished, step, _as_carry(initial, step))


def fori_loop(lower: Any, upper: Any, step: Callable, initial: Any) -> Any:
    """As ``jax.lax.fori_loop``."""
    carry = _as_carry(initial, lambda carry: step(lower, carry))
    return _kept(jax.lax.fori_loop, lower, upper, step, carry)


def scan(step: Callable, initial: Any, slices: Any, length: int | None = None) -> Any:
    """As ``jax.lax.scan``."""
    if any(len(leaf) == 0 for leaf in jax.tree.leaves(slices)):
        return _kept(jax.lax.scan, step, initial, slices, length)
    first = jax.tree.map(lambda leaf: leaf[0], slices)
    carry = _as_carry(initial, lambda carry: step(carry, first)[0])
    return _kept(jax.lax.scan, step, carry, slices, length)


def cond(condition: jax.Array, if_true: Callable, if_false: Callable, *operands) -> Any:
    """As ``jax.lax.cond``."""
    if not _types_differ():
        return _kept(jax.lax.cond, condition, if_true, if_false, *operands)
    found = [jax.eval_shape(branch, *operands) for branch in (if_true, if_false)]

    def alike(branch: Callable) -> Callable:
        def wrapped(*operands):
            result = branch(*operands)
            for types in found:
                result = jax.tree.map(_differing_like, result, types)
            return result

        return wrapped

    return _kept(jax.lax.cond, condition, alike(if_true), alike(if_false), *operands)


def differing_like(x: jax.Array, data: Any) -> jax.Array:
    """The same values, of a type that differs between devices where that of some data does.

    The derivative by what is the same on all devices is summed over them.
    """
    for leaf in jax.tree.leaves(data) if _types_differ() else ():
        x = _differing_like(x, jax.typeof(leaf))
    return x


def _as_carry(initial: Any, step: Callable) -> Any:
    """The same values, of the types that they have after any number of steps."""
    while _types_differ():
        grown = jax.tree.map(_differing_like, initial, jax.eval_shape(step, initial))
        if all(map(_have_one_type, jax.tree.leaves(grown), jax.tree.leaves(initial))):
            break
        initial = grown
    return initial


def _types_differ() -> bool:
    """Whether types say where values differ: in a shard_map that checks them.

    Outside of it there is nothing to do, and to trace a step once more takes time: of a data set,
    with loops in its loop, three times the rest.
    """
    mesh = jax.sharding.get_abstract_mesh()
    kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
    manual = [name for name, kind in kinds if kind == jax.sharding.AxisType.Manual]
    if not manual:
        return False
    return bool(_differs_over(jax.eval_shape(partial(jax.lax.axis_index, manual[0]))))


def _differing_like(x: Any, wanted: Any) -> Any:
    missing = tuple(_differs_over(wanted) - _differs_over(jax.typeof(x)))
    return jax.lax.pcast(x, missing, to="varying") if missing else x


def _have_one_type(x: Any, y: Any) -> bool:
    return _differs_over(jax.typeof(x)) == _differs_over(jax.typeof(y))


def _differs_over(kind: Any) -> frozenset:
    """The axes of the mesh; none of a shard_map that does not check them."""
    kind = getattr(kind, "manual_axis_type", None) or kind  # of some releases, a part of the type
    return frozenset(getattr(kind, "varying", None) or getattr(kind, "vma", None) or ())
