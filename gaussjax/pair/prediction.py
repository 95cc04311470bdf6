"""The prediction of the blurred image on a frame: its residual, its derivatives and its loss.

In the frame's own centre and scale the offset becomes a *level*, the mean that B has on top of
``gain g * A``: unlike the offset it is hardly correlated with the gain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from gaussjax.checks import check_option
from gaussjax.model import boundary as borders
from gaussjax.model.arguments import as_pair
from gaussjax.model.edge_plane import plane_image
from gaussjax.model.folding import fold, product_weights, tile
from gaussjax.model.fourier import (
    coordinates,
    forward_transform,
    inverse_transform,
    inverse_transforms,
    multiply,
)
from gaussjax.model.generalised_gaussian import check_supported
from gaussjax.model.kernels import Kernel, as_kernel
from gaussjax.model.options import BOUNDARIES, PADDED_BOUNDARIES, Boundary, KernelName
from gaussjax.model.params import BlurParams, as_params
from gaussjax.model.similarity_transform import motion_fields
from gaussjax.model.system_response import BlurModel, prediction_margins
from gaussjax.model.transfer import axis_margins, known_reach, system_response
from gaussjax.numerics.sharding import automatic_sharding
from gaussjax.pair.frame import Frame, centre_and_scale, frame_window, make_frame
from gaussjax.pair.wrapped_tails import wrapped_tails, wraps_tails


def predict(params: BlurParams, frame: Frame, kernel: Kernel, reach: int) -> jax.Array:
    """The model's B on the extended frame, in the frame's own centre and scale."""
    response = system_response(params, frame.blurred.shape, kernel, reach)
    predicted = inverse_transform(multiply(response, frame.spectrum), frame.blurred.shape)
    return predicted + level_in(params.gain, params.offset, frame)


def level_in(gain, offset, frame: Frame) -> jax.Array | float:
    """What is added to ``gain g * A`` in the frame's centre and scale; None: 1 and 0."""
    if gain is None and offset is None:
        return 0.0
    gain, offset = 1 if gain is None else gain, 0 if offset is None else offset
    return ((gain - 1) * frame.centre + offset) / frame.scale


def level_of(model: BlurModel, vector: jax.Array, frame: Frame) -> jax.Array:
    """What is added to ``gain g * A`` in the frame's centre and scale."""
    if model.offset:
        return vector[model.num_variances + model.gain]
    gain = vector[model.num_variances] if model.gain else None
    return jnp.asarray(level_in(gain, None, frame), vector.dtype)


def offset_of(model: BlurModel, vector: jax.Array, centre, scale) -> jax.Array | None:
    """The offset in the unit of the images, or None where none is fitted.

    Of a vector of the model, in a frame with this centre and scale.
    """
    if not model.offset:
        return None
    level, gain = vector[model.num_variances + model.gain], 1
    if model.gain:
        gain = vector[model.num_variances]
    return scale * level - (gain - 1) * centre


def residual_and_fields(
    model: BlurModel, vector: jax.Array, frame: Frame
) -> tuple[jax.Array, jax.Array]:
    """Residual and Jacobian of the prediction on the extended frame, in its scale.

    Returns:
        ``r = predicted - B``, ``[*frame]``, and ``J = d r / d vector``, ``[k, *frame]``.
    """
    response, slopes = model.responses(vector, frame.reference_shape)
    p = model.num_variances
    # Those of gain, level and motion are found from the others, without a transform.
    others = slopes[p + model.gain + model.offset : len(vector) - 2 * model.motion]
    gain = vector[p] if model.gain else 1
    change, *fields = filtered(frame, response, [*slopes[:p], *others], gain)
    if model.offset:
        fields.insert(p, jnp.zeros_like(change))
    if model.gain:
        # What is left of the image beside the spectrum is not blurred, but has the gain.
        sharp = frame.blurred - frame.difference
        change = change + (gain - 1) * sharp
        # What the gain multiplies is at hand already, except for a gain of 0.
        fields.insert(p, (sharp + change) / jnp.where(gain == 0, 1, gain))
    slopes, added = jax.jacfwd(lambda v: (_added(model, v, frame),) * 2, has_aux=True)(vector)
    residual = change + plane_image(added, change.shape) - frame.difference
    if wraps_tails(model, frame):
        residual = residual - wrapped_tails(model, vector, frame)
    planes = (plane_image(slopes[:, k], change.shape) for k in range(len(fields)))
    fields = [x + more for x, more in zip(fields, planes, strict=True)]
    if model.motion:
        motion = motion_fields(fields[-model.ndim :], frame.ratios[0])
        residual += sum(part * x for part, x in zip(vector[-2:], motion, strict=True))
        fields += motion
    # Stacked last: a caller that uses single fields gets those, and the compiler makes no stack.
    return residual, jnp.stack(fields)


