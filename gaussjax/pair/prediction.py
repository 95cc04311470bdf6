"""The prediction of the blurred image on a frame, and the loss of it."""

import jax
import jax.numpy as jnp

from gaussjax.model.arguments import as_pair
from gaussjax.model.fourier import inverse_transform
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import BOUNDARIES, KERNELS, PADDED_BOUNDARIES, check_option
from gaussjax.model.params import BlurParams, as_params
from gaussjax.model.transfer import axis_margins, known_reach, system_response
from gaussjax.pair.frame import Frame, centre_and_scale, frame_window, make_frame


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
