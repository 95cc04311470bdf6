"""The status of an estimate: what became of the fit, with a sentence for each code."""

import enum

import jax
import jax.numpy as jnp


class Status(enum.IntEnum):
    """Outcome of an estimate: 0 when the fit found what it looked for, else why it did not.

    A status judges the fit, not the model: a shift, a difference in level or a blur that is no
    Gaussian can be fitted well and wrongly.
    """

    ESTIMATED = 0
    NOT_CONVERGED = 1
    NOT_IDENTIFIABLE = 2
    TOO_SMALL = 3
    NOT_FINITE = 4
    AT_BOUND = 5
    NOISE_NOT_SEPARABLE = 6

    @property
    def message(self) -> str:
        """One sentence that says what happened and what to do."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.ESTIMATED: "estimated",
    Status.NOT_CONVERGED: "the solver did not converge; the value is its last iterate",
    Status.NOT_IDENTIFIABLE: "the pair does not determine the blur: the reference has too little"
    " contrast, the kernel is too narrow to differ from no blur, or the levels do not match",
    Status.TOO_SMALL: "the frame is too small for a blur this wide: use a larger frame, a"
    " full-frame boundary, or for padded boundaries raise the upper bound; or the images do not"
    " match in level or scene",
    Status.NOT_FINITE: "the images contain NaN or infinite pixels",
    Status.AT_BOUND: "the estimate sits on a bound: widen bounds if the bound is not physical",
    Status.NOISE_NOT_SEPARABLE: "the noise levels of the two images cannot be told apart: the blur"
    " is too small, or what is left over is not white noise; pass noise_std=(std_reference,"
    " std_blurred)",
}


def is_too_small(
    margins: jax.Array, largest: tuple[int, ...], num_pixels: jax.Array, num_parameters: int
) -> jax.Array:
    """The blur asks for wider margins than the frame allows, or leaves too few pixels to fit it."""
    return jnp.any(margins > jnp.asarray(largest)) | (num_pixels < 4 * num_parameters)
