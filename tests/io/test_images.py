"""Every kind of image file is read in full, with a note on what was changed, or refused."""

import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tifffile

from gaussjax.io.images import (
    ImageFileError,
    MappedImage,
    map_image,
    output_suffix,
    read_image,
    write_image,
)

HEIGHT, WIDTH = 12, 17
LUMINANCE = [0.2126, 0.7152, 0.0722]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def random_samples(rng, *channels, dtype=np.uint8):
    return rng.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, *channels), dtype, endpoint=True)


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bytes(samples, *, size=None, bits=None):
    """A PNG of 8- or 16-bit samples written by hand; odd rows use the filter "Sub"."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    bits = bits or 8 * samples.itemsize
    lines = []
    for number, row in enumerate(samples.astype(samples.dtype.newbyteorder(">"))):
        line = np.frombuffer(row.tobytes(), np.uint8)
        if number % 2:
            step = channels * samples.itemsize
            line = line - np.concatenate([np.zeros(step, np.uint8), line[:-step]])
        lines.append(bytes([number % 2]) + line.tobytes())
    width, height = size or samples.shape[1::-1]
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def has_note(image, phrase):
    return any(phrase in note for note in image.notes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
def test_png_keeps_every_bit(tmp_path, rng, dtype, channels):
    samples = random_samples(rng, *channels, dtype=dtype)
    (tmp_path / "a.png").write_bytes(png_bytes(samples))
    image = read_image(tmp_path / "a.png")
    if channels in [(3,), (4,)]:
        expected = samples[..., :3] @ LUMINANCE
    else:
        expected = samples[..., 0] if channels else samples
    np.testing.assert_allclose(image.values, expected, rtol=1e-12)
    assert image.values.dtype == np.float64
    assert image.dtype == dtype
    assert has_note(image, "luminance") == (channels in [(3,), (4,)])
    assert has_note(image, "alpha") == (channels in [(2,), (4,)])


def test_alpha_note_says_whether_anything_was_transparent(tmp_path, rng):
    samples = random_samples(rng, 4)
    samples[..., 3] = 255
    (tmp_path / "opaque.png").write_bytes(png_bytes(samples))
    samples[:3, :, 3] = 0
    (tmp_path / "clear.png").write_bytes(png_bytes(samples))
    assert not has_note(read_image(tmp_path / "opaque.png"), "not opaque")
    assert has_note(read_image(tmp_path / "clear.png"), "25.0% of its pixels are not opaque")


@pytest.mark.parametrize(
    ("mode", "phrase"), [("1", None), ("P", "palette"), ("L", None), ("I;16", None)]
)
def test_png_modes(tmp_path, rng, mode, phrase):
    picture = PIL.Image.fromarray(random_samples(rng, 3)).convert("L").convert(mode)
    picture.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    expected = picture if mode == "I;16" else picture.convert("L")
    np.testing.assert_allclose(image.values, np.asarray(expected), atol=1e-9)
    assert phrase is None or has_note(image, phrase)


def test_palette_with_transparency(tmp_path, rng):
    picture = PIL.Image.fromarray(random_samples(rng, 3)).quantize(5)
    picture.save(tmp_path / "a.png", transparency=2)
    image = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(image.values, np.asarray(picture.convert("RGB")) @ LUMINANCE)
    assert has_note(image, "alpha channel dropped")


def test_transparent_colour_is_noted(tmp_path, rng):
    PIL.Image.fromarray(random_samples(rng)).save(tmp_path / "a.png", transparency=3)
    assert has_note(read_image(tmp_path / "a.png"), "transparent colour ignored")


def test_cmyk_is_converted_with_a_note(tmp_path, rng):
    picture = PIL.Image.fromarray(random_samples(rng, 4), "CMYK")
    picture.save(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(image.values, np.asarray(picture.convert("RGB")) @ LUMINANCE)
    assert has_note(image, "CMYK")


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_first_of_several_frames(tmp_path, rng, suffix):
    frames = [PIL.Image.fromarray(random_samples(rng)) for _ in range(3)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(image.values, np.asarray(frames[0]))
    assert has_note(image, "first of 3 frames")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, rng, orientation):
    picture, exif = PIL.Image.fromarray(random_samples(rng)), PIL.Image.Exif()
    exif[274] = orientation
    for name in ("a.png", "a.tif", "a.jpg"):
        picture.save(tmp_path / name, exif=exif)
    for name, source in [("a.png", "a.png"), ("a.tif", "a.png"), ("a.jpg", "a.jpg")]:
        image = read_image(tmp_path / name)
        with PIL.Image.open(tmp_path / source) as opened:
            upright = np.asarray(PIL.ImageOps.exif_transpose(opened))
        np.testing.assert_array_equal(image.values, upright)
        assert has_note(image, "turned upright") == (orientation != 1)


def test_linearize(tmp_path):
    # Reference values of the sRGB transfer function: half of white is stored as 187.5 of 255.
    encoded = np.array([[0, 10, 188], [255, 128, 64]], np.uint8)
    linear = [[0, 10 / 255 / 12.92, 0.50289], [1, 0.21586, 0.05126]]
    (tmp_path / "a.png").write_bytes(png_bytes(encoded))
    (tmp_path / "b.png").write_bytes(png_bytes(encoded.astype(np.uint16) * 257))
    np.save(tmp_path / "c.npy", encoded)
    for name in ("a.png", "b.png", "c.npy"):
        image = read_image(tmp_path / name, linearize=True)
        np.testing.assert_allclose(image.values, linear, atol=1e-5)
        assert has_note(image, "linear light")


def test_linearize_comes_before_luminance(tmp_path):
    colour = np.array([[[255, 0, 0], [0, 188, 0]]], np.uint8)
    (tmp_path / "a.png").write_bytes(png_bytes(colour))
    image = read_image(tmp_path / "a.png", linearize=True)
    np.testing.assert_allclose(image.values, [[0.2126, 0.7152 * 0.50289]], atol=1e-5)


def test_linearize_leaves_floats_and_refuses_other_integers(tmp_path, rng):
    values = rng.random((4, 5))
    np.save(tmp_path / "a.npy", values)
    image = read_image(tmp_path / "a.npy", linearize=True)
    np.testing.assert_array_equal(image.values, values)
    assert has_note(image, "linear already")
    np.save(tmp_path / "b.npy", np.ones((4, 5), np.int32))
    with pytest.raises(ImageFileError, match=r"int32.*sRGB"):
        read_image(tmp_path / "b.npy", linearize=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_grey(tmp_path, rng, dtype, compression):
    samples = (100 * rng.random((HEIGHT, WIDTH))).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples, compression=compression, byteorder=">")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.values, samples)
    assert image.dtype == dtype
    assert image.notes == ()


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_colour(tmp_path, rng, planar):
    samples = random_samples(rng, 4, dtype=np.uint16)
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="rgb",
        planarconfig=planar,
        extrasamples=["unassalpha"],
    )
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(image.values, samples[..., :3] @ LUMINANCE)
    assert has_note(image, "luminance")
    assert has_note(image, "alpha channel dropped")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16", "F"])
def test_tiff_with_lzw_equals_the_uncompressed_file(tmp_path, rng, mode):
    picture = PIL.Image.fromarray(random_samples(rng, 3)).convert("L").convert(mode)
    picture.save(tmp_path / "plain.tif")
    picture.save(tmp_path / "packed.tif", compression="tiff_lzw")
    plain, packed = read_image(tmp_path / "plain.tif"), read_image(tmp_path / "packed.tif")
    np.testing.assert_array_equal(plain.values, packed.values)
    assert plain.dtype == packed.dtype
    assert plain.values.std() > 10


@pytest.mark.parametrize("bits", [1, 8])
def test_tiff_with_inverted_grey(tmp_path, rng, bits):
    samples = random_samples(rng)
    if bits == 1:
        samples = samples > 100
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="miniswhite")
    expected = 255.0 * ~samples if bits == 1 else 255.0 - samples
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").values, expected)


def test_tiff_volume(tmp_path, rng):
    volume = rng.random((3, HEIGHT, WIDTH))
    tifffile.imwrite(tmp_path / "a.tif", volume, photometric="minisblack")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.values, volume)
    assert has_note(image, "3 pages")


def test_frames_and_channels_of_imagej_are_chosen(tmp_path, rng):
    movie = rng.random((3, HEIGHT, WIDTH)).astype(np.float32)
    path, size = tmp_path / "a.tif", {"resolution": (2, 4)}
    tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "TYX", "unit": "um"}, **size)
    with pytest.raises(ImageFileError, match="choose one by --page"):
        read_image(path)
    image = read_image(path, page=1)
    np.testing.assert_array_equal(image.values, movie[1])
    assert image.pixel_size.sizes == (0.25, 0.5)
    tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(ImageFileError, match="choose one of them by --channel"):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, channel="2").values, movie[2])


def test_nan_in_tiff_is_no_data(tmp_path, rng):
    values = rng.random((HEIGHT, WIDTH)).astype(np.float32)
    values[2, 3:5] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", values)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.known, np.isfinite(values))
    assert has_note(image, "2 pixels without data masked")


@pytest.mark.parametrize("shape", [(9,), (6, 7), (4, 5, 6)])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, bool])
def test_npy(tmp_path, rng, shape, dtype):
    values = (10 * rng.random(shape)).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    image = read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(image.values, values)
    assert image.notes == ()


def test_npy_keeps_nan_for_the_estimate_to_refuse(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert np.isnan(read_image(tmp_path / "a.npy").values[0, 1])


def test_npy_that_looks_like_colour_is_noted(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((6, 7, 3)))
    assert has_note(read_image(tmp_path / "a.npy"), "not read as colour")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([{}, 1], object), "pickled Python objects"),
        (np.zeros((3, 3), complex), "complex128"),
        (np.array([["a"]]), "not real numbers"),
        (np.zeros((0, 4)), "no pixels"),
        (np.float64(1), "rank 0"),
        (np.zeros((2, 2, 2, 2)), "rank 4"),
    ],
)
def test_npy_refused(tmp_path, values, reason):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(ImageFileError, match=reason):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "npy", "gif"])
@pytest.mark.parametrize("kept", [0.05, 0.6])
def test_truncated(tmp_path, rng, suffix, kept):
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, random_samples(rng))
    else:
        PIL.Image.fromarray(random_samples(rng)).resize((200, 200)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ImageFileError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_are_no_image(tmp_path):
    (tmp_path / "text.png").write_text("not a picture at all")
    (tmp_path / "empty.tif").touch()
    for name, reason in [
        ("text.png", "no image of a known kind"),
        ("empty.tif", "is empty"),
        ("missing.png", "No such file"),
        (".", "is a directory"),
        ("text.png/a.png", "Not a directory"),
    ]:
        with pytest.raises(ImageFileError, match=reason):
            read_image(tmp_path / name)


def test_content_decides_and_not_the_name(tmp_path, rng):
    values = rng.random((4, 5))
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "a.npy").rename(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").values, values)


@pytest.mark.parametrize("side", [10_000, 100_000])  # Pillow warns of the first, refuses the second
def test_png_bomb(tmp_path, side):
    bomb = png_bytes(np.zeros((1, 1), np.uint8), size=(side, side))
    (tmp_path / "a.png").write_bytes(bomb)
    with pytest.raises(ImageFileError, match="decompression bomb"):
        read_image(tmp_path / "a.png")


def test_tiff_bomb(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((200, 200)), compression="zlib")
    read_image(tmp_path / "a.tif")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(ImageFileError, match="40000 samples, more than the limit of 10000"):
        read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((200, 200)))
    read_image(tmp_path / "a.tif")  # as large as it says, so no bomb


def test_one_pixel(tmp_path):
    (tmp_path / "a.png").write_bytes(png_bytes(np.array([[7]], np.uint8)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").values, [[7]])


@pytest.mark.parametrize("dtype", [np.dtype(np.uint8), np.dtype(np.uint16)])
def test_write_png(tmp_path, rng, dtype):
    values = np.iinfo(dtype).max * rng.random((HEIGHT, WIDTH))
    values[0, :3] = [-20, -0.2, np.iinfo(dtype).max + 3]
    notes = write_image(tmp_path / "a.png", values, dtype)
    image = read_image(tmp_path / "a.png")
    assert image.dtype == dtype
    expected = np.rint(values)
    expected[0, :3] = [0, 0, np.iinfo(dtype).max]
    np.testing.assert_array_equal(image.values, expected)
    assert any("rounded" in note for note in notes)
    assert any(f"2 of {values.size} pixels clipped" in note for note in notes)


def test_write_without_loss(tmp_path, rng):
    dtype = np.dtype(np.uint8)
    for shape in [(HEIGHT, WIDTH), (3, 4, 5), (HEIGHT, WIDTH, 3)]:
        values = rng.standard_normal(shape)
        assert write_image(tmp_path / "a.npy", values, dtype) == ()
        np.testing.assert_array_equal(read_image(tmp_path / "a.npy").values, values)
        assert write_image(tmp_path / "a.tiff", values, dtype) == ("stored as float32",)
        image = read_image(tmp_path / "a.tiff")
        np.testing.assert_array_equal(image.values, values.astype(np.float32))


def test_write_refused(tmp_path):
    grey, byte = np.zeros((4, 4)), np.dtype(np.uint8)
    with pytest.raises(ImageFileError, match=r"must end in .png, .tif or .npy"):
        write_image(tmp_path / "a.jpg", grey, byte)
    with pytest.raises(ImageFileError, match=r"PNG holds 8 or 16 bit, not float64"):
        output_suffix(tmp_path / "a.png", grey.dtype)
    with pytest.raises(ImageFileError, match="rank 3"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 4)), byte)
    with pytest.raises(ImageFileError, match="NaN"):
        write_image(tmp_path / "a.png", np.full((4, 4), np.nan), byte)
    with pytest.raises(ImageFileError, match="No such file or directory"):
        write_image(tmp_path / "missing" / "a.npy", grey, byte)
    assert list(tmp_path.iterdir()) == []


def test_a_parser_that_fails_by_chance_is_asked_again(tmp_path, monkeypatch):
    # Python 3.11 in several threads; see image_decoders.
    np.save(tmp_path / "a.npy", np.eye(9))
    read, failures = np.lib.format.open_memmap, iter([True, True, False])

    def unreliable(*arguments, **options):
        if next(failures):
            raise SystemError("AST constructor recursion depth mismatch")
        return read(*arguments, **options)

    monkeypatch.setattr(np.lib.format, "open_memmap", unreliable)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy").values, np.eye(9))


@pytest.mark.parametrize(
    ("name", "options", "mapped"),
    [
        ("a.npy", {}, True),
        ("a.tif", {}, True),
        ("a.tif", {"byteorder": ">"}, True),
        ("a.tif", {"photometric": "miniswhite"}, False),
        ("a.tif", {"compression": "zlib"}, False),
        ("a.png", {}, False),
    ],
)
@pytest.mark.parametrize("linearize", [False, True])
def test_a_mapped_file_has_the_values_that_are_read(
    tmp_path, rng, name, options, mapped, linearize
):
    path, samples = tmp_path / name, random_samples(rng, dtype=np.uint16)
    if path.suffix == ".npy":
        np.save(path, samples)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, samples, **options)
    else:
        PIL.Image.fromarray(samples).save(path)
    found = map_image(path, linearize=linearize).values
    expected = read_image(path, linearize=linearize).values
    assert isinstance(found, MappedImage) == mapped
    assert found.shape == expected.shape
    for place in (np.s_[2:7, 3:11], np.s_[1:9:4, :]):
        np.testing.assert_array_equal(found[place], expected[place])
        assert found[place].dtype == expected.dtype


def test_mapping_refuses_what_reading_refuses(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 4), complex))
    np.save(tmp_path / "b.npy", np.ones((4, 4), np.int64))
    with pytest.raises(ImageFileError, match=r"a\.npy: .*real numbers"):
        map_image(tmp_path / "a.npy")
    with pytest.raises(ImageFileError, match=r"b\.npy: .*sRGB"):
        map_image(tmp_path / "b.npy", linearize=True)
