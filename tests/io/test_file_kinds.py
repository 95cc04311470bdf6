"""Files as people have them: thirty kinds are read right, or named with what to do."""

import gzip
import importlib
import struct
import sys
import zlib

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_kinds import KINDS, LUMINANCE, library, samples

from gaussjax.io.images import ImageFileError, map_image, read_image
from gaussjax.io.pair_sources import folder_pairs


@pytest.mark.parametrize("name", KINDS)
def test_healthy_files_are_read_right_or_named_with_a_remedy(tmp_path, name):
    path, expected = KINDS[name](tmp_path)
    if expected is None:
        with pytest.raises(ImageFileError, match=r"is an? .*which is not read; in Python: import"):
            read_image(path)
        return
    found = read_image(path)
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    assert found.values.dtype == np.float64
    missing = np.isnan(expected)
    assert (found.known is None) == (not np.any(missing))
    if found.known is not None:
        np.testing.assert_array_equal(found.known, ~missing)


@pytest.mark.parametrize(
    ("name", "sizes", "unit", "source"),
    [
        ("tiff_of_imagej", (0.5, 0.1, 0.1), "um", "ImageJ header"),
        ("tiff_of_ome", (0.2, 0.1), "um", "OME header"),
        ("zarr_of_ome", (0.2, 0.1), "um", "OME-Zarr"),
        ("nifti", (2, 2, 4), "mm", "NIfTI header"),
    ],
)
def test_pixel_sizes_of_headers(tmp_path, name, sizes, unit, source):
    path, _ = KINDS[name](tmp_path)
    found = read_image(path).pixel_size
    np.testing.assert_allclose(found.sizes, sizes if name != "nifti" else (2, 2, 4), rtol=1e-6)
    assert (found.unit, found.source) == (unit, source)
    assert map_image(path).pixel_size == found


def test_the_scale_of_the_sky_comes_from_the_wcs(tmp_path):
    fits = library("astropy.io.fits")
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg"})
    header.update({"CUNIT2": "deg", "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 1.0, "CRPIX2": 1.0})
    # 0.05'' along x and 0.06'' along y, turned by 30 degrees.
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]) @ np.diag([5, 6])
    for i, j in np.ndindex(2, 2):
        header[f"CD{i + 1}_{j + 1}"] = turn[i, j] / 360000  # 0.01'' in degrees
    fits.PrimaryHDU(samples(), header).writeto(tmp_path / "a.fits")
    found = read_image(tmp_path / "a.fits").pixel_size
    np.testing.assert_allclose(found.sizes, (0.06, 0.05), rtol=1e-9)
    assert found.unit == "arcsec"


def test_extensions_are_selected_by_number_name_and_version(tmp_path):
    fits = library("astropy.io.fits")
    parts = [fits.PrimaryHDU()]
    parts += [fits.ImageHDU(np.full((9, 9), k, float), name="SCI", ver=k) for k in (1, 2)]
    flags = np.zeros((9, 9), np.int16)
    flags[2, 3] = 4
    parts += [fits.ImageHDU(flags, name="DQ"), fits.BinTableHDU(name="TABLE")]
    fits.HDUList(parts).writeto(tmp_path / "a.fits")
    first = read_image(tmp_path / "a.fits")
    assert first.notes == ("extension [SCI] used; the images are [SCI], [SCI,2], [DQ]",)
    for selection, value in [("1", 1), ("2", 2), ("SCI", 1), ("sci,2", 2)]:
        assert np.all(read_image(f"{tmp_path}/a.fits[{selection}]").values == value)
    assert read_image(f"{tmp_path}/a.fits[DQ]").are_flags
    assert not first.are_flags
    for selection, reason in [
        ("9", r"no extension \[9\]; there are \[SCI\]"),
        ("ERR", r"no extension \[ERR\]"),
        ("TABLE", r"\[TABLE\] is no image"),
    ]:
        with pytest.raises(ImageFileError, match=reason):
            read_image(f"{tmp_path}/a.fits[{selection}]")


