"""What an estimate sees of a blur that varies: where, and what the variation adds to its residual.

The place that an estimate refers to is the centroid of its sensitivity to the blur.
"""

import math

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gaussjax.model import boundary as borders
from gaussjax.model.folding import CoarseGrid, on_coarse_grid
from gaussjax.model.fourier import forward_transform, squared_magnitude
from gaussjax.model.kernels import nominal_sigma
from gaussjax.model.swap import is_swapped, swap_pair, swap_params
from gaussjax.model.system_response import prediction_margins
from gaussjax.model.transfer import blur
from gaussjax.model.window import erode, interior_window
from gaussjax.numerics.linear_algebra import diagonal, inner_products, solve_small
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.long_run_covariance import long_run, unevenness
from gaussjax.statistics.result import BlurEstimate


@pytree
class Sensitivity:
    """Where in the frame an estimate of the variance looks, and the noise in its scatter."""

    position: jax.Array  # its centroid, px from the centre of the first pixel, `[ndim]`
    # part of the estimate's variance that remains where a blur that varies linearly counts as none
    noise_part: jax.Array
    # px^2 by which that blur moves the estimate to second order, in which a prediction bends
    second_order: jax.Array


def sensitivity(
    reference: jax.Array,
    blurred: jax.Array,
    estimate: BlurEstimate,
    known: tuple[jax.Array | None, jax.Array | None],
    weights: jax.Array | None,
    grid: CoarseGrid | None = None,
) -> Sensitivity:
    """Sensitivity of a least-squares estimate of the variance to its pixels.

    If the variance varies over the frame, ``v(x)``, then B changes by ``D(x) (v(x) - v0)``, ``D =
    dB/dv``, and the estimate is to first order the weighted mean

        v = sum c(x) v(x) / sum c(x),    c(x) = D(x) sum_j [(J' W J)^-1]_vj J_j(x) W(x),

    with the Jacobian J of the prediction by all parameters and the pixels' weights W; without
    nuisances ``c = W D^2``. So a v that varies linearly is met exactly at the centroid of c, which
    in a photograph may be far from the centre. Of a covariance v is the mean over the axes.

    What is left of B there is not noise but ``D(x) (v(x) - v)``. The error bar of the estimate,
    which takes all of it for noise, is too wide by what the residual loses when x D is fitted, too.

    Both images are finite; ``known`` is 1 for the pixels of A and of B that are, or None for all.
    The position lies within the frame; at its centre where nothing is seen.
    """
    shape, kernel, params = blurred.shape, estimate.kernel, estimate.params
    swapped, sharp, soft = False, reference, blurred
    if grid is None:
        swapped = is_swapped(estimate.covariance_matrix)
        sharp, soft = swap_pair(swapped, reference, blurred)
        params = swap_params(swapped, params)
    vector, unravel = ravel_pytree(params)

    def predicted(vector):
        # Periodic, because the window leaves out what comes in over the edge.
        image = blur(sharp, unravel(vector), kernel=kernel)
        return image if grid is None else on_coarse_grid(grid, image, shape)

    jacobian = jnp.moveaxis(jax.jacfwd(predicted)(vector), -1, 0)
    isotropic = _isotropic(unravel(jnp.zeros_like(vector)), vector.dtype)
    slope = jnp.tensordot(isotropic, jacobian, axes=1)
    largest = borders.largest_margins(reference.shape)
    margins = prediction_margins(params, kernel, largest).astype(jnp.int32)
    if grid is None:
        window = _window(shape, margins, swapped, known, weights, vector.dtype)
    else:
        window = _coarse_window(grid, shape, margins.astype(vector.dtype), known, weights)
    curvature = inner_products(jacobian * window[None], jacobian)
    row = solve_small(curvature, isotropic / jnp.sum(isotropic))
    field = jnp.tensordot(row, jacobian, axes=1)
    influence = slope * field * window
    total = jnp.sum(influence)
    grids = jnp.meshgrid(*(jnp.arange(n, dtype=vector.dtype) for n in shape), indexing="ij")
    position = jnp.stack([jnp.sum(influence * each) / total for each in grids])
    last = jnp.asarray(shape, vector.dtype) - 1
    position = jnp.where(jnp.all(jnp.isfinite(position)), jnp.clip(position, 0, last), last / 2)
    away = [(each - at) / size for each, at, size in zip(grids, position, shape, strict=True)]
    residual = soft - predicted(vector)
    fields = jnp.concatenate([jacobian, jnp.stack([slope * a for a in away])])
    found = _fitted(residual, fields, window)
    left = residual - jnp.tensordot(found, fields, axes=1)
    _, bend = jax.jvp(
        lambda at: jax.jvp(predicted, (at,), (isotropic,))[1], (vector,), (isotropic,)
    )
    variation = sum(found[len(jacobian) + k] * a for k, a in enumerate(away))
    moved = jnp.abs(0.5 * jnp.sum(window * field * bend * variation**2))
    if grid is not None:
        steps, first = (jnp.asarray(x, vector.dtype) for x in (grid.steps, grid.first))
        position = jnp.clip(first + steps * position, 0, jnp.asarray(reference.shape) - 1)
    unknown = _unknown(sharp, params, margins, window)
    return Sensitivity(
        position=position,
        noise_part=_noise_part(residual, left, field, window, unknown),
        second_order=jnp.where(jnp.isfinite(moved), moved, 0),
    )


