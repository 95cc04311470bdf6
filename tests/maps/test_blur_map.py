"""Maps of blur: every tile as estimate_blur has it, where it looks, refusals, shrinkage, output."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from coarse_pairs import coarse_pair
from problems import interior_blur, natural_scene, periodic_blur, photograph

import gaussjax as gj
from gaussjax import Status, Verdict
from gaussjax.maps.blur_map import blur_map
from gaussjax.maps.table import map_rows
from gaussjax.maps.tile_grid import make_grid
from gaussjax.report.map_figure import draw_map

SHAPE, TILE = (96, 128), 32
KEYS = ["y", "x", "position_y", "position_x", "sigma", "standard_error", "model_error"]
KEYS += ["status", "verdict", "cause", "p_value"]


def sigma_at(x):
    return 1 + 0.5 * x / SHAPE[1]


@pytest.fixture(scope="module")
def pair():
    """A scene under a blur that grows from left to right, in float32; a corner of it is flat."""
    scene = natural_scene((128, 160), seed=3)
    scene[:64, :64] = scene[63, 63]
    variances = np.linspace(0.8, 3.0, 45)
    stack = np.array([periodic_blur(scene, v * np.eye(2)) for v in variances])
    place = np.interp(sigma_at(np.arange(160) - 16.0) ** 2, variances, np.arange(45))
    weights = np.maximum(1 - np.abs(place - np.arange(45)[:, None]), 0)
    blurred = np.einsum("vyx,vx->yx", stack, weights)
    inside = (slice(16, -16), slice(16, -16))
    return scene[inside].astype(np.float32), blurred[inside].astype(np.float32)


@pytest.fixture(scope="module")
def found(pair):
    return blur_map(*pair, tile=TILE, shrink=True)


def test_tiles_cover_the_frame_evenly():
    grid = make_grid((96, 131), (32, 40), None)
    assert grid.counts == (5, 6)
    assert grid.corners[0] == (0, 16, 32, 48, 64)
    assert (grid.corners[1][0], grid.corners[1][-1]) == (0, 131 - 40)
    assert set(np.diff(grid.corners[1])) <= {18, 19}
    assert grid.centres[0][0] == 15.5
    assert make_grid((96, 96), 96, None).counts == (1, 1)
    assert make_grid((96, 96), 32, 32).counts == (3, 3)


def test_every_tile_is_what_estimate_blur_says(pair, found):
    assert found.sigma.shape == found.grid.counts == (5, 7)
    assert found.sigma.dtype == np.float32
    for row, column in ((4, 6), (2, 5)):
        y, x = found.grid.corners[0][row], found.grid.corners[1][column]
        tile = (slice(y, y + TILE), slice(x, x + TILE))
        one = gj.estimate_blur(*(image[tile] for image in pair))
        np.testing.assert_allclose(found.sigma[row, column], one.sigma, rtol=1e-4)
        error = found.estimates.sigma_standard_error[row, column]
        np.testing.assert_allclose(error, one.sigma_standard_error, rtol=0.05)
        assert found.verdict[row, column] == one.adequacy.verdict
        assert found.estimates.adequacy.cause[row, column] == one.adequacy.cause


def test_an_estimate_is_that_of_its_position_and_not_of_its_centre(found):
    at_position = np.abs(found.sigma / sigma_at(found.positions[..., 1]) - 1)
    at_centre = np.abs(found.sigma / sigma_at(np.array(found.centres[1]))[None] - 1)
    assert np.nanmax(at_position) < 2e-3
    assert np.nanmean(at_position) < 0.1 * np.nanmean(at_centre)


def test_flat_tiles_are_refused_and_filled_by_their_neighbours(found):
    refused = np.asarray(found.status != Status.ESTIMATED)
    assert found.status[0, 0] == Status.NOT_IDENTIFIABLE
    assert np.sum(refused) < 6
    np.testing.assert_array_equal(np.isnan(found.sigma), refused)
    assert np.isfinite(found.estimates.sigma[0, 0])
    known = found.shrunk_standard_error[~refused]
    assert np.min(found.shrunk_standard_error[refused]) > np.median(known)
    # Beside the gap a tile's value stays where the tile looks, and the error bar says so.
    error = np.asarray(found.shrunk_sigma) - sigma_at(np.array(found.centres[1]))[None]
    assert np.all(np.abs(error) < 3 * np.asarray(found.shrunk_standard_error))
    assert np.median(np.abs(error)) < 1e-3
    assert np.max(np.abs(error)[:, 3:]) < 5e-3
    assert "5 x 7 tiles of 32 x 32 px" in str(found)
    assert str(np.sum(~refused)) + " estimated" in str(found)


def test_a_linear_variation_is_no_noise(found):
    # There is none in this pair: what is left is how far the blur differs from a line in a tile.
    fine = np.asarray(found.status == Status.ESTIMATED)
    assert np.median(found.noise_part[fine]) < 0.01
    whole = np.asarray(found.estimates.sigma_standard_error)[fine]
    error = np.asarray(found.sigma_standard_error)[fine]
    assert np.all(error >= 0.98 * whole * np.sqrt(found.noise_part[fine]))
    # The estimate is met to second order, which the error bar holds.
    away = np.abs(found.sigma - sigma_at(found.positions[..., 1]))[fine]
    assert np.sqrt(np.mean((away / error) ** 2)) < 2
    assert found.one_blur_p_value < 1e-6


def test_what_comes_in_over_the_edge_is_no_variation(x64):
    scene = photograph("coffee")[60:260, 60:260]
    soft = interior_blur(scene, 16 * np.eye(2))
    found = blur_map(scene[24:-24, 24:-24], soft[24:-24, 24:-24], tile=48)
    error = np.asarray(found.sigma) - 4
    assert np.max(np.abs(error)) < 2e-3
    assert np.sqrt(np.mean((error / np.asarray(found.sigma_standard_error)) ** 2)) < 2.5


def test_one_blur_over_the_frame(rng):
    scene = photograph("camera")[100:292, 100:292]
    soft = interior_blur(scene, 2.25 * np.eye(2))
    soft = soft + 0.01 * scene.std() * rng.normal(size=scene.shape)
    found = blur_map(scene[16:-16, 16:-16], soft[16:-16, 16:-16], tile=64, shrink=True)
    assert found.one_blur_p_value > 0.01
    assert np.median(found.noise_part) > 0.9
    assert f"p = {found.one_blur_p_value:.2g} for one blur" in str(found)
    error = np.median(found.sigma_standard_error)
    assert np.all(np.abs(found.shrunk_sigma - 1.5) < 4 * found.shrunk_standard_error)
    # The colours do not show noise as blur.
    low, high = draw_map(scene[16:-16, 16:-16], found).axes[1].collections[0].get_clim()
    assert high - low >= 7.9 * error


def test_no_tile_of_a_disk_is_trusted():
    scene = photograph("coffee")[60:252, 60:252]
    y, x = np.mgrid[-3:4, -3:4]
    disk = (y**2 + x**2 <= 9) / np.sum(y**2 + x**2 <= 9)
    soft = scipy.ndimage.convolve(scene, disk)
    found = blur_map(scene[16:-16, 16:-16], soft[16:-16, 16:-16], tile=64, shrink=True)
    trusted = np.isin(found.verdict, (Verdict.EXPLAINED, Verdict.SHARPER))
    assert not np.any(trusted & (found.status == Status.ESTIMATED))


def test_compiled_and_without_shrinkage(pair, found):
    reference, blurred = pair
    spoilt = blurred.copy()
    spoilt[-5, -5] = np.nan
    compiled = jax.jit(partial(blur_map, tile=TILE))(reference, spoilt)
    assert compiled.shrunk_sigma is None
    np.testing.assert_array_equal(compiled.status[-1, -1], Status.NOT_FINITE)
    # Of the tiles that overlap, the missing pixel is in one alone.
    fine = np.ones(found.grid.counts, bool)
    fine[-1, -1] = False
    fine &= found.status == 0
    np.testing.assert_allclose(compiled.sigma[fine], found.sigma[fine], rtol=1e-4)
    assert np.all(np.isfinite(compiled.positions))


def test_nuisances_masks_and_precision(pair, x64):
    # The left half of B tells its gain and offset no less than its blur.
    reference, blurred = (np.asarray(image, float) for image in pair)
    known = np.ones(SHAPE, bool)
    known[60:64, 90:100] = False
    soft = np.where(known, 1.3 * blurred + 0.7, np.nan)
    options = {"tile": (48, 64), "step": (48, 64), "gain": True, "offset": True, "mask": known}
    found = blur_map(reference, soft, **options)
    assert found.sigma.dtype == np.float64
    assert found.sigma.shape == (2, 2)
    np.testing.assert_allclose(found.estimates.params.gain, 1.3, rtol=0.02)
    assert not np.any(found.status[:, 1])
    np.testing.assert_allclose(found.sigma[:, 1], sigma_at(found.positions[:, 1, 1]), rtol=5e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 200}, "tile must be from 2 px"),
        ({"tile": 1}, "tile must be from 2 px"),
        ({"tile": (32, 32, 32)}, "2 axes"),
        ({"tile": 32, "step": 33}, "gaps"),
        ({"tile": 32, "step": 0}, "step must be a whole number from 1"),
        ({"tile": 64, "shrink": True, "step": 64, "family": "full"}, "isotropic"),
        ({"tile": 80, "shrink": True}, "do not overlap"),
        ({"bounds": (2, 1)}, "low < high"),
        ({"kernel": "box"}, "kernel must be one of"),
        ({"loss": "cubic"}, "loss must be one of"),
        ({"noise_std": (0, 0)}, "not both 0"),
    ],
)
def test_static_faults_are_errors(pair, options, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(partial(blur_map, **options), *pair)


def test_a_tile_is_a_whole_number(pair):
    with pytest.raises(TypeError, match="tile must be a whole number"):
        jax.eval_shape(partial(blur_map, tile=32.0), *pair)


def test_signals_and_volumes_are_errors():
    for shape in ((300,), (40, 40, 40)):
        with pytest.raises(ValueError, match="two axes"):
            blur_map(np.ones(shape), np.ones(shape))


def test_rows(found):
    rows = list(map_rows(found))
    assert len(rows) == found.sigma.size
    assert list(rows[0]) == [*KEYS, "shrunk_sigma", "shrunk_standard_error"]
    assert (rows[0]["y"], rows[0]["x"], rows[8]["y"]) == (15.5, 15.5, 31.5)
    assert rows[0]["sigma"] is None
    assert rows[0]["status"] == "not_identifiable"
    assert rows[-1]["verdict"] == "explained"
    assert rows[-1]["sigma"] == float(found.sigma[-1, -1])
    assert rows[-1]["shrunk_sigma"] == float(found.shrunk_sigma[-1, -1])


def test_drawing(pair, found, tmp_path):
    figure = draw_map(pair[0], found)
    figure.savefig(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 20_000
    _, sigma, error = figure.axes[:3]
    shown, refused = sigma.collections
    np.testing.assert_allclose(shown.get_array(), found.shrunk_sigma)
    assert refused.get_hatch()
    assert len(refused.get_paths()) == np.sum(found.status != 0)
    np.testing.assert_allclose(error.collections[0].get_array(), found.shrunk_standard_error)
    with pytest.raises(ValueError, match="map's frame"):
        draw_map(pair[0][:-1], found)


def test_several_sigmas_are_neither_drawn_nor_written(found):
    two = jax.tree.map(lambda leaf: leaf, found.estimates)
    wide = jnp.stack([two.sigma, two.sigma], -1)
    both = type(two)(**{**vars(two), "sigma": wide, "sigma_standard_error": wide})
    several = replace(found, estimates=both, shrunk_sigma=None, shrunk_standard_error=None)
    assert several.sigma.shape == (5, 7, 2)
    for use in (lambda m: list(map_rows(m)), lambda m: draw_map(np.ones(SHAPE), m)):
        with pytest.raises(ValueError, match="one sigma per tile"):
            use(several)


@pytest.fixture(scope="module")
def coarse_map():
    """Of a blur of 2 fine px and, on the right, 3; one coarse pixel is 3 fine ones wide."""
    (fine, left), (_, right) = (coarse_pair(sigma, 3, 88, seed=2) for sigma in (2.0, 3.0))
    soft = np.concatenate([left[:, :44], right[:, 44:]], 1)
    soft += 0.01 * np.std(soft) * np.random.default_rng(1).normal(size=soft.shape)
    return fine, soft, blur_map(fine, soft, sampling=3, tile=130, step=66)


def test_tiles_of_two_grids_are_whole_coarse_pixels(coarse_map):
    fine, soft, found = coarse_map
    assert found.grid.tile == (132, 132)
    assert found.grid.corners == ((0, 66, 132),) * 2
    assert found.centres[0] == (65.5, 131.5, 197.5)
    one = gj.estimate_blur(fine[66:198, 132:], soft[22:66, 44:], sampling=3)
    np.testing.assert_allclose(found.sigma[1, 2], one.sigma, rtol=1e-4)


def test_a_step_is_seen_across_grids(coarse_map):
    found = coarse_map[2]
    assert np.all(found.status[:, ::2] == 0)
    truth = np.array([2.0, 3.0])
    assert np.all(np.abs(found.sigma - truth[0])[:, 0] < 4 * found.sigma_standard_error[:, 0])
    assert np.all(np.abs(found.sigma - truth[1])[:, 2] < 4 * found.sigma_standard_error[:, 2])
    assert found.one_blur_p_value < 1e-6
    x = found.positions[..., 1]
    assert np.all((x[:, 0] > 30) & (x[:, 0] < 100) & (x[:, 2] > 162) & (x[:, 2] < 232))
