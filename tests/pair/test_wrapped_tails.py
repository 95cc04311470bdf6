"""What a shift brings in from beyond a periodic frame: a filter of an image in the dark tells."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import gaussjax as gj
from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.frame import centre_and_scale, frame_window, make_frame
from gaussjax.pair.prediction import residual_and_fields
from gaussjax.pair.wrapped_tails import tail_scatter, wraps_tails


def in_the_dark(image, sigma, shift):
    """A frame before and after a blur and a shift, with nothing around it."""
    wide = [4 * n + 1 for n in image.shape]
    place = tuple(slice(n, 2 * n) for n in image.shape)
    scene = np.zeros(wide)
    scene[place] = image
    waves = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in wide), indexing="ij", sparse=True)
    form = sum(-0.5 * (sigma * w) ** 2 - 1j * w * d for w, d in zip(waves, shift, strict=True))
    return np.fft.ifftn(np.fft.fftn(scene) * np.exp(form)).real[place]


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
@pytest.mark.parametrize("shape", [(64,), (48, 57), (20, 18, 22)], ids=["1d", "2d", "3d"])
def test_of_fine_detail_nothing_comes_in_through_the_edges(shape, family, x64, rng):
    sigma, shift, gain = 0.45, (0.4, -1.3, 2.45)[: len(shape)], 0.8
    # None at the edges themselves, which count as half of slow changes.
    image = np.zeros(shape)
    inside = (slice(2, -2),) * len(shape)
    image[inside] = rng.normal(size=image[inside].shape)
    blurred = gain * in_the_dark(image, sigma, shift)
    model = BlurModel(family, Kernel(), 6, tuple(n // 3 for n in shape), gain=True, shift=True)
    variance = np.full(model.num_variances, sigma**2)
    if family == "full":
        variance = sigma**2 * np.eye(len(shape))[np.triu_indices(len(shape))]
    centre, scale = centre_and_scale(jnp.asarray(image))
    frame = make_frame(image, blurred, blurred - image, "valid", 0, centre=centre, scale=scale)
    vector = model.pack(jnp.asarray(variance), gain, 0.0, jnp.asarray(shift))
    kept = residual_and_fields(model, vector, frame)[0]
    whole = residual_and_fields(model, vector, replace(frame, boundary="periodic"))[0]
    assert wraps_tails(model, frame)
    margin = (slice(5, -5),) * len(shape)
    assert np.std(kept[margin]) < 0.25 * np.std(whole[margin])


@pytest.mark.parametrize("options", [{}, {"gain": True, "offset": True}], ids=["shift", "all"])
def test_an_object_in_the_dark_has_its_blur_whatever_the_frame(options):
    errors = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        image, sigma = np.zeros((48, 48)), random.uniform(0.4, 0.6)
        image[8:-8, 8:-8] = random.normal(size=(32, 32))
        blurred = in_the_dark(image, sigma, random.uniform(-1.5, 1.5, 2))
        pair = image.astype(np.float32), blurred.astype(np.float32)
        errors.append(gj.estimate_blur(*pair, shift=True, **options).sigma / sigma - 1)
    assert np.max(np.abs(errors)) < 5e-4


def test_the_scatter_by_what_lies_beyond_is_that_over_scenes(x64, rng):
    sigma, shift, inside = 0.45, (0.4, -0.3), (slice(40, 90), slice(50, 98))
    waves = (2 * np.pi * np.fft.fftfreq(141).reshape(shape) for shape in ((-1, 1), (1, -1)))
    form = sum(-0.5 * (sigma * w) ** 2 - 1j * w * d for w, d in zip(waves, shift, strict=True))
    image = rng.normal(size=(141, 141))[inside]
    model = BlurModel("isotropic", Kernel(), 6, (16, 16), shift=True)
    vector, scores, expected = jnp.asarray([sigma**2, *shift]), [], []
    for _ in range(60):
        scene = rng.normal(size=(141, 141))
        scene[inside] = image
        blurred = np.fft.ifftn(np.fft.fftn(scene) * np.exp(form)).real[inside]
        frame = make_frame(
            image, blurred, blurred - image, "valid", 0, centre=jnp.zeros(()), scale=jnp.ones(())
        )
        weights = frame_window(frame, model.margins(vector)).values
        residual, fields = residual_and_fields(model, vector, frame)
        scores.append(np.sum((weights * residual)[None] * fields, axis=(1, 2)))
        expected.append(tail_scatter(model, vector, frame, weights, fields))
    found = np.diag(np.cov(np.stack(scores).T))
    ratios = np.sqrt(np.diag(np.mean(expected, axis=0)) / found)
    assert np.all((ratios > 0.5) & (ratios < 2))
