"""The model between a vector of numbers and an image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.grid import spectrum_shape
from gaussjax.kernels import Kernel
from gaussjax.model import BlurModel


@pytest.mark.parametrize("shape", [(24,), (20, 17), (12, 9, 10)], ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("shift", [False, True], ids=["still", "shift"])
@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
def test_projection_is_the_sum_over_frequencies(family, shift, shape, rng, tolerance, dtype):
    kernel = Kernel("continuous" if family == "full" else "sampled")
    model = BlurModel(family, kernel, 12, tuple(n // 3 for n in shape), gain=True, shift=shift)
    variance = jnp.linspace(1.0, 1.5, model.num_variances, dtype=dtype)
    if family == "full":
        variance = jnp.eye(len(shape), dtype=dtype)[jnp.triu_indices(len(shape))]
    moved = jnp.linspace(-0.7, 1.3, len(shape), dtype=dtype)
    vector = model.pack(variance, jnp.asarray(0.9, dtype), 0, moved)
    real, imaginary = rng.normal(size=(2, 3, *spectrum_shape(shape))).astype(dtype)
    coefficients = jnp.asarray(real + 1j * imaginary if shift else real)
    change = model.response(vector, shape)[None] - 1
    axes = tuple(range(1, 1 + len(shape)))
    expected = jnp.sum(jnp.real(coefficients * change), axis=axes)
    found = jax.jit(lambda c, v: model.project(c, v, shape))(coefficients, vector)
    scale = float(jnp.sum(jnp.abs(coefficients)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)
    # No blur and no gain changes nothing at all.
    nothing = model.pack(0 * variance, jnp.asarray(1.0, dtype), 0, 0 * moved)
    np.testing.assert_array_equal(model.project(coefficients, nothing, shape), 0)
