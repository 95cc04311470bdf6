"""Bad input raises a clear error that names the argument, also at trace time under jit."""

from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from cells import thorough

import gaussjax as gj
from gaussjax.model.arguments import as_image, as_noise, as_weights

GOOD = np.random.default_rng(0).random((8, 9), np.float32)
STATIC_FAULTS = [
    (GOOD[:, 1:], ValueError, r"same shape, got \(8, 9\) and \(8, 8\)"),
    (np.float32(1.0), ValueError, r"rank 1 to 3, got shape \(\)"),
    (np.ones((2, 2, 2, 2)), ValueError, r"rank 1 to 3, got shape \(2, 2, 2, 2\).*vmap"),
    (1j * GOOD, TypeError, "real numbers, got dtype complex64; pass its magnitude"),
    (GOOD[:0], ValueError, r"is empty: got shape \(0, 9\)"),
    (GOOD[:1], ValueError, r"axis of size 1: got shape \(1, 9\)"),
    (np.ones((8, 9, 3), np.float32), ValueError, r"\(8, 9, 3\) looks like a colour image"),
]
UNTRACEABLE_FAULTS = [
    (np.full((8, 9), "a"), TypeError, "real numbers, got dtype <U1"),
    (np.full((8, 9), None), TypeError, "real numbers, got dtype object"),
    ("a.png", TypeError, r"real numbers, got dtype <U5; of a file .*read_image\(path\)\.values"),
    (Path("a.png"), TypeError, r"read_image\(path\)\.values"),
    (SimpleNamespace(values=GOOD), TypeError, r"got dtype object; pass its array, \w+\.values"),
    (SimpleNamespace(data=GOOD), TypeError, r"pass its array, \w+\.data"),
    (np.ma.masked_less(GOOD, 0.5), TypeError, "masked array"),
    (None, TypeError, "real numbers, got dtype object"),
    (np.full((8, 9), "2026", "datetime64[Y]"), TypeError, "real numbers, got dtype datetime64"),
]
PAIR_FUNCTIONS = {
    "estimate_blur": gj.estimate_blur,
    "pair_spectra": gj.pair_spectra,
    "image_loss": lambda a, b: gj.image_loss(1.0, a, b),
}


@pytest.mark.parametrize("function", PAIR_FUNCTIONS.values(), ids=PAIR_FUNCTIONS)
@pytest.mark.parametrize(("bad", "error", "message"), STATIC_FAULTS + UNTRACEABLE_FAULTS)
def test_bad_images_in_either_place(function, bad, error, message):
    with pytest.raises(error, match=message) as caught:
        function(GOOD, bad)
    assert "blurred" in str(caught.value)
    if "same shape" not in message:
        with pytest.raises(error, match="reference"):
            function(bad, GOOD)


@pytest.mark.parametrize("function", PAIR_FUNCTIONS.values(), ids=PAIR_FUNCTIONS)
@pytest.mark.parametrize(("bad", "error", "message"), STATIC_FAULTS)
def test_static_faults_under_jit(function, bad, error, message):
    with pytest.raises(error, match=message):
        jax.jit(function)(GOOD, bad)


@pytest.mark.parametrize("name", ["reference", "blurred", "weights"])
def test_values_beyond_single_precision_are_named(name):
    given = {"reference": GOOD, "blurred": GOOD}
    with pytest.raises(ValueError, match=f"{name} has values beyond 3.4e.38.*jax_enable_x64"):
        gj.estimate_blur(**(given | {name: np.float64(GOOD) * 1e300}))


def test_channels_first_are_told_from_a_volume():
    stack = np.stack([np.pad(GOOD, 8)] * 3)
    says = r"\(3, 24, 25\) looks like a colour image with its channels first"
    with pytest.raises(ValueError, match=f"reference of shape {says}"):
        gj.estimate_blur(stack, stack, kernel="sampled")
    with pytest.raises(ValueError, match=f"references of shape {says}"):
        gj.estimate_blurs(stack[None], stack[None])
    for batched in (False, True):
        pairs = [(stack[None], stack[None])] if batched else [(stack, stack)]
        with pytest.raises(ValueError, match=f"shape {says}.*batched=True"):
            gj.fit_dataset(pairs, batched=batched)
    # What only a volume has, and volumes too small for an image.
    for shape, options in {
        stack.shape: {"boundary": "reflect"},
        (4, 24, 25): {"family": "axis_aligned"},
        (3, 16, 16): {"spacing": (4, 1, 1)},
        (3, 15, 16): {},
        (5, 24, 25): {},
    }.items():
        jax.eval_shape(lambda a, o=options: gj.estimate_blur(a, a, **o), np.zeros(shape))


