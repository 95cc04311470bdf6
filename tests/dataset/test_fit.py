import io
import re

import jax
import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from cells import thorough
from photograph_pairs import SIGMA, SIZE, crops, fitted
from problems import cropped_scene, photograph, smooth_part

import gaussjax
from gaussjax.dataset.fit import fit_dataset
from gaussjax.dataset.passes import TooManyBadPairsError
from gaussjax.io.pair_reader import BadPair
from gaussjax.statistics.cause import Cause
from gaussjax.statistics.status import Status
from gaussjax.statistics.verdict import Verdict


@pytest.mark.parametrize("dtype", [np.float32, thorough(np.float64)], indirect=True)
def test_noise_free_pairs_give_the_sigma_of_scipy(dtype, tolerance):
    found = fitted(crops(12, dtype=dtype))
    assert found.joint.status == Status.ESTIMATED
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=tolerance)
    told = found.pairs.status == Status.ESTIMATED
    assert np.sum(told) >= 11  # some sky has too little contrast
    np.testing.assert_allclose(found.pairs.sigma[told], SIGMA, rtol=100 * tolerance)
    assert found.names == tuple(f"pair {number}" for number in range(12))
    assert (found.num_pairs, found.num_bad) == (12, 0)
    assert "12, 0 left out" in str(found)


def test_float64_images_are_narrowed_where_jax_has_no_float64():
    wide, narrow = fitted(crops(3, dtype=np.float64)), fitted(crops(3, dtype=np.float32))
    assert wide.pairs.sigma.dtype == np.float32
    np.testing.assert_allclose(wide.sigma, SIGMA, rtol=1e-5)
    np.testing.assert_allclose(wide.sigma, narrow.sigma, rtol=1e-6)


@pytest.mark.parametrize("boundary", ["valid", "periodic"])
def test_joint_fit_is_the_least_squares_fit_of_all_stacked_images(x64, boundary):
    pairs = crops(64, noise=0.02, dtype=np.float64)
    found = fit_dataset(pairs, boundary=boundary, max_passes=8, tolerance=0)
    variance = float(found.sigma) ** 2
    counted = found.pairs.counted  # crops are not periodic, and some contradict the others
    assert np.mean(counted) > (0.5 if boundary == "periodic" else 0.99)
    a, b = (np.stack(images)[counted] for images in list(zip(*pairs, strict=True))[1:])
    w = 2 * np.pi * np.fft.fftfreq(SIZE)
    square = w[:, None] ** 2 + w[None] ** 2
    # The blur acts on what has no jump at the edge of the frame.
    parts = np.fft.fft2(a if boundary == "periodic" else a - np.stack([smooth_part(x) for x in a]))
    response = np.exp(-0.5 * variance * square)
    residual = a - b + np.fft.ifft2((response - 1) * parts).real
    slope = np.fft.ifft2(-0.5 * square * response * parts).real
    # Four sigma of a blur that is hardly wider, and a pixel.
    margin = 8 if boundary == "valid" else 0
    inside = np.s_[:, margin : SIZE - margin, margin : SIZE - margin]
    step = np.sum((slope * residual)[inside]) / np.sum(slope[inside] ** 2)
    assert abs(step) < 1e-9 * variance
    assert found.joint.num_pixels == residual[inside].size
    np.testing.assert_allclose(
        found.joint.noise_variance, np.sum(residual[inside] ** 2) / (residual[inside].size - 1)
    )


def test_periodic_pairs_agree_with_the_fit_of_their_summed_spectra(x64):
    pairs = crops(16, noise=0.02, dtype=np.float64)
    found = fit_dataset(pairs, boundary="periodic", max_passes=8, tolerance=0)
    counted = found.pairs.counted
    assert np.mean(counted) > 0.5
    a, b = (np.stack(images)[counted] for images in list(zip(*pairs, strict=True))[1:])
    mean = a.mean((1, 2), keepdims=True)
    spectra = gaussjax.sum_spectra(jax.vmap(gaussjax.pair_spectra)(a - mean, b - mean))
    expected = gaussjax.fit_gauss_newton(spectra)
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-9)


def test_one_pass_from_far_is_exact():
    found = fitted(crops(12), initial=0.7 * SIGMA, max_passes=1)
    assert found.num_passes == 1
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=1e-5)


