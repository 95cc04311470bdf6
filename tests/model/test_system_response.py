"""The model between a vector of numbers and an image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.fourier import spectrum_shape
from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel


@pytest.mark.parametrize("shape", [(24,), (20, 17), (12, 9, 10)], ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
def test_projection_is_the_sum_over_frequencies(family, shape, rng, tolerance, dtype):
    # In one precision or the other, with or without a shift: both with every family and rank.
    shift = (len(family) + len(shape) + np.finfo(dtype).bits // 32) % 2 == 0
    kernel = Kernel("continuous" if family == "full" else "sampled")
    model = BlurModel(family, kernel, 12, tuple(n // 3 for n in shape), gain=True, shift=shift)
    variance = np.linspace(1.0, 1.5, model.num_variances, dtype=dtype)
    if family == "full":
        variance = np.eye(len(shape), dtype=dtype)[np.triu_indices(len(shape))]
    moved = np.linspace(-0.7, 1.3, len(shape), dtype=dtype)
    pack = jax.jit(model.pack)
    vector = pack(variance, dtype(0.9), dtype(0), moved)
    real, imaginary = rng.normal(size=(2, 3, *spectrum_shape(shape))).astype(dtype)
    coefficients = (real + 1j * imaginary).astype(np.result_type(dtype, 1j)) if shift else real
    axes = tuple(range(1, 1 + len(shape)))

    @jax.jit
    def both_ways(coefficients, vector):
        change = model.response(vector, shape)[None] - 1
        expected = jnp.sum(jnp.real(coefficients * change), axis=axes)
        return model.project(coefficients, vector, shape), expected

    found, expected = both_ways(coefficients, vector)
    scale = np.sum(np.abs(coefficients))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)
    # No blur and no gain changes nothing at all.
    nothing = pack(0 * variance, dtype(1.0), dtype(0), 0 * moved)
    np.testing.assert_array_equal(both_ways(coefficients, nothing)[0], 0)


@pytest.mark.parametrize("nuisances", ["", "gain", "shift", "gain offset shift"])
@pytest.mark.parametrize("shape", [(24,), (20, 17), (12, 9, 10)], ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
def test_slopes_are_the_derivatives_of_the_response(family, shape, nuisances, x64):
    ndim = len(shape)
    options = dict.fromkeys(nuisances.split(), True)
    model = BlurModel(family, Kernel("continuous"), 12, tuple(n // 3 for n in shape), **options)
    variance = np.linspace(1.0, 1.5, model.num_variances)
    if family == "full":
        variance = (np.eye(ndim) + 0.1)[np.triu_indices(ndim)]
    moved = np.linspace(-0.7, 1.3, ndim)

    @jax.jit
    def both_ways(variance):
        vector = model.pack(variance, jnp.asarray(0.9), 0.3, jnp.asarray(moved))

        def response(vector):
            return model.response(vector, shape)

        return response(vector), jax.jacfwd(response)(vector), model.responses(vector, shape)

    plain, expected, (response, slopes) = both_ways(variance)
    np.testing.assert_allclose(response, plain, rtol=1e-12)
    np.testing.assert_allclose(slopes, jnp.moveaxis(expected, -1, 0), rtol=1e-12, atol=1e-14)
    assert jnp.iscomplexobj(slopes) == model.shift
