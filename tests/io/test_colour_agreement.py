"""Colours that were weighted or decoded differently, and depths that differ, are named."""

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from image_kinds import samples

from gaussjax.io.colour_agreement import block_means, colour_note, depth_note
from gaussjax.io.images import read_image


@pytest.fixture
def scene(rng):
    """A colour picture, of 200 x 240 px, and the same blurred by 2 px."""
    coarse = rng.random((25, 30, 3))
    sharp = np.clip(scipy.ndimage.zoom(coarse, (8, 8, 1), order=1), 0, 1)
    soft = scipy.ndimage.gaussian_filter(sharp, (2, 2, 0))
    return [np.rint(255 * each).astype(np.uint8) for each in (sharp, soft)]


def blocks(picture):
    channels = np.moveaxis(picture, -1, 0) if picture.ndim == 3 else picture
    return block_means(channels.astype(float))


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        ((0.2126, 0.7152, 0.0722), ""),
        ((0.2125, 0.7154, 0.0721), ""),  # as scikit-image
        ((0.299, 0.587, 0.114), "BT.601"),
        ((1 / 3, 1 / 3, 1 / 3), "equal weights"),
    ],
)
@pytest.mark.parametrize("scale", [1, 257])
def test_weights_of_a_grey_file_are_named(scene, weights, name, scale):
    sharp, soft = scene
    note = colour_note(blocks(sharp), blocks(scale * np.rint(soft @ np.array(weights))))
    assert (name in note) if name else note == ""
    if name:
        assert note.startswith("the blurred image looks like grey")
    swapped = colour_note(blocks(scale * np.rint(sharp @ np.array(weights))), blocks(soft))
    assert swapped.startswith("the reference looks like grey" if name else "")
    assert bool(swapped) == bool(name)


def test_colours_of_another_matrix_are_named(scene):
    sharp, soft = scene
    assert colour_note(blocks(sharp), blocks(soft)) == ""
    # Y, Cb, Cr by BT.601 (JFIF), red, green, blue by BT.709.
    y, cb, cr = np.moveaxis(np.asarray(PIL.Image.fromarray(soft).convert("YCbCr"), float), -1, 0)
    red, blue = y + 1.5748 * (cr - 128), y + 1.8556 * (cb - 128)
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    note = colour_note(blocks(sharp), blocks(np.stack([red, green, blue], axis=-1)))
    assert "encoded by BT.601 and decoded by BT.709" in note


def test_pictures_that_are_grey_anyway_tell_nothing(scene):
    sharp, soft = (each[..., :1].repeat(3, axis=-1) for each in scene)
    assert colour_note(blocks(sharp), blocks(soft[..., 0])) == ""
    assert colour_note(blocks(sharp), blocks(soft)) == ""
    assert block_means(np.zeros((40, 400))) is None


def test_depths_that_differ_are_named(tmp_path):
    assert "white is 255 in the reference and 65535" in depth_note((255, 65535))
    assert depth_note((255, 255)) == depth_note((255, None)) == depth_note((None, None)) == ""
    PIL.Image.fromarray(samples(np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").full_scale == 65535
    assert read_image(tmp_path / "a.png", linearize=True).full_scale is None


def test_blocks_of_a_turned_picture_are_upright(tmp_path, scene):
    exif = PIL.Image.Exif()
    exif[274] = 6
    PIL.Image.fromarray(scene[0]).save(tmp_path / "a.png", exif=exif)
    found = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(found.blocks, blocks(np.rot90(scene[0], -1)))
    weighted = np.tensordot([0.2126, 0.7152, 0.0722], found.blocks, 1)
    np.testing.assert_allclose(weighted, block_means(found.values))