def test_every_form_of_the_pairs_gives_the_same():
    pairs = crops(20, noise=0.01)
    expected = fitted(pairs)
    as_dicts = ({"name": n, "reference": a, "blurred": b} for n, a, b in pairs)
    stacked = [
        tuple(np.stack(parts) for parts in zip(*pairs[k : k + 7], strict=True))
        for k in range(0, 20, 7)
    ]
    for found in (
        fitted(iter(pairs)),
        fitted(as_dicts),
        fitted(stacked, batched=True),
        fitted(iter(stacked), batched=True),
    ):
        assert found.names == expected.names
        np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-6)
        np.testing.assert_allclose(found.pairs.sigma, expected.pairs.sigma, rtol=1e-6)
    unnamed = fitted([(a, b) for _, a, b in pairs])
    assert unnamed.names == tuple(str(number) for number in range(20))


@pytest.mark.thorough
def test_shapes_may_mix():
    pairs = crops(6, noise=0.01) + crops(6, noise=0.01, size=80, seed=1)
    found = fitted(pairs[::2] + pairs[1::2])
    assert found.num_pairs == 12
    assert set(found.names) == {name for name, _, _ in pairs}
    np.testing.assert_allclose(found.sigma, SIGMA, atol=5 * found.sigma_standard_error)


def test_the_sharper_image_may_be_the_second():
    pairs = crops(12)
    found = fitted([(name, b, a) for name, a, b in pairs])
    np.testing.assert_allclose(found.sigma, -SIGMA, rtol=1e-5)
    told = found.pairs.status == Status.ESTIMATED
    np.testing.assert_allclose(found.pairs.sigma[told], -SIGMA, rtol=1e-3)


def test_gain_and_offset_are_each_pairs_own(rng):
    sigmas = 2.0, 1.0
    options = {"family": "axis_aligned", "gain": True, "offset": True}
    pairs = crops(12, sigmas)
    gains, offsets = rng.uniform(0.5, 2, 12), rng.uniform(-1, 1, 12)
    changed = [
        (name, a, (g * b + o).astype(a.dtype))
        for (name, a, b), g, o in zip(pairs, gains, offsets, strict=True)
    ]
    found = fitted(changed, **options)
    np.testing.assert_allclose(found.sigma, sigmas, rtol=1e-4)
    assert found.pairs.sigma.shape == (12, 2)
    told = found.pairs.status == Status.ESTIMATED
    assert np.sum(told) >= 10
    np.testing.assert_allclose(found.pairs.gain[told], gains[told], rtol=2e-3)
    np.testing.assert_allclose(found.pairs.offset[told], offsets[told], atol=2e-3)
    flat = np.ones((SIZE, SIZE), np.float32)
    again = fitted([*changed, ("flat", flat, flat)], **options)
    np.testing.assert_allclose(again.sigma, sigmas, rtol=1e-4)
    assert again.refused()["flat"] != Status.ESTIMATED


def test_noise_in_the_references_is_no_blur(rng):
    levels = 0.03, 0.01
    pairs = [
        (name, a + levels[0] * rng.standard_normal(a.shape).astype(a.dtype), b)
        for name, a, b in crops(64, noise=levels[1])
    ]
    blind, found = fitted(pairs), fitted(pairs, noise_std=levels)
    assert abs(blind.sigma - SIGMA) > 5 * blind.sigma_standard_error
    assert abs(found.sigma - SIGMA) < 3 * found.sigma_standard_error
    assert blind.heterogeneity > 2 > found.heterogeneity


def test_error_bars_and_scatter(rng):
    pairs = crops(48, noise=0.01)
    same = fitted(pairs)
    assert abs(same.sigma - SIGMA) < 3 * same.sigma_standard_error
    assert 0.5 < same.heterogeneity < 1.8
    spread = 0.2
    drawn = SIGMA + spread * rng.standard_normal(48)
    mixed = [crops(k + 1, s, 0.01)[k] for k, s in enumerate(drawn)]
    found = fitted(mixed)
    assert found.heterogeneity > 10
    np.testing.assert_allclose(found.scatter, spread, rtol=0.35)
    # The joint error bar knows that there is no one sigma.
    assert found.sigma_standard_error > 3 * same.sigma_standard_error


