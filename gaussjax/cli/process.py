"""The process that runs the ``gaussjax`` command: how it compiles, and what it computes on."""

import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from gaussjax.cli.interrupts import INTERRUPTED, interrupted_line
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
    every other time it crashes. Where nothing can be raised, as in JAX's hook of the garbage
    collector, Python would tell of the interrupt and go on: it ends the process there.
    """

    def end(interrupt: KeyboardInterrupt) -> None:
        print(interrupted_line(interrupt), file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)

    def not_raised(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            end(unraisable.exc_value)
        before(unraisable)

    before, sys.unraisablehook = sys.unraisablehook, not_raised
    try:
        yield
    except KeyboardInterrupt as interrupt:
        end(interrupt)
    finally:
        sys.unraisablehook = before


@contextmanager
def interrupt_held_back() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that is handed over is called, which raises it.

    A second one is raised at once. A handler that is not Python's own is left alone.
    """
    asked = []

    def hold(*_: object) -> None:
        asked.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if sys.stderr.isatty():  # not by print, which may have been interrupted itself
            os.write(2, b"\ngaussjax: saving what is done; Ctrl-C again ends at once\n")

    def raise_it() -> None:
        if asked:
            raise KeyboardInterrupt

    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not is_ours or threading.current_thread() is not threading.main_thread():
        yield raise_it
        return
    signal.signal(signal.SIGINT, hold)
    try:
        yield raise_it
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
