"""Compiled programs that the ``gaussjax`` command keeps from run to run.

JAX's persistent cache does the keeping, in the user's cache folder. Four things it leaves to its
user, and they are done here. It writes an entry in place, so that a run that is stopped leaves a
broken one: each run works in a folder of its own, of hard links to what is known, and moves what is
new out of it. Of a broken entry it warns and compiles, but writes none where there is one: the
broken one is removed at the warning. It needs another package to limit its size: the entries not
used for longest are removed. And its key need not know the CPU, while homes are shared between
machines: every kind of CPU has its folder.
"""

import glob
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "GAUSSJAX_CACHE"  # another folder, or 0 for none
LARGEST_SIZE = 64 * 2**20  # bytes; a program takes about a fifth of a megabyte
_ENTRIES = "*-cache"  # as JAX calls them
_CACHE_ERROR = re.compile(
    r"Error (reading|writing) persistent compilation cache entry for '(?P<program>[^']*)'"
)
_RUN = "run-"  # folders of runs that are under way
_LONGEST_RUN = 24 * 3600  # seconds; older ones were left by processes that were killed
# What tells one kind of CPU from another in Linux's description of them, x86 and ARM.
_CPU_FIELDS = ("model name", "flags", "Features", "CPU implementer", "CPU part")


@contextmanager
def kept_programs() -> Iterator[None]:
    """Have JAX take compiled programs from the user's cache folder, and put them there.

    Without such a folder, or where it cannot be written, programs are compiled as ever. A cache
    that the user has set up for JAX is left alone.
    """
    run = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else begin_run()
    if run is None:
        yield
        return
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", str(run))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # Kept in files beside the programs, whose path would be part of a program's key.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    try:
        with _without_broken_entries(run):
            yield
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()
        end_run(run)


@contextmanager
def _without_broken_entries(run: Path) -> Iterator[None]:
    """Have what JAX cannot read be written anew, and keep quiet about it.

    JAX warns between reading and compiling. It names the program, not the entry, so that all of
    that program go, of other shapes and options too: of the run's own folder only.
    """
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(message, *details) -> None:
            found = _CACHE_ERROR.match(str(message))
            if found is None:
                return show_others(message, *details)
            for entry in run.glob(f"{glob.escape(found['program'])}-{_ENTRIES}"):
                entry.unlink(missing_ok=True)

        warnings.showwarning = show
        # Of a full disk too; it only takes longer.
        warnings.filterwarnings("always", _CACHE_ERROR.pattern)
        yield


def cache_folder() -> Path | None:
    """Where programs are kept; None where the user wants no cache, or has no place for one."""
    wanted = os.environ.get(VARIABLE)
    if wanted is not None:
        return None if wanted in ("", "0") else Path(wanted).absolute()
    try:
        if sys.platform == "win32":
            return Path(os.environ["LOCALAPPDATA"], "gaussjax", "Cache")
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "gaussjax"
        given = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # By that specification relative ones count as unset.
        return (given if given.is_absolute() else Path.home() / ".cache") / "gaussjax"
    except (KeyError, RuntimeError):
        return None


def cpu_name() -> str:
    """The same for machines that can run each other's compiled programs."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        parts = sorted({line for line in lines if line.startswith(_CPU_FIELDS)})
    except OSError:
        parts = []
    # Where the system does not tell, a machine shares with itself alone.
    parts = parts or [platform.processor(), platform.node()]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{platform.machine() or 'cpu'}-{digest[:16]}"


def begin_run() -> Path | None:
    """A folder for this run that holds the known programs; None if there cannot be one."""
    root = cache_folder()
    if root is None:
        return None
    try:
        known = root / cpu_name()
        root.mkdir(parents=True, exist_ok=True)
        known.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(known):
            return None
        run = Path(tempfile.mkdtemp(prefix=_RUN, dir=known))
    except OSError:
        return None
    for entry in known.glob(_ENTRIES):
        with suppress(OSError):  # another run has just removed it
            if entry.stat().st_size:  # else a power cut came between its name and its content
                _link(entry, run / entry.name)
    return run


def end_run(run: Path) -> None:
    """Move the new programs of a run to the known ones, and remove what is old or too much."""
    known = run.parent
    with suppress(OSError):
        for entry in run.glob(_ENTRIES):
            if not _is_known(entry, known / entry.name):
                os.replace(entry, known / entry.name)  # at once or not at all
        _remove_beyond_limit(known.parent)
    shutil.rmtree(run, ignore_errors=True)
    for left in known.parent.glob(f"*/{_RUN}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LONGEST_RUN:
                shutil.rmtree(left, ignore_errors=True)


def _remove_beyond_limit(root: Path) -> None:
    """Keep the programs used last, of all CPUs together."""
    found = []
    for entry in root.glob(f"*/{_ENTRIES}"):
        with suppress(OSError):  # another run has just removed it
            status = entry.stat()
            found.append((max(status.st_atime, status.st_mtime), status.st_size, entry))
    size = 0
    for _, bytes_of_entry, entry in sorted(found, reverse=True):
        size += bytes_of_entry
        if size > LARGEST_SIZE:
            entry.unlink(missing_ok=True)


def _is_ours(folder: Path) -> bool:
    """True unless others may write there: a compiled program does what its writer wants."""
    if not hasattr(os, "geteuid"):
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _is_known(entry: Path, target: Path) -> bool:
    """Whether an entry is the one that a run began with, or a copy of it."""
    try:
        there = target.stat()
    except FileNotFoundError:
        return False
    own = entry.stat()
    copied = own.st_mtime_ns == there.st_mtime_ns and own.st_size == there.st_size
    return os.path.samestat(own, there) or copied


def _link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the file system knows no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