def test_arrays_and_volumes_are_selected(tmp_path):
    np.savez(tmp_path / "a.npz", sharp=np.zeros((4, 5)), soft=np.ones((4, 5)))
    assert np.all(read_image(f"{tmp_path}/a.npz[soft]").values == 1)
    with pytest.raises(ImageFileError, match=r"holds 2 arrays; select one, as FILE\[sharp\]"):
        read_image(tmp_path / "a.npz")
    PIL.Image.fromarray(samples()).save(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match=r"nothing can be selected"):
        read_image(f"{tmp_path}/a.png[1]")
    nibabel = library("nibabel")
    series = np.broadcast_to(np.arange(3, dtype=np.int16), (4, 5, 6, 3))
    nibabel.Nifti1Image(series, np.eye(4)).to_filename(tmp_path / "a.nii")
    assert np.all(read_image(f"{tmp_path}/a.nii[2]").values == 2)
    with pytest.raises(ImageFileError, match="holds 3 volumes; select one"):
        read_image(tmp_path / "a.nii")


def test_a_file_with_brackets_in_its_name_is_that_file(tmp_path):
    PIL.Image.fromarray(samples()).save(tmp_path / "a[1].png")
    PIL.Image.fromarray(samples(seed=8)).save(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "b.png[1]")
    np.testing.assert_array_equal(read_image(tmp_path / "a[1].png").values, samples())
    np.testing.assert_array_equal(read_image(tmp_path / "b.png[1]").values, samples(seed=8))


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("fits_in_tiles", "astropy.io.fits", "fits"),
        ("nifti", "nibabel", "nifti"),
        ("zarr_array", "zarr", "zarr"),
        ("heic", "pillow_heif", "heic"),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, name, module, extra):
    path, _ = KINDS[name](tmp_path)
    importlib.import_module(module)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImageFileError, match=rf"is a .*pip install 'gaussjax\[{extra}\]'"):
        read_image(path)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04" + bytes(40), "a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(40), "a gzip archive"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"%PDF-1.7", "a PDF document"),
        (b"time,value\n1,2\n3,4\n", r"text.*loadtxt\(FILE, delimiter"),
        (b"1 2\n3 4\n", r"text.*loadtxt\(FILE\)"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"version https://git-lfs\noid 1\n", "a pointer of Git LFS"),
        (bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file"),
        (struct.pack("<5i", 0, 3, 4, 0, 6) + b"image\0" + bytes(96), "a MATLAB file"),
        (struct.pack("<HHI", 8, 0, 4) + bytes(200), "a DICOM file"),
        (struct.pack("<i", 348) + bytes(340) + b"ni1\0", "the header of a NIfTI pair"),
        (struct.pack("<i", 348) + bytes(344), "the header of an Analyze pair"),
        (gzip.compress(struct.pack(">7i", 1, 9, 9, 9, 1, 3, 0)), "an MGH volume, packed by gzip"),
        (bytes(60) + b"TRUEVISION-XFILE.\0", "a TGA image"),
        (b"\xff\xd8\xff\xf7\0\x0b\x10\0\x05\0\x05\1\1\x11\0", "a JPEG-LS image"),
        (b"\xff\xd8\xff\xc1\0\x0b\x0c\0\x05\0\x05\1\1\x11\0", "a JPEG of 12 bit"),
        (bytes(range(256)), "damaged, or no image of a known kind"),
    ],
)
def test_other_files_are_named_in_one_line(tmp_path, start, kind):
    (tmp_path / "a").write_bytes(start)
    with pytest.raises(ImageFileError, match=f"is {kind}") as caught:
        read_image(tmp_path / "a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "shape"), [("TYX", (3,)), ("TCYX", (3, 2)), ("TZYX", (3, 2)), ("ZCYX", (3, 2))]
)
def test_series_of_images_are_told_from_volumes(tmp_path, axes, shape):
    path = tmp_path / "a.ome.tif"
    samples = np.arange(np.prod(shape) * 72, dtype=np.uint16).reshape(*shape, 9, 8)
    tifffile.imwrite(path, samples, ome=True, metadata={"axes": axes})
    if axes[0] == "T":
        with pytest.raises(ImageFileError, match=r"holds 3 images or volumes, .* by --page"):
            read_image(path)
    channel = "1" if "C" in axes else None
    if channel:
        with pytest.raises(ImageFileError, match="choose one of them by --channel"):
            read_image(path, page=2)
    image = read_image(path, page=2, channel=channel)
    np.testing.assert_array_equal(image.values, samples[2, 1] if channel else samples[2])
    if axes == "ZCYX":
        np.testing.assert_array_equal(read_image(path, channel="1").values, samples[:, 1])


