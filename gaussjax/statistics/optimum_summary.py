"""The figures of an optimum from which an estimate and its verdict are derived."""

import jax
import jax.numpy as jnp

from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.residual_statistics import ResidualStatistics

# Least distance from zero, in standard errors, of what has to exist: a gain, a second derivative.
CERTAIN = 5.0


@pytree
class Summary:
    """Figures of a fit of one pair, in the scale of its frame."""

    inverse: jax.Array  # of the mean second derivative H of the objective, `[k, k]`
    scatter: jax.Array  # covariance of its gradient where noise is white and even, `[k, k]`
    rounding: jax.Array  # covariance of the vector by independent rounding of pixels, `[k, k]`
    loss: jax.Array  # the objective over the compared pixels
    noise_variance: jax.Array  # of the residual per pixel of weight one
    # of the residual against the noise that was given, per degree of freedom; infinite where
    # none was given
    chi_square: jax.Array
    noise: jax.Array  # variances of the noise in the reference and in the blurred image, `[2]`
    num_pixels: jax.Array  # compared
    # the least ratio of H along a variance to its standard error, which is due to noise of A;
    # infinite where A has none
    certainty: jax.Array
    squares: jax.Array  # sum of squared residuals
    clipped_squares: jax.Array  # that sum with the outliers clipped that the loss discounts
    outliers: jax.Array  # part of the compared pixels that was clipped
    # of the residual, filtered so that the noise assumed in it is white
    residual_statistics: ResidualStatistics

    @property
    def mean_square(self) -> jax.Array:
        """Mean square of the residual over the compared pixels."""
        return self.squares / jnp.maximum(self.num_pixels, 1)