def _added(model: BlurModel, vector: jax.Array, frame: Frame) -> jax.Array:
    """What is added to the image that the spectrum predicts: a level, and a slope by axis."""
    level = level_of(model, vector, frame)[None]
    if frame.plane is None or not (model.shift or model.family == "full"):
        return level
    return frame.plane.change(model.params(vector)).at[0].add(level[0])


def filtered(
    frame: Frame, response: jax.Array, slopes: Sequence[jax.Array], gain: jax.Array | int = 1
) -> list[jax.Array]:
    """The change from ``gain A`` to ``R A``, and A filtered by each of the slopes.

    R - gain, to be compared with B - A: a small blur is not lost in the rounding of the images. On
    the extended frame.
    """
    change = response - jnp.asarray(gain, response.dtype)
    return images_of(frame, [multiply(factor, frame.spectrum) for factor in (change, *slopes)])


def images_of(frame: Frame, spectra: Sequence[jax.Array]) -> list[jax.Array]:
    """Images on the frame, of spectra like that of its reference."""
    shape, grid = frame.blurred.shape, frame.grid
    if grid is not None:
        spectra = [fold(grid, spectrum, shape) for spectrum in spectra]
    return inverse_transforms(spectra, shape)


def transforms_of(frame: Frame, images: jax.Array) -> jax.Array:
    """Transforms of images on the frame over the frequencies of its reference, ``[k, *spectrum]``.

    The adjoint of :func:`images_of`, with the weights of
    :func:`~gaussjax.model.folding.product_weights`.
    """
    grid, spectra = frame.grid, forward_transform(images, frame.blurred.ndim)
    if grid is None:
        return spectra
    return jnp.stack([tile(grid, spectrum, images.shape[1:]) for spectrum in spectra])


def second_order_term(
    model: BlurModel, vector: jax.Array, image: jax.Array, frame: Frame
) -> jax.Array:
    """``<image, d^2 predicted / d vector^2>``, ``[k, k]``: what ``J'J`` lacks of a Hessian."""
    shape, (transform,) = frame.reference_shape, transforms_of(frame, image[None])
    weights = product_weights(frame.grid, frame.blurred.shape, image.dtype)
    products = multiply(weights, jnp.conj(transform) * frame.spectrum)
    # Without a shift R is real.
    products = (products if model.shift else products.real)[None]
    places = [jnp.sum(image)] + [jnp.sum(image * x) for x in coordinates(image.shape, image.dtype)]

    def total(theta):
        added = _added(model, theta, frame)
        return model.project(products, theta, shape)[0] + added @ jnp.stack(places[: len(added)])

    # Forward twice: one parameter needs no reverse sweep over the frame.
    return jax.jacfwd(jax.jacfwd(total))(vector)


@automatic_sharding
def image_loss(
    params: BlurParams | ArrayLike,
    reference: ArrayLike,
    blurred: ArrayLike,
    *,
    kernel: KernelName | Kernel = "continuous",
    truncate: float = 4.0,
    radius: int | Callable | None = None,
    boundary: Boundary = "valid",
) -> jax.Array:
    """Half the sum of squared residuals, ``1/2 sum_x W(x) (g*A - B)(x)^2``, over compared pixels.

    W is 1 on every pixel, or for "valid" on the pixels that the kernel of these parameters cannot
    reach from beyond the edge; W counts as constant under differentiation.

    Args:
        params: BlurParams, or sigma in px: a scalar or one per axis.
        reference: A, real, rank 1 to 3.
        blurred: B, of the same shape.
        kernel: a name or a Kernel; this and the next two as in :func:`~gaussjax.blur`.
        truncate: "sampled" only.
        radius: "sampled" only.
        boundary: "valid", "periodic", "reflect", "nearest" or "zero".

    Returns:
        Scalar; NaN when no pixel can be compared.

    Raises:
        TypeError: not real numbers.
        ValueError: shapes, ranks, or options that do not fit.
    """
    check_option(boundary, BOUNDARIES, "boundary")
    reference, blurred = as_pair(reference, blurred)
    convention = as_kernel(kernel, truncate, radius)
    params = as_params(params, reference.ndim, reference.dtype)
    check_supported(params.family, convention.name, boundary)
    padded = boundary in PADDED_BOUNDARIES
    reach = known_reach(params, convention, reference.shape, padded=padded)
    centre, scale = centre_and_scale(reference)
    difference = blurred - reference
    frame = make_frame(reference, blurred, difference, boundary, reach, centre=centre, scale=scale)
    margins = axis_margins(params, convention, reference.ndim)
    if params.exponent is not None:
        # Its tail is followed as far as the frame allows.
        largest = borders.largest_margins(reference.shape)
        margins = prediction_margins(params, convention, largest)
    window = frame_window(frame, margins)
    residual = predict(params, frame, convention, reach) - frame.blurred
    loss = 0.5 * frame.scale**2 * jnp.sum(window.values * residual**2)
    defined = window.sum() > 0
    if padded:
        defined = defined & (jnp.max(margins) <= frame.pad)
    return jnp.where(defined, loss, jnp.nan)
