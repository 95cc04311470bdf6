"""The test of one blur over a frame: its level, its power, and where nothing can be compared."""

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.maps.agreement import one_blur_p_value


def test_one_blur_has_its_level(dtype, rng):
    tail = jax.jit(jax.vmap(lambda y: one_blur_p_value(y, jnp.ones_like(y), (2, 2))))
    independent = rng.normal(size=(400, 6, 6)).astype(dtype)
    p_values = np.asarray(tail(independent))
    assert np.mean(p_values < 0.05) < 0.05 + 3 * np.sqrt(0.05 / 400)
    assert 0.3 < np.median(p_values) < 0.7
    ramp = independent + 3 * np.arange(6).astype(dtype)
    assert np.max(np.asarray(tail(ramp))) < 1e-3


def test_a_single_tile_differs_from_none(dtype):
    alone = jax.jit(one_blur_p_value, static_argnums=2)
    assert alone(np.ones((1, 1), dtype), np.ones((1, 1), dtype), (1, 1)) == 1
