"""What the rounding of a floating-point type leaves of a residual."""

import jax.numpy as jnp


def rounding_variance(dtype) -> float:
    """Variance per pixel that rounding leaves in a residual, in units of the contrast squared.

    Transforms and sums of unit-contrast images carry a few eps of error each. Without this floor
    the error bar of a noise-free pair would claim digits that the arithmetic does not have.
    """
    return float(4 * jnp.finfo(dtype).eps) ** 2