@pytest.mark.parametrize("sigma", [0.7, 4.0])
def test_a_pair_far_from_the_joint_sigma_is_known_as_well_as_alone(sigma):
    pairs = crops(23, noise=0.01)
    _, a, b = crops(3, sigma, noise=0.01, seed=2)[0]
    found = fitted([*pairs, ("far", a, b)])
    alone = gaussjax.estimate_blur(a, b, kernel="sampled")
    assert alone.status == found.pairs.status[-1] == Status.ESTIMATED
    assert abs(found.pairs.sigma[-1] - alone.sigma) < 2 * alone.sigma_standard_error
    np.testing.assert_allclose(found.pairs.standard_error[-1], alone.sigma_standard_error, rtol=0.5)
    assert found.heterogeneity > 2
    assert found.worst(1) == ["far"]


def test_a_pair_of_sky_whose_root_has_run_away_is_not_trusted():
    sigma, scene = 2.0, photograph("camera")
    blurred = scipy.ndimage.gaussian_filter(scene, sigma)
    blurred += np.random.default_rng(0).normal(0, 0.01, scene.shape)
    corners = [(y, x) for y in range(64, 448, 96) for x in range(64, 448, 96)]
    cuts = [np.s_[y : y + SIZE, x : x + SIZE] for y, x in corners]
    found = fitted([(np.float32(scene[cut]), np.float32(blurred[cut])) for cut in cuts])
    told = found.pairs.status == Status.ESTIMATED
    assert 12 < np.sum(told) < len(cuts)
    off = np.abs(found.pairs.sigma - sigma) / found.pairs.standard_error
    assert np.max(off[told]) < 5


def test_the_pair_that_does_not_belong_is_named():
    pairs = crops(24, noise=0.01)
    name, a, _ = pairs[5]
    pairs[5] = ("odd", a, np.roll(a, 4, 0))
    assert fitted(pairs).worst(1) == ["odd"]
    flat = ("flat", np.ones_like(a), np.ones_like(a))
    found = fitted([*pairs, flat])
    assert found.refused()["flat"] == Status.NOT_IDENTIFIABLE
    assert name not in found.names


def test_bad_pairs_are_named_counted_and_limited():
    pairs = crops(12)
    spoilt = pairs[3][2].copy()
    spoilt[1, 1] = np.nan
    pairs[3] = ("nan", pairs[3][1], spoilt)
    pairs[7] = ("shape", pairs[7][1], pairs[7][2][:-1])
    pairs.insert(9, BadPair("file", 9, "is damaged"))
    found = fitted(pairs)
    assert {pair.name for pair in found.bad} == {"nan", "shape", "file"}
    assert (found.num_pairs, found.num_bad, len(found.names)) == (10, 3, 10)
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=1e-5)
    with pytest.raises(TooManyBadPairsError, match=r"max_bad allows \(2\)"):
        fitted(pairs, max_bad=2)


def test_a_full_covariance():
    covariance = np.diag([4.0, 1.0])
    pairs = [cropped_scene(covariance, (64, 64), seed) for seed in range(4)]
    pairs = [tuple(image.astype(np.float32) for image in pair) for pair in pairs]
    full = fit_dataset(pairs, family="full")
    np.testing.assert_allclose(full.joint.covariance_matrix, covariance, atol=5e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundary": "mirror"}, "boundary must be one of"),
        ({"boundary": "zero", "noise_std": (1, 1)}, "needs boundary='valid' or 'periodic'"),
        ({"family": "round"}, "family must be one of"),
        ({"noise_std": "guess"}, "noise_std must be None, 'estimate' or"),
        ({"max_passes": 0}, "max_passes must be a whole number from 1"),
    ],
)
def test_static_faults_say_what_to_do(options, message):
    with pytest.raises(ValueError, match=message):
        fit_dataset([], **options)


def test_elements_that_are_no_pairs():
    with pytest.raises(TypeError, match="must yield"):
        fit_dataset([3])
    with pytest.raises(TypeError, match="is no array"):
        fit_dataset([([[1.0], [1.0, 2.0]], np.ones((8, 8)))])
    with pytest.raises(TypeError, match="lacks"):
        fit_dataset([{"reference": 1}])
    with pytest.raises(ValueError, match="no pair"):
        fit_dataset([])


