"""Files to be written: what is known before, and what is left behind."""

import os
import subprocess
import sys

import pytest

from gaussjax.io import output_files
from gaussjax.io.output_files import (
    check_replaceable,
    check_writable,
    remove_leftovers,
    replace_file,
    write_file,
)

CHECKS = [check_writable, check_replaceable]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_leaves_no_trace(tmp_path, check):
    there = tmp_path / "there"
    there.write_bytes(b"content")
    os.utime(there, (1, 1))
    check(there)
    check(tmp_path / "new")
    assert content(tmp_path) == {"there": b"content"}
    assert there.stat().st_mtime == 1


@pytest.mark.parametrize("check", CHECKS)
def test_what_cannot_be_written_is_known(tmp_path, check):
    for path in (tmp_path / "no" / "file", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match=r"No such file|too long"):
            check(path)
    (tmp_path / "link").symlink_to(tmp_path / "no" / "file")
    if check is check_writable:  # to replace a link is no fault
        with pytest.raises(FileNotFoundError):
            check(tmp_path / "link")


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that nobody can write to")
@pytest.mark.parametrize("check", CHECKS)
def test_a_folder_that_takes_no_files(check):
    with pytest.raises(OSError, match="proc"):
        check(output_files.Path("/proc/self/file"))


def test_the_files_of_processes_that_live_stay(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f".run.state.{number}" for number in (ended.pid, os.getppid(), os.getpid(), "txt")]
    for name in [*names, f".other.state.{ended.pid}", "run.state"]:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "run.state")
    assert content(tmp_path).keys() == {*names[1:], f".other.state.{ended.pid}", "run.state"}


def test_a_file_that_fails_halfway_is_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"new")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        replace_file(path, fail)
    assert content(tmp_path) == {"file": b"old"}
    replace_file(path, lambda file: file.write(b"new") and None)
    assert content(tmp_path) == {"file": b"new"}


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_file_that_is_replaced_keeps_its_links_and_permissions(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_file(link, lambda file: file.write(b"new") and None)
    assert link.is_symlink()
    assert content(tmp_path) == {"file": b"new", "link": b"new"}
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_in_a_folder_that_takes_no_others_is_written_in_place(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"the old one")

    def refuse(*_):
        raise PermissionError("folder")

    monkeypatch.setattr(output_files, "replace_file", refuse)
    write_file(path, lambda file: file.write(b"new") and None)
    assert content(tmp_path) == {"file": b"new"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_file(path, lambda file: file.write(b"new") and None)
    assert os.read(reader, 9) == b"new"
    os.close(reader)
    assert path.is_fifo()
