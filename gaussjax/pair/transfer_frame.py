"""A pair made ready for its transfer function: centred, continued over the edge, windowed."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model import boundary as borders
from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.fourier import along_axis, forward_transform
from gaussjax.model.window import erode, interior_window
from gaussjax.numerics.pytree import pytree

# Px by which a frame is mirrored over its edge, and falls to its mean: no jump, no leakage.
_PAD = 32
# Least noise of B, in variances of A's: where B has none at all, high frequencies that the filter
# has emptied are no instrument.
_LEAST_NOISE = 1e-4
# Of the axes, what the window rises over: against leakage of the residual.
_RAMP = 1 / 16


@dataclass(frozen=True)
class TransferOptions:
    """What a program is compiled for."""

    num_bins: int
    axis: int | None
    boundary: str
    gain: bool
    shift: bool
    margin: int | None
    bent: bool  # noise in A is known


@pytree
class TransferFrame:
    """A pair made ready: about its means, in units of the contrast of A."""

    difference: jax.Array  # B - A
    a: jax.Array  # transform of A, continued
    b: jax.Array  # of B
    noise: jax.Array  # (v_A, v_B); (0, 1) where A has none
    scale: jax.Array  # the contrast of A


Known = tuple[jax.Array | None, jax.Array | None]  # 1 where A, where B is known; None: everywhere


def prepared(
    reference: jax.Array,
    blurred: jax.Array,
    known: Known,
    noise: jax.Array | None,
    options: TransferOptions,
) -> TransferFrame:
    """The frame of a pair; ``noise`` holds standard deviations, or is None where A has none."""
    a, b = fill_with_mean(reference, known[0]), fill_with_mean(blurred, known[1])
    difference = b - a
    scale = jnp.std(a)
    # What is left of a flat image is rounding, which no scale makes a signal.
    flat = scale <= 8 * jnp.finfo(a.dtype).eps * jnp.max(jnp.abs(a))
    scale = jnp.where(flat, 1, scale)
    centred = [(image - jnp.mean(image)) / scale for image in (a, b, difference)]
    centred[0] = jnp.where(flat, 0, centred[0])
    pad = padding(a.shape, options)
    own, other = (forward_transform(continued(image, pad), a.ndim) for image in centred[:2])
    given = jnp.asarray([0, 1], a.dtype) if noise is None else (noise / scale) ** 2
    given = jnp.maximum(given, given[0] * jnp.asarray([0, _LEAST_NOISE], a.dtype))
    return TransferFrame(centred[2], own, other, given, scale)


def padding(shape: tuple[int, ...], options: TransferOptions) -> int:
    """Px by which a frame of this shape is continued."""
    return min(_PAD, *shape) if options.boundary == "valid" else 0


def continued(image: jax.Array, pad: int) -> jax.Array:
    """The image mirrored over its edge, where it falls to 0: neither jumps nor leaks."""
    if not pad:
        return image
    whole = borders.extend(image, "reflect", pad)
    for axis, (size, n) in enumerate(zip(whole.shape, image.shape, strict=True)):
        index = np.arange(size)
        beyond = np.maximum(pad - index, 0) / pad
        beyond = np.maximum(beyond, np.maximum(index - (pad + n - 1), 0) / (size - pad - n))
        profile = jnp.asarray(np.cos(0.5 * np.pi * beyond) ** 2, image.dtype)
        whole = whole * along_axis(profile, axis, image.ndim)
    return whole


def window_of(
    shape: tuple[int, ...],
    margins: jax.Array,
    known: Known,
    options: TransferOptions,
    dtype,
) -> jax.Array:
    """Weights of the pixels that are compared."""
    window = jnp.ones(shape, dtype)
    if options.boundary == "valid":
        inside = jnp.asarray(shape, dtype) - 2 * margins.astype(dtype)
        ramps = jnp.maximum(_RAMP * inside, 1)
        window = interior_window(shape, 0, margins, dtype, ramps).values
    if known[0] is not None:
        window = window * erode(known[0], margins)
    return window if known[1] is None else window * known[1]
