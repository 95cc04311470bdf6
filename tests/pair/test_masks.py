"""Missing pixels and weights: what is hidden changes nothing, and its neighbours are spared."""

import jax
import numpy as np
import pytest
import scipy.ndimage
from cells import thorough
from problems import cropped_photograph

import gaussjax as gj
from gaussjax.model.window import erode


@pytest.fixture
def pair():
    return cropped_photograph("camera", 1.5, 128)


@pytest.fixture
def hidden():
    hidden = np.zeros((128, 128), bool)
    hidden[40:60, 70:95] = True
    hidden[100, 30] = True
    return hidden


@pytest.mark.parametrize("junk", [np.nan, np.inf, 1e3])
@pytest.mark.parametrize(
    ("where", "dtype"),
    [
        ("blurred", np.float64),
        ("reference", np.float64),
        thorough("both", np.float64),
        ("both", np.float32),
    ],
    indirect=["dtype"],
)
def test_what_is_masked_does_not_matter(pair, hidden, where, junk, dtype):
    reference, blurred = (image.astype(dtype) for image in pair)
    spoiled = [
        np.where(hidden, junk, reference) if where != "blurred" else reference,
        np.where(hidden, junk, blurred) if where != "reference" else blurred,
    ]
    mask = {"blurred": ~hidden, "reference": (~hidden, None), "both": (~hidden, ~hidden)}[where]
    estimate = gj.estimate_blur(*spoiled, kernel="sampled", mask=mask)
    assert estimate.status == 0
    rtol = 1e-10 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(estimate.sigma, 1.5, rtol=rtol)
    swapped_mask = mask if where != "blurred" else (None, ~hidden)
    if isinstance(swapped_mask, tuple):
        back = gj.estimate_blur(*spoiled[::-1], kernel="sampled", mask=swapped_mask[::-1])
        np.testing.assert_allclose(back.sigma, -1.5, rtol=rtol)


def test_neighbours_of_missing_reference_pixels_are_not_compared(pair, hidden, x64):
    reference, blurred = pair
    in_b = gj.estimate_blur(reference, blurred, kernel="sampled", mask=~hidden)
    in_a = gj.estimate_blur(reference, blurred, kernel="sampled", mask=(~hidden, None))
    inner = 128 - 2 * 6
    assert in_b.num_pixels == inner**2 - hidden.sum()
    assert in_a.num_pixels == inner**2 - (20 + 12) * (25 + 12) - 13**2


def test_nan_that_is_not_masked_is_an_error_or_a_status(pair, hidden, x64):
    reference, blurred = pair
    spoiled = np.where(hidden, np.nan, blurred)
    with pytest.raises(ValueError, match="blurred has 501 NaN"):
        gj.estimate_blur(reference, spoiled)
    almost = ~hidden
    almost[40, 70] = True
    with pytest.raises(ValueError, match="blurred has 1 NaN"):
        gj.estimate_blur(reference, spoiled, mask=almost)
    assert jax.jit(gj.estimate_blur)(reference, spoiled).status == gj.Status.NOT_FINITE


def test_a_mask_that_leaves_nothing_is_an_error_or_a_status(pair):
    nothing = np.zeros((128, 128), bool)
    for mask in (nothing, (nothing, None)):
        with pytest.raises(ValueError, match="leaves no pixel"):
            gj.estimate_blur(*pair, mask=mask)
    with pytest.raises(ValueError, match="contains NaN"):
        gj.estimate_blur(*pair, mask=np.full((128, 128), np.nan))
    traced = jax.jit(lambda mask: gj.estimate_blur(*pair, mask=mask))(nothing)
    assert traced.status != 0


def test_weights_of_zero_and_one_are_a_mask(pair, hidden, x64):
    noisy = pair[1] + 0.02 * np.random.default_rng(0).normal(size=hidden.shape)
    masked = gj.estimate_blur(pair[0], noisy, mask=~hidden)
    weighted = gj.estimate_blur(pair[0], noisy, weights=(~hidden).astype(float))
    # The start sees the hidden pixels, the optimum does not.
    np.testing.assert_allclose(weighted.sigma, masked.sigma, rtol=1e-9)
    np.testing.assert_allclose(
        weighted.sigma_standard_error, masked.sigma_standard_error, rtol=1e-7
    )


def test_inverse_variances_as_weights_are_efficient(pair, x64):
    draws = 40
    stds = np.where(np.arange(128) < 64, 0.1, 0.005)[:, None] * np.ones((128, 128))
    noise = stds * np.random.default_rng(0).normal(size=(draws, 128, 128))
    estimates = {
        name: [gj.estimate_blur(pair[0], pair[1] + n, **options) for n in noise]
        for name, options in {"equal": {}, "weighted": {"weights": 1 / stds**2}}.items()
    }
    spread = {name: np.std([e.sigma for e in each]) for name, each in estimates.items()}
    assert spread["weighted"] < 0.3 * spread["equal"]
    bar = np.mean([e.sigma_standard_error for e in estimates["weighted"]])
    np.testing.assert_allclose(spread["weighted"], bar, rtol=0.35)


@pytest.mark.thorough
def test_masks_map_over_batches(pair, hidden, x64):
    references, blurreds = np.stack([pair[0]] * 2), np.stack([pair[1]] * 2)
    masks = np.stack([~hidden, ~hidden[::-1]])
    mapped = jax.vmap(lambda a, b, m: gj.estimate_blur(a, b, mask=(m, m)))(
        references, blurreds, masks
    )
    for k in range(2):
        alone = gj.estimate_blur(references[k], blurreds[k], mask=(masks[k], masks[k]))
        np.testing.assert_allclose(mapped.sigma[k], alone.sigma, rtol=1e-9)
        assert mapped.num_pixels[k] == alone.num_pixels


def test_erode_is_a_box_around_every_hole(rng):
    known = (rng.random((15, 21)) > 0.03).astype(np.float32)
    eroded = np.asarray(jax.jit(erode)(known, np.asarray([2.0, 3.0], np.float32)))
    for y, x in np.ndindex(known.shape):
        box = known.take(range(y - 2, y + 3), 0, mode="wrap").take(
            range(x - 3, x + 4), 1, mode="wrap"
        )
        assert eroded[y, x] == box.min()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mask": np.ones((3, 3), bool)}, "mask of blurred must have the shape"),
        ({"mask": (np.ones((3, 3), bool), None)}, "mask of reference must have the shape"),
        ({"weights": np.ones(16)}, "weights must have the shape"),
        ({"weights": -np.ones((16, 16))}, "not negative"),
    ],
)
def test_masks_and_weights_that_do_not_fit_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        gj.estimate_blur(*np.zeros((2, 16, 16)), **options)


@pytest.mark.parametrize("boundary", ["reflect", thorough("zero")])
def test_masks_at_the_edge_of_a_padded_frame(boundary, hidden, pair, x64):
    mode = {"reflect": "reflect", "zero": "constant"}[boundary]
    reference, known = pair[0], ~hidden
    known[:5, 20:40] = False
    blurred = scipy.ndimage.gaussian_filter(reference, 2.0, mode=mode)
    spoiled = np.where(known, reference, np.nan)
    options = {"kernel": "sampled", "boundary": boundary, "mask": (known, None)}
    estimate = gj.estimate_blur(spoiled, blurred, **options)
    np.testing.assert_allclose(estimate.sigma, 2.0, rtol=1e-9)
    near = scipy.ndimage.maximum_filter(~known, 17)
    assert estimate.num_pixels == np.sum(~near)
