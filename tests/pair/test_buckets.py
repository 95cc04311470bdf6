"""An image in the corner of its bucket's frame gives what it gives in a frame of its own."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

import gaussjax as gj
from gaussjax.model.shape_buckets import bucket_shape, embed
from gaussjax.model.window import taper
from gaussjax.pair.fit import fit_pair
from gaussjax.pair.informative_crop import densest_box
from gaussjax.pair.judgement import judged_estimate
from gaussjax.statistics.residual_statistics import gather

SHAPES = (60, 75), (70, 90)  # of one bucket


@pytest.fixture
def pairs(rng):
    """Photograph-like pairs of these shapes, blurred by SciPy before they were cut out."""
    found = []
    for shape in SHAPES:
        scene = ndimage.gaussian_filter(rng.standard_normal([n + 40 for n in shape]), 1.0)
        soft = ndimage.gaussian_filter(scene, 1.3) + 0.01 * rng.standard_normal(scene.shape)
        found.append([image[20:-20, 20:-20] for image in (scene, soft)])
    return found


def assert_same(found, own, rtol):
    np.testing.assert_allclose(found.sigma, own.sigma, rtol=rtol)
    np.testing.assert_allclose(found.loss, own.loss, rtol=100 * rtol)
    # A mean over the frequencies of another frame: off by a small part of what it is known to.
    np.testing.assert_allclose(found.sigma_standard_error, own.sigma_standard_error, rtol=0.05)
    for name in ("status", "num_pixels", "num_steps"):
        assert getattr(found, name) == getattr(own, name), name
    assert found.adequacy.verdict == own.adequacy.verdict
    assert found.adequacy.cause == own.adequacy.cause
    for name in ("autocorrelation", "displacement", "unexplained"):
        mine, other = (getattr(each.adequacy, name) for each in (found, own))
        np.testing.assert_allclose(mine, other, rtol=1e4 * rtol, atol=1e4 * rtol, err_msg=name)


@pytest.mark.parametrize("sides", [(2, 3000)])
def test_buckets_are_few_and_hold_their_images(sides):
    shapes = {size: bucket_shape((size, 1999)) for size in range(*sides)}
    for size, frame in shapes.items():
        assert frame[0] == size or size + 8 <= frame[0] <= 1.43 * (size + 8)
        assert bucket_shape(frame) == frame
    # Two for each octave.
    assert len({frame for size, frame in shapes.items() if size > 128}) <= 2 * 5 + 1
    assert bucket_shape((256, 512)) == (256, 512)


def test_beyond_the_image_nothing_jumps(dtype):
    ramp = np.linspace(0, 1, 60, dtype=dtype)[:, None] + np.zeros(75, dtype)
    frame = embed(ramp, bucket_shape(ramp.shape))
    assert frame.dtype == dtype
    np.testing.assert_array_equal(frame[:60, :75], ramp)
    np.testing.assert_array_equal(embed(jnp.asarray(ramp), frame.shape), frame)
    steps = np.abs(np.diff(frame, axis=0, append=frame[:1]))
    assert steps.max() < 0.15


@pytest.mark.parametrize("dtype", [np.float64], indirect=True)
def test_a_finite_kernel_sees_no_difference(pairs, dtype):
    judged = judged_estimate.programs[0]._cache_size()
    own = [gj.estimate_blur(*pair, kernel="sampled") for pair in pairs]
    # Images of any shape are judged by one program.
    assert judged_estimate.programs[0]._cache_size() <= judged + 1
    first = gj.estimate_blur(*pairs[0], kernel="sampled", buckets=True)
    compiled = [program._cache_size() for program in fit_pair.programs]
    second = gj.estimate_blur(*pairs[1], kernel="sampled", buckets=True)
    assert [program._cache_size() for program in fit_pair.programs] == compiled
    assert_same(first, own[0], 1e-9)
    assert_same(second, own[1], 1e-9)


@pytest.mark.parametrize("dtype", [np.float64], indirect=True)
def test_a_kernel_without_an_end_differs_by_little_of_the_error_bar(pairs, dtype):
    pair = pairs[0]
    own, found = (gj.estimate_blur(*pair, buckets=buckets) for buckets in (False, True))
    assert abs(found.sigma - own.sigma) < 0.01 * own.sigma_standard_error
    assert_same(replace(found, sigma=own.sigma, loss=own.loss), own, 1e-6)


@pytest.mark.parametrize("dtype", [np.float64], indirect=True)
def test_masked_batches_in_a_traced_program(pairs, dtype):
    reference, blurred = pairs[0]
    mask = np.ones(reference.shape, bool)
    mask[50:58, 40:] = False
    stacks = [np.stack([image, image[::-1]]) for image in (reference, blurred)]
    masks = np.stack([mask, mask[::-1]])
    stacks[1] = np.where(masks, stacks[1], np.nan)

    @jax.jit
    @jax.vmap
    def estimates(a, b, mask):
        return gj.estimate_blur(a, b, kernel="sampled", mask=mask, buckets=True)

    rows = estimates(*stacks, masks)
    holed = np.where(mask, blurred, np.nan)
    own = gj.estimate_blur(reference, holed, kernel="sampled", mask=mask)
    assert_same(jax.tree.map(lambda leaf: leaf[0], rows), own, 1e-9)
    np.testing.assert_allclose(rows.sigma[1], own.sigma, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64], indirect=True)
def test_a_blur_that_is_too_wide_for_the_image_is_so_in_its_frame(pairs, dtype):
    reference, _ = pairs[0]
    blurred = ndimage.gaussian_filter(reference, 6.0, mode="wrap")
    for buckets in (False, True):
        found = gj.estimate_blur(reference, blurred, kernel="sampled", buckets=buckets)
        assert found.status == gj.Status.TOO_SMALL


def test_parts_of_a_frame_are_the_image_s_own(rng, dtype):
    shape, size = (230, 250), jnp.asarray((230, 250), jnp.int32)
    images = rng.standard_normal((5, *shape)).astype(dtype)
    images[1] = np.abs(images[1])
    framed = [embed(image, bucket_shape(shape)) for image in images]
    inside = np.zeros(framed[0].shape, dtype)
    inside[:230, :250] = 1
    framed[1] = framed[1] * inside
    # Pixels at the edge, which have a neighbour in the frame alone, are never compared.
    for stack, window in ((images, images[1]), (framed, framed[1])):
        window[[0, 229]], window[:, [0, 249]] = 0, 0
        stack[4] = stack[4] * (window > 0)
    own, found = jax.jit(gather)(*images), jax.jit(gather)(*framed, size=size)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-3), own, found)
    box = (88, 92)
    densest = jax.jit(partial(densest_box, box=box))
    np.testing.assert_array_equal(densest(framed[1], size=size), densest(images[1]))
    tapers = jax.jit(lambda size: (taper(framed[0].shape, dtype, size), taper(shape, dtype)))
    whole, alone = (np.asarray(each.values) for each in tapers(size))
    np.testing.assert_allclose(whole[:230, :250], alone, atol=1e-6)
    assert np.sum(whole) == pytest.approx(230 * 250 / 4, rel=1e-5)
