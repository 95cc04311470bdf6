"""One channel of several, one page of a stack, and what is said where there is none."""

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_kinds import library

from gaussjax.io.images import ImageFileError, channel_names, read_image


@pytest.fixture
def picture(tmp_path, rng):
    samples = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    PIL.Image.fromarray(samples).save(tmp_path / "a.png")
    return tmp_path / "a.png", samples.astype(float)


def test_colours_by_number_and_name(picture):
    path, samples = picture
    assert channel_names(path) == ("red", "green", "blue")
    for k, names in enumerate((("0", "red"), ("1", "GREEN"), ("2", "Blue"))):
        for name in names:
            image = read_image(path, channel=name)
            np.testing.assert_array_equal(image.values, samples[..., k])
            assert f"channel {name} used" in image.notes
    linear = read_image(path, channel="red", linearize=True).values
    assert linear.max() <= 1
    assert np.corrcoef(linear.ravel(), samples[..., 0].ravel())[0, 1] > 0.9


def test_luma_and_chroma_are_those_of_jpeg(picture):
    path, _ = picture
    converted = np.asarray(PIL.Image.open(path).convert("YCbCr"), float)
    for k, (name, constant) in enumerate((("Y", 0), ("Cb", 128), ("cr", 128))):
        values = read_image(path, channel=name).values + constant
        np.testing.assert_allclose(values, converted[..., k], atol=1.01)


def test_bands_and_pages_of_a_tiff(tmp_path, rng):
    bands = rng.integers(0, 4096, (12, 14, 5), dtype=np.uint16)
    path = tmp_path / "bands.tif"
    tifffile.imwrite(path, bands, photometric="minisblack", planarconfig="contig")
    assert channel_names(path) == ("0", "1", "2", "3", "4")
    np.testing.assert_array_equal(read_image(path, channel="3").values, bands[..., 3])
    with pytest.raises(ImageFileError, match="5 samples per pixel are neither grey nor RGB"):
        read_image(path)
    with pytest.raises(ImageFileError, match=r"no channel 5: there are 0 to 4$"):
        read_image(path, channel="5")
    with pytest.raises(ImageFileError, match=r"no channel red: there are 0 to 4$"):
        read_image(path, channel="red")
    path = tmp_path / "pages.tif"
    pages = rng.random((4, 12, 14)).astype(np.float32)
    tifffile.imwrite(path, pages, photometric="minisblack")
    image = read_image(path, page=2)
    np.testing.assert_array_equal(image.values, pages[2])
    assert image.notes == ("page 2 of 4 used",)
    with pytest.raises(ImageFileError, match="no page 4: there are 0 to 3"):
        read_image(path, page=4)


def test_arrays_have_channels_last_and_pages_first(tmp_path, rng):
    cube = rng.random((6, 7, 8))
    np.save(tmp_path / "a.npy", cube)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", page=5).values, cube[5])
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", channel="7").values, cube[..., 7])


def test_pages_of_nifti_are_axial(tmp_path, rng):
    nibabel, volume = library("nibabel"), rng.random((8, 9, 10)).astype(np.float32)
    image = nibabel.Nifti1Image(volume, np.diag([1, 2, 3, 1]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "a.nii")
    found = read_image(tmp_path / "a.nii", page=9)
    np.testing.assert_array_equal(found.values, volume[..., 9])
    assert found.notes == ("page 9 of 10 used, along the third axis",)
    assert found.pixel_size.sizes == (1, 2)


def test_what_is_not_there(picture, tmp_path):
    path, samples = picture
    PIL.Image.fromarray(samples[..., 0].astype(np.uint8)).save(tmp_path / "grey.png")
    for options, message in (
        ({"channel": "3"}, "no channel 3: there are 0 to 2, or red, green, blue, Y, Cb, Cr"),
        ({"channel": "-1"}, "no channel -1"),
        ({"channel": "mauve"}, "no channel mauve"),
        ({"channel": "Cb", "linearize": True}, "do not linearize"),
        ({"page": 0}, "no pages: leave out --page"),
    ):
        with pytest.raises(ImageFileError, match=message):
            read_image(path, **options)
    for refused in (lambda p: read_image(p, channel="0"), channel_names):
        with pytest.raises(ImageFileError, match=r"grey\.png: is grey"):
            refused(tmp_path / "grey.png")
