"""The generalised Gaussian fitted to pairs: exact where it can be, and honest about its tail."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import natural_scene

import gaussjax as gj
from gaussjax import Cause, Status

estimate = partial(gj.estimate_blur, family="generalised")


def blurred_by(scene, scale, exponent, shift=0.0):
    w = np.stack(np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in scene.shape), indexing="ij"))
    transfer = np.exp(-0.5 * (scale * np.sqrt(np.sum(w**2, axis=0))) ** exponent)
    phase = np.exp(-1j * shift * w[0])
    return np.fft.ifftn(np.fft.fftn(scene) * transfer * phase).real


def crops(scale, exponent, seed=0, size=96):
    scene = natural_scene((2 * size + 7,) * 2, seed)
    inside = (slice(40, 40 + size),) * 2
    return scene[inside], blurred_by(scene, scale, exponent)[inside]


@pytest.mark.parametrize("sharper", [False, True])
def test_periodic_frames_are_exact(sharper, dtype):
    # Of a signal in single precision, for it is quick to compile.
    scene = natural_scene((75, 63) if dtype is np.float64 else (2000,))
    rtol = 1e-6 if dtype is np.float64 else 1e-3
    for scale, exponent in [(0.7, 1.0), (1.5, 5 / 3), (2.0, 2.0), (3.0, 1.2), (1.3, 3.0)]:
        pair = [image.astype(dtype) for image in (scene, blurred_by(scene, scale, exponent))]
        found = estimate(*(pair[::-1] if sharper else pair), boundary="periodic")
        assert found.status == Status.ESTIMATED
        np.testing.assert_allclose(found.sigma, -scale if sharper else scale, rtol=rtol)
        np.testing.assert_allclose(found.exponent, exponent, rtol=rtol)
        assert found.exponent.dtype == dtype


def test_a_batch_of_crops_with_noise(x64, rng):
    # Which are taken by vmap.
    cases = [(1.0, 1.0), (1.5, 1.6), (2.0, 2.0), (1.2, 2.2), (2.0, 3.0)]
    pairs = [crops(*case, seed=k) for k, case in enumerate(cases)]
    sharp, soft = (jnp.asarray(np.stack(images)) for images in zip(*pairs, strict=True))
    soft += 0.01 * rng.normal(size=soft.shape)
    found = gj.estimate_blurs(sharp, soft, family="generalised")
    scale, exponent = np.transpose(cases)
    low, high = found.gaussianity.interval(0.999)
    assert np.all(found.status == 0)
    assert np.all((low < exponent) & (exponent < high))
    assert np.all(high - low < 0.2)
    low, high = found.interval(0.999)
    assert np.all((low < scale) & (scale < high))
    p_value = found.gaussianity.p_value
    assert p_value[2] > 0.001
    assert found.adequacy.cause[0] == Cause.LEAKAGE
    assert found.adequacy.cause[2] != Cause.LEAKAGE
    assert np.all(np.delete(p_value, 2) < 1e-6)


@pytest.mark.parametrize("exponent", [1.0, 1.5])
def test_what_leaks_in_is_in_the_model_error(exponent, x64):
    for seed in range(6):
        found = estimate(*crops(2.0, exponent, seed))
        # Without noise all that is left is the tail.
        off = abs(float(found.exponent) - exponent)
        assert 1e-5 < off < 1.96 * np.hypot(found.gaussianity.model_error, 1e-5)
        assert found.gaussianity.model_error < 0.1
        assert abs(float(found.sigma) - 2) < 1.96 * found.sigma_model_error + 1e-5


def test_a_gaussian_leaks_nothing(x64):
    # Hardly more, that is, than through its margin of 4 sigma.
    found = estimate(*crops(2.0, 2.0))
    np.testing.assert_allclose([found.sigma, found.exponent], 2, rtol=1e-4)
    assert found.gaussianity.model_error < 1e-4


def test_nuisances_noise_in_both_images_and_masks(x64, rng):
    # Of signals, whose fits are quick to compile.
    scene, scale, exponent = natural_scene((4000,), 3), 1.5, 2.4
    soft = 0.8 * blurred_by(scene, scale, exponent, 1.3) + 3
    sharp = scene + 0.01 * rng.normal(size=scene.shape)
    soft += 0.005 * rng.normal(size=scene.shape)
    inside, mask = slice(200, 3800), np.ones(3600, bool)
    mask[500:540] = False
    found = estimate(
        sharp[inside],
        soft[inside],
        gain=True,
        offset=True,
        shift=True,
        noise_std=(0.01, 0.005),
        mask=mask,
    )
    assert found.status == Status.ESTIMATED
    low, high = found.gaussianity.interval(0.999)
    assert low < exponent < high < low + 0.5
    low, high = found.interval(0.999)
    assert low < scale < high < low + 0.1
    np.testing.assert_allclose(found.params.shift, 1.3, atol=0.02)
    np.testing.assert_allclose(found.params.gain, 0.8, atol=0.02)


def means(image, ratio):
    """Of the blocks of ratio x ratio px: what larger pixels see."""
    rows, columns = (n // ratio for n in image.shape)
    return image.reshape(rows, ratio, columns, ratio).mean((1, 3))


def test_periodic_frames_of_two_grids_are_exact(x64):
    scene = natural_scene((72, 96), slope=0.5)
    for ratio, scale, exponent in [(3, 1.5, 1.8), (3, 2.0, 5 / 3), (3, 2.0, 2.0), (3, 1.5, 2.4)]:
        soft = means(blurred_by(scene, scale, exponent), ratio)
        found = estimate(scene, soft, sampling=ratio, boundary="periodic")
        assert found.status == Status.ESTIMATED
        np.testing.assert_allclose([found.sigma, found.exponent], [scale, exponent], rtol=1e-6)


def test_crops_of_two_grids(x64, rng):
    # Without noise all that is left is the tail, of which a Gaussian has none.
    for exponent in (2.0, 5 / 3, 1.8):
        sharp, soft = crops(2.0, exponent, size=192)
        found = estimate(sharp, means(soft, 2), sampling=2)
        off = abs(float(found.exponent) - exponent)
        assert off < 1.96 * np.hypot(found.gaussianity.model_error, 2e-4)
        assert abs(float(found.sigma) - 2) < 1.96 * found.sigma_model_error + 1e-3
        assert found.gaussianity.model_error < (1e-3 if exponent == 2 else 0.05)
    noisy = means(soft, 2) + 0.01 * rng.normal(size=(96, 96))
    found = estimate(sharp, noisy, sampling=2)
    low, high = found.gaussianity.interval(0.999)
    assert low < 1.8 < high < low + 0.3
    assert found.gaussianity.p_value < 0.01


def test_the_exponent_differentiates_by_the_images(x64, rng):
    scene = natural_scene((300,))
    soft = blurred_by(scene, 1.5, 1.7) + 1e-3 * rng.normal(size=scene.shape)
    direction = rng.normal(size=scene.shape)

    def exponent(step):
        return estimate(scene, soft + step * direction, boundary="periodic").exponent

    h = 1e-5
    expected = (exponent(h) - exponent(-h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(exponent)(0.0), expected, rtol=1e-4)


def test_no_blur_has_no_exponent(x64, rng):
    image = natural_scene((96, 96))
    for other in (image, image + rng.normal(size=image.shape)):
        assert estimate(image, other).status == Status.NOT_IDENTIFIABLE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "sampled"}, "kernel must be 'continuous'"),
        ({"boundary": "reflect"}, "boundary must be 'valid' or 'periodic'"),
        ({"bounds": (1.0, 2.0)}, "family='generalised' takes none"),
        ({"precision": 1e-2}, "cut off the tail"),
    ],
)
def test_options_that_it_does_not_take(options, message, rng):
    images = rng.normal(size=(2, 32, 32))
    with pytest.raises(ValueError, match=message):
        estimate(*images, **options)


def test_maps_and_data_sets_are_of_gaussians(rng):
    images = rng.normal(size=(2, 64, 64))
    with pytest.raises(ValueError, match="fitted by estimate_blur"):
        gj.blur_map(*images, family="generalised")
    with pytest.raises(ValueError, match="fitted by estimate_blur"):
        gj.fit_dataset([tuple(images)], family="generalised")
