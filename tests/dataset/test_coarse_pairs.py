"""Data sets whose softer images have larger pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from coarse_pairs import coarse_pair
from problems import natural_scene

import gaussjax as gj
from gaussjax.dataset.instruments import pair_sums
from gaussjax.dataset.noisy_instruments import noisy_pair_sums
from gaussjax.dataset.options import JointOptions
from gaussjax.model.kernels import Kernel
from gaussjax.model.sampling import as_sampling
from gaussjax.pair.frame import resampled_frame
from gaussjax.statistics.status import Status

# At 2 px a margin of 4 sigma would be at the edge of a coarse pixel.
SIGMA, RATIO = 1.9, 4


def pairs_of(count, noise=0.0, *, size=40, sigma=SIGMA, ratio=RATIO, seed=0, **options):
    """Scenes of their own seen on two grids, and white noise in the coarse images."""
    random = np.random.default_rng(100 + seed)
    pairs = [coarse_pair(sigma, ratio, size, seed=seed + k, **options) for k in range(count)]
    return [(a, b + noise * np.std(b) * random.normal(size=b.shape)) for a, b in pairs]


def coarse(image):
    return image.reshape(*(x for n in image.shape for x in (n // 3, 3))).mean((1, 3))


def framed(a, b):
    grid = as_sampling(3, "area", "area", "valid").grid(2)
    centre, scale = jnp.mean(a), jnp.ones(())
    return resampled_frame(
        grid, jnp.asarray(a), jnp.asarray(b), "valid", centre=centre, scale=scale
    )


def test_the_sums_are_those_of_dense_algebra(x64):
    options = JointOptions("axis_aligned", Kernel("continuous"), "valid")
    scene = natural_scene((48, 54), seed=3)
    origin, elsewhere = np.array([1.5, 2.0]), np.array([0.3, 4.0])
    w = [2 * np.pi * np.fft.fftfreq(n) for n in scene.shape]
    form = np.stack(np.broadcast_arrays(w[0][:, None] ** 2, w[1][None] ** 2))

    def response(variances):
        return np.exp(-0.5 * np.einsum("j,jyx->yx", variances, form))

    def seen(filters):
        return np.stack([coarse(np.fft.ifft2(np.fft.fft2(scene) * f).real) for f in filters])

    slopes = -0.5 * form * response(origin)
    b = seen([response(np.array([2.0, 1.4]))])[0] + 0.1
    model = options.model(scene.shape)

    @jax.jit
    def by_pair(a, b, origin, elsewhere):
        filters = model.responses(origin, scene.shape)
        sums = pair_sums(framed(a, b), filters, options, jnp.asarray([3.0, 4.0]))
        return sums.equations, model.project(sums.coefficients, elsewhere, scene.shape)

    equations, found = by_pair(scene, b, origin, elsewhere)
    inside = np.s_[..., 3:-3, 4:-4]
    fields, residual = seen(slopes)[inside], (seen([response(origin)])[0] - b)[inside]
    change = (seen([response(elsewhere)])[0] - seen([response(0 * origin)])[0])[inside]
    expected = [np.tensordot(fields, residual, 2), np.tensordot(fields, change, 2)]
    np.testing.assert_allclose(equations.gradient, expected[0], rtol=1e-9)
    assert equations.num_pixels == residual.size
    np.testing.assert_allclose(found, expected[1], rtol=1e-9)


def test_noise_in_both_adds_nothing_on_average_to_the_equation_of_another_blur(x64):
    draws, levels, truth, origin = 200, jnp.asarray([0.4, 0.01]), jnp.ones(1), jnp.asarray([2.0])
    scene, random = natural_scene((48, 54), seed=3), np.random.default_rng(7)
    options = JointOptions("isotropic", Kernel("continuous"), "valid")
    model = options.model(scene.shape)
    spectrum = np.fft.rfft2(scene) * np.asarray(model.response(truth, scene.shape))
    b = coarse(np.fft.irfft2(spectrum, scene.shape))

    def balance(extra_a, extra_b):
        filters = model.responses(origin, scene.shape)
        frame = framed(scene + extra_a, b + extra_b)
        sums = noisy_pair_sums(frame, origin, filters, model, jnp.asarray([3.0, 4.0]), levels)
        there, here = (model.project(sums.coefficients, v, scene.shape) for v in (truth, origin))
        return sums.equations.gradient[0] + (there - here)[0]

    noise = (
        level**0.5 * random.normal(size=(draws, *shape))
        for level, shape in zip(levels, (scene.shape, b.shape), strict=True)
    )
    total = jax.jit(jax.vmap(balance))(*noise)
    assert abs(np.mean(total)) < 3.5 * np.std(total) / draws**0.5


def test_noise_free_pairs_of_several_shapes():
    pairs = pairs_of(3) + pairs_of(2, size=44, seed=7)
    found = gj.fit_dataset(pairs, sampling=RATIO)
    assert found.joint.status == Status.ESTIMATED
    assert found.joint.adequacy.verdict == gj.Verdict.EXPLAINED
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=1e-4)
    np.testing.assert_allclose(found.pairs.sigma, SIGMA, rtol=1e-3)
    assert found.joint.sampling == (4.0, 4.0)
    assert "px of that" in str(found)
    assert np.all(np.isnan(found.transfer.transfer))


def test_one_pair_is_as_alone():
    (a, b), *_ = pairs_of(1, noise=0.02, seed=5)
    found = gj.fit_dataset([(a, b)], sampling=RATIO)
    alone = gj.estimate_blur(a, b, sampling=RATIO)
    error = alone.sigma_standard_error
    assert abs(found.sigma - alone.sigma) < 0.1 * error
    assert abs(found.pairs.sigma[0] - alone.sigma) < 0.1 * error
    np.testing.assert_allclose(found.sigma_standard_error, error, rtol=0.05)
    np.testing.assert_allclose(found.pairs.standard_error[0], error, rtol=0.05)
    assert found.pairs.verdict[0] == alone.adequacy.verdict
    assert found.joint.num_pixels == alone.num_pixels


def test_error_bars_and_scatter():
    pairs = pairs_of(24, noise=0.03)
    found = gj.fit_dataset(pairs, sampling=RATIO)
    assert found.joint.adequacy.verdict == gj.Verdict.EXPLAINED
    assert abs(found.sigma - SIGMA) < 3 * found.sigma_standard_error
    inside = np.abs(found.pairs.sigma - SIGMA) < 2 * found.pairs.standard_error
    assert np.mean(inside) > 0.8
    np.testing.assert_allclose(
        found.sigma_standard_error, np.mean(found.pairs.standard_error) / 24**0.5, rtol=0.4
    )


@pytest.mark.thorough
def test_masked_and_weighted_pairs_are_as_alone(rng):
    pairs = []
    for a, b in pairs_of(3, noise=0.02):
        known = rng.random(b.shape) > 0.02
        a = a.copy()
        a[100:104, 120:121] = np.nan
        weights = np.where(np.arange(len(b)) < 20, 1, 0.25) * np.ones_like(b)
        pair = {"reference": a, "blurred": np.where(known, b, np.nan), "weights": weights}
        pairs.append(pair | {"mask": (np.isfinite(a), known)})
    options = {"sampling": RATIO, "gain": True, "offset": True}
    found = gj.fit_dataset(pairs, **options)
    assert not found.bad
    for k, pair in enumerate(pairs):
        alone = gj.estimate_blur(**pair, **options)
        error = alone.sigma_standard_error
        assert abs(found.pairs.sigma[k] - alone.sigma) < 0.1 * error
        np.testing.assert_allclose(found.pairs.standard_error[k], error, rtol=0.1)


def test_pairs_that_do_not_fit_are_named():
    good = pairs_of(2, noise=0.02)
    (a, b), other = good[0], np.zeros((30, 40))
    named = [("small", a, other), ("swapped", b, a), ("axes", a, b[0]), ("good", *good[1])]
    found = gj.fit_dataset([("padded", np.pad(a, (0, 3), "edge"), b), *named], sampling=RATIO)
    assert found.names == ("padded", "good")
    reasons = {pair.name: pair.reason for pair in found.bad}
    assert "does not fit the shapes" in reasons["small"]
    assert "does not fit the shapes" in reasons["swapped"]
    assert "number of axes" in reasons["axes"]
    with pytest.raises(ValueError, match="shapes differ"):
        gj.fit_dataset(good)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": 0.5}, "exchange the two"),
        ({"sampling": (2, 2, 2, 2)}, "one for each of the 3 axes"),
        ({"sampling": 2.003}, "ratio of whole numbers"),
        ({"sampling": 1, "pixel": "point"}, "go with sampling"),
        ({"centre": "first"}, "go with sampling"),
        ({"sampling": 4, "centre": 9}, "beyond the first fine ones"),
        ({"sampling": 4, "boundary": "zero"}, "'valid' or 'periodic'"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        gj.fit_dataset([(np.zeros((8, 8)), np.zeros((2, 2)))], **options)


def test_a_resumed_run_has_the_same_grids(tmp_path):
    pairs, state = pairs_of(2, noise=0.02), tmp_path / "run.state"
    found = gj.fit_dataset(pairs, sampling=RATIO, state=state)
    again = gj.fit_dataset(pairs, sampling=(RATIO, RATIO), state=tmp_path / "other.state")
    assert again.sigma == found.sigma
    assert gj.fit_dataset(pairs, sampling=RATIO, state=state).sigma == found.sigma
    for options in ({"pixel": "point"}, {"centre": 1.0}):
        with pytest.raises(ValueError, match="other options"):
            gj.fit_dataset(pairs, **({"sampling": RATIO} | options), state=state)


def test_sharper_coarse_images_are_refused():
    scenes = [fine for fine, _ in pairs_of(3)]
    sharpened = [np.asarray(gj.blur(a, -1.0)).reshape(40, 4, 40, 4).mean((1, 3)) for a in scenes]
    found = gj.fit_dataset(zip(scenes, sharpened, strict=True), sampling=RATIO)
    assert found.joint.status == Status.SHARPER_THAN_PIXELS
    assert np.all(found.pairs.status == Status.SHARPER_THAN_PIXELS)


def test_stacks_are_estimated_one_by_one():
    pairs = pairs_of(3, noise=0.02)
    fine, soft = (np.stack(images) for images in zip(*pairs, strict=True))
    found = gj.estimate_blurs(fine, soft, sampling=RATIO)
    alone = gj.estimate_blur(fine[1], soft[1], sampling=RATIO)
    np.testing.assert_allclose(found.sigma[1], alone.sigma, atol=0.01 * alone.sigma_standard_error)
    with pytest.raises(ValueError, match="by sampling"):
        gj.estimate_blurs(fine, soft[..., :-1])
