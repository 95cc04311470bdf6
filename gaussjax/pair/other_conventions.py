"""Predictions and estimates of the same pair under the other kernel conventions.

A narrow blur is a short filter along each axis: no convention takes a transform of the frame. The
filters are those of the kernels themselves and not their ratio, applied to the prediction: cut off,
the ratio of two of them ripples by more than they differ.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import angular_frequencies, multiply
from gaussjax.model.kernels import Kernel, axis_transfer, second_moment
from gaussjax.model.options import KERNELS
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.frame import Frame
from gaussjax.pair.prediction import images_of

Taps = Sequence[jax.Array]  # of even filters, along every axis `[k, 1 + REACH]` from the centre on

# px: of a wider blur all conventions have the same shape.
_WIDEST = 1.25
# px that the filters reach, and the length of the transform that makes them.
REACH, _LENGTH = 8, 32
# px of the largest kernel of that width.
_LARGEST_RADIUS = 16
_INDEX = np.arange(_LENGTH // 2 + 1)
_FREQUENCIES = 2 * np.pi / _LENGTH * _INDEX  # rad/px
# The weights of the inverse transform of an even function.
_WEIGHTS = np.where((_INDEX == 0) | (2 * _INDEX == _LENGTH), 1, 2) / _LENGTH
# px^2 at which the kernels are tabulated.
_KNOTS = np.linspace(0, 1.1 * _WIDEST, 300) ** 2


def other_conventions(
    model: BlurModel,
    vector: jax.Array,
    filtered: Callable[[jax.Array | int, Taps], list[jax.Array]],
) -> tuple[list[jax.Array], jax.Array]:
    """Their predictions minus the model's, and how they would change its optimum ``vector``.

    Filtered is A times a gain, by every row of taps: of :func:`of_box` or :func:`of_frame`.
    Images, and ``[k, m]``; zeros where the blur is wide. None of a full covariance, whose sampled
    form exists for definite ones only, beside a fitted shift, of pixels with a spacing, or of a
    kernel that has no other convention.
    """
    dtype, p = vector.dtype, model.num_variances
    is_slanted = model.family == "full" and model.ndim > 1
    if model.shift or model.has_exponent or is_slanted or model.spacing is not None:
        return [], jnp.zeros((len(vector), 0), dtype)
    narrow = jnp.all((vector[:p] > 0) & (vector[:p] < _WIDEST**2))
    # Elsewhere a variance for which everything is finite.
    variances = jnp.where(narrow, vector[:p], 0.25)
    index = jnp.asarray(_INDEX, jnp.int32)
    own = jax.vmap(lambda v: axis_transfer(model.kernel, v, index, _LENGTH, model.reach))(variances)
    moments = variances
    if model.kernel.is_finite:
        moments = jax.vmap(lambda v: second_moment(model.kernel, v, model.reach))(variances)
    names = [name for name in KERNELS if name != model.kernel.name]
    found = _interpolated(moments, names)
    # Axes of one variance share their filter.
    axes = [k if model.family == "axis_aligned" else 0 for k in range(model.ndim)]
    kernels = jnp.concatenate([own[:, None], found[..., 1:]], axis=1)
    taps = kernels @ jnp.asarray(_to_taps(), dtype)
    gain = vector[p] if model.gain else 1
    own_read, *read = filtered(gain, [taps[k] for k in axes])
    images = [jnp.where(narrow, image - own_read, 0) for image in read]
    changes = jnp.where(narrow, found[..., 0] - variances[:, None], 0)
    return images, jnp.pad(changes, ((0, len(vector) - p), (0, 0)))


def of_box(reference: jax.Array, gain: jax.Array | int, taps: Taps) -> list[jax.Array]:
    """A on a box of pixels, of which ``REACH`` px more are given on every side, filtered."""
    images = (gain * reference)[None]
    for axis, each in enumerate(taps, start=1):
        images = _filtered(images, each, axis)
    return list(images)


def of_frame(frame: Frame, gain: jax.Array | int, taps: Taps) -> list[jax.Array]:
    """A filtered on its own grid, as the coarser pixels of a frame see it."""
    waves = angular_frequencies(frame.reference_shape, taps[0].dtype)
    spectra = []
    for row in range(len(taps[0])):
        spectrum = frame.spectrum
        for wave, each in zip(waves, taps, strict=True):
            turns = [2 * each[row, n] * jnp.cos(n * wave) for n in range(1, REACH + 1)]
            spectrum = multiply(sum(turns, each[row, 0]), spectrum)
        spectra.append(spectrum)
    return [gain * image for image in images_of(frame, spectra)]


def _to_taps() -> np.ndarray:
    """Matrix from transfer functions at ``_INDEX`` to the taps of filters, on and off the centre.

    Far out the signs of the band-limited Gaussian's taps alternate: half of the last one stands for
    those that are cut off, and what they lack of a sum of 1 is put on the centre. Cut off plainly,
    it would change a constant by 0.1 %, much for images whose contrast is slow.
    """
    waves = np.cos(2 * np.pi / _LENGTH * np.outer(_INDEX, np.arange(REACH + 1)))
    matrix = _WEIGHTS[:, None] * waves
    matrix[:, -1] *= 0.5
    matrix[:, 0] += (_INDEX == 0) - matrix[:, 0] - 2 * np.sum(matrix[:, 1:], axis=1)
    return matrix


def _filtered(images: jax.Array, taps: jax.Array, axis: int) -> jax.Array:
    """Each of some images, or one of them by all filters, without the pixels reached beyond."""
    size = images.shape[axis] - 2 * REACH
    weights = taps.T.reshape(-1, len(taps), *[1] * (images.ndim - 1))

    def moved(step):
        return jax.lax.slice_in_dim(images, REACH + step, REACH + step + size, axis=axis)

    pairs = (weights[step] * (moved(step) + moved(-step)) for step in range(1, REACH + 1))
    return sum(pairs, weights[0] * moved(0))


def _interpolated(moments: jax.Array, names: list[str]) -> jax.Array:
    """Rows of :func:`_table` at second moments, ``[p] -> [p, names, ...]``; one small product."""
    knots = _KNOTS.astype(moments.dtype)
    tables = np.stack([_table(name) for name in names], axis=1)
    slopes = np.diff(tables, axis=0) / np.diff(_KNOTS)[:, None, None]
    steps = jnp.clip(moments[:, None] - knots[None, :-1], 0, np.diff(knots)[None])
    first = jnp.asarray(tables[0], moments.dtype)
    change = jnp.tensordot(steps, jnp.asarray(slopes, moments.dtype), 1, precision="highest")
    return first[None] + change


@cache
def _table(name: str) -> np.ndarray:
    """Nominal variance (px^2) and transfer function of a kernel with each of the second moments.

    A sampled kernel is cut off as its tools do.
    """
    if name == "continuous":
        transfers = np.exp(-0.5 * np.outer(_KNOTS, _FREQUENCIES**2))
        return np.column_stack([_KNOTS, transfers])
    if name == "discrete":
        transfers = np.exp(np.outer(_KNOTS, np.cos(_FREQUENCIES) - 1))
        return np.column_stack([_KNOTS, transfers])
    n = np.arange(-_LARGEST_RADIUS, _LARGEST_RADIUS + 1)
    sigmas = np.linspace(0.12, 1.2 * _WIDEST, 400)[:, None]
    if name == "sampled":
        inside = np.abs(n) <= np.floor(Kernel.truncate * sigmas + 0.5)
        taps = np.where(inside, np.exp(-0.5 * (n / sigmas) ** 2), 0)
    else:
        edges = (np.append(n, n[-1] + 1) - 0.5) / sigmas / 2**0.5
        taps = np.diff(np.vectorize(math.erf)(edges))
    taps = taps / np.sum(taps, axis=1, keepdims=True)
    rows = np.hstack([sigmas**2, taps @ np.cos(np.outer(n, _FREQUENCIES))])
    # No blur, in every convention; and the moment falls where a radius jumps.
    rows = np.vstack([np.append(0, np.ones_like(_FREQUENCIES)), rows])
    moments = np.maximum.accumulate(np.append(0, taps @ n**2))
    return np.column_stack([np.interp(_KNOTS, moments, column) for column in rows.T])
