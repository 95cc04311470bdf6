"""Residuals and losses of a blur, in the spectral and in the image domain; all differentiable."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from gaussjax.model import boundary as borders
from gaussjax.model.arguments import as_pair
from gaussjax.model.fourier import forward_transform, inverse_transform
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import BOUNDARIES, KERNELS, PADDED_BOUNDARIES, check_option
from gaussjax.model.params import BlurParams, as_params
from gaussjax.model.transfer import axis_margins, known_reach, system_response
from gaussjax.model.window import Window, erode, everywhere, interior_window


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Frame:
    """A pair made ready for image-domain residuals: centred, scaled, extended, transformed.

    The images are brought to zero mean and unit contrast of the reference, so that float32 sums
    carry no large constant, and results do not depend on the unit of the pixels.

    Attributes:
        spectrum: transform of the extended reference.
        blurred: B embedded in the extended frame.
        difference: B - A likewise, subtracted before any rounding.
        centre: mean of A, subtracted from both.
        scale: standard deviation of A (1 for a flat image), divides both.
        known: 1 for the pixels of the extended A that are known, or None where all are.
        weights: of the pixels of B, embedded like it, or None where all weigh 1.
        image_shape: of the frame before extension (static).
        pad: extension in px (static).
        boundary: one of ``BOUNDARIES`` (static).
    """

    spectrum: jax.Array
    blurred: jax.Array
    difference: jax.Array
    centre: jax.Array
    scale: jax.Array
    known: jax.Array | None
    weights: jax.Array | None
    image_shape: tuple[int, ...] = field(metadata={"static": True})
    pad: int = field(metadata={"static": True})
    boundary: str = field(metadata={"static": True})


def centre_and_scale(
    image: jax.Array, known: jax.Array | None = None, unit: jax.Array | float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Mean and standard deviation of the known pixels.

    Args:
        image: any.
        known: 1 where the image is known, 0 where it is missing; None: everywhere.
        unit: stands in for a standard deviation whose square is 0 or does not fit the dtype.
    """
    where = None if known is None else known > 0
    contrast = jnp.var(image, where=where)
    fits = (contrast > jnp.finfo(contrast.dtype).tiny) & jnp.isfinite(contrast)
    # The root inside: at zero its derivative is infinite.
    return jnp.mean(image, where=where), jnp.where(
        fits, jnp.sqrt(jnp.where(fits, contrast, 1)), unit
    )


def make_frame(
    reference: jax.Array,
    blurred: jax.Array,
    difference: jax.Array,
    boundary: str,
    pad: int,
    *,
    centre: jax.Array,
    scale: jax.Array,
    known: jax.Array | None = None,
    weights: jax.Array | None = None,
) -> Frame:
    """Frame of a pair for one of ``BOUNDARIES``.

    Args:
        reference: A, with some finite value where it is missing.
        blurred: B likewise.
        difference: B - A.
        boundary: one of ``BOUNDARIES``.
        pad: extension in px; matters to the padded boundaries only.
        centre: of A, and
        scale: of it, from :func:`centre_and_scale`.
        known: 1 where A is known, 0 where it is missing; None: everywhere.
        weights: of the pixels of B, 0 where it is missing; None: all 1.
    """
    pad = pad if boundary in PADDED_BOUNDARIES else 0
    if known is not None:
        reference = jnp.where(known > 0, reference, centre)
        # What "zero" puts beyond the edge is known.
        known = 1 - borders.extend(1 - known, boundary, pad)
    # Extended first, centred after: "zero" means zero in the caller's unit.
    unit = 1 / scale  # the compiler fuses products into what follows, quotients not
    extended = unit * (borders.extend(reference, boundary, pad) - centre)
    return Frame(
        spectrum=forward_transform(extended, reference.ndim),
        blurred=borders.embed(unit * (blurred - centre), pad),
        difference=borders.embed(unit * difference, pad),
        centre=centre,
        scale=scale,
        known=known,
        weights=None if weights is None else borders.embed(weights, pad),
        image_shape=reference.shape,
        pad=pad,
        boundary=boundary,
    )


def frame_window(frame: Frame, margins: jax.Array, ramps: jax.Array | None = None) -> Window:
    """Weights of the pixels that are compared; 0 or 1 unless the caller gave weights.

    For "valid" those ``margins`` px inside, else the frame; in both cases ``margins`` px away from
    missing pixels of A, and not where B is missing.

    Args:
        frame: of the pair.
        margins: px per axis that the blur and the shift reach, ``[ndim]``.
        ramps: px per axis over which the window rises from the edge, ``[ndim]``; None: at once. Not
            for "periodic", which has no edge.
    """
    dtype = frame.blurred.dtype
    if frame.boundary == "periodic":
        window = everywhere(frame.blurred.shape, dtype)
    else:
        inside = margins if frame.boundary == "valid" else jnp.zeros_like(margins)
        window = interior_window(frame.image_shape, frame.pad, inside, dtype, ramps)
    known = None if frame.known is None else erode(frame.known, margins)
    return window.masked([known, frame.weights])


def predict(params: BlurParams, frame: Frame, kernel: Kernel, reach: int) -> jax.Array:
    """The model's B on the extended frame, in the frame's own centre and scale."""
    response = system_response(params, frame.blurred.shape, kernel, reach)
    predicted = inverse_transform(response * frame.spectrum, frame.blurred.shape)
    if params.gain is not None:
        predicted = predicted + (params.gain - 1) * frame.centre / frame.scale
    if params.offset is not None:
        predicted = predicted + params.offset / frame.scale
    return predicted


def image_loss(
    params,
    reference,
    blurred,
    *,
    kernel: str = "continuous",
    truncate: float = 4.0,
    radius=None,
    boundary: str = "valid",
) -> jax.Array:
    """Half the sum of squared residuals, ``1/2 sum_x W(x) (g*A - B)(x)^2``, over compared pixels.

    W is 1 on every pixel, or for "valid" on the pixels that the kernel of these parameters cannot
    reach from beyond the edge; W counts as constant under differentiation.

    Args:
        params: BlurParams, or sigma in px: a scalar or one per axis.
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        kernel: "continuous", "sampled", "integrated" or "discrete".
        truncate: "sampled": radius ``int(truncate * sigma + 0.5)`` px.
        radius: "sampled": a fixed radius in px, or a function from sigma to it.
        boundary: "valid", "periodic", "reflect", "nearest" or "zero".

    Returns:
        Scalar; NaN when no pixel can be compared.

    Raises:
        TypeError: not real numbers.
        ValueError: shapes, ranks, or options that do not fit.
    """
    check_option(kernel, KERNELS, "kernel")
    check_option(boundary, BOUNDARIES, "boundary")
    reference, blurred = as_pair(reference, blurred)
    convention = Kernel(kernel, truncate, radius)
    params = as_params(params, reference.ndim, reference.dtype)
    padded = boundary in PADDED_BOUNDARIES
    fallback = (max(reference.shape) + 1) // 2 if padded else max(reference.shape)
    reach = known_reach(params, convention, reference.ndim, fallback)
    centre, scale = centre_and_scale(reference)
    difference = blurred - reference
    frame = make_frame(reference, blurred, difference, boundary, reach, centre=centre, scale=scale)
    margins = axis_margins(params, convention, reference.ndim)
    window = frame_window(frame, margins)
    residual = predict(params, frame, convention, reach) - frame.blurred
    loss = 0.5 * frame.scale**2 * jnp.sum(window.values * residual**2)
    defined = window.sum() > 0
    if padded:
        defined = defined & (jnp.max(margins) <= frame.pad)
    return jnp.where(defined, loss, jnp.nan)
