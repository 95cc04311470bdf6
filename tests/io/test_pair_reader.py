"""The reader hands over what read_image reads, in order, with few pairs in memory."""

import os
import re
import signal
import threading
import time
import tracemalloc
import warnings

import numpy as np
import PIL.Image
import pytest
import tifffile

import gaussjax.io.pair_reader as pair_reader
from gaussjax.io.images import read_image, read_values
from gaussjax.io.pair_reader import BadPair, LoadedPair, read_pairs
from gaussjax.io.pair_set import PairSet
from gaussjax.io.pair_sources import PairFiles, Source, stack_pairs

SIDE = 16


@pytest.fixture(autouse=True)
def _no_thread_survives():
    yield
    assert not reader_threads()


def reader_threads():
    return [thread for thread in threading.enumerate() if "gaussjax-reader" in thread.name]


def grey_source(folder, count, side=SIDE):
    """Pairs of grey PNG; every pixel of pair i is i in A, and i + 1 in B."""
    pairs = []
    for number in range(count):
        paths = folder / f"a{number}.png", folder / f"b{number}.png"
        for path, value in zip(paths, (number, number + 1), strict=True):
            PIL.Image.fromarray(np.full((side, side), value, np.uint8)).save(path)
        pairs.append(PairFiles(f"pair {number}", *paths))
    return Source(tuple(pairs))


def write_every_kind(folder, rng):
    """Files of every kind that a data set may hold."""
    grey = rng.integers(0, 256, (SIDE, SIDE + 3), np.uint8)
    deep = rng.integers(0, 65536, grey.shape, np.uint16)
    colour = rng.integers(0, 256, (*grey.shape, 4), np.uint8)
    exif = PIL.Image.Exif()
    exif[274] = 6
    PIL.Image.fromarray(grey).save(folder / "grey.png")
    PIL.Image.fromarray(grey).save(folder / "turned.png", exif=exif)
    PIL.Image.fromarray(grey).save(folder / "grey.jpg", exif=exif)
    PIL.Image.fromarray(deep).save(folder / "deep.png")
    PIL.Image.fromarray(colour[..., :3]).save(folder / "rgb.png")
    PIL.Image.fromarray(colour).save(folder / "rgba.png")
    PIL.Image.fromarray(colour[..., :3]).quantize(7).save(folder / "palette.png")
    PIL.Image.fromarray(grey > 99).save(folder / "bits.png")
    tifffile.imwrite(folder / "float.tif", rng.random(grey.shape))
    tifffile.imwrite(folder / "colour.tif", colour[..., :3] * np.uint16(257), photometric="rgb")
    np.save(folder / "double.npy", 1e6 * rng.standard_normal(grey.shape))
    long = rng.integers(-(2**62), 2**62, grey.shape)
    long[0, 0] = 2**62 + 2**38 + 1  # by way of float64 it rounds down, straight to float32 up
    np.save(folder / "long.npy", long)
    np.save(folder / "columns.npy", np.asfortranarray(rng.random(grey.shape, np.float32)))
    return sorted(folder.iterdir())


@pytest.mark.parametrize("linearize", [False, True])
def test_pairs_are_what_read_image_reads(tmp_path, rng, linearize):
    paths = write_every_kind(tmp_path, rng)
    if linearize:
        paths.remove(tmp_path / "long.npy")  # has no sRGB scale
    source = Source(tuple(PairFiles(path.name, path, path) for path in paths))
    loaded = list(read_pairs(source, workers=2, linearize=linearize))
    assert len(loaded) == len(paths) > 11
    for pair, path in zip(loaded, paths, strict=True):
        assert isinstance(pair, LoadedPair), pair
        expected = read_image(path, linearize=linearize).values.astype(np.float32)
        for image in (pair.reference, pair.blurred):
            np.testing.assert_array_equal(image, expected, err_msg=path.name)
            assert image.dtype == np.float32
            assert image.flags.c_contiguous


def test_other_types_keep_their_bits(tmp_path, rng):
    for path in write_every_kind(tmp_path, rng):
        values, _ = read_values(path, np.float64)
        np.testing.assert_array_equal(values, read_image(path).values, err_msg=path.name)
        assert values.dtype == np.float64


