"""Programs that callers start themselves: options by which the CPU compiles and runs them sooner.

Measured on 2 cores with ``estimate_blur`` of 256 px: without the newer emitters of fusions and at
LLVM's first level the compiler takes half of the time, and the program three quarters of its own.
"""

import gc
import os
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
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
            # A trace makes hundreds of thousands of objects, hardly any of which is garbage: to
            # look for some takes a tenth of a first call.
            collects = gc.isenabled()
            gc.disable()
            try:
                return outer(*args, **kwargs)
            finally:
                if collects:
                    gc.enable()

        called.programs = inner, outer  # pyright: ignore[reportAttributeAccessIssue]
        return called  # pyright: ignore[reportReturnType]

    return decorate


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