def test_masked_and_weighted_pairs_are_as_alone(rng):
    pairs = []
    for name, a, b in crops(6, noise=0.02):
        holes = rng.random(b.shape) > 0.02
        a, b = a.copy(), np.where(holes, b, np.nan)
        a[10:14, 20:24] = np.nan
        mask = (np.isfinite(a), holes)
        weights = np.where(np.arange(SIZE) < SIZE // 2, 1, 0.25) * np.ones_like(a)
        noise = rng.standard_normal(b.shape) * np.where(weights < 1, 0.05, 0)
        pair = {"name": name, "reference": a, "blurred": (b + noise).astype(a.dtype)}
        pairs.append({**pair, "mask": mask, "weights": weights})
    found = fitted(pairs)
    assert not found.bad
    assert abs(found.sigma - SIGMA) < 5 * found.sigma_standard_error
    for k, pair in enumerate(pairs):
        options = {key: pair[key] for key in ("mask", "weights")}
        alone = gaussjax.estimate_blur(
            pair["reference"], pair["blurred"], kernel="sampled", **options
        )
        error = alone.sigma_standard_error
        assert abs(found.pairs.sigma[k] - alone.sigma) < 0.3 * error
        np.testing.assert_allclose(found.pairs.standard_error[k], error, rtol=0.2)
    # What is masked does not matter.
    changed = [{**p, "blurred": np.where(p["mask"][1], p["blurred"], 1e3)} for p in pairs]
    np.testing.assert_allclose(fitted(changed).sigma, found.sigma, rtol=1e-6)


def test_maps_that_do_not_fit_are_bad_pairs():
    (name, a, b), *rest = crops(4)
    pair = {"name": name, "reference": a, "blurred": b}
    odd = [
        ({"mask": np.ones((3, 3))}, r"mask of blurred has the shape \(3, 3\)"),
        ({"mask": (np.zeros_like(a), None)}, "mask of reference leaves no pixel"),
        ({"weights": -np.ones_like(a)}, "weights must be finite"),
    ]
    for extra, reason in odd:
        (bad,) = fitted([{**pair, **extra}, *rest]).bad
        assert re.search(reason, bad.reason)
    with pytest.raises(TypeError, match="unknown keys"):
        fitted([{**pair, "masks": a}])


@pytest.mark.parametrize("boundary", ["reflect", thorough("zero")])
def test_padded_boundaries(boundary):
    mode = {"reflect": "reflect", "zero": "constant"}[boundary]
    pairs = [
        (name, a, scipy.ndimage.gaussian_filter(a, SIGMA, mode=mode)) for name, a, _ in crops(6)
    ]
    found = fitted(pairs, boundary=boundary)
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=1e-5)
    assert found.joint.num_pixels == 6 * SIZE**2


@pytest.mark.parametrize("sigma", [SIGMA, 1.61])  # of which the second nearly needs another pixel
def test_one_pair_is_as_alone(sigma):
    (_, a, b) = crops(1, sigma, noise=0.01, seed=6)[0]
    found = fitted([(a, b)])
    alone = gaussjax.estimate_blur(a, b, kernel="sampled")
    error = alone.sigma_standard_error
    assert found.joint.num_pixels == alone.num_pixels
    assert abs(found.sigma - alone.sigma) < 0.01 * error
    np.testing.assert_allclose(found.sigma_standard_error, error, rtol=0.01)
    np.testing.assert_allclose(found.pairs.standard_error[0], error, rtol=0.01)
    assert found.joint.adequacy.verdict == alone.adequacy.verdict
    assert found.pairs.verdict[0] == alone.adequacy.verdict


def coded(image):
    """After JPEG, which is all that has happened to it."""
    file = io.BytesIO()
    PIL.Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(file, "jpeg", quality=80)
    return np.asarray(PIL.Image.open(file), np.float32) / 255


def spoilt(kind):
    pairs = crops(24, noise=0.01)
    if kind == "shifted":
        return [(n, a, np.roll(b, 1, 0)) for n, a, b in pairs]
    if kind == "box":
        return [(n, a, scipy.ndimage.uniform_filter(a, 5)) for n, a, _ in pairs]
    if kind == "median":
        return [(n, a, scipy.ndimage.median_filter(a, 5)) for n, a, _ in pairs]
    if kind == "codec":
        return [(n, a, coded(a)) for n, a, _ in pairs]
    random = np.random.default_rng(1)
    noise = 0.01 * random.standard_normal((24, SIZE, SIZE)).astype(np.float32)
    if kind == "wide median":
        pairs = crops(24, seed=1)
        soft = [scipy.ndimage.median_filter(a, 7) for _, a, _ in pairs]
        return [(n, a, b + e) for (n, a, _), b, e in zip(pairs, soft, noise, strict=True)]
    if kind == "disk":
        disk = (np.hypot(*np.mgrid[-3:4, -3:4]) <= 3.2).astype(np.float32)
        soft = [scipy.ndimage.convolve(a, disk / disk.sum()) for _, a, _ in pairs]
        return [(n, a, b + e) for (n, a, _), b, e in zip(pairs, soft, noise, strict=True)]
    wider = crops(24, 1.3 * SIGMA, noise=0.01)
    return pairs[:12] + wider[12:]