@pytest.mark.parametrize("workers", [1, 3])
def test_order_and_position(tmp_path, workers, monkeypatch):
    source = grey_source(tmp_path, 12)
    read = pair_reader.read_values

    def late(path, *args, **kwargs):  # the first of every three is the last to be read
        time.sleep(0.01 * (int(path.stem[1:]) % 3 == 0))
        return read(path, *args, **kwargs)

    monkeypatch.setattr(pair_reader, "read_values", late)
    pairs = list(read_pairs(source, start=4, workers=workers))
    assert [pair.position for pair in pairs] == list(range(4, 12))
    for pair in pairs:
        assert isinstance(pair, LoadedPair)
        assert pair.name == f"pair {pair.position}"
        assert np.all(pair.reference == pair.position)
        assert np.all(pair.blurred == pair.position + 1)


def test_nothing_is_left_to_read_at_the_end(tmp_path):
    assert list(read_pairs(grey_source(tmp_path, 2), start=2)) == []


def test_slices_of_stacks(tmp_path, rng):
    stack = rng.random((5, SIDE, 9)).astype(np.float32)
    np.save(tmp_path / "a.npy", stack)
    np.save(tmp_path / "b.npy", (100 * stack).astype(np.uint8))
    shard = PairSet(stack_pairs(tmp_path / "a.npy", tmp_path / "b.npy")).shard(1, 2)
    pairs = list(shard)
    assert [(pair.name, pair.position) for pair in pairs] == [("1", 0), ("3", 1)]
    for pair, number in zip(pairs, (1, 3), strict=True):
        assert isinstance(pair, LoadedPair)
        np.testing.assert_array_equal(pair.reference, stack[number])
        np.testing.assert_array_equal(pair.blurred, np.floor(100 * stack[number]))
        assert pair.reference.base is None  # its own numbers, not the file's
    linear = next(read_pairs(shard.source, linearize=True))
    assert isinstance(linear, LoadedPair)
    assert linear.blurred.max() < 1


def test_a_stack_is_opened_once(tmp_path, monkeypatch):
    opened = []
    open_stack = pair_reader.open_stack
    monkeypatch.setattr(
        pair_reader, "open_stack", lambda path: opened.append(path) or open_stack(path)
    )
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.ones((20, 8, 8)))
    list(read_pairs(stack_pairs(tmp_path / "a.npy", tmp_path / "b.npy"), workers=1))
    assert len(opened) == 2


def test_bad_pairs_say_why_and_do_not_stop_the_rest(tmp_path):
    good = tmp_path / "good.npy"
    np.save(good, np.ones((SIDE, SIDE)))
    np.save(tmp_path / "other.npy", np.ones((SIDE, SIDE + 1)))
    np.save(tmp_path / "small.npy", np.ones((SIDE, 7)))
    values = np.ones((SIDE, SIDE))
    values[0, :3] = np.nan, np.inf, -np.inf
    np.save(tmp_path / "holes.npy", values)
    np.save(tmp_path / "large.npy", 1e300 * np.ones((SIDE, SIDE)))
    (tmp_path / "text.png").write_text("no\nimage")
    (tmp_path / "empty.png").touch()
    cases = {
        "other": r"good\.npy and .*other\.npy: are of shape \(16, 16\) and \(16, 17\)",
        "small": r"small\.npy: is of shape \(16, 7\); every axis needs at least 8 pixels",
        "holes": r"holes\.npy: has 3 NaN or infinite pixels",
        "large": r"large\.npy: has 256 NaN or infinite pixels",
        "text": r"text\.png: is text, no image",
        "empty": r"empty\.png: is empty",
        "missing": r"missing\.png: No such file",
    }
    pairs = []
    for name in cases:
        suffix = ".npy" if (tmp_path / f"{name}.npy").exists() else ".png"
        path = tmp_path / f"{name}{suffix}"
        pairs += [PairFiles(name, path if name == "small" else good, path)]
        pairs += [PairFiles("good", good, good)]
    results = list(read_pairs(Source(tuple(pairs)), workers=2))
    assert all(isinstance(pair, LoadedPair) for pair in results[1::2])
    assert len(results) == 2 * len(cases)
    for number, (bad, (name, reason)) in enumerate(zip(results[::2], cases.items(), strict=True)):
        assert isinstance(bad, BadPair), bad
        assert (bad.name, bad.position) == (name, 2 * number)
        assert re.search(reason, bad.reason), bad.reason
        assert "\n" not in bad.reason


