"""The process that runs the ``gaussjax`` command once: how it compiles, and what it leaves out."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec

from gaussjax.cli_cache import kept_programs

# Up to this many pixels compiling takes longer than what is compiled.
_LARGEST_HASTY = 2048**2


@contextmanager
def one_shot_process(num_pixels: int) -> Iterator[None]:
    """Have JAX, not imported yet, compile quickly and keep what it has compiled.

    A process that has imported JAX before is somebody else's, and its settings are left alone.

    Args:
        num_pixels: of the image that a program works on.
    """
    if "jax" in sys.modules:
        yield
        return
    if num_pixels <= _LARGEST_HASTY and _is_cpu():
        # What the user has set comes last and wins.
        os.environ["XLA_FLAGS"] = f"{_hasty_flags()} {os.environ.get('XLA_FLAGS', '')}".strip()
    # Tracing makes hundreds of thousands of objects, and little of it is garbage: looking for some
    # takes a tenth of the run, and once more as long when the interpreter ends.
    gc.disable()
    try:
        with kept_programs():
            yield
    finally:
        gc.freeze()


def _hasty_flags() -> str:
    """XLA's flags for a quick compilation, of code that runs half as fast."""
    flags = "--xla_backend_optimization_level=0"
    if version("jaxlib").startswith("0.10."):  # later releases refuse to start with it
        flags += " --xla_cpu_use_fusion_emitters=false"
    return flags


def _is_cpu() -> bool:
    """Whether JAX will compute on the CPU, as far as is known before it is imported."""
    return os.environ.get("JAX_PLATFORMS") == "cpu" or find_spec("jax_plugins") is None
