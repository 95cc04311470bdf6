"""What least squares asks of spectra at one blur: sums over all frequencies.

    f(v) = 1/2 sum m P T^2 - sum m Re(C) T,    T real, so that Im C is a constant of the loss

With ``T = prod_j t_j(w_j)``, one function for each axis, f and all its derivatives by the variances
are forms ``y' P x`` and ``y' Re(C) x`` of 1-D vectors: a few thin matrix products that read P and C
once and form no T.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_sum, half_plane_weights
from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams
from gaussjax.model.swap import SWAP_BELOW
from gaussjax.model.transfer import gaussian_transfer, is_separable, response_factors
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import definite, product
from gaussjax.numerics.newton import Evaluation, SolverState, newton
from gaussjax.numerics.pytree import pytree
from gaussjax.spectra.separable_sums import bilinear_form

# px^2 below which a blur is narrow: sums change with the variance rather than with its logarithm.
_NARROW = 0.15
# Variances of a series on either side of its middle.
_SERIES = 12


@pytree
class BlurSums:
    """Sums over the frequencies at one variance vector v, ``[p]``, with T_i = d T / d v_i."""

    energy: jax.Array  # sum m P
    power: jax.Array  # sum m P T^2
    cross: jax.Array  # sum m Re(C) T
    gradient: jax.Array  # of f, sum m (P T - Re C) T_i, `[p]`
    information: jax.Array  # sum m P T_i T_j, `[p, p]`
    curvature: jax.Array | None  # d^2 f / dv_i dv_j, `[p, p]`; None for a T that is not separable

    @property
    def evaluation(self) -> Evaluation:
        """The value and derivatives of f / energy, for :func:`~gaussjax.numerics.newton.newton`."""
        scale = 1 / jnp.where(self.energy > 0, self.energy, 1)
        curvature, lacking = self.information, 1.0
        if self.curvature is not None:
            curvature = definite(self.curvature, self.information)
            lacking = jnp.where(jnp.all(curvature == self.curvature), 0, 1).astype(curvature.dtype)
        return Evaluation(
            cost=scale * (0.5 * self.power - self.cross),
            gradient=scale * self.gradient,
            curvature=scale * curvature,
            lacking=lacking,
            magnitude=jnp.sqrt(scale * self.power),
            # f has no constant term to lose digits to, but its own are few.
            uncertainty=32 * float(jnp.finfo(self.power.dtype).eps),
            sums=self,
        )


def blur_sums(
    power: jax.Array,
    cross: jax.Array,
    params: BlurParams,
    image_shape: tuple[int, ...],
    kernel: Kernel,
    reach: int,
) -> BlurSums:
    """The sums at ``params`` without nuisances; kernels may reach ``reach`` px.

    Of P and Re C on the half plane, both 0 at the zero frequency, where T = 1 whatever the blur.
    """
    ndim = len(image_shape)
    if not is_separable(params.family, ndim):
        return _dense_sums(power, cross, params, image_shape, kernel, reach)

    def factors(variance):
        moved = BlurParams(variance, family=params.family, spacing=params.spacing)
        return response_factors(moved, image_shape, kernel, reach)

    # Every t_j depends on its own variance alone: one direction gives all their derivatives.
    def with_slopes(variance):
        return jax.jvp(factors, (variance,), (jnp.ones_like(variance),))

    (t, slopes), (_, bends) = jax.jvp(
        with_slopes, (params.variance,), (jnp.ones_like(params.variance),)
    )
    axes = list(zip(t, slopes, bends, strict=True))
    plain = [jnp.stack(columns, axis=1) for columns in axes]
    squared = [
        jnp.stack([jnp.ones_like(x), x * x, x * x1, x1 * x1, x * x2], axis=1) for x, x1, x2 in axes
    ]
    squares = bilinear_form(power, squared, image_shape)
    products = bilinear_form(cross, plain, image_shape)

    def entry(tensor, usual, changed):
        return tensor[tuple(changed.get(axis, usual) for axis in range(ndim))]

    def gradient(tensor, usual):
        return jnp.stack([entry(tensor, usual, {i: usual + 1}) for i in range(ndim)])

    def hessian(tensor, usual, twice):
        both = [
            entry(tensor, usual, {i: twice} if i == j else {i: usual + 1, j: usual + 1})
            for i in range(ndim)
            for j in range(ndim)
        ]
        return jnp.stack(both).reshape(ndim, ndim)

    information = hessian(squares, 1, 3)
    curvature = information + hessian(squares, 1, 4) - hessian(products, 0, 2)
    slope = gradient(squares, 1) - gradient(products, 0)
    if params.family == "isotropic":
        information, curvature = (jnp.sum(x)[None, None] for x in (information, curvature))
        slope = jnp.sum(slope)[None]
    return BlurSums(
        energy=entry(squares, 0, {}),
        power=entry(squares, 1, {}),
        cross=entry(products, 0, {}),
        gradient=slope,
        information=information,
        curvature=curvature,
    )


def _dense_sums(power, cross, params: BlurParams, image_shape, kernel, reach) -> BlurSums:
    def transfer(variance):
        moved = BlurParams(variance, family=params.family, spacing=params.spacing)
        return (gaussian_transfer(moved, image_shape, kernel, reach),) * 2

    slopes, t = jax.jacfwd(transfer, has_aux=True)(params.variance)
    each = range(params.variance.size)

    def total(values):
        return half_plane_sum(values, image_shape)

    rows = [jnp.stack([total(power * slopes[..., i] * slopes[..., j]) for j in each]) for i in each]
    information = jnp.stack(rows)
    return BlurSums(
        energy=total(power),
        power=total(power * t**2),
        cross=total(cross * t),
        gradient=jnp.stack([total((power * t - cross) * slopes[..., i]) for i in each]),
        information=information,
        curvature=None,
    )


def coarse_variance(
    power: jax.Array, cross: jax.Array, image_shape: tuple[int, ...], kernel: Kernel
) -> jax.Array:
    """The isotropic variance, px^2, that has the least f; to a thousandth, as a start.

    On a series of variances, and once more on a finer one about the best of them: two products of
    matrices, where a solver's loop would take three times as long to compile.
    """
    dtype = power.dtype

    def factors(variance):
        return response_factors(BlurParams(variance[None]), image_shape, kernel, 0)

    def total(values, vectors):
        *others, last = vectors
        weights = half_plane_weights(image_shape, dtype).reshape(-1, 1)
        found = product(values, weights * last)
        for vector in reversed(others):
            found = jnp.einsum("...jk,jk->...k", found, vector, precision="highest")
        return found

    # Places are logarithms of the variance, but near zero, where they are proportional to it.
    def variance(place):
        return _NARROW * jnp.expm1(place)

    def finer(_, series):
        centre, step = series
        places = centre + step * jnp.arange(-_SERIES, _SERIES + 1, dtype=dtype)
        t = jax.vmap(factors, out_axes=1)(variance(places))
        cost = 0.5 * total(power, [x**2 for x in t]) - total(cross, t)
        # The vertex of the parabola through the least cost and its neighbours.
        best = jnp.clip(jnp.argmin(cost), 1, 2 * _SERIES - 1)
        before, here, after = (cost[best + k] for k in (-1, 0, 1))
        bend = before - 2 * here + after
        offset = 0.5 * (before - after) / jnp.where(bend > 0, bend, 1)
        return places[best] + step * jnp.clip(offset, -1, 1), step / _SERIES

    least, most = math.log1p(SWAP_BELOW / _NARROW), math.log1p(max(image_shape) ** 2 / _NARROW)
    middle, step = 0.5 * (least + most), 0.5 * (most - least) / _SERIES
    start = jnp.asarray(middle, dtype), jnp.asarray(step, dtype)
    place, _ = loops.fori_loop(0, 2, finer, start)
    return variance(place)


def minimise(sums_at: Callable[[jax.Array], BlurSums], start: jax.Array, **options) -> SolverState:
    """The variances that minimise f, by :func:`~gaussjax.numerics.newton.newton`.

    The state's evaluation holds the sums.
    """
    return newton(lambda variance: sums_at(variance).evaluation, start, **options)
