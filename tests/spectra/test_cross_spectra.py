"""Power spectra of pairs: definitions, additivity, exchange of roles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gaussjax as gj
from gaussjax.spectra.cross_spectra import folded_image

SHAPE = (12, 15)
pair = jax.jit(gj.pair_spectra)
add = jax.jit(gj.add_spectra)


def three_pairs(rng, dtype):
    references = rng.normal(size=(3, *SHAPE)).astype(dtype)
    blurred = (0.5 * references + 0.3 * rng.normal(size=(3, *SHAPE))).astype(dtype)
    return references, blurred


def assert_close(first, second, rtol):
    for x, y in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.abs(y).max())


def test_one_pair_is_its_transforms(dtype, tolerance, rng):
    (reference, *_), (blurred, *_) = three_pairs(rng, dtype)
    spectra = pair(reference, blurred)
    a, b = np.fft.rfft2(reference.astype(float)), np.fft.rfft2(blurred.astype(float))
    scale = np.abs(a).max() ** 2
    np.testing.assert_allclose(spectra.reference_power, np.abs(a) ** 2, atol=tolerance * scale)
    np.testing.assert_allclose(spectra.blurred_power, np.abs(b) ** 2, atol=tolerance * scale)
    np.testing.assert_allclose(spectra.cross_power, np.conj(a) * b, atol=tolerance * scale)
    np.testing.assert_allclose(spectra.coherence, 1, rtol=10 * tolerance)
    np.testing.assert_allclose(spectra.transfer * a, b, atol=tolerance * np.abs(b).max())
    assert spectra.num_pairs == 1
    assert not np.any(spectra.unexplained_power)
    assert spectra.reference_power.dtype == dtype


def test_sums_are_the_sums_of_every_power(dtype, tolerance, rng):
    references, blurred = three_pairs(rng, dtype)
    total = jax.jit(gj.sum_spectra)(jax.vmap(gj.pair_spectra)(references, blurred))
    a, b = np.fft.rfft2(references.astype(float)), np.fft.rfft2(blurred.astype(float))
    power, cross = np.sum(np.abs(a) ** 2, 0), np.sum(np.conj(a) * b, 0)
    np.testing.assert_allclose(total.reference_power, power, rtol=tolerance * 10)
    np.testing.assert_allclose(total.cross_power, cross, atol=tolerance * power.max())
    np.testing.assert_allclose(total.blurred_power, np.sum(np.abs(b) ** 2, 0), rtol=tolerance * 100)
    coherence = np.abs(cross) ** 2 / (power * np.sum(np.abs(b) ** 2, 0))
    np.testing.assert_allclose(total.coherence, coherence, atol=tolerance)
    unexplained = np.sum(np.abs(b - cross / power * a) ** 2, 0)
    np.testing.assert_allclose(total.unexplained_power, unexplained, atol=tolerance * power.max())
    assert total.num_pairs == 3


def test_addition_is_associative_commutative_and_the_sum(dtype, tolerance, rng):
    batch = jax.vmap(gj.pair_spectra)(*three_pairs(rng, dtype))
    x, y, z = (jax.tree.map(lambda leaf, k=k: leaf[k], batch) for k in range(3))
    left, right = add(add(x, y), z), add(x, add(y, z))
    assert_close(left, right, 10 * tolerance)
    assert_close(left, jax.jit(gj.sum_spectra)(batch), 10 * tolerance)
    assert_close(add(x, y), add(y, x), tolerance)


def test_swapping_is_the_pair_with_roles_exchanged_and_undoes_itself(dtype, tolerance, rng):
    references, blurred = three_pairs(rng, dtype)
    forward, backward = (
        jax.jit(lambda a, b: gj.sum_spectra(jax.vmap(gj.pair_spectra)(a, b)))(*images)
        for images in ((references, blurred), (blurred, references))
    )
    assert_close(forward.swapped(), backward, 100 * tolerance)
    assert_close(forward.swapped().swapped(), forward, 100 * tolerance)


def test_noise_in_the_reference_biases_h1_and_not_h2(x64, rng):
    clean = rng.normal(size=(4000, 16))
    noisy = clean + 0.5 * rng.normal(size=clean.shape)
    total = gj.sum_spectra(jax.vmap(gj.pair_spectra)(noisy, clean))
    np.testing.assert_allclose(np.mean(total.transfer.real), 1 / 1.25, atol=0.01)
    np.testing.assert_allclose(np.mean(total.inverse_noise_transfer.real), 1, atol=0.01)


def test_empty_frequencies_give_zeros_not_nan():
    spectra = gj.pair_spectra(np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32))
    assert not np.any(spectra.transfer)
    np.testing.assert_allclose(jnp.sum(spectra.blurred_power), 180.0**2)


def test_different_shapes_do_not_add():
    x, y = (gj.pair_spectra(np.ones(s), np.ones(s)) for s in ((4, 5), (4, 6)))
    with pytest.raises(ValueError, match=r"first of \(4, 5\) and second of \(4, 6\)"):
        gj.add_spectra(x, y)


def test_spectra_of_one_pair_are_no_batch(rng):
    spectra = gj.pair_spectra(*rng.normal(size=(2, 8, 9)))
    with pytest.raises(ValueError, match="leading axis"):
        gj.sum_spectra(spectra)


@pytest.mark.parametrize("shape", [(256, 390), (129, 262), (300,), (4, 256, 131)])
def test_folding_is_adding_up_pixels_that_lie_apart(shape, x64, rng):
    reference, blurred = rng.normal(size=(2, *shape))
    folded = gj.pair_spectra(reference, blurred).folded()
    few = folded.image_shape
    small = folded_image(jnp.asarray(reference))
    assert min(few[-2:]) >= min(128, *shape)
    for axis, (size, kept) in enumerate(zip(shape, few, strict=True)):
        parts = (-1, kept) if len(shape) == 1 else (size // kept, kept)
        reference, blurred = (
            image.reshape(*image.shape[:axis], *parts, *image.shape[axis + 1 :]).sum(axis)
            for image in (reference, blurred)
        )
    np.testing.assert_allclose(small, reference, atol=1e-12)
    assert_close(folded, gj.pair_spectra(reference, blurred), 1e-10)
