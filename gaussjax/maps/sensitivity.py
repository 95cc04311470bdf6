"""The position that an estimate refers to: the centroid of its sensitivity to the blur."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gaussjax.model import boundary as borders
from gaussjax.model.response import prediction_margins
from gaussjax.model.transfer import blur
from gaussjax.model.window import erode, interior_window
from gaussjax.numerics.linear_algebra import inner_products, solve_small
from gaussjax.spectra.orientation import is_swapped, swap_pair, swap_params
from gaussjax.statistics.result import BlurEstimate


def sensitive_position(
    reference: jax.Array,
    blurred: jax.Array,
    estimate: BlurEstimate,
    known: tuple[jax.Array | None, jax.Array | None],
    weights: jax.Array | None,
) -> jax.Array:
    """Centroid of what a least-squares estimate of the variance sees, px, ``[ndim]``.

    If the variance varies over the frame, ``v(x)``, then B changes by ``D(x) (v(x) - v0)``,
    ``D = dB/dv``, and the estimate is to first order the weighted mean

        v = sum c(x) v(x) / sum c(x),    c(x) = D(x) sum_j [(J' W J)^-1]_vj J_j(x) W(x),

    with the Jacobian J of the prediction by all parameters and the pixels' weights W; without
    nuisances ``c = W D^2``. So a v that varies linearly is met exactly at the centroid of c, which
    in a photograph may be far from the centre. Of a covariance v is the mean over the axes.

    Args:
        reference: A, finite.
        blurred: B, finite.
        estimate: of this pair.
        known: 1 for the pixels of A and of B that are known, or None for all.
        weights: of the pixels of B, or None.

    Returns:
        Px from the centre of the first pixel, within the frame; the frame's centre where nothing
        is seen.
    """
    shape, kernel, params = reference.shape, estimate.kernel, estimate.params
    swapped = is_swapped(estimate.covariance_matrix)
    sharp, _ = swap_pair(swapped, reference, blurred)
    params = swap_params(swapped, params)
    vector, unravel = ravel_pytree(params)

    def predicted(vector):
        # Periodic, because the window leaves out what comes in over the edge.
        return blur(sharp, unravel(vector), kernel=kernel)

    jacobian = jnp.moveaxis(jax.jacfwd(predicted)(vector), -1, 0)
    isotropic = _isotropic(unravel(jnp.zeros_like(vector)), vector.dtype)
    slope = jnp.tensordot(isotropic, jacobian, axes=1)
    margins = prediction_margins(params, kernel, borders.largest_margins(shape)).astype(jnp.int32)
    seen = _window(shape, margins, swapped, known, weights, vector.dtype)
    curvature = inner_products(jacobian * seen[None], jacobian)
    row = solve_small(curvature, isotropic / jnp.sum(isotropic))
    influence = slope * jnp.tensordot(row, jacobian, axes=1) * seen
    total = jnp.sum(influence)
    grids = jnp.meshgrid(*(jnp.arange(n, dtype=vector.dtype) for n in shape), indexing="ij")
    position = jnp.stack([jnp.sum(influence * grid) / total for grid in grids])
    last = jnp.asarray(shape, vector.dtype) - 1
    return jnp.where(jnp.all(jnp.isfinite(position)), jnp.clip(position, 0, last), last / 2)


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
