"""The status of an estimate: what became of the fit, with a sentence for each code."""

import jax
import jax.numpy as jnp

from gaussjax.statistics.message_enum import Code


class Status(Code):
    """Outcome of an estimate: 0 when the fit found what it looked for, else why it did not.

    A status judges the fit, not the model: a shift, a difference in level or a blur that is no
    Gaussian can be fitted well and wrongly. Each has a sentence that says what happened and what
    to do.
    """

    ESTIMATED = 0, "estimated"
    NOT_CONVERGED = 1, "the solver did not converge; the value is its last iterate"
    NOT_IDENTIFIABLE = (
        2,
        "the pair does not determine the blur: the reference has too little contrast, the kernel is"
        " too narrow to differ from no blur, the levels do not match, or gain, shift and the like"
        " explain what a blur would: fit fewer of them",
    )
    TOO_SMALL = (
        3,
        "the frame is too small for a blur this wide: use a larger frame, a full-frame boundary, or"
        " for padded boundaries raise the upper bound; or the images do not match in level or"
        " scene",
    )
    NOT_FINITE = 4, "the images contain NaN or infinite pixels"
    AT_BOUND = 5, "the estimate sits on a bound: widen bounds if the bound is not physical"
    NOISE_NOT_SEPARABLE = (
        6,
        "the noise levels of the two images cannot be told apart: the blur is too small, or what is"
        " left over is not white noise; pass noise_std=(std_reference, std_blurred)",
    )
    SHARPER_THAN_PIXELS = (
        7,
        "the coarse image is sharper than the reference over its pixels, by more than the -0.2 px^2"
        " that are followed: check pixel, centre and sampling, or it was sharpened; or the blur is"
        " too small to be told through this noise",
    )


# Where the fit has no sigma to tell: what it ended at are numbers of no meaning.
WITHOUT_VALUE = (Status.NOT_IDENTIFIABLE, Status.TOO_SMALL, Status.NOT_FINITE)
_LEAST_GRAVE_FIRST = (
    Status.AT_BOUND,
    Status.SHARPER_THAN_PIXELS,
    Status.NOISE_NOT_SEPARABLE,
    Status.NOT_CONVERGED,
    Status.NOT_IDENTIFIABLE,
    Status.TOO_SMALL,
    Status.NOT_FINITE,
)


def gravest(problems: dict[Status, jax.Array]) -> jax.Array:
    """The gravest status whose condition holds, int32."""
    status = jnp.asarray(Status.ESTIMATED, jnp.int32)
    for code in _LEAST_GRAVE_FIRST:
        status = jnp.where(problems.get(code, False), jnp.int32(code), status)
    return status


def is_too_small(
    margins: jax.Array, largest: jax.Array, num_pixels: jax.Array, num_parameters: int
) -> jax.Array:
    """The blur asks for wider margins than the frame allows, or leaves too few pixels to fit it."""
    too_wide = jnp.any(margins > largest.astype(margins.dtype))
    return too_wide | (num_pixels < 4 * num_parameters)
