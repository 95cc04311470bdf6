"""What an objective says of its optimum: what an estimate and its verdict are made of."""

from dataclasses import dataclass

import jax

from gaussjax.statistics.residual_statistics import ResidualStatistics


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Summary:
    """Of a fit of one pair, in the scale of its frame.

    Attributes:
        covariance: of the vector, ``[k, k]``.
        loss: the objective over the compared pixels.
        noise_variance: of the residual per pixel of weight one.
        chi_square: of the residual against the noise that was given, per degree of freedom; NaN
            where none was given.
        noise: variances of the noise in the reference and in the blurred image, ``[2]``.
        num_pixels: compared.
        squares: sum of squared residuals.
        clipped_squares: that sum with the outliers clipped that the loss discounts.
        outliers: part of the compared pixels that was clipped.
        residual_statistics: of the residual, filtered so that the noise assumed in it is white.
    """

    covariance: jax.Array
    loss: jax.Array
    noise_variance: jax.Array
    chi_square: jax.Array
    noise: jax.Array
    num_pixels: jax.Array
    squares: jax.Array
    clipped_squares: jax.Array
    outliers: jax.Array
    residual_statistics: ResidualStatistics
