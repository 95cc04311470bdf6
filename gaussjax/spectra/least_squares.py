"""What least squares asks of spectra at one blur: sums over all frequencies.

    f(v) = 1/2 sum m P T^2 - sum m Re(C) T,    T real, so that Im C is a constant of the loss

With ``T = prod_j t_j(w_j)``, one function for each axis, f and all its derivatives by the variances
are forms ``y' P x`` and ``y' Re(C) x`` of 1-D vectors: a few thin matrix products that read P and C
once and form no T.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_sum, half_plane_weights
from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams
from gaussjax.model.transfer import gaussian_transfer, is_separable, response_factors
from gaussjax.numerics.linear_algebra import definite, product
from gaussjax.numerics.newton import Evaluation, SolverState, bounded_step, newton, newton_init
from gaussjax.spectra.moments import bilinear_form

# Of itself that a variance may be from the minimum for Newton's plain steps to be tried, and how
# many.
_PROMISING, _MOST_POLISHING = 0.1, 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlurSums:
    """Sums over the frequencies at one variance vector v, ``[p]``, with T_i = d T / d v_i.

    Attributes:
        energy: sum m P.
        power: sum m P T^2.
        cross: sum m Re(C) T.
        power_slope: sum m P T T_i, ``[p]``.
        cross_slope: sum m Re(C) T_i, ``[p]``.
        information: sum m P T_i T_j, ``[p, p]``.
        curvature: d^2 f / dv_i dv_j, ``[p, p]``; of a T that is not separable, the information.
    """

    energy: jax.Array
    power: jax.Array
    cross: jax.Array
    power_slope: jax.Array
    cross_slope: jax.Array
    information: jax.Array
    curvature: jax.Array

    @property
    def evaluation(self) -> Evaluation:
        """Of f over the energy, for :func:`~gaussjax.numerics.newton.newton`."""
        scale = 1 / jnp.where(self.energy > 0, self.energy, 1)
        return Evaluation(
            cost=scale * (0.5 * self.power - self.cross),
            gradient=scale * (self.power_slope - self.cross_slope),
            curvature=scale * definite(self.curvature, self.information),
        )


def blur_sums(
    power: jax.Array,
    cross: jax.Array,
    params: BlurParams,
    image_shape: tuple[int, ...],
    kernel: Kernel,
    reach: int,
) -> BlurSums:
    """The sums at ``params``.

    Args:
        power: P, half-plane, with 0 at the zero frequency, where T = 1 whatever the blur.
        cross: Re C, likewise.
        params: only ``variance`` and ``family`` are used.
        image_shape: of the images.
        kernel: the convention.
        reach: largest kernel radius in px.
    """
    ndim = len(image_shape)
    if not is_separable(params.family, ndim):
        return _dense_sums(power, cross, params, image_shape, kernel, reach)

    def factors(variance):
        moved = BlurParams(variance, family=params.family)
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
    power_slope, cross_slope = gradient(squares, 1), gradient(products, 0)
    if params.family == "isotropic":
        information, curvature = (jnp.sum(x)[None, None] for x in (information, curvature))
        power_slope, cross_slope = (jnp.sum(x)[None] for x in (power_slope, cross_slope))
    return BlurSums(
        energy=entry(squares, 0, {}),
        power=entry(squares, 1, {}),
        cross=entry(products, 0, {}),
        power_slope=power_slope,
        cross_slope=cross_slope,
        information=information,
        curvature=curvature,
    )


def _dense_sums(power, cross, params: BlurParams, image_shape, kernel, reach) -> BlurSums:
    def transfer(variance):
        moved = BlurParams(variance, family=params.family)
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
        power_slope=jnp.stack([total(power * t * slopes[..., i]) for i in each]),
        cross_slope=jnp.stack([total(cross * slopes[..., i]) for i in each]),
        information=information,
        curvature=information,
    )


def coarse_variance(
    power: jax.Array, cross: jax.Array, image_shape: tuple[int, ...], kernel: Kernel
) -> jax.Array:
    """The isotropic variance, px^2, near which a geometric series of them has the least f."""
    octaves = math.ceil(2 * math.log2(max(image_shape))) + 6
    series = [0.0] + [0.02 * 2.0 ** (0.5 * k) for k in range(2 * octaves)]
    variances = jnp.asarray(series, power.dtype)

    def factors(variance):
        return response_factors(BlurParams(variance[None]), image_shape, kernel, 0)

    def total(values, vectors):
        *others, last = vectors
        weights = half_plane_weights(image_shape, values.dtype).reshape(-1, 1)
        found = product(values, weights * last)
        for vector in reversed(others):
            found = jnp.einsum("...jk,jk->...k", found, vector, precision="highest")
        return found

    t = jax.vmap(factors, out_axes=1)(variances)
    cost = 0.5 * total(power, [x**2 for x in t]) - total(cross, t)
    # Between the series: the vertex of the parabola through three costs over log variance.
    before, here, after = cost[1:-2], cost[2:-1], cost[3:]
    bend = before - 2 * here + after
    offset = 0.5 * (before - after) / jnp.where(bend > 0, bend, 1)
    between = variances.at[2:-1].multiply(2 ** (0.5 * jnp.clip(offset, -0.5, 0.5)))
    return between[jnp.argmin(cost)]


def minimise(sums_at: Callable[[jax.Array], BlurSums], start: jax.Array, **options) -> SolverState:
    """The variances that minimise f, by :func:`~gaussjax.numerics.newton.newton`."""

    def evaluate(variance):
        return sums_at(variance).evaluation

    # In units of the energy; f has no constant term to lose digits to, but its own are few.
    uncertainty = 32 * float(jnp.finfo(start.dtype).eps)
    return newton(evaluate, start, uncertainty=uncertainty, **options)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Polishing:
    """Where Newton's plain steps stand.

    Attributes:
        params: the variances, ``[p]``.
        sums: there.
        step: from there, ``[p]``.
        near: the step is so small that its square does not matter.
        promising: the next step will be far smaller.
        num_steps: evaluations.
    """

    params: jax.Array
    sums: BlurSums
    step: jax.Array
    near: jax.Array
    promising: jax.Array
    num_steps: jax.Array


def polish(
    sums_at: Callable[[jax.Array], BlurSums], start: jax.Array, lower, upper
) -> tuple[SolverState, BlurSums]:
    """:func:`minimise` from so near that mostly one or two evaluations are enough, and the sums.

    Newton's error after a step is the step squared: where that is below the tolerance, the step
    is taken on trust, and the sums are those before it.
    """
    dtype = start.dtype
    start = jnp.clip(start, lower, upper)

    def evaluate(last: _Polishing) -> _Polishing:
        params = jnp.clip(last.params + last.step, lower, upper)
        here = sums_at(params)
        evaluation = here.evaluation
        step = bounded_step(params, evaluation.gradient, evaluation.curvature, lower, upper)
        length, scale = jnp.abs(step), jnp.abs(params) + 1e-3
        convex = jnp.all(definite(here.curvature, here.information) == here.curvature)
        near = jnp.all(length <= jnp.finfo(dtype).eps ** 0.375 * scale) & convex
        promising = jnp.all(length <= _PROMISING * scale) & convex
        return _Polishing(params, here, step, near, promising, last.num_steps + 1)

    def unfinished(state: _Polishing) -> jax.Array:
        return ~state.near & state.promising & (state.num_steps < _MOST_POLISHING)

    no, yes = jnp.asarray(False), jnp.asarray(True)
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(sums_at, start))
    first = _Polishing(start, nothing, jnp.zeros_like(start), no, yes, jnp.asarray(0, jnp.int32))
    found = jax.lax.while_loop(unfinished, evaluate, first)

    def trusted():
        moved = jnp.clip(found.params + found.step, lower, upper)
        state = replace(newton_init(moved), evaluation=found.sums.evaluation)
        still = jnp.zeros((), dtype)
        return replace(state, step_size=still, num_steps=found.num_steps), found.sums

    def again():
        norm = jnp.sqrt(found.sums.power / found.sums.energy)
        state = minimise(sums_at, start, lower=lower, upper=upper, magnitude=norm)
        return state, sums_at(state.params)

    return jax.lax.cond(found.near, trusted, again)
