"""What a shift by part of a pixel brings in from beyond the edge of a periodic frame.

The filter of a blur and a shift d ends at the Nyquist frequency, where its phases of both signs do
not meet. Far out its taps k alternate and fall as slowly as 1/n,

    k(n) ~ -(-1)^n T(pi) sin(pi d) / (pi (n - d)),

so that no margin keeps out what lies beyond the frame. Nothing is known of that, but that slow
changes go on. A periodic frame has its own finest detail there, which tells nothing of B but is in
prediction and fields alike: to a fit it is noise in A, and reads as more blur. It is found here,
with the finest detail of the seam, to be taken out of the prediction. Along an axis,

    sum_x k(r - x) h(x),    1/m = int_0^inf exp(-t m) dt,

over the pixels x beyond either end is a sum of a few exponentials of r.
"""

import math
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import forward_transform, inverse_transform, multiply
from gaussjax.model.kernels import axis_transfer
from gaussjax.model.params import BlurParams
from gaussjax.model.system_response import BlurModel
from gaussjax.model.transfer import system_response
from gaussjax.numerics.linear_algebra import diagonal, product
from gaussjax.numerics.reductions import block_sums
from gaussjax.pair.frame import Frame

# Blocks per axis, about, in which what comes in has a sign of its own.
_BLOCKS = 8
# Step of log t in the sum that stands for the integral, good to 4 %.
_STEP = 2.0


def wraps_tails(model: BlurModel, frame: Frame) -> bool:
    """Whether a prediction on a frame has tails to be taken out."""
    return (
        model.shift
        and frame.boundary == "valid"
        and frame.grid is None  # margins allow for it
        and not model.has_exponent  # not separable, and its leakage is estimated
    )


def wrapped_tails(model: BlurModel, vector: jax.Array, frame: Frame) -> jax.Array:
    """The part of a prediction that comes from the finest detail beyond the frame's edge."""
    sharp = frame.blurred - frame.difference
    if frame.plane is not None:
        sharp = sharp - frame.plane.image(sharp.shape)
    return reduce(jnp.add, (_along(axis, model, vector, sharp) for axis in range(model.ndim)))


def tail_scatter(
    model: BlurModel, vector: jax.Array, frame: Frame, weights: jax.Array, fields: jax.Array
) -> jax.Array:
    """Covariance of the score ``J'Wr`` by the unknown detail beyond the frame, ``[k, k]``.

    Which is taken to be as strong as the frame's own: by what that would bring in, over blocks
    whose signs another scene would draw anew. The residual has it, but does not show how it follows
    the fields; where there is hardly any noise some of it is counted twice.
    """
    sharp = frame.blurred - frame.difference
    length = max(max(sharp.shape) // _BLOCKS, 1)
    room = [(0, -n % length) for n in sharp.shape]
    found = []
    for axis in range(model.ndim):
        weighted = weights * _along(axis, model, vector, sharp, seam=False)
        found.append(block_sums([jnp.pad(weighted * each, room) for each in fields], length))
    scores = jnp.concatenate(found, axis=1)
    return product(scores, scores.T)


def _along(
    axis: int, model: BlurModel, vector: jax.Array, sharp: jax.Array, *, seam: bool = True
) -> jax.Array:
    """That from beyond both ends of an axis, with what jumps at the seam or without it."""
    params, size, dtype = model.params(vector), sharp.shape[axis], sharp.dtype
    assert params.shift is not None
    variances = diagonal(params.covariance_matrix(model.ndim))
    nyquist = axis_transfer(model.kernel, variances[axis], np.ones(1), 2, model.reach)
    rates, weights = (jnp.asarray(x, dtype) for x in _sums(size, seam=seam))
    sources = jnp.tensordot(weights, sharp, (1, axis), precision="highest")
    others = np.delete(np.arange(model.ndim), axis)
    if others.size:
        shape = sources.shape[1:]
        along = BlurParams(variances[others], shift=params.shift[others], family="axis_aligned")
        response = system_response(along, shape, model.kernel, model.reach)
        spectra = multiply(response[None], forward_transform(sources, len(shape)))
        sources = inverse_transform(spectra, shape)
    # The distances from both ends; within the margins they may be negative.
    place, shift = jnp.arange(size, dtype=dtype), params.shift[axis]
    depths = jnp.stack([place - shift, size - place + shift])
    profiles = jnp.exp(-rates[None, :, None] * jnp.maximum(depths, 0)[:, None])
    strength = nyquist * jnp.sin(math.pi * shift) / math.pi
    gain = strength if params.gain is None else params.gain * strength
    taps = gain * jnp.asarray(_signs(size), dtype)
    profiles = taps[None] * profiles.reshape(-1, size)
    found = jnp.tensordot(profiles, sources, (0, 0), precision="highest")
    return jnp.moveaxis(found, 0, axis)


def _sums(size: int, *, seam: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rates t, ``[k]``, and the weights of the pixels along an axis in both sums, ``[2 k, size]``.

    The first k are of what lies before the frame, with its distance from the first pixel; the
    others of what lies behind it. Of all periods, whose signs alternate where the size is odd.
    """
    count = math.ceil(math.log(4 * size) / _STEP) + 1
    rates, place = 2 * np.exp(-_STEP * np.arange(count)), np.arange(size)
    own, falling = _STEP * rates[:, None], -rates[:, None]
    turn = (-1) ** size
    periods = own / (1 - turn * np.exp(falling * size)) * turn * _signs(size)
    before, behind = periods * np.exp(falling * (size - place)), periods * np.exp(falling * place)
    found = np.concatenate([-before, behind])
    # At the seam the detail is that of the period alone: the frame goes on as its last pixel.
    ends = (
        np.concatenate([-own, turn * own * np.exp(-falling)])
        if seam
        else np.diff(found[:, [0, -1]])
    )
    # The detail has gain 1 at the Nyquist frequency.
    found = 2 * found - np.roll(found, 1, 1) - np.roll(found, -1, 1)
    return rates, 0.25 * (found + ends * ((place == 0) * 1.0 - (place == size - 1)))


def _signs(size: int) -> np.ndarray:
    """Those of the pixels along an axis, at the Nyquist frequency."""
    return (-1.0) ** np.arange(size)
