"""How every test runs: strict array ranks, both precisions, tolerances that follow from them."""

import gc
import os
from importlib.metadata import version
from pathlib import Path

# Nearly all of a test's time is compilation: a quarter of it, for code that runs slower. Flags that
# the caller has set come last and win.
os.environ["XLA_FLAGS"] = (
    "--xla_backend_optimization_level=0 "
    # The workers take all cores: to split a program for more threads only costs.
    "--xla_cpu_parallel_codegen_split_count=1 "
    # A flag that later releases refuse to start with.
    + "--xla_cpu_use_fusion_emitters=false " * version("jaxlib").startswith("0.10.")
    # Of these releases some programs with several FFTs hang on the CPU; one thread is safe.
    + "--xla_cpu_multi_thread_eigen=false " * (version("jaxlib") in ("0.11.1", "0.11.2"))
    + os.environ.get("XLA_FLAGS", "")
)

# As many workers as cores: a second thread of one for small matrices only spins.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The command keeps compiled programs in the user's home; tests do not.
os.environ["GAUSSJAX_CACHE"] = "0"

import jax
import numpy as np
import pytest

# Everywhere: a fixture of a whole file would compile with another setting what its tests share.
jax.config.update("jax_numpy_rank_promotion", "raise")

# Every operation of a program carries the lines that it comes from; none is read here.
jax.config.update("jax_traceback_in_locations_limit", 0)

# Tracing makes many objects and few cycles, and JAX keeps what it has traced: a look every 700
# objects finds nothing, at length.
gc.set_threshold(100_000, 10, 10)


def pytest_unconfigure():
    """Leave at once: the interpreter would look for cycles once more, in millions of objects."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep a file's tests in one process, and folders' files if possible: they share programs.

    Compiling these is where the time goes.
    """
    from xdist.scheduler import LoadFileScheduling

    class FromBothEnds(LoadFileScheduling):
        """Every other process takes the last file of those that are left, not the first."""

        def _assign_work_unit(self, node):
            if self.nodes.index(node) % 2:
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    return FromBothEnds(config, log) if config.option.dist == "load" else None


# Folders at either end; between them files are short, that none is left alone when they meet.
FIRST, LAST = ("dataset", "cli", "maps", "experiments", "tests"), ("report", "pair")


def _place(folder):
    """Where its files are in the order of all."""
    order = (*FIRST, None, *LAST)
    return order.index(folder if folder in order else None)


def _is_asked_for(item, config):
    """By its marker, or by its name."""
    named = (argument.partition("::") for argument in config.args)
    return "thorough" in config.option.markexpr or any(
        names
        and item.path.match(path)
        and f"{item.nodeid}[".split("::", 1)[1].startswith(f"{names}[")
        for path, _, names in named
    )


def pytest_collection_modifyitems(items, config):
    """The order of the folders; cells marked as thorough run when asked for."""
    left_out = {
        item
        for item in items
        if item.get_closest_marker("thorough") and not _is_asked_for(item, config)
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = (item for item in items if item not in left_out)
    items.sort(key=lambda item: _place(item.path.parent.name))


def _is_short_of_maps():
    """Linux gives a process 65,530 memory maps; every compiled program takes some."""
    maps = Path("/proc/self/maps")
    return not maps.exists() or len(maps.read_bytes().splitlines()) > 40_000


@pytest.fixture(autouse=True, scope="module")
def _room_for_programs():
    """Forget compiled programs between files when thousands of them leave few maps.

    Not after every file: the small programs of array arithmetic are those of all files.
    """
    yield
    if _is_short_of_maps():
        jax.clear_caches()


@pytest.fixture(params=[np.float32, np.float64], ids=["f32", "f64"])
def dtype(request):
    """The precision under test; JAX computes in it for as long as the test runs."""
    with jax.enable_x64(request.param is np.float64):
        yield request.param


@pytest.fixture
def x64():
    """For comparisons that only make sense in float64."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def tolerance(dtype):
    """Relative error of a few hundred roundings: 2.4e-5 or 4e-14."""
    return float(200 * np.finfo(dtype).eps)


@pytest.fixture
def rng():
    """The same random numbers in every run."""
    return np.random.default_rng(20240229)


@pytest.fixture
def draws():
    """Size of a Monte-Carlo study."""
    return int(os.environ.get("GAUSSJAX_DRAWS", "60"))
