"""The same pair read with the other kernel conventions: what they would predict, and find."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import inverse_transform
from gaussjax.model.kernels import Kernel, second_moment
from gaussjax.model.options import KERNELS
from gaussjax.model.response import BlurModel
from gaussjax.pair.frame import Frame
from gaussjax.spectra.start import as_nominal

# px: a wider blur is the same in every convention.
_WIDEST = 2.0
# px that a kernel of that width reaches.
_REACH = 16


def other_conventions(
    model: BlurModel, vector: jax.Array, frame: Frame
) -> tuple[list[jax.Array], jax.Array]:
    """Their predictions minus the model's, and the changes of the vector; of narrow blurs.

    Returns:
        ``[*frame]`` each, and ``[k, m]``; zeros where the blur is wide, and none of a full
        covariance, whose sampled form exists for definite ones only.
    """
    shape, dtype = frame.blurred.shape, frame.blurred.dtype
    if model.family == "full" and model.ndim > 1:
        return [], jnp.zeros((len(vector), 0), dtype)
    p = model.num_variances
    variance = vector[:p]
    moments = variance
    if model.kernel.is_finite:
        moments = jax.vmap(lambda v: second_moment(model.kernel, v, model.reach))(variance)
    others = [
        replace(model, kernel=Kernel(name), reach=_REACH)
        for name in KERNELS
        if name != model.kernel.name
    ]
    narrow = jnp.all(jnp.abs(variance) < _WIDEST**2)

    def read():
        own = model.response(vector, shape)
        images, changes = [], []
        for other in others:
            nominal = as_nominal(moments, other)
            moved = jnp.concatenate([nominal, vector[p:]])
            change = (other.response(moved, shape) - own) * frame.spectrum
            images.append(inverse_transform(change, shape))
            changes.append(moved - vector)
        return images, jnp.stack(changes, axis=1)

    def nothing():
        zeros = jnp.zeros(shape, dtype)
        return [zeros] * len(others), jnp.zeros((len(vector), len(others)), dtype)

    return jax.lax.cond(narrow, read, nothing)
