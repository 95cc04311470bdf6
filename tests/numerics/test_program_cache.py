"""Compiled programs kept between processes: used again, never fatal, and nobody else's."""

import os

import jax
import numpy as np
import pytest
from processes import COMMAND, run_process

from gaussjax.cli import main
from gaussjax.numerics import program_cache

HIT = "Persistent compilation cache hit for 'jit_fit_pair'"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder that programs are to be kept in; nothing there yet."""
    monkeypatch.setenv(program_cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def estimate(pair, **variables):
    """The command on a pair, compiled with the settings of the tests, which takes less time."""
    return run_process(COMMAND, "estimate", *pair, XLA_FLAGS=os.environ["XLA_FLAGS"], **variables)


@pytest.fixture
def pair(tmp_path, monkeypatch, rng):
    """Names of two files of a signal, in the working directory."""
    monkeypatch.chdir(tmp_path)
    scene = rng.normal(size=300)
    np.save("a.npy", scene)
    np.save("b.npy", np.convolve(scene, [0.25, 0.5, 0.25], mode="same"))
    return "a.npy", "b.npy"


def test_programs_are_kept_and_used_again(cache, pair):
    first = estimate(pair)
    assert first.stderr == ""
    kept = {path: path.read_bytes() for path in cache.glob("*-cache")}
    assert sum(path.name.startswith("jit_fit_pair") for path in kept) == 1
    second = estimate(pair, JAX_LOG_COMPILES="1")
    assert HIT in second.stderr
    assert "cache miss" not in second.stderr
    assert first.stdout == second.stdout
    # Nobody else may write.
    assert not cache.stat().st_mode & 0o077
    # As of a process that was stopped while it wrote: JAX writes the time of use at the end.
    for path, whole in kept.items():
        path.write_bytes(whole[: len(whole) // 2])
        path.with_name(path.name.removesuffix("cache") + "atime").unlink()
    damaged = estimate(pair)
    assert (damaged.stderr, damaged.stdout) == ("", first.stdout)
    mended = estimate(pair, JAX_LOG_COMPILES="1")
    assert HIT in mended.stderr


@pytest.mark.parametrize("where", ["0", "file/folder"])
def test_no_cache_is_no_error(tmp_path, pair, where):
    (tmp_path / "file").touch()
    home = tmp_path / "home"
    home.mkdir()
    done = estimate(pair, GAUSSJAX_CACHE=where, HOME=str(home))
    assert (done.returncode in (0, 1), done.stderr) == (True, "")
    assert "sigma" in done.stdout
    assert list(home.iterdir()) == []


def test_a_cache_of_the_users_own_is_left_alone(tmp_path, cache, pair):
    own = tmp_path / "own"
    settings = {"JAX_COMPILATION_CACHE_DIR": str(own)}
    settings["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    estimate(pair, **settings)
    assert list(own.glob("jit_fit_pair*"))
    assert not cache.exists()


def test_a_process_that_has_jax_keeps_its_settings(cache, pair, capsys):
    flags = os.environ["XLA_FLAGS"]
    main(["estimate", *pair])
    assert "sigma" in capsys.readouterr().out
    assert jax.config.jax_compilation_cache_dir is None
    assert os.environ["XLA_FLAGS"] == flags
    assert not cache.exists()


TWICE = """
import jax, gaussjax
before = jax.jit(lambda x: x + 1)(1.0)
folder = gaussjax.keep_programs()
assert gaussjax.keep_programs() == folder == gaussjax.keep_programs("elsewhere")
jax.jit(lambda x: x + 2)(1.0)
print(len(list(folder.glob("*-cache"))), jax.config.jax_compilation_cache_max_size)
"""


def test_keeping_begins_at_any_time_and_twice_is_once(cache):
    done = run_process(TWICE)
    assert done.stderr == ""
    assert done.stdout.split() == ["1", str(program_cache.LARGEST_SIZE)]


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="compiled programs are not kept: .*file"):
        assert program_cache.keep_programs(tmp_path / "file" / "folder") is None
    assert jax.config.jax_compilation_cache_dir is None


def test_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(program_cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert program_cache.cache_folder().name in ("gaussjax", "Cache")
    for name, folder in {"0": None, "": None, str(tmp_path): tmp_path}.items():
        monkeypatch.setenv(program_cache.VARIABLE, name)
        assert program_cache.cache_folder() == folder
