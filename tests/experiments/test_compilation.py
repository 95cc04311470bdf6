"""The count of a program's kernels: what is fused is no kernel of its own."""

import jax
import jax.numpy as jnp

from experiments.compilation import kernels


def test_kernels_are_counted_outside_of_fusions():
    image = jnp.ones((8, 8))
    program = jax.jit(lambda x: jnp.fft.rfft2(jnp.sin(x) * jnp.cos(x) + 1))
    found = kernels(program.lower(image).compile().as_text())
    assert found["fft"] == 1
    assert found["fusion"] >= 1
    # Sine, cosine, product and sum are one.
    assert found.total() <= 3
