"""Compiled programs that are kept from process to process."""

from __future__ import annotations

import atexit
import gc
import os
import warnings
from pathlib import Path

from gaussjax.checks import as_path

VARIABLE = "GAUSSJAX_CACHE"  # another folder, or 0 for none
LARGEST_SIZE = 256 * 2**20  # bytes; a program takes about a fifth of a megabyte


def keep_programs(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Have JAX take compiled programs from a folder, and put new ones there.

    For all programs of the process that are compiled from then on. The keeping is that of JAX's
    persistent cache, which tells versions and kinds of processors apart; of more than 256 MiB those
    not used for longest are removed. Nothing is sent anywhere. Where others may write to the
    folder, they may have your process run what they like. Once more is harmless.

    Args:
        folder: None: what the environment variable ``GAUSSJAX_CACHE`` names (0: keep none), or
            the user's cache folder, ``~/.cache/gaussjax`` on Linux.

    Raises:
        TypeError: a folder that is no path.

    Returns:
        The folder; that which JAX uses already if there is one; None with a warning if it cannot be
        written, and None where the user wants none.
    """
    folder = None if folder is None else as_path(folder, "folder")
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    used = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if used:
        return Path(used)
    try:
        wanted = cache_folder() if folder is None else Path(folder).absolute()
        if wanted is None:
            return None
        _mend(wanted)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        warnings.warn(f"compiled programs are not kept: {error}", stacklevel=2)
        return None
    jax.config.update("jax_compilation_cache_dir", str(wanted))
    jax.config.update("jax_compilation_cache_max_size", LARGEST_SIZE)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # Kept in files beside the programs, whose path would be part of a program's key.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    # What was compiled before has told JAX that there is no cache.
    compilation_cache.reset_cache()
    # Else the interpreter looks at its end for garbage among all that JAX holds: a tenth of a short
    # process.
    atexit.register(gc.freeze)
    return wanted


def cache_folder() -> Path | None:
    """The folder of the programs that are kept by default; None where the user wants none."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        from platformdirs import user_cache_path

        return user_cache_path("gaussjax", appauthor=False)
    return None if wanted in ("", "0") else Path(wanted).absolute()


def _mend(folder: Path) -> None:
    """Make the folder if there is none, and remove what a stopped process or a full disk broke.

    JAX writes an entry in place, and then the time of its use. It neither replaces an entry nor
    removes any as long as one lacks that time.
    """
    from filelock import FileLock

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / ".lockfile", timeout=10):  # that of JAX
        for entry in folder.glob("*-cache"):
            if not entry.with_name(entry.name.removesuffix("cache") + "atime").exists():
                entry.unlink()
