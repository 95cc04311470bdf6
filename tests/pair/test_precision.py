"""A precision that is asked for: few tiles are read, and their error bar is honest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import natural_scene

import gaussjax as gj
from gaussjax.pair.partial_reading import _corners

SIGMA = 1.5


def a_pair(shape=(900, 1100), noise=0.01, sigma=SIGMA, seed=0, dtype=np.float32):
    scene = natural_scene(shape, seed=5)
    blurred = scipy.ndimage.gaussian_filter(scene, sigma, mode="wrap", truncate=6)
    blurred = blurred + noise * np.random.default_rng(100 + seed).normal(size=shape)
    return scene.astype(dtype), blurred.astype(dtype)


@pytest.fixture(scope="module")
def pair():
    return a_pair()


class Stored:
    """An array that can only be read in slices, and counts the pixels that are."""

    def __init__(self, values):
        self._values, self.shape, self.dtype, self.num_read = values, values.shape, values.dtype, 0

    def __getitem__(self, place):
        part = self._values[place]
        self.num_read += part.size
        return part


def covers(estimate, sigma=SIGMA):
    low, high = estimate.interval(0.999)
    return bool(np.all((low < sigma) & (sigma < high)))


def test_few_tiles_are_read_and_sigma_is_in_the_interval(pair):
    stored = [Stored(image) for image in pair]
    found = gj.estimate_blur(*stored, precision=1e-3)
    part = found.part
    assert found.status == 0
    assert found.adequacy.verdict == gj.Verdict.EXPLAINED
    assert part.is_reached
    assert float(part.precision) <= 1e-3
    assert part.tile == (256, 256)
    assert part.fraction < 0.3
    assert covers(found)
    assert abs(found.sigma - SIGMA) < 3e-3 * SIGMA
    # The blurred image is read where it is compared; the reference is looked at elsewhere, too.
    pixels = len(part.corners) * 256**2
    assert stored[1].num_read == pixels
    assert pixels < stored[0].num_read < 2 * pixels
    assert "3 of 256 x 256 px" in str(found)


def test_jax_arrays_and_maps_of_files_give_the_same(pair, tmp_path):
    mapped = []
    for name, image in zip("ab", pair, strict=True):
        np.save(tmp_path / f"{name}.npy", image)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    by_maps = gj.estimate_blur(*mapped, precision=1e-3)
    by_arrays = gj.estimate_blur(*map(jnp.asarray, pair), precision=1e-3)
    assert by_maps.sigma == by_arrays.sigma
    np.testing.assert_array_equal(by_maps.part.corners, by_arrays.part.corners)


def test_the_choice_of_tiles_does_not_see_the_blurred_image(pair):
    reference, blurred = pair
    chosen = [
        list(_corners([reference, other, None, None, None], (256, 256)))
        for other in (blurred, np.full_like(blurred, np.nan))
    ]
    assert chosen[0] == chosen[1]


def test_informative_tiles_come_first_and_none_comes_twice(rng):
    image = np.zeros((2048, 2048), np.float32)
    image[:, 512:] = rng.normal(size=(2048, 1536))
    corners = list(_corners([image, image, None, None, None], (256, 256)))
    assert len(set(corners)) == len(corners) == 64
    assert all(x >= 512 for _, x in corners[:48])


def test_what_is_not_reached_is_said(pair):
    found = gj.estimate_blur(*pair, precision=1e-7)
    assert found.status == 0
    assert not found.part.is_reached
    assert found.part.fraction == 1
    assert "not to 1e-05 %" in str(found.part)
    plain = gj.estimate_blur(*pair)
    assert found.sigma == plain.sigma
    assert plain.part is None


def test_noise_asks_for_more_tiles_and_the_sum_of_them_is_the_estimate():
    pair = a_pair(noise=0.3)
    found = gj.estimate_blur(*pair, precision=6e-3)
    assert len(found.part.corners) > 3
    assert covers(found)


def test_a_small_frame_is_read_whole():
    pair = a_pair((300, 200))
    found, plain = gj.estimate_blur(*pair, precision=0.1), gj.estimate_blur(*pair)
    assert found.sigma == plain.sigma
    assert found.part.tile == found.part.shape == (300, 200)
    assert "100 % of 300 x 200 px" in str(found.part)


@pytest.mark.parametrize(
    ("shape", "precision"), [((40000,), 0.08), thorough((150, 140, 130), 5e-3)]
)
def test_signals_and_volumes(shape, precision):
    found = gj.estimate_blur(*a_pair(shape), precision=precision)
    assert found.part.is_reached
    assert 0 < found.part.fraction < 0.6
    assert covers(found)


def test_the_sharper_image_may_be_the_second(pair):
    found = gj.estimate_blur(*pair[::-1], precision=2e-3)
    assert found.adequacy.verdict == gj.Verdict.SHARPER
    assert covers(found, -SIGMA)


def test_flat_parts_and_missing_pixels_are_left_out(pair):
    reference, blurred = (image.copy() for image in pair)
    reference[:, :500] = blurred[:, :500] = 1.0
    mask = np.ones(reference.shape, bool)
    mask[600:] = False
    blurred[600:] = np.nan
    found = gj.estimate_blur(reference, blurred, mask=mask, precision=2e-3)
    assert found.part.is_reached
    assert np.all(np.asarray(found.part.corners) @ [1, 0] < 600)
    assert np.all(np.asarray(found.part.corners) @ [0, 1] >= 300)
    assert covers(found)
    nowhere = np.zeros(reference.shape, bool)
    with pytest.raises(ValueError, match="leave"):
        gj.estimate_blur(reference, blurred, mask=nowhere, precision=2e-3)


def test_missing_pixels_that_are_not_masked_are_told_where_they_are_read(pair):
    reference, blurred = (image.copy() for image in pair)
    reference[:500] = np.nan
    assert covers(gj.estimate_blur(reference, blurred, precision=3e-3))
    with pytest.raises(ValueError, match=r"reference has .* NaN"):
        gj.estimate_blur(np.full_like(reference, np.nan), blurred, precision=3e-3)


def test_a_model_error_that_no_tile_makes_smaller_ends_the_search():
    reference, _ = a_pair((2100, 2100))
    box = scipy.ndimage.uniform_filter(reference, 7, mode="wrap")
    found = gj.estimate_blur(reference, box, precision=1e-3)
    assert not found.part.is_reached
    assert found.sigma_model_error > 1e-3 * found.sigma
    assert len(found.part.corners) < 30
    assert found.adequacy.verdict == gj.Verdict.EXPLAINED_POORLY


@pytest.mark.thorough
def test_nuisances_and_noise_in_both_images(x64):
    reference, blurred = a_pair(dtype=np.float64)
    reference = reference + 0.02 * np.random.default_rng(3).normal(size=reference.shape)
    blurred = 1.2 * scipy.ndimage.shift(blurred, (0.3, -0.2), mode="wrap") + 0.5
    fitted = {"gain": True, "offset": True, "shift": True, "family": "full"}
    found = gj.estimate_blur(reference, blurred, noise_std=(0.02, 0.012), precision=0.03, **fitted)
    assert found.sigma.dtype == np.float64
    assert found.part.is_reached
    np.testing.assert_allclose(found.params.shift, (0.3, -0.2), atol=0.02)
    assert abs(found.params.gain - 1.2) < 0.02
    assert found.sigma.shape == found.freedom.shape == (2,)
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=0.03)
    np.testing.assert_allclose(found.noise_std, (0.02, 0.012), rtol=1e-6)


def test_a_blur_that_varies_is_told(pair):
    reference, _ = pair
    wider = scipy.ndimage.gaussian_filter(reference, 2.0, mode="wrap")
    narrower = scipy.ndimage.gaussian_filter(reference, 1.5, mode="wrap")
    part = np.linspace(0, 1, len(reference), dtype=np.float32)[:, None]
    varying = (1 - part) * narrower + part * wider
    found = gj.estimate_blur(reference, varying, precision=1e-2)
    assert found.adequacy.verdict == gj.Verdict.EXPLAINED_POORLY
    assert not found.part.is_reached or found.sigma_standard_error > 1e-3


@pytest.mark.parametrize("precision", [0, -1e-3, np.nan, np.inf, "fine", (1e-3, 1e-3), True])
def test_only_a_positive_number_is_a_precision(pair, precision):
    with pytest.raises((TypeError, ValueError), match="precision must be a finite number above 0"):
        gj.estimate_blur(*pair, precision=precision)


def test_faults_are_told_before_anything_is_read(pair):
    stored = [Stored(image) for image in pair]
    with pytest.raises(ValueError, match="boundary='reflect'"):
        gj.estimate_blur(*stored, precision=1e-3, boundary="reflect")
    with pytest.raises(ValueError, match="weights must have the shape"):
        gj.estimate_blur(*stored, precision=1e-3, weights=np.ones(3))
    with pytest.raises(ValueError, match="the same shape"):
        gj.estimate_blur(stored[0], np.ones((4, 4)), precision=1e-3)
    with pytest.raises(TypeError, match="masked array"):
        gj.estimate_blur(np.ma.masked_less(pair[0], 0), pair[1], precision=1e-3)
    with pytest.raises(ValueError, match=r"jax\.jit"):
        jax.jit(lambda a, b: gj.estimate_blur(a, b, precision=1e-3))(*pair)
    assert stored[0].num_read == stored[1].num_read == 0
