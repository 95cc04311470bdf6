"""Parameters of a blur: a signed covariance or a generalised Gaussian, and nuisances."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.options import ALL_FAMILIES, GENERALISED, check_option
from gaussjax.numerics.linear_algebra import diagonal, diagonal_matrix
from gaussjax.numerics.pytree import pytree, static


@pytree
class BlurParams:
    """Parameters theta of the model ``B(x) = gain * (g * A)(x - shift) + offset``.

    Attributes:
        variance: signed, px^2. Isotropic ``[1]``; axis-aligned ``[ndim]`` in axis order; full: the
            upper triangle of the covariance row by row, in 2-D ``[yy, yx, xx]``. Negative means
            that B is the sharper image. Generalised: u = s^p, ``[1]``, in px^p.
        gain: scalar, or None for 1.
        offset: scalar in the unit of the image, or None for 0.
        shift: ``[ndim]`` px in axis order, as ``scipy.ndimage.shift``, or None for 0.
        exponent: p of ``T = exp(-u |w|^p / 2)``, scalar; None but for "generalised".
        family: "isotropic", "axis_aligned", "full" or "generalised" (static).
    """

    variance: jax.Array
    gain: jax.Array | None = None
    offset: jax.Array | None = None
    shift: jax.Array | None = None
    exponent: jax.Array | None = None
    family: str = static(default="isotropic")

    def covariance_matrix(self, ndim: int) -> jax.Array:
        """Covariance S of the Gaussian, px^2, ``[ndim, ndim]``; generalised: ``s |s|`` times I."""
        if self.family == GENERALISED:
            return diagonal_matrix(jnp.broadcast_to(signed_square(self.sigma(ndim)), (ndim,)))
        if self.family != "full":
            return diagonal_matrix(jnp.broadcast_to(self.variance, (ndim,)))
        rows, columns = jnp.triu_indices(ndim)
        upper = jnp.zeros((ndim, ndim), self.variance.dtype).at[rows, columns].set(self.variance)
        return upper + jnp.triu(upper, 1).T

    def sigma(self, ndim: int) -> jax.Array:
        """Signed standard deviation, px: scalar, per axis, or principal with the largest first.

        Generalised: the scale s, which is a standard deviation for p = 2 alone.
        """
        if self.exponent is not None:
            return signed_power(self.variance[..., 0], 1 / self.exponent)
        if self.family == "isotropic":
            return signed_sqrt(self.variance[0])
        if self.family == "axis_aligned":
            return signed_sqrt(self.variance)
        return signed_sqrt(jnp.linalg.eigvalsh(self.covariance_matrix(ndim))[::-1])

    def inverse(self) -> "BlurParams":
        """The parameters that take B to A: ``A = (g^-1 * B)(x + shift) / gain - offset / gain``."""
        gain = 1.0 if self.gain is None else self.gain
        return BlurParams(
            variance=-self.variance,
            gain=None if self.gain is None else 1 / self.gain,
            offset=None if self.offset is None else -self.offset / gain,
            shift=None if self.shift is None else -self.shift,
            exponent=self.exponent,
            family=self.family,
        )


def namespace(values) -> Any:
    """The module with the functions of these arrays: NumPy or ``jax.numpy``."""
    return np if isinstance(values, np.ndarray | np.generic) else jnp


def signed_sqrt(variance: jax.Array) -> jax.Array:
    """sign(v) sqrt(|v|), px^2 to px. Its derivative at zero is infinite, as it has to be."""
    xp = namespace(variance)
    return xp.sign(variance) * xp.sqrt(abs(variance))


def signed_power(value: jax.Array, power: jax.Array) -> jax.Array:
    """sign(x) |x|^a for a > 0. Its derivative at zero is taken to be zero, not NaN."""
    xp = namespace(value)
    is_zero = value == 0
    return xp.sign(value) * xp.where(is_zero, 1, abs(value)) ** power


def signed_square(sigma: jax.Array) -> jax.Array:
    """Sigma |sigma|, px to px^2; the inverse of :func:`signed_sqrt`."""
    return sigma * abs(sigma)


def num_variances(family: str, ndim: int) -> int:
    """Number of variance parameters of ``family`` in ``ndim`` dimensions."""
    return {"axis_aligned": ndim, "full": ndim * (ndim + 1) // 2}.get(family, 1)


def project_family(covariance: jax.Array, family: str) -> jax.Array:
    """The ``family`` member nearest to a covariance ``[ndim, ndim]``, as a variance vector."""
    if family == "axis_aligned":
        return diagonal(covariance)
    if family == "full":
        return covariance[jnp.triu_indices(covariance.shape[0])]
    return jnp.mean(diagonal(covariance))[None]


def as_params(params_or_sigma, ndim: int, dtype) -> BlurParams:
    """BlurParams as they are; a scalar sigma (px) as isotropic, ``[ndim]`` sigmas as axis-aligned.

    Raises:
        ValueError: the shape fits neither the number of axes nor the family, or an exponent that
            is missing or has no meaning.
    """
    if isinstance(params_or_sigma, BlurParams):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params_or_sigma)
        check_option(params.family, ALL_FAMILIES, "family")
        wanted = () if params.family == GENERALISED else None
        got = None if params.exponent is None else params.exponent.shape
        if got != wanted:
            raise ValueError(
                "params.exponent must be a number for family 'generalised' and None for others;"
                f" got shape {got} for family {params.family!r}"
            )
        expected = (num_variances(params.family, ndim),)
        if params.variance.shape != expected:
            raise ValueError(
                f"params.variance must have shape {expected} for family {params.family!r} in"
                f" {ndim}-D, got {params.variance.shape}"
            )
        return params
    sigma = jnp.asarray(params_or_sigma, dtype)
    if sigma.shape == ():
        return BlurParams(signed_square(sigma)[None])
    if sigma.shape == (ndim,):
        return BlurParams(signed_square(sigma), family="axis_aligned")
    raise ValueError(
        f"sigma must be a scalar or have one entry per axis, shape ({ndim},); got {sigma.shape}"
    )
