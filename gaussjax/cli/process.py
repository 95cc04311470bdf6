"""The process that runs the ``gaussjax`` command: how it compiles, and what it computes on."""

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec

from gaussjax.cli import INTERRUPTED, INTERRUPTED_MESSAGE
from gaussjax.io.pair_reader import usable_cores
from gaussjax.numerics.program_cache import keep_programs

# Up to this many pixels compiling takes longer than what is compiled.
_LARGEST_HASTY = 2048**2


@contextmanager
def one_shot_process(num_pixels: int) -> Iterator[None]:
    """Have JAX, not imported yet, compile quickly and keep what it has compiled.

    For images of so many pixels. A process that has imported JAX before is somebody else's, and its
    settings are left alone.
    """
    if "jax" in sys.modules:
        yield
        return
    if num_pixels <= _LARGEST_HASTY and _is_cpu():
        # What the user has set comes last and wins.
        os.environ["XLA_FLAGS"] = f"{hasty_flags()} {os.environ.get('XLA_FLAGS', '')}".strip()
    # Tracing makes hundreds of thousands of objects, and little of it is garbage: looking for some
    # takes a tenth of the run, and once more as long when the interpreter ends.
    gc.disable()
    try:
        with _ended_at_once_if_interrupted():
            _keep_programs()
            yield
    finally:
        gc.freeze()


@contextmanager
def streaming_process() -> Iterator[None]:
    """Have JAX, not imported yet, compile for speed, use all cores and keep what it has compiled.

    For work that goes on for long. Of somebody else's process the settings are left alone.
    """
    if "jax" in sys.modules:
        yield
        return
    with _ended_at_once_if_interrupted():
        import jax

        _keep_programs()
        if not _has_chosen_devices():
            # Every core is a device: batches are dealt out to them all.
            jax.config.update("jax_num_cpu_devices", usable_cores())
        try:
            yield
        except Exception:
            with suppress(Exception):  # the first one is the one to tell
                jax.block_until_ready(jax.live_arrays())
            raise


@contextmanager
def _ended_at_once_if_interrupted() -> Iterator[None]:
    """End the process at Ctrl-C, when all contexts inside of this one have been left.

    The interpreter cannot take down a backend that is at work or has half compiled a program:
    every other time it crashes.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(INTERRUPTED_MESSAGE, file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)


def _keep_programs() -> None:
    """Keep compiled programs where that can be done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keep_programs()


def _has_chosen_devices() -> bool:
    """Whether the user has set a number of CPU devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    return "JAX_NUM_CPU_DEVICES" in os.environ or "host_platform_device_count" in flags


def hasty_flags() -> str:
    """XLA's flags for a quick compilation, of code that runs half as fast."""
    flags = "--xla_backend_optimization_level=0"
    if version("jaxlib").startswith("0.10."):  # later releases refuse to start with it
        flags += " --xla_cpu_use_fusion_emitters=false"
        # Parts of a program, compiled side by side, take longer to cut than such code to compile.
        flags += " --xla_cpu_parallel_codegen_split_count=1"
    return flags


def _is_cpu() -> bool:
    """Whether JAX will compute on the CPU, as far as is known before it is imported."""
    return os.environ.get("JAX_PLATFORMS") == "cpu" or find_spec("jax_plugins") is None
