"""Programs that callers start themselves: options by which the CPU compiles and runs them sooner.

Measured on 2 cores with ``estimate_blur`` of 256 px: without the newer emitters of fusions and at
LLVM's first level the compiler takes half of the time, and the program three quarters of its own.
"""

import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import version
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gaussjax.numerics.loops import inlined

F = TypeVar("F", bound=Callable[..., Any])


def compiled(*, static_argnames: str | tuple[str, ...] = (), scalar: bool = False):
    """Decorator: as ``jax.jit``, with options for the CPU where the caller compiles nothing itself.

    Inside of a program of the caller's, that program's options hold: JAX takes none for a part. A
    ``scalar`` program holds small arrays only, for which no optimisation pays.
    """

    def decorate(function: F) -> F:
        traced = inlined(function)
        inner = jax.jit(traced, static_argnames=static_argnames)
        options = _cpu_options(0 if scalar else 1)
        outer = jax.jit(traced, static_argnames=static_argnames, compiler_options=options)

        @wraps(function)
        def called(*args, **kwargs):
            if not _is_top_level(args, kwargs):
                return inner(*args, **kwargs)
            with _no_collection():
                return outer(*args, **kwargs)

        called.programs = inner, outer  # pyright: ignore[reportAttributeAccessIssue]
        return called  # pyright: ignore[reportReturnType]

    return decorate


def in_succession(first: Any, second: Any) -> Callable[..., Any]:
    """``second(*first(...))`` of two functions that are ``compiled``, at once the first time.

    The second is traced, and then compiled, while the first is compiled in a thread: JAX would
    begin with it when the first has ended. On 2 cores that takes a tenth off a process that calls
    ``estimate_blur`` once, of 256 px, with or without kept programs.
    """
    known = set()
    one, two = first.programs[1], second.programs[1]

    def called(*args, **kwargs):
        # Asked once for both.
        if not _is_top_level(args, kwargs):
            return second(*first(*args, **kwargs))
        leaves, structure = jax.tree.flatten((args, kwargs))
        kind = structure, *map(_kind, leaves)
        op_by_op = jax.config.jax_disable_jit  # pyright: ignore[reportAttributeAccessIssue]
        with _no_collection():
            if kind not in known and not op_by_op:
                _compile_both(one, two, args, kwargs)
                known.add(kind)
            return two(*one(*args, **kwargs))

    return called


def _kind(leaf: Any) -> Any:
    """Of an argument, what a program depends on."""
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.shape, leaf.dtype
    return getattr(leaf, "aval", type(leaf) if isinstance(leaf, int | float) else leaf)


def _compile_both(first, second, args: tuple, kwargs: dict) -> None:
    """JAX keeps what was compiled: the calls that follow find it."""
    traced = first.trace(*args, **kwargs)
    lowered = traced.lower()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(lowered.compile)
        second.trace(*traced.out_info).lower().compile()
        under_way.result()


@contextmanager
def _no_collection():
    """Without looks for garbage, which would take a tenth of a first call.

    A trace makes hundreds of thousands of objects, hardly any of which is garbage.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _cpu_options(level: int) -> dict[str, bool | int]:
    options: dict[str, bool | int] = {"xla_backend_optimization_level": level}
    if version("jaxlib").startswith("0.10."):  # later releases do not know it
        options["xla_cpu_use_fusion_emitters"] = False
    # What the user has set holds.
    flags = os.environ.get("XLA_FLAGS", "")
    return {name: value for name, value in options.items() if name not in flags}


def _is_top_level(*arguments: Any) -> bool:
    """Whether what is called now is compiled and run at once, on the CPU."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arguments)):
        return False
    # A caller may trace with arrays that it does not trace: a program of no arguments tells, for a
    # few microseconds.
    return not isinstance(_nothing(), Tracer) and jax.default_backend() == "cpu"


@jax.jit
def _nothing() -> jax.Array:
    return jnp.zeros(())