def test_a_batch_of_rows_says_what_it_is_of():
    found = gj.estimate_blurs(GOOD, GOOD)
    assert "note      each is of a signal of one axis" in str(found)


@pytest.mark.parametrize("extent", [{"radius": 2}, {"truncate": 3.0}])
@pytest.mark.parametrize("kernel", ["continuous", "integrated", "discrete"])
def test_an_extent_of_a_kernel_that_has_none(kernel, extent):
    (name, value), *_ = extent.items()
    with pytest.raises(ValueError, match=f"{name} is of kernel='sampled'; got {name}={value}"):
        gj.estimate_blur(GOOD, GOOD, kernel=kernel, **extent)


def test_missing_pixels_of_the_reference_under_a_mask_of_the_other():
    holed = np.where(GOOD > 0.9, np.nan, GOOD)
    with pytest.raises(ValueError, match=r"reference has .*mask=\(mask_reference, mask_blurred\)"):
        gj.estimate_blur(holed, GOOD, mask=np.isfinite(holed))


def test_a_mask_may_have_any_values():
    masked = gj.estimate_blur(GOOD, GOOD, mask=np.where(GOOD > 0.1, 1e300, 0))
    assert masked.num_pixels == gj.estimate_blur(GOOD, GOOD, mask=GOOD > 0.1).num_pixels


@pytest.mark.parametrize(("bad", "error", "message"), [*STATIC_FAULTS[1:], *UNTRACEABLE_FAULTS])
def test_bad_images_to_blur(bad, error, message):
    with pytest.raises(error, match=f"image .*{message}"):
        gj.blur(bad, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "round"}, "family must be one of isotropic, .*; got 'round'"),
        ({"kernel": "box"}, "kernel must be one of continuous, .*; got 'box'"),
        ({"boundary": "wrap"}, "boundary must be one of valid, .*; got 'wrap'"),
        ({"family": "full", "bounds": (0, 1)}, "bounds"),
        ({"bounds": (3.0, 1.0)}, "bounds"),
        ({"bounds": (1.0,)}, "bounds"),
        ({"bounds": (0.0, float("nan"))}, "bounds"),
        ({"initial": np.ones(3)}, "shape"),
        ({"family": "full", "kernel": "integrated"}, "integrated"),
    ],
)
def test_bad_options_of_estimate_blur(options, message):
    with pytest.raises(ValueError, match=message):
        gj.estimate_blur(GOOD, GOOD, **options)
    with pytest.raises(ValueError, match=message):
        jax.jit(lambda a, b: gj.estimate_blur(a, b, **options))(GOOD, GOOD)


@pytest.mark.parametrize(
    ("sigma", "options", "message"),
    [
        (np.ones(3), {}, r"params_or_sigma must be .* a scalar or .* shape \(2,\); got \(3,\)"),
        (np.nan, {"boundary": "zero"}, "params_or_sigma must be finite"),
        (2e4, {"boundary": "zero"}, r"params_or_sigma: a blur with sigma 2e\+04 px .* flat"),
        (1.0, {"boundary": "valid"}, "boundary must be one of periodic"),
        (1.0, {"kernel": "box"}, "kernel must be one of"),
        (gj.BlurParams(np.ones(2)), {}, r"variance must have shape \(1,\) for family 'isotropic'"),
        (gj.BlurParams(np.ones(1), family="round"), {}, "family must be one of"),
    ],
)
def test_bad_options_of_blur(sigma, options, message):
    with pytest.raises(ValueError, match=message):
        gj.blur(GOOD, sigma, **options)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.bool_, np.float16])
