"""A large frame in tiles: every pixel counts once, and the fit is that of the whole frame."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import natural_scene

import gaussjax as gj
from gaussjax.pair import fit as pair_fit
from gaussjax.pair.frame import Pair, Usable
from gaussjax.pair.tiles import sum_over_tiles, tile_shape, tiles_fit, widest_tile


def a_pair(shape, rng, known=None, weights=None):
    reference, blurred = (jnp.asarray(rng.normal(size=shape)) for _ in range(2))
    zero, one = jnp.asarray(0.0), jnp.asarray(1.0)
    known = (None if known is None else jnp.asarray(known), None)
    usable = Usable(*known, weights)
    return Pair(reference, blurred, usable, jnp.asarray(False), zero, one, "valid", 0)


@pytest.mark.parametrize(
    ("shape", "boundary", "cut"),
    [
        ((1024, 900), "valid", True),
        ((1024, 900), "reflect", True),
        ((1024, 900), "periodic", False),
        ((600, 1024), "valid", False),
        ((900,), "valid", False),
        ((700, 700, 700), "valid", False),
    ],
)
def test_only_large_images_without_opposite_edges_that_meet_are_cut(shape, boundary, cut):
    tile = tile_shape(shape, boundary, pad=100)
    assert (tile != shape) == cut
    assert not cut or all(size < n for size, n in zip(tile, shape, strict=True))


@pytest.mark.parametrize("margins", [(0, 0), (9, 9), (1, 31), (64, 40)])
def test_every_pixel_inside_counts_once(margins, rng, x64):
    pair = a_pair((700, 811), rng)
    tile = tile_shape(pair.shape, "valid", 0)
    assert tiles_fit(jnp.asarray(margins), tile)

    def of_tile(frame, window):
        return (window.num_pixels, *window.totals([frame.blurred])), window.num_pixels

    (count, total), some = jax.jit(lambda m: sum_over_tiles(of_tile, pair, tile, m))(
        jnp.asarray(margins, float)
    )
    inside = np.asarray(pair.blurred)[
        tuple(slice(m, n - m) for m, n in zip(margins, pair.shape, strict=True))
    ]
    assert count == inside.size
    np.testing.assert_allclose(total, inside.sum(), rtol=1e-10)
    assert 0.2 * count < some < 0.8 * count


@pytest.mark.parametrize("shape", [(50,), (40, 64), (700, 720), (20, 24, 32)])
@pytest.mark.parametrize("part", [0.02, 0.2, 0.375])
def test_every_pixel_of_a_padded_frame_counts_once(shape, part, rng, x64):
    pair = replace(a_pair(shape, rng), boundary="reflect", pad=int(0.375 * min(shape)))
    margins = jnp.full(len(shape), int(part * min(shape)), float)

    def of_tile(frame, window):
        inside = jnp.stack(
            [jnp.minimum(jnp.argmax(p), jnp.argmax(p[::-1])) for p in window.profiles]
        )
        near = jnp.any(inside < margins) & (window.sum() > 0)
        return (window.num_pixels, *window.totals([frame.blurred]), near.astype(int)), 0

    for tile in {
        widest_tile(shape, pair.boundary, pair.pad),
        tile_shape(shape, pair.boundary, pair.pad),
    }:
        if tile == widest_tile(shape, "reflect", pair.pad) or tiles_fit(margins, tile):
            (count, total, near), _ = sum_over_tiles(of_tile, pair, tile, margins)
            assert count == pair.blurred.size
            np.testing.assert_allclose(total, jnp.sum(pair.blurred), rtol=1e-10)
            assert near == 0  # no pixel is compared that the blur reaches from beyond its tile


def test_missing_pixels_and_weights_come_along(rng, x64):
    shape = (700, 720)
    weights = jnp.asarray(rng.random(shape))
    pair = a_pair(shape, rng, known=rng.random(shape) > 1e-3, weights=weights)
    margins = jnp.asarray([5.0, 7.0])

    def of_tile(frame, window):
        return jnp.sum(window.values), jnp.sum(window.values**2)

    tile = tile_shape(shape, "valid", 0)
    total, _ = sum_over_tiles(of_tile, pair, tile, margins)
    missing = scipy.ndimage.maximum_filter(1 - np.asarray(pair.usable.reference, float), (11, 15))
    expected = (np.asarray(weights) * (1 - missing))[5:-5, 7:-7]
    np.testing.assert_allclose(total, expected.sum(), rtol=1e-10)


def large_pair(sigma, noise=0.0, shape=(700, 720)):
    """Frames that are cut into tiles, hardly larger than that takes."""
    scene = natural_scene([n + 160 for n in shape], seed=5)
    blurred = scipy.ndimage.gaussian_filter(scene, sigma, mode="wrap", truncate=6)
    blurred = blurred + noise * np.random.default_rng(0).normal(size=scene.shape)
    inside = (slice(80, -80),) * 2
    return scene[inside], blurred[inside]


@pytest.fixture
def estimate_whole(monkeypatch):
    """estimate_blur without tiles."""

    def forget():
        for program in pair_fit.fit_pair.programs:
            program.clear_cache()

    def estimate(*images, **options):
        with monkeypatch.context() as patch:
            patch.setattr(pair_fit, "tile_shape", lambda shape, *_: shape)
            forget()
            found = gj.estimate_blur(*images, **options)
        forget()
        return found

    return estimate


@pytest.mark.parametrize("kernel", ["sampled", thorough("continuous")])
def test_the_fit_is_that_of_the_whole_frame(kernel, estimate_whole, x64):
    reference, blurred = large_pair(1.7, noise=0.02)
    assert tile_shape(reference.shape, "valid", 0) != reference.shape
    options = {"kernel": kernel}
    if kernel == "continuous":
        streamed = gj.estimate_blur(reference, blurred, **options)
        from_afar = gj.estimate_blur(reference, blurred, initial=6.0, **options)
        np.testing.assert_allclose(from_afar.sigma, streamed.sigma, rtol=1e-8)
        assert from_afar.status == 0
    else:
        # All that may be fitted, and pixels that are missing.
        known = np.random.default_rng(1).random(reference.shape) > 0.01
        blurred = np.where(known, blurred, np.nan)
        options |= {"family": "full", "gain": True, "offset": True, "shift": True}
        options["mask"] = known
        streamed = gj.estimate_blur(reference, blurred, **options)
    whole = estimate_whole(reference, blurred, **options)
    # Each tile has a smooth part of its own, which only the discrete Laplacian calls harmonic.
    tolerance = 1e-6 if kernel == "continuous" else 1e-8
    assert streamed.status == whole.status == 0
    np.testing.assert_allclose(
        streamed.params.variance, whole.params.variance, rtol=tolerance, atol=1e-9
    )
    np.testing.assert_allclose(streamed.loss, whole.loss, rtol=tolerance)
    np.testing.assert_allclose(streamed.sigma_standard_error, whole.sigma_standard_error, rtol=1e-3)
    assert streamed.num_pixels == whole.num_pixels
    assert streamed.adequacy.verdict == whole.adequacy.verdict
    np.testing.assert_allclose(streamed.adequacy.unexplained, whole.adequacy.unexplained, rtol=0.2)


def test_a_blur_too_wide_for_tiles(x64):
    reference, blurred = large_pair(20.0, shape=(900, 940))
    estimate = gj.estimate_blur(reference, blurred, kernel="sampled", truncate=6)
    assert estimate.status == 0
    np.testing.assert_allclose(estimate.sigma, 20.0, rtol=1e-6)


@pytest.mark.thorough
def test_batches_of_large_frames():
    pairs = [large_pair(sigma, 0.01) for sigma in (1.0, 2.5)]
    stacks = [np.stack(images).astype(np.float32) for images in zip(*pairs, strict=True)]
    batch = jax.vmap(gj.estimate_blur)(*stacks)
    for row, pair in enumerate(pairs):
        single = gj.estimate_blur(*(image.astype(np.float32) for image in pair))
        np.testing.assert_allclose(batch.sigma[row], single.sigma, rtol=1e-5)
        assert batch.status[row] == 0
