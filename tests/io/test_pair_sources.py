"""Sources find every pair, in a fixed order, and name what belongs to none."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from gaussjax.io.images import ImageFileError
from gaussjax.io.pair_set import PairSet
from gaussjax.io.pair_sources import (
    PairFiles,
    Problem,
    folder_pairs,
    list_pairs,
    open_source,
    open_stack,
    stack_pairs,
)


@pytest.fixture
def folders(tmp_path):
    for name in ("a/x.png", "a/sub/y.v2.TIF", "a/sub/x.png", "b/x.jpg", "b/sub/y.v2.npy"):
        touch(tmp_path / name)
    touch(tmp_path / "b/sub/x.png")
    return tmp_path / "a", tmp_path / "b"


@pytest.fixture
def stacks(tmp_path):
    paths = tmp_path / "a.npy", tmp_path / "b.npy"
    for path in paths:
        np.save(path, np.ones((5, 9, 8), np.float32))
    return paths


def touch(path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def names(source):
    return [pair.name for pair in source.pairs]


def test_folders_pair_by_relative_path_without_suffix(folders):
    a, b = folders
    source = folder_pairs(a, str(b))
    assert list(source.pairs) == [
        PairFiles("sub/x", a / "sub/x.png", b / "sub/x.png"),
        PairFiles("sub/y.v2", a / "sub/y.v2.TIF", b / "sub/y.v2.npy"),
        PairFiles("x", a / "x.png", b / "x.jpg"),
    ]
    assert source.problems == ()


def test_folders_ignore_what_is_hidden_or_no_image(folders):
    for name in (".x.png", "notes.txt", "y.csv", ".cache/z.png"):
        touch(folders[0] / name)
    source = folder_pairs(*folders)
    assert names(source) == ["sub/x", "sub/y.v2", "x"]
    assert source.problems == ()


def test_folders_report_files_without_partner_and_names_of_several_files(folders):
    a, b = folders
    touch(a / "only.png")
    touch(b / "sub/more.png")
    touch(b / "x.png")
    source = folder_pairs(a, b)
    assert names(source) == ["sub/x", "sub/y.v2"]
    assert source.problems == (
        Problem("only", f"has no partner in {b}"),
        Problem("sub/more", f"has no partner in {a}"),
        Problem("x", f"is several files in {b}: x.jpg, x.png"),
    )


def test_folders_report_links_to_folders(folders):
    a, _ = folders
    (a / "link").symlink_to(a / "sub", target_is_directory=True)
    source = folder_pairs(*folders)
    assert len(source.pairs) == 3
    assert source.problems == (
        Problem(str(a / "link"), "is a link to a folder, which is not followed"),
    )


def test_folders_refused(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageFileError, match=r"empty: no image has a partner"):
        folder_pairs(folders[0], tmp_path / "empty")
    with pytest.raises(ImageFileError, match="is given as both folders"):
        folder_pairs(folders[0], folders[0] / "sub" / "..")
    with pytest.raises(ImageFileError, match=r"c: is no folder"):
        folder_pairs(folders[0], tmp_path / "c")


def test_list(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('reference,blurred\nx.png,out/x.png\n\n"a, b.png",/data/b.png\n', "utf-8")
    first, second = list_pairs(path).pairs
    assert first == PairFiles("out/x.png", tmp_path / "x.png", tmp_path / "out/x.png")
    assert second.reference == tmp_path / "a, b.png"
    assert str(second.blurred) == "/data/b.png"


def test_list_with_names_and_byte_order_mark(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(b"\xef\xbb\xbfreference, blurred, name\r\nx.png, y.png, first\r\n")
    assert list(list_pairs(path).pairs) == [
        PairFiles("first", tmp_path / "x.png", tmp_path / "y.png")
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1: must be the header"),
        (b"x.png,y.png\n", "line 1: must be the header"),
        (b"reference,blurred\nx,y\nx.png\n", "line 3: has 1 fields; the header has 2"),
        (b"reference,blurred\nx,y,z\n", "line 2: has 3 fields; the header has 2"),
        (b"reference,blurred,name\n\nx,y\n", "line 3: has 2 fields; the header has 3"),
        (b"reference,blurred\nx.png,\n", "line 2: has an empty field"),
        (b"reference,blurred\n", "lists no pairs"),
        (b"reference,blurred\n\xff,y\n", "utf-8"),
    ],
)
def test_list_refused(tmp_path, content, reason):
    (tmp_path / "pairs.csv").write_bytes(content)
    with pytest.raises(ImageFileError, match=rf"pairs\.csv: .*{reason}") as caught:
        list_pairs(tmp_path / "pairs.csv")
    assert "\n" not in str(caught.value)


def test_stacks(stacks):
    source = stack_pairs(*stacks)
    assert names(source) == ["0", "1", "2", "3", "4"]
    assert source.pairs[-1] == PairFiles("4", stacks[0], stacks[1], 4)


def test_a_million_slices_cost_no_million_objects(tmp_path):
    paths = tmp_path / "a.npy", tmp_path / "b.npy"
    for path in paths:  # holes in the files: they take no room
        np.lib.format.open_memmap(path, "w+", np.uint8, (1_000_000, 8, 8))
    pairs = stack_pairs(*paths).pairs
    assert len(pairs) == 1_000_000
    assert not isinstance(pairs, (list, tuple))
    assert len(pairs[5::2]) == 499_998
    assert pairs[5::2][1].name == "7"
    with pytest.raises(IndexError):
        pairs[1_000_000]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones((9, 8)), r"is of rank 2; a stack is \[n, y, x\]"),
        (np.ones((0, 9, 8)), "holds no pixels"),
        (np.ones((5, 9, 8), complex), "complex128"),
        (np.full((5, 9, 8), None), "pickled Python objects"),
        (np.ones((5, 9, 7), np.float32), r"stacks of shape \(5, 9, 8\) and \(5, 9, 7\)"),
    ],
)
def test_stacks_refused(stacks, values, reason):
    np.save(stacks[1], values, allow_pickle=True)
    with pytest.raises(ImageFileError, match=rf"b\.npy: .*{reason}"):
        stack_pairs(*stacks)


def test_stacks_are_mapped_and_read_only(stacks):
    stack = open_stack(stacks[0])
    assert isinstance(stack.base, np.memmap)
    assert not stack.flags.writeable
    stacks[1].write_bytes(b"PK\x03\x04 an archive or anything else")
    with pytest.raises(ImageFileError, match=r"b\.npy: cannot be decoded"):
        open_stack(stacks[1])


def test_open_source_chooses(folders, stacks, tmp_path):
    touch(tmp_path / "pairs.csv", "reference,blurred\nx,y\n")
    assert len(open_source(*folders).pairs) == 3
    assert len(open_source(*map(str, stacks)).pairs) == 5
    assert len(open_source(tmp_path / "pairs.csv").pairs) == 1


def test_open_source_says_what_to_give(folders, stacks, tmp_path):
    touch(tmp_path / "pairs.csv", "reference,blurred\nx,y\n")
    image = folders[0] / "x.png"
    for paths, reason in [
        ([tmp_path / "none", folders[0]], "none: no such file or folder"),
        ([folders[0]], "a: give its partner too"),
        ([image], r"x\.png: give its partner too"),
        ([image, image], "`gaussjax estimate`"),
        ([folders[0], stacks[0]], "give two folders, two .npy stacks or a single .csv"),
        ([tmp_path / "pairs.csv", folders[0]], "give two folders"),
    ]:
        with pytest.raises(ImageFileError, match=reason):
            open_source(*paths)


@pytest.mark.parametrize("kind", ["folders", "stacks"])
def test_shards_are_disjoint_and_complete(request, kind):
    paths = request.getfixturevalue(kind)
    if kind == "folders":
        touch(paths[0] / "only.png")
        touch(paths[1] / "other.png")
    source = open_source(*paths)
    shards = [PairSet(source).shard(index, 2).source for index in range(2)]
    assert names(shards[0]) == names(source)[::2]
    assert sorted(names(shards[0]) + names(shards[1])) == sorted(names(source))
    assert sorted(map(str, shards[0].problems + shards[1].problems)) == sorted(
        map(str, source.problems)
    )
    assert shards[0].fingerprint() != shards[1].fingerprint()


def test_shards_are_numbered_from_zero(stacks):
    with pytest.raises(ValueError, match="index must be a whole number from 0 to 1; got 2"):
        PairSet(stack_pairs(*stacks)).shard(2, 2)


@pytest.mark.parametrize("kind", ["folders", "stacks"])
def test_sources_survive_the_way_to_another_process(request, kind):
    source = open_source(*request.getfixturevalue(kind))
    copy = pickle.loads(pickle.dumps(source))
    assert list(copy.pairs) == list(source.pairs)


def test_fingerprint_is_the_same_in_another_process_and_after_a_move(folders):
    fingerprint = folder_pairs(*folders).fingerprint()
    assert len(fingerprint) == 64
    moved = [folder.rename(folder.with_name(f"{folder.name}_moved")) for folder in folders]
    code = (
        "import sys, gaussjax.io.pair_reader; from gaussjax.io.pair_sources import open_source;"
        "print(open_source(*sys.argv[1:]).fingerprint()); assert 'jax' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *moved], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == fingerprint


def test_fingerprint_sees_names_sizes_times_and_missing_files(folders):
    a, b = folders
    source = folder_pairs(a, b)
    seen = [source.fingerprint()]
    status = (b / "x.jpg").stat()
    os.utime(b / "x.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 100))
    seen.append(source.fingerprint())
    times = (a / "x.png").stat()
    touch(a / "x.png", "longer")
    os.utime(a / "x.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    seen.append(source.fingerprint())
    for folder in folders:
        (folder / "sub").rename(folder / "sup")
    seen.append(folder_pairs(a, b).fingerprint())
    seen.append(source.fingerprint())  # its files have gone
    assert len(set(seen)) == 5