def test_several_series_and_colours_beside_channels_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    for axes, shape, place in (
        ("QTYX", (2, 3, 9, 8), r"\[0, 0\]"),
        ("CYXS", (2, 9, 8, 3), r"\[0\]"),
    ):
        samples = np.zeros(shape, np.uint8)
        photometric = "rgb" if "S" in axes else "minisblack"
        tifffile.imwrite(path, samples, metadata={"axes": axes}, photometric=photometric)
        with pytest.raises(ImageFileError, match=rf"TIFF axes .*imread\(FILE\){place}\)$"):
            read_image(path)


def png_chunk(name, body):
    check = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def test_deep_colour_is_read_without_a_word_where_it_is_interlaced(tmp_path, capfd):
    colour = samples(np.uint16, 3)[:11, :13].astype(">u2")
    first = [(0, 0), (0, 4), (4, 0), (0, 2), (2, 0), (0, 1), (1, 0)]
    steps = [(8, 8), (8, 8), (8, 4), (4, 4), (4, 2), (2, 2), (2, 1)]
    passes = [colour[y::dy, x::dx] for (y, x), (dy, dx) in zip(first, steps, strict=True)]
    rows = b"".join(b"\0" + row.tobytes() for each in passes for row in each)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 16, 2, 0, 0, 1))
    for packed, is_whole in [(rows, True), (rows[:-9], False)]:
        body = png_chunk(b"IDAT", zlib.compress(packed)) + png_chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
        if is_whole:
            np.testing.assert_allclose(read_image(tmp_path / "a.png").values, colour @ LUMINANCE)
        else:
            with pytest.raises(ImageFileError):
                read_image(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


def test_the_array_of_an_archive_may_have_any_name(tmp_path):
    np.savez(tmp_path / "a.npz", **{300 * "x": samples()})
    np.testing.assert_array_equal(read_image(tmp_path / "a.npz").values, samples())


def test_raw_photographs_are_not_taken_for_their_thumbnails(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.dng") as tiff:
        version = (50706, "B", 4, b"\1\4\0\0", True)
        tiff.write(samples(), subifds=1, subfiletype=1, extratags=[version])
        tiff.write(samples(np.uint16), photometric="minisblack")
    with pytest.raises(ImageFileError, match=r"raw photograph.*import rawpy"):
        read_image(tmp_path / "a.dng")


def test_folders_pair_by_names_without_double_suffixes(tmp_path):
    for folder, names in [
        ("a", ["x.fits", "y.nii.gz", "z.fits.fz"]),
        ("b", ["x.fits.gz", "y.nii", "z.fits"]),
    ]:
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    for folder in "ab":
        (tmp_path / folder / "w.zarr").mkdir()
        (tmp_path / folder / "w.zarr" / "thumbnail.png").touch()
    found = folder_pairs(tmp_path / "a", tmp_path / "b")
    assert [pair.name for pair in found.pairs] == ["w", "x", "y", "z"]
    assert not found.problems


def test_names_do_not_steer_the_terminal(tmp_path):
    name = "a\x1b[31m\nb\u202e.png"
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ImageFileError) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).endswith("a\\x1b[31m\\nb\\u202e.png: is empty")