def _coarse_window(
    grid: CoarseGrid, shape: tuple[int, ...], margins: jax.Array, known, weights
) -> jax.Array:
    """The same of pixels of a coarse image, for margins in px of the fine one."""
    margins = grid.coarse_margins(margins, shape, ringing=0)
    window = interior_window(shape, 0, margins.astype(jnp.int32), margins.dtype)
    of_reference, of_blurred = known
    covered = None if of_reference is None else grid.covered(of_reference, margins)
    return window.masked([covered, of_blurred, weights]).values


def _fitted(residual, fields, weights) -> jax.Array:
    """Coefficients of the fields in a residual, by weighted least squares."""
    scale = jnp.sqrt(jnp.sum(weights[None] * fields**2, axis=(1, 2)))
    scale = jnp.where(scale > 0, scale, 1)
    fields = fields / scale[:, None, None]
    normal = inner_products(fields * weights[None], fields)
    return solve_small(normal, inner_products(fields * weights[None], residual[None])[:, 0]) / scale


def _unknown(sharp, params, margins, weights) -> jax.Array:
    """Sum of squares up to which a residual says nothing of a blur that varies.

    What lies beyond the edge reaches over the margin a little, and the more the nearer to the edge,
    as if the blur varied over the tile: by the mass that lies so far away, of the range of A.
    """
    sigma = nominal_sigma(diagonal(params.covariance_matrix(sharp.ndim)))
    away = (margins.astype(sigma.dtype) + 0.5) / jnp.maximum(sigma, 0.1)
    mass = jnp.max(0.5 * jax.scipy.special.erfc(away / math.sqrt(2)))
    over_the_edge = (mass * (jnp.max(sharp) - jnp.min(sharp))) ** 2
    return jnp.sum(weights) * (over_the_edge + rounding_variance(sharp.dtype) * jnp.var(sharp))


def _noise_part(residual, left, field, weights, unknown) -> jax.Array:
    """Variance of ``sum W r field`` with what is left of a residual, over that with all of it."""
    count = jnp.sum((weights > 0).astype(weights.dtype))
    # As many more are fitted as there are axes; a few pixels would leave nothing at all.
    part = count / jnp.maximum(count - residual.ndim, 1) * _score_variance(left, field, weights)
    part = part / _score_variance(residual, field, weights)
    part = jnp.maximum(part, unknown / jnp.sum(weights * residual**2))
    return jnp.where(jnp.isfinite(part), jnp.minimum(part, 1), 1)


def _score_variance(residual, field, weights) -> jax.Array:
    """Variance of ``sum W r field``, up to a factor, for noise of any spectrum and strength."""
    score, weighted = weights * residual, weights * field
    power, own = (squared_magnitude(forward_transform(a, a.ndim)) for a in (score, weighted))
    count = jnp.maximum(jnp.sum(weights > 0), 1)
    found = long_run(power, [own], residual.shape, count)
    uneven = unevenness(score, [field], weights, found.alike).factors
    return jnp.sum(score * residual) * found.factors[0] * uneven[0]


def _isotropic(zeros, dtype) -> jax.Array:
    """Direction of the parameters in which all variances grow alike, ``[p]``."""
    size = zeros.variance.size
    if zeros.family == "full":
        ndim = int(((8 * size + 1) ** 0.5 - 1) / 2)
        rows, columns = jnp.triu_indices(ndim)
        grown = (rows == columns).astype(dtype)
    else:
        grown = jnp.ones(size, dtype)
    return jnp.zeros_like(ravel_pytree(zeros)[0]).at[:size].set(grown)


def _window(shape, margins, swapped, known, weights, dtype) -> jax.Array:
    """Weights of the pixels that the fit compares, of the frame's shape."""
    window = interior_window(shape, 0, margins, dtype).values
    if known[0] is not None or known[1] is not None:
        of_reference, of_blurred = (jnp.ones(shape, dtype) if k is None else k for k in known)
        sharp, soft = swap_pair(swapped, of_reference, of_blurred)
        window = window * erode(sharp, margins) * soft
    return window if weights is None else window * weights
