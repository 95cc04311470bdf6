"""Compiled programs kept between runs: used, bounded, never fatal, and nobody else's."""

import os
import time

import jax
import numpy as np
import pytest
from processes import COMMAND, run_process, start_process

from gaussjax.cli import cache as cli_cache
from gaussjax.cli import main

HIT = "Persistent compilation cache hit for 'jit_fit_pair'"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder that programs are to be kept in; nothing there yet."""
    monkeypatch.setenv(cli_cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pair(tmp_path, monkeypatch, rng):
    """Names of two files of a signal, in the working directory."""
    monkeypatch.chdir(tmp_path)
    scene = rng.normal(size=300)
    np.save("a.npy", scene)
    np.save("b.npy", np.convolve(scene, [0.25, 0.5, 0.25], mode="same"))
    return "a.npy", "b.npy"


def entries(cache):
    return sorted(cache.glob("*/*-cache"))


def write(folder, name, size=100, age=0.0):
    (folder / name).write_bytes(bytes(range(1, 101))[:size])
    os.utime(folder / name, (time.time() - age,) * 2)


def test_programs_are_kept_and_used_again(cache, pair):
    # Two at once, as nothing is known yet.
    started = [start_process(COMMAND, "estimate", *pair) for _ in range(2)]
    first, second = (finish() for finish in started)
    assert (first.stderr, second.stderr) == ("", "")
    kept = entries(cache)
    assert sum(path.name.startswith("jit_fit_pair") for path in kept) == 1
    content = [path.read_bytes() for path in kept]
    third = run_process(COMMAND, "estimate", *pair, JAX_LOG_COMPILES="1")
    assert HIT in third.stderr
    assert first.stdout == second.stdout == third.stdout
    assert entries(cache) == kept
    assert [path.read_bytes() for path in kept] == content
    # Nothing of the runs is left, and nobody else may write.
    (folder,) = cache.iterdir()
    assert sorted(folder.iterdir()) == kept
    assert not folder.stat().st_mode & 0o077
    # Damage costs time only, and once.
    for path, whole in zip(kept, content, strict=True):
        path.write_bytes(whole[: len(whole) // 2])
    damaged = run_process(COMMAND, "estimate", *pair)
    assert (damaged.stderr, damaged.stdout) == ("", first.stdout)
    assert entries(cache) == kept
    mended = run_process(COMMAND, "estimate", *pair, JAX_LOG_COMPILES="1")
    assert HIT in mended.stderr
    assert "cache miss" not in mended.stderr


@pytest.mark.parametrize("where", ["0", "file/folder"])
def test_no_cache_is_no_error(tmp_path, pair, where):
    (tmp_path / "file").touch()
    home = tmp_path / "home"
    home.mkdir()
    done = run_process(COMMAND, "estimate", *pair, GAUSSJAX_CACHE=where, HOME=str(home))
    assert (done.returncode in (0, 1), done.stderr) == (True, "")
    assert "sigma" in done.stdout
    assert list(home.iterdir()) == []


def test_a_cache_of_the_users_own_is_left_alone(tmp_path, cache, pair):
    own = tmp_path / "own"
    run_process(
        COMMAND,
        "estimate",
        *pair,
        JAX_COMPILATION_CACHE_DIR=str(own),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    )
    assert list(own.glob("jit_fit_pair*"))
    assert not cache.exists()


def test_a_process_that_has_jax_keeps_its_settings(cache, pair, capsys):
    flags = os.environ["XLA_FLAGS"]
    main(["estimate", *pair])
    assert "sigma" in capsys.readouterr().out
    assert jax.config.jax_compilation_cache_dir is None
    assert os.environ["XLA_FLAGS"] == flags
    assert not cache.exists()


def test_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("GAUSSJAX_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", name)
        assert cli_cache.cache_folder() == tmp_path / ".cache" / "gaussjax"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cli_cache.cache_folder() == tmp_path / "xdg" / "gaussjax"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cli_cache.cache_folder() == tmp_path / "Library" / "Caches" / "gaussjax"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert cli_cache.cache_folder() is None
    for name, folder in {"0": None, "": None, str(tmp_path): tmp_path}.items():
        monkeypatch.setenv("GAUSSJAX_CACHE", name)
        assert cli_cache.cache_folder() == folder


def test_without_a_home_there_is_no_cache(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("GAUSSJAX_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", fail)
    monkeypatch.setattr("sys.platform", "linux")
    assert cli_cache.cache_folder() is None
    assert cli_cache.begin_run() is None


def test_every_kind_of_cpu_has_its_folder(cache, monkeypatch):
    run = cli_cache.begin_run()
    assert run is not None
    assert run.parent.name == cli_cache.cpu_name()
    cli_cache.end_run(run)
    texts = ["flags\t: sse2 avx2\n", "flags\t: sse2 avx2 avx512f\n", "model name\t: X\n"]
    names = []
    for text in texts:
        monkeypatch.setattr("pathlib.Path.read_text", lambda *_, text=text, **__: text)
        names.append(cli_cache.cpu_name())
    # The clock changes, and the number of cores.
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: "cpu MHz: 1\n" + 2 * texts[0])
    assert len({*names, cli_cache.cpu_name()}) == 3

    def fail(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", fail)
    monkeypatch.setattr("platform.node", lambda: "one")
    one = cli_cache.cpu_name()
    monkeypatch.setattr("platform.node", lambda: "other")
    assert cli_cache.cpu_name() != one


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such permissions")
def test_a_folder_that_others_write_to_is_not_used(cache, monkeypatch):
    folder = cache / cli_cache.cpu_name()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert cli_cache.begin_run() is None
    folder.chmod(0o700)
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    assert cli_cache.begin_run() is None
    assert list(folder.iterdir()) == []


def test_the_programs_used_last_stay(cache, monkeypatch):
    monkeypatch.setattr(cli_cache, "LARGEST_SIZE", 250)
    run = cli_cache.begin_run()
    assert run is not None
    other = cache / "another-cpu"
    other.mkdir()
    write(run.parent, "old-cache", age=3000)
    write(run.parent, "used-cache", age=1000)
    write(other, "older-cache", age=4000)
    write(run, "new-cache")
    cli_cache.end_run(run)
    assert [path.name for path in entries(cache)] == ["new-cache", "used-cache"]


def test_a_run_starts_from_what_is_whole_and_leaves_nothing(cache):
    run = cli_cache.begin_run()
    assert run is not None
    known = run.parent
    write(known, "whole-cache")
    write(known, "empty-cache", size=0)
    killed = known / "run-killed"
    killed.mkdir()
    os.utime(killed, (time.time() - 1e6,) * 2)
    second = cli_cache.begin_run()
    assert second is not None
    assert [path.name for path in second.iterdir()] == ["whole-cache"]
    write(second, "empty-cache")
    (second / "whole-cache").unlink()
    write(second, "whole-cache", size=90)
    cli_cache.end_run(second)
    assert (known / "empty-cache").stat().st_size == 100
    assert (known / "whole-cache").stat().st_size == 90  # as of a broken one that is written anew
    assert run.exists()  # it is under way
    assert not killed.exists()
    assert not second.exists()
    cli_cache.end_run(run)


def test_without_hard_links_entries_are_copied(cache, monkeypatch):
    def fail(*_):
        raise OSError

    run = cli_cache.begin_run()
    assert run is not None
    write(run, "new-cache")
    cli_cache.end_run(run)
    monkeypatch.setattr("os.link", fail)
    second = cli_cache.begin_run()
    assert second is not None
    assert (second / "new-cache").stat().st_size == 100
    cli_cache.end_run(second)
