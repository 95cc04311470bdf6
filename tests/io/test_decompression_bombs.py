"""Small files that unpack to much are refused before they fill the memory."""

import gzip
import io
import re
import struct
import zlib
from functools import cache

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_kinds import library, samples

from gaussjax.io.declared_sizes import coded_size
from gaussjax.io.decompression_bombs import refuse_inflated
from gaussjax.io.images import ImageFileError, read_image

SIZE = 2**27  # bytes that a bomb unpacks to


@cache
def deflated(wbits=15):
    packer = zlib.compressobj(1, wbits=wbits)
    blocks = [packer.compress(bytes(2**20)) for _ in range(SIZE // 2**20)]
    return b"".join([*blocks, packer.flush()])


def tiff_with(folder, compression, strip, image=None):
    """A TIFF file with another strip than that of its image."""
    path = folder / "a.tif"
    tifffile.imwrite(path, samples() if image is None else image, compression=compression)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tags = tiff.pages[0].tags
        tags["StripByteCounts"].overwrite(len(strip))
        tags["StripOffsets"].overwrite(path.stat().st_size)
        end = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(end)
        file.write(strip)
    return path


def tiff_strip(folder):
    return tiff_with(folder, "zlib", deflated())


def webp_strip(folder):
    strip = library("imagecodecs").webp_encode(np.zeros((4000, 4000, 3), np.uint8), lossless=True)
    return tiff_with(folder, "webp", strip, np.zeros((24, 32, 3), np.uint8))


def coded_strip(codec, **options):
    def make(folder):
        name = {"jpeg2000": "jpeg2k"}.get(codec, codec)
        encode = getattr(library("imagecodecs"), f"{name}_encode")
        return tiff_with(folder, codec, encode(np.zeros((1024, 1024), np.uint8), **options))

    make.__name__ = f"{codec}_strip"
    return make


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


def zarr_store(folder, codec, chunk=None, **options):
    """A store of format 2 with one chunk, which is replaced."""
    zarr = library("zarr")
    options = {"chunks": (24, 32), "compressors": codec and [codec], **options}
    made = zarr.create_array(
        folder / "a.zarr", shape=(24, 32), zarr_format=2, dtype="u1", fill_value=0, **options
    )
    made[:] = samples()
    if chunk is not None:
        (folder / "a.zarr" / "0.0").write_bytes(chunk)
    return folder / "a.zarr"


def zarr_chunk(folder):
    return zarr_store(folder, library("numcodecs").Zlib(), deflated())


def second_stream_of_a_chunk(folder):
    gzipped = gzip.compress(b"1") + bytes(3) + deflated(31)
    return zarr_store(folder, library("numcodecs").GZip(), gzipped)


def packed_chunk(name):
    def make(folder):
        codec = getattr(library("numcodecs"), name)()
        return zarr_store(folder, codec, codec.encode(np.zeros(2**24, np.uint8)))

    make.__name__ = f"{name.lower()}_chunk"
    return make


def declared_chunk(folder):
    path = zarr_store(folder, library("numcodecs").Zlib())
    metadata = (path / ".zarray").read_text()
    (path / ".zarray").write_text(re.sub(r"24,\s*32", "24, 1000000000", metadata, count=2))
    return path


def zarr_shard(folder):
    zarr, codec = library("zarr"), library("numcodecs").Blosc()
    options = {"chunks": (12, 16), "shards": (24, 32), "dtype": "u1"}
    compressors = zarr.codecs.BloscCodec(typesize=1)
    made = zarr.create_array(folder / "a.zarr", shape=(24, 32), compressors=compressors, **options)
    made[:] = samples()
    (path,) = (folder / "a.zarr" / "c").rglob("0/0")
    index = bytearray(path.read_bytes()[-68:-4])
    bomb = codec.encode(np.zeros(2**24, np.uint8))
    index[48:] = struct.pack("<QQ", 0, len(bomb))
    path.write_bytes(bomb + index + bytes(4))
    return folder / "a.zarr"


BOMBS = (
    *(tiff_strip, jpeg_strip, webp_strip, coded_strip("jpeg2000"), coded_strip("jpegxl")),
    *(coded_strip("lerc"), coded_strip("png"), fits_file, fits_tile),
    *(zarr_chunk, second_stream_of_a_chunk, declared_chunk, zarr_shard),
    *(packed_chunk(name) for name in ("Blosc", "LZ4", "Zstd", "BZ2", "LZMA")),
)


@pytest.mark.parametrize("make", BOMBS)
def test_bombs_are_refused_for_what_they_unpack_to(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(ImageFileError, match=r"decompression bomb|INSUFFICIENT_SPACE"):
        read_image(path)


@pytest.mark.parametrize(
    "compression", ["jpeg", "webp", "jpeg2000", "jpegxl", "jpegxr", "png", "lerc"]
)
def test_strips_of_the_promised_size_pass(tmp_path, compression):
    image = np.random.default_rng(0).integers(0, 255, (100, 90, 3)).astype(np.uint8)
    options = {"webp": {"lossless": True}, "jpeg": {}}.get(compression, {})
    tifffile.imwrite(
        tmp_path / "a.tif", image, compression=compression, compressionargs=options, tile=(64, 48)
    )
    found = read_image(tmp_path / "a.tif")
    assert found.values.shape == (100, 90)


def test_sizes_are_those_that_an_encoder_wrote():
    imagecodecs = library("imagecodecs")
    kinds = [("jpeg", {}), ("jpeg2k", {}), ("jpeg2k", {"codecformat": "j2k"}), ("jpegxl", {})]
    kinds += [("jpegxl", {"usecontainer": True}), ("webp", {}), ("webp", {"lossless": True})]
    kinds += [("png", {}), ("jpegxr", {}), ("lerc", {})]
    for shape in ((9, 7), (64, 64), (40, 80), (600, 16), (120, 90), (300, 270)):
        image = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
        for name, options in kinds:
            coded = getattr(imagecodecs, f"{name}_encode")(image, **options)
            samples_too = name in ("jpeg2k", "lerc")
            assert coded_size(coded) == (3 if samples_too else 1) * shape[0] * shape[1]
    assert coded_size(imagecodecs.webp_encode(np.zeros((20, 30, 4), np.uint8))) == 600
    assert coded_size(b"no image at all") is None


def test_stores_of_every_packing_are_read(tmp_path):
    numcodecs = library("numcodecs")
    codecs = [numcodecs.Zlib(), numcodecs.GZip(), numcodecs.BZ2(), numcodecs.LZMA()]
    for k, codec in enumerate([*codecs, numcodecs.Blosc(), numcodecs.LZ4(), numcodecs.Zstd()]):
        folder = tmp_path / f"{k}"
        folder.mkdir()
        path = zarr_store(folder, codec, filters=[numcodecs.Delta("u1")])
        np.testing.assert_array_equal(read_image(path).values, samples())


def test_a_packing_that_does_not_tell_its_size_is_named(tmp_path):
    numcodecs = library("numcodecs")
    path = zarr_store(tmp_path, numcodecs.Zlib(), filters=[numcodecs.BZ2()])
    with pytest.raises(ImageFileError, match=r"packed by bz2, zlib: .*numpy\.save"):
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