@pytest.mark.parametrize(
    ("kind", "verdict", "cause"),
    [
        ("shifted", Verdict.MISALIGNED, Cause.SHIFT),
        ("box", Verdict.EXPLAINED_POORLY, Cause.KERNEL),
        ("disk", Verdict.EXPLAINED_POORLY, Cause.KERNEL),
        ("median", Verdict.EXPLAINED_POORLY, Cause.NOT_A_FILTER),
        ("wide median", Verdict.EXPLAINED_POORLY, Cause.NOT_A_FILTER),
        ("codec", Verdict.EXPLAINED_POORLY, Cause.NOT_A_FILTER),
        ("mixed", Verdict.HETEROGENEOUS, None),
    ],
)
def test_a_spoilt_set_is_doubted(kind, verdict, cause):
    found = fitted(spoilt(kind))
    assert found.joint.adequacy.verdict == verdict
    assert cause is None or found.joint.adequacy.cause == cause
    assert found.joint.adequacy.message in str(found)


def test_foreign_pairs_are_set_aside_and_named():
    pairs = crops(24, noise=0.01)
    foreign = crops(3, noise=0.01, seed=77)
    for k, (_, _, b) in enumerate(foreign):
        pairs[5 * k + 2] = (f"foreign {k}", pairs[5 * k + 2][1], b)
    found = fitted(pairs)
    named = {f"foreign {k}" for k in range(3)}
    assert set(found.aside()) == named
    assert (found.num_pairs, found.num_aside) == (21, 3)
    without = fitted([pair for pair in pairs if pair[0] not in named])
    np.testing.assert_allclose(found.sigma, without.sigma, rtol=1e-5)
    assert np.all(np.isnan(found.influence[~found.pairs.counted]))


def test_foreign_pairs_of_strong_contrast_do_not_carry_the_start_away():
    pairs, foreign = crops(24, noise=0.01), crops(3, noise=0.01, seed=77)
    for k, (_, _, b) in enumerate(foreign):
        pairs[5 * k + 2] = (f"foreign {k}", 4 * pairs[5 * k + 2][1], 4 * b)
    found = fitted(pairs)
    assert set(found.aside()) == {f"foreign {k}" for k in range(3)}
    np.testing.assert_allclose(found.sigma, 1.5, atol=4 * found.sigma_standard_error)


def test_why_a_pair_with_a_sigma_of_its_own_is_set_aside():
    pairs = crops(24, noise=0.01)
    name, a, b = pairs[1]
    artefacts = scipy.ndimage.gaussian_filter(np.random.default_rng(1).normal(size=a.shape), 0.6)
    artefacts *= 1.2 * b.std() / artefacts.std()
    pairs[1] = name, a, (b + artefacts).astype(b.dtype)
    name_of_negative, a, b = pairs[9]
    pairs[9] = name_of_negative, a, -b
    found = fitted(pairs, gain=True, offset=True)
    assert found.pairs.status[1] == Status.ESTIMATED
    assert found.aside()[name].startswith("the joint blur leaves over more than half")
    assert found.aside()[name_of_negative] == Cause.INVERTED.message


def test_influence_is_the_move_of_a_refit_without_the_pair():
    pairs = crops(8, noise=0.02)
    found = fitted(pairs, max_passes=4, tolerance=0)
    without = fitted(pairs[1:], max_passes=4, tolerance=0)
    move = without.sigma - found.sigma
    np.testing.assert_allclose(found.influence[0, 0], move, atol=0.02 * np.abs(move) + 1e-6)


def test_a_blur_wider_than_the_shorter_axis_of_a_periodic_frame(rng):
    scene = rng.normal(size=(24, 200))
    soft = scipy.ndimage.gaussian_filter(scene, 7, mode="wrap", truncate=8)
    pair = scene, soft + 1e-3 * rng.normal(size=scene.shape)
    one = gaussjax.estimate_blur(*pair, boundary="periodic")
    found = fit_dataset([pair], boundary="periodic")
    assert found.joint.status == found.pairs.status[0] == one.status == Status.ESTIMATED
    np.testing.assert_allclose(found.sigma, one.sigma, atol=0.1 * float(one.sigma_standard_error))
