"""Small files that unpack to much are refused before they fill the memory."""

import gzip
import io
import struct
import zlib
from functools import cache

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_kinds import library, samples

from gaussjax.io.bombs import refuse_inflated
from gaussjax.io.images import ImageFileError, read_image

SIZE = 2**27  # bytes that a bomb unpacks to


@cache
def deflated(wbits=15):
    packer = zlib.compressobj(1, wbits=wbits)
    blocks = [packer.compress(bytes(2**20)) for _ in range(SIZE // 2**20)]
    return b"".join([*blocks, packer.flush()])


def tiff_strip(folder):
    path = folder / "a.tif"
    tifffile.imwrite(path, samples(), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tags = tiff.pages[0].tags
        tags["StripByteCounts"].overwrite(len(deflated()))
        tags["StripOffsets"].overwrite(path.stat().st_size)
        end = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(end)
        file.write(deflated())
    return path


def jpeg_strip(folder):
    path = folder / "a.tif"
    tifffile.imwrite(path, samples(), compression="jpeg")
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 30_000, 30_000)
    path.write_bytes(data)
    return path


def fits_file(folder):
    fits, plain = library("astropy.io.fits"), io.BytesIO()
    fits.PrimaryHDU(samples()).writeto(plain)
    (folder / "a.fits.gz").write_bytes(gzip.compress(plain.getvalue()) + deflated(31))
    return folder / "a.fits.gz"


def fits_tile(folder):
    fits = library("astropy.io.fits")
    image = fits.CompImageHDU(samples(np.int16), compression_type="GZIP_1")
    image.writeto(folder / "a.fits")
    with fits.open(folder / "a.fits", disable_image_compression=True) as hdus:
        header = hdus[1].header
        tiles = np.empty(header["NAXIS2"], object)
        tiles[:] = [np.frombuffer(deflated(31), np.uint8)] * len(tiles)
        column = fits.Column(name="COMPRESSED_DATA", format="1PB()", array=tiles)
        made = fits.BinTableHDU.from_columns([column])
        made.header.update({key: header[key] for key in header if key.startswith("Z")})
    fits.HDUList([fits.PrimaryHDU(), made]).writeto(folder / "a.fits", overwrite=True)
    return folder / "a.fits"


def zarr_chunk(folder):
    zarr, numcodecs = library("zarr"), library("numcodecs")
    options = {"zarr_format": 2, "compressors": [numcodecs.Zlib()], "dtype": "u1"}
    made = zarr.create_array(folder / "a.zarr", shape=(24, 32), chunks=(24, 32), **options)
    made[:] = samples()
    (folder / "a.zarr" / "0.0").write_bytes(deflated())
    return folder / "a.zarr"


@pytest.mark.parametrize("make", [tiff_strip, jpeg_strip, fits_file, fits_tile, zarr_chunk])
def test_bombs_are_refused_for_what_they_unpack_to(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(ImageFileError, match=r"decompression bomb|INSUFFICIENT_SPACE"):
        read_image(path)


def test_a_member_of_an_archive_is_refused_for_what_it_promises(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    np.savez_compressed(tmp_path / "a.npz", np.zeros((200, 200)))
    with pytest.raises(ImageFileError, match="decompression bomb"):
        read_image(tmp_path / "a.npz")


def test_streams_of_the_promised_size_pass():
    imagecodecs = library("imagecodecs")
    for pack in (zlib.compress, gzip.compress, imagecodecs.zstd_encode):
        refuse_inflated(pack(bytes(5000)), 5000)
        with pytest.raises(ImageFileError, match="more than 4999 bytes"):
            refuse_inflated(pack(bytes(5000)), 4999)
    refuse_inflated(b"no stream at all", 10)
