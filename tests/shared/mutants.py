"""Damaged copies of healthy files, given to the command: what reaches the terminal, and how long.

``python mutants.py FOLDER SEED COUNT`` prints a JSON line for every file that misbehaves, and one
with the number of files at the end.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_kinds import KINDS, library, samples

from gaussjax.cli import main

SLOW = 10.0  # seconds for a file of a few kB
MUCH_MEMORY = 2**30  # bytes
_WAYS = ("cut", "bits", "head", "block", "grown", "text")


def tiff(mode, compression):
    """A kind of TIFF as Pillow writes it."""

    def make(folder):
        picture = PIL.Image.fromarray(samples(np.uint8, 3)).convert(mode)
        picture.save(folder / "a.tif", compression=compression)
        return (folder / "a.tif",)

    return make


def jpeg_strips(folder):
    tifffile.imwrite(folder / "a.tif", samples(np.uint8, 3), photometric="rgb", compression="jpeg")
    return (folder / "a.tif",)


def gzip_tiles(folder):
    fits = library("astropy.io.fits")
    parts = [fits.PrimaryHDU(), fits.CompImageHDU(samples(np.int16), compression_type="GZIP_2")]
    fits.HDUList(parts).writeto(folder / "a.fits")
    return (folder / "a.fits",)


def png_with_texts(folder):
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_itxt("Comment", "text " * 20, zip=True)
    PIL.Image.fromarray(samples(np.uint8, 3)).save(folder / "a.png", pnginfo=texts, dpi=(72, 72))
    return (folder / "a.png",)


def progressive_jpeg(folder):
    picture = PIL.Image.fromarray(samples(np.uint8, 3))
    picture.save(folder / "a.jpg", progressive=True, exif=PIL.Image.Exif())
    return (folder / "a.jpg",)


# Kinds whose libraries like to talk.
MORE = {
    "tiff_in_lzw": tiff("L", "tiff_lzw"),
    "tiff_colours_in_lzw": tiff("RGB", "tiff_lzw"),
    "tiff_with_palette": tiff("P", "tiff_adobe_deflate"),
    "tiff_with_ink": tiff("CMYK", "tiff_lzw"),
    "tiff_of_fax": tiff("1", "group4"),
    "tiff_in_jpeg": tiff("YCbCr", "jpeg"),
    "tiff_in_packbits": tiff("RGB", "packbits"),
    "tiff_in_jpeg_strips": jpeg_strips,
    "fits_in_gzip_tiles": gzip_tiles,
    "png_with_texts": png_with_texts,
    "progressive_jpeg": progressive_jpeg,
}


def mutate(data, rng):
    """A copy of the bytes of a file with one kind of damage."""
    data = bytearray(data)
    way = rng.choice(_WAYS)
    if way == "cut":
        return bytes(data[: rng.integers(1, len(data))])
    if way == "bits":
        for place in rng.integers(0, len(data), rng.integers(1, 12)):
            data[place] ^= 1 << rng.integers(0, 8)
    elif way == "head":
        for place in rng.integers(0, min(len(data), 400), rng.integers(1, 5)):
            data[place] = rng.integers(0, 256)
    elif way == "block":
        start, size = rng.integers(0, len(data)), rng.integers(1, 64)
        data[start : start + size] = bytes([rng.choice([0, 255, 27])]) * size
    elif way == "grown":
        start = rng.integers(0, len(data))
        data[start:start] = rng.bytes(rng.integers(1, 64))
    else:  # numbers of text headers, and what a terminal would obey
        start = rng.integers(0, min(len(data), 3000))
        for word in (b"99999999999", b"-1", b"\x1b[31m\n\x07"):
            if rng.random() < 0.5:
                data[start : start + len(word)] = word
    return bytes(data)


def damage(path, rng):
    """Damage a file in place, or one file of a store."""
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        path = files[rng.integers(0, len(files))]
    path.write_bytes(mutate(path.read_bytes(), rng))


def errors_of(arguments, capture):
    """What a run of the command writes on stderr, also past Python, and its exit code."""
    capture.seek(0)
    capture.truncate()
    kept = os.dup(2)
    os.dup2(capture.fileno(), 2)
    code = None
    try:
        code = main(arguments)
    except BaseException as error:
        code = f"{type(error).__name__}: {error}"
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
    capture.seek(0)
    return code, capture.read()


def _peak():
    """Largest resident memory so far, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(folder, seed, count):
    rng = np.random.default_rng(seed)
    os.chdir(folder)
    # No file has this shape: those that are still read end in an error, too, and nothing compiles.
    np.save("other.npy", np.zeros((5, 7)))
    made = {}
    for name, make in (KINDS | MORE).items():
        (Path(folder) / name).mkdir()
        with suppress(pytest.skip.Exception):  # its library is not installed
            made[name] = make(Path(folder) / name)[0]
    # Of a process that another one has started it begins at what that one held.
    names, most = sorted(made), _peak()
    with tempfile.TemporaryFile() as capture:
        for number in range(count):
            name = names[number % len(names)]
            path = Path(folder) / f"damaged{made[name].suffix}"
            copy = shutil.copytree if made[name].is_dir() else shutil.copy
            copy(made[name], path)
            damage(path, rng)
            start, before = time.perf_counter(), most
            signal.alarm(120)  # a hang ends the process
            code, text = errors_of(["estimate", path.name, "other.npy"], capture)
            signal.alarm(0)
            most = _peak()
            faults = {
                "code": code != 2,
                "lines": text.count(b"\n") != 1,
                "escape": any(byte < 32 and byte != 10 for byte in text),
                "traceback": b"Traceback" in text,
                "slow": time.perf_counter() - start > SLOW,
                "memory": most > before + MUCH_MEMORY,
            }
            if any(faults.values()):
                found = [fault for fault, is_there in faults.items() if is_there]
                line = text.decode("utf-8", "backslashreplace")[:400]
                print(json.dumps([name, number, found, code, line]), flush=True)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    print(json.dumps(count))


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