def test_numbers_of_other_kinds_are_promoted(kind, dtype):
    image = (5 * GOOD).astype(kind)
    got = gj.blur(image, 1.0)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, gj.blur(image.astype(dtype), 1.0), rtol=1e-6)


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2", "<u2", np.longdouble])
def test_byte_orders_of_files_are_read(kind, x64):
    """FITS files hold the largest byte first, and their readers hand it on."""
    stored = (100 * GOOD).astype(kind)
    same = stored.astype(stored.dtype.str.strip("<>=") if stored.itemsize < 16 else float)
    for read in (lambda x: as_image(x, "blurred"), lambda x: as_weights(x, GOOD)):
        np.testing.assert_array_equal(read(stored), read(same))


def test_a_mask_of_another_library_is_not_dropped():
    ccd = pytest.importorskip("astropy.nddata").CCDData
    assert as_image(ccd(GOOD, unit="adu"), "blurred").shape == GOOD.shape
    with pytest.raises(TypeError, match="blurred is a masked array"):
        as_image(ccd(GOOD, unit="adu", mask=GOOD > 0), "blurred")


def test_a_frame_in_another_byte_order_is_read_in_parts():
    stored, same = GOOD.astype(">f4"), GOOD.astype("f4")
    found, expected = (gj.estimate_blur(x, x[::-1], precision=0.5) for x in (stored, same))
    assert found.loss == expected.loss


def test_a_pair_of_two_precisions_takes_the_wider(x64):
    spectra = gj.pair_spectra(GOOD, GOOD.astype(np.float64))
    assert spectra.reference_power.dtype == np.float64


@pytest.mark.parametrize("levels", [(-1.0, 1.0), (0.0, 0.0), (1.0, np.nan)])
def test_wrong_noise_levels_under_jit_spoil_the_fit(levels):
    traced = jax.jit(lambda noise: as_noise(noise, np.float32)[0])(levels)
    assert np.any(np.isnan(traced))


def test_wrong_weights_under_jit_spoil_the_fit():
    weights = np.where(np.arange(GOOD.size).reshape(GOOD.shape) == 5, -1.0, 1.0)
    assert np.count_nonzero(np.isnan(jax.jit(as_weights)(weights, GOOD))) == 1


@pytest.mark.parametrize("dtype", [">f4", ">f8", thorough(">i2"), "g"])
def test_types_that_jax_lacks_are_converted(dtype):
    image = (1000 * GOOD).astype(dtype)
    native = image.astype(np.int16 if dtype == ">i2" else np.float32)
    options = {"boundary": "periodic", "weights": np.ones(GOOD.shape, dtype)}
    found = gj.estimate_blur(image, image[::-1], **options)
    wanted = gj.estimate_blur(native, native[::-1], boundary="periodic")
    np.testing.assert_allclose(found.params.variance, wanted.params.variance, rtol=1e-3)
    assert gj.blur(image, 1.0, boundary="reflect").dtype == np.float32
    for name in ("bounds", "initial"):
        value = {"bounds": np.array([0, 4], dtype), "initial": np.array(1, dtype)}[name]
        with pytest.raises(TypeError, match=f"{name} is of type .*use astype"):
            gj.estimate_blur(image, image, **{name: value})


def test_deleted_arrays_are_named():
    image = jax.numpy.asarray(GOOD)
    image.delete()
    with pytest.raises(ValueError, match="weights has been deleted"):
        gj.estimate_blur(GOOD, GOOD, weights=image)
    with pytest.raises(ValueError, match="image has been deleted"):
        gj.blur(image, 1.0, boundary="reflect")


def test_a_buffer_may_be_filled_anew_after_the_call(rng):
    """Programs run on after a call has returned."""
    first = rng.normal(size=(512, 512)).astype(np.float32)
    expected = np.asarray(gj.blur(first, 2.0))
    for _ in range(5):
        buffer = first.copy()
        found = gj.blur(buffer, 2.0)
        buffer[:] = 0
        # Not to the bit: the memory is aligned anew.
        np.testing.assert_allclose(found, expected, atol=1e-6)
