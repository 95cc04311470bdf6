"""Parameters of a blur: a signed covariance or a generalised Gaussian, and nuisances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.checks import as_count, check_option, shown
from gaussjax.model.array_checks import as_real, check_type_of_jax, is_traced
from gaussjax.model.options import ALL_FAMILIES, GENERALISED, AnyFamily
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
        spacing: size of a pixel along every axis, in a unit of length: an "isotropic" variance is
            then in unit^2, and ``variance / spacing^2`` px^2 along an axis; None: in px^2 (static).
    """

    variance: jax.Array
    gain: jax.Array | None = None
    offset: jax.Array | None = None
    shift: jax.Array | None = None
    exponent: jax.Array | None = None
    family: AnyFamily = static(default="isotropic")
    spacing: tuple[float, ...] | None = static(default=None)

    def axis_variances(self, ndim: int) -> jax.Array:
        """Variance along every axis, px^2, ``[ndim]``, of an isotropic or axis-aligned family."""
        variances = jnp.broadcast_to(self.variance, (ndim,))
        if self.spacing is None:
            return variances
        return variances / jnp.asarray(self.spacing, variances.dtype) ** 2

    def covariance_matrix(self, ndim: int) -> jax.Array:
        """Covariance S of the Gaussian, px^2, ``[ndim, ndim]``; generalised: ``s |s|`` times I."""
        ndim = as_count(ndim, "ndim", 1, 3)
        if self.family == GENERALISED:
            return diagonal_matrix(jnp.broadcast_to(signed_square(self.sigma(ndim)), (ndim,)))
        if self.family != "full":
            return diagonal_matrix(self.axis_variances(ndim))
        # Slices put together are one kernel; places in an array that are set are many.
        places = np.zeros((ndim, ndim), int)
        places[np.triu_indices(ndim)] = np.arange(ndim * (ndim + 1) // 2)
        elements = [self.variance[k] for k in np.maximum(places, places.T).reshape(-1)]
        return jnp.stack(elements).reshape(ndim, ndim)

    def sigma(self, ndim: int) -> jax.Array:
        """Signed standard deviation, px: scalar, per axis, or principal with the largest first.

        In the unit of ``spacing``, if it has one. Generalised: the scale s, which is a standard
        deviation for p = 2 alone.
        """
        ndim = as_count(ndim, "ndim", 1, 3)
        if self.exponent is not None:
            return signed_power(self.variance[..., 0], 1 / self.exponent)
        if self.family == "isotropic":
            return signed_sqrt(self.variance[0])
        if self.family == "axis_aligned":
            return signed_sqrt(self.variance)
        return signed_sqrt(jnp.linalg.eigvalsh(self.covariance_matrix(ndim))[::-1])

    def inverse(self) -> BlurParams:
        """The parameters that take B to A: ``A = (g^-1 * B)(x + shift) / gain - offset / gain``."""
        gain = 1.0 if self.gain is None else self.gain
        return replace(
            self,
            variance=-self.variance,
            gain=None if self.gain is None else 1 / self.gain,
            offset=None if self.offset is None else -self.offset / gain,
            shift=None if self.shift is None else -self.shift,
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


def variance_bounds(bounds, dtype) -> tuple[jax.Array, jax.Array]:
    """Bounds in sigma (px), or None, as bounds in variance (px^2)."""
    if bounds is None:
        return jnp.asarray(-jnp.inf, dtype), jnp.asarray(jnp.inf, dtype)
    low, high = (jnp.asarray(bound, dtype) for bound in bounds)
    return signed_square(low), signed_square(high)


def num_variances(family: AnyFamily, ndim: int) -> int:
    """Number of variance parameters of ``family`` in ``ndim`` dimensions."""
    return {"axis_aligned": ndim, "full": ndim * (ndim + 1) // 2}.get(family, 1)


def project_family(covariance: jax.Array, family: AnyFamily) -> jax.Array:
    """The ``family`` member nearest to a covariance ``[ndim, ndim]``, as a variance vector."""
    if family == "axis_aligned":
        return diagonal(covariance)
    if family == "full":
        return covariance[jnp.triu_indices(covariance.shape[0])]
    return jnp.mean(diagonal(covariance))[None]


def as_params(params_or_sigma, ndim: int, dtype, name: str = "params") -> BlurParams:
    """BlurParams as they are; a scalar sigma (px) as isotropic, ``[ndim]`` sigmas as axis-aligned.

    TypeError for what is no real number; ValueError where the shape fits neither the number of axes
    nor the family, for a value whose square is not finite, or an exponent that is missing or has no
    meaning.
    """
    if isinstance(params_or_sigma, BlurParams):
        given = params_or_sigma
        check_option(given.family, ALL_FAMILIES, f"{name}.family")
        if (given.exponent is not None) != (given.family == GENERALISED):
            raise ValueError(
                f"{name}.exponent must be a number for family 'generalised' and None for others;"
                f" got {shown(given.exponent)} for family {given.family!r}"
            )
        if given.spacing is not None and (
            given.family != "isotropic" or len(given.spacing) != ndim
        ):
            raise ValueError(
                f"{name}.spacing is of family 'isotropic', with one size for each axis; got"
                f" {given.spacing} for family {given.family!r} in {ndim}-D"
            )
        of = f"for family {given.family!r} in {ndim}-D"
        shapes = {
            "variance": (num_variances(given.family, ndim),),
            "gain": (),
            "offset": (),
            "shift": (ndim,),
            "exponent": (),
        }
        found = {
            field: value
            if (value := getattr(given, field)) is None and field != "variance"
            else _as_parameter(
                value, f"{name}.{field}", [shape], f"must have shape {shape} {of}", dtype
            )
            for field, shape in shapes.items()
        }
        on_device = jax.tree.map(_on_device, found)
        return BlurParams(**on_device, family=given.family, spacing=given.spacing)
    wanted = f"must be a sigma in px: a scalar or one entry per axis, shape ({ndim},)"
    sigma = _as_parameter(params_or_sigma, name, [(), (ndim,)], wanted, dtype)
    with np.errstate(over="ignore"):
        square = signed_square(sigma)
    if not (is_traced(square) or np.all(np.isfinite(square))):
        raise ValueError(f"{name} must be a sigma whose square is finite; got {shown(sigma)}")
    if sigma.ndim == 0:
        return BlurParams(_on_device(square[None]))
    return BlurParams(_on_device(square), family="axis_aligned")


def _as_parameter(value, name: str, shapes: list[tuple[int, ...]], wanted: str, dtype) -> Any:
    """Real numbers of one of some shapes; where they are known they are finite, and NumPy's."""
    array = as_real(value, name, "iuf")
    if array.shape not in shapes:
        raise ValueError(f"{name} {wanted}; got {array.shape}")
    if is_traced(array):
        return jnp.asarray(array, dtype)
    with np.errstate(over="ignore"):
        # In NumPy: outside of a program each operation would be compiled by itself.
        array = np.asarray(array).astype(dtype)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite; got {shown(value)}")
    return array


def _on_device(array) -> jax.Array:
    return jax.device_put(array) if isinstance(array, np.ndarray | np.generic) else array


def check_initial(initial, ndim: int, dtype) -> None:
    """Raise TypeError or ValueError unless a fit can start from there."""
    if initial is not None:
        as_params(initial, ndim, dtype, "initial")
        check_type_of_jax(initial, "initial")