def test_bombs_are_bad_pairs(tmp_path, monkeypatch):
    source = grey_source(tmp_path, 1)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", SIDE * SIDE - 1)
    (bad,) = read_pairs(source)
    assert isinstance(bad, BadPair)
    assert "decompression bomb" in bad.reason


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_bad_pairs_whatever_the_filters_of_warnings(tmp_path, monkeypatch):
    test_bombs_are_bad_pairs(tmp_path, monkeypatch)


@pytest.mark.parametrize(("workers", "window"), [(1, 2), (2, 5), (3, 12)])
def test_window_bounds_what_is_in_memory(tmp_path, monkeypatch, workers, window):
    source = grey_source(tmp_path, 40)
    started = []
    monkeypatch.setattr(
        pair_reader,
        "read_values",
        lambda path, *args, **kwargs: started.append(path) or read_values(path, *args, **kwargs),
    )
    for number, _ in enumerate(read_pairs(source, workers=workers, window=window)):
        if number in (0, 5, 20):
            # One more is begun when the next is asked for, while the caller still has this one.
            expected = 2 * (number + window - 1)
            deadline = time.monotonic() + 5
            while len(started) < expected and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.03)
            assert len(started) == expected
    assert len(started) == 80


def test_memory_does_not_grow_with_the_number_of_pairs(tmp_path):
    side = 128  # what Python itself needs is little beside it
    (pair,) = grey_source(tmp_path, 1, side).pairs
    peaks = []
    for count in (20, 400):
        source = Source((pair,) * count)
        list(read_pairs(Source((pair,)), workers=1))
        tracemalloc.start()
        for _ in read_pairs(source, workers=2, window=6):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 14 * 2 * 4 * side**2


def test_closing_early_ends_the_threads_and_what_is_pending(tmp_path, monkeypatch):
    source = grey_source(tmp_path, 40)
    started = []
    monkeypatch.setattr(
        pair_reader,
        "read_values",
        lambda path, *args, **kwargs: started.append(path) or read_values(path, *args, **kwargs),
    )
    pairs = read_pairs(source, workers=2, window=4)
    next(pairs)
    assert reader_threads()
    pairs.close()
    assert not reader_threads()
    assert len(started) <= 2 * 4
    assert next(pairs, None) is None


def test_an_unstarted_reader_has_no_threads(tmp_path):
    pairs = read_pairs(grey_source(tmp_path, 3))
    assert not reader_threads()
    pairs.close()


def test_an_error_of_ours_is_not_swallowed(tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise AssertionError("a mistake in the program")

    monkeypatch.setattr(pair_reader, "read_values", broken)
    with pytest.raises(AssertionError, match="a mistake"):
        list(read_pairs(grey_source(tmp_path, 3)))


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_interrupt_while_waiting(tmp_path, monkeypatch):
    source = grey_source(tmp_path, 40)

    def slow(path, *args, **kwargs):
        time.sleep(0.2)
        return read_values(path, *args, **kwargs)

    monkeypatch.setattr(pair_reader, "read_values", slow)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(read_pairs(source, workers=2))
    timer.join()
    assert time.monotonic() - begin < 2  # forty pairs would have taken eight
    assert not reader_threads()


def test_filters_of_warnings_stay_as_they_are(tmp_path):
    before = list(warnings.filters)
    list(read_pairs(grey_source(tmp_path, 30), workers=4))
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"start": -1}, "start must be a whole number from 0 to 2; got -1"),
        ({"start": 3}, "got 3"),
        ({"workers": 0}, "workers must be a whole number from 1 on; got 0"),
        ({"window": 1}, "window must be a whole number from 2 on; got 1"),
    ],
)
def test_numbers_out_of_range_are_refused_at_once(tmp_path, arguments, reason):
    source = grey_source(tmp_path, 2)
    with pytest.raises(ValueError, match=reason):
        read_pairs(source, **arguments)
