"""What one pair adds to the joint fit of many: sums that are exact for any blur, and additive.

Least squares on the interior W is stationary where ``<W J, T_theta A - B> = 0``. With the
*instrument* ``Z = W J(theta_0)`` held fixed, ``<Z, T_theta A> = sum_w m conj(Z^) A^ T_theta(w)`` is
diagonal and exact for any theta, border included: its coefficients ``c = m conj(Z^) A^`` and the
gradient at theta_0 stand for the pair, whose blur is the root of

    F(theta) = sum_w Re c (T_theta - T_0) + <Z, T_0 A - B>.

Both add up over pairs. Across grids the sums are over the frequencies of the finer one, over which
Z^ repeats itself (:mod:`gaussjax.model.folding`). At theta_0 the slope of F is ``J' W J``, and a
root there is that of least squares; elsewhere it is as unbiased, if a little less precise.

Source: instrumental variables as in W. A. Fuller, "Measurement Error Models", Wiley 1987, ch. 1.4.
"""

import jax
import jax.numpy as jnp

from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.pair_sums import PairEquations
from gaussjax.model.folding import product_weights
from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.model.window import Window
from gaussjax.numerics.linear_algebra import inner_products, solve_small
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.frame import Frame, frame_window
from gaussjax.pair.prediction import filtered, transforms_of

# In frames of at least so many rows one row in eight shows how neighbours correlate.
_LEAST_ROWS, _ROWS = 64, 8


@pytree
class PairSums:
    """Sums over the compared pixels of a pair at theta_0, in the scale of its frame."""

    coefficients: jax.Array  # c, one spectrum per variance, `[p, *spectrum]`
    equations: PairEquations  # F as the gradient, its slope as the information
    gain: jax.Array  # of the pair; 1 where it is not fitted
    # added to `gain T A` in the centre and scale of the frame; 0 without nuisances
    level: jax.Array
    residual: jax.Array  # predicted - B, with the best nuisances
    jacobian: jax.Array  # derivatives of it by variances and nuisances, `[p + q, *frame]`
    projection: jax.Array  # of those by the variances on those by the nuisances, `[p, q]`

    def moved(self, move: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Residual, and change of the nuisances, once the variances have moved; to first order."""
        along = jnp.concatenate([move, -move @ self.projection])
        residual = self.residual + jnp.tensordot(along, self.jacobian, 1)
        return residual, along[move.size :]


def pair_sums(
    frame: Frame,
    filters: tuple[jax.Array, jax.Array],
    options: JointOptions,
    margins: jax.Array,
) -> PairSums:
    """The sums of a pair, whose gain and offset are the best by least squares at theta_0.

    Args:
        frame: of the pair.
        filters: T at theta_0, ``[*spectrum]``, and its derivatives by the variances; both real.
        options: of the fit.
        margins: px per axis that are not compared at the edge, ``[ndim]``.
    """
    window = frame_window(frame, margins)
    weights = product_weights(frame.grid, frame.blurred.shape, frame.blurred.dtype)
    change, *fields = filtered(frame, filters[0], list(filters[1]))
    residual, fields = change - frame.difference, jnp.stack(fields)
    gain, level = jnp.ones((), residual.dtype), jnp.zeros((), residual.dtype)
    jacobian, projection = fields, jnp.zeros((len(fields), 0), residual.dtype)
    if options.has_nuisances:
        columns = _nuisance_columns(frame, residual, options)
        values, projection = _fit_nuisances(residual, fields, columns, window)
        gain = 1 + values[0] if options.gain else gain
        level = values[-1] if options.offset else values[0] * frame.centre / frame.scale
        residual = residual + jnp.tensordot(values, columns, 1)
        projection = gain * projection
        jacobian = jnp.concatenate([gain * fields, columns])
        fields = gain * fields - jnp.tensordot(projection, columns, 1)
    instruments = transforms_of(frame, window.values[None] * fields)
    # A blur without a shift has a real transfer function.
    products = jnp.conj(instruments) * frame.spectrum[None]
    coefficients = gain * weights[None] * products.real
    equations = pair_equations(frame, residual, fields, window)
    return PairSums(coefficients, equations, gain, level, residual, jacobian, projection)


def pair_equations(frame: Frame, residual, fields, window: Window) -> PairEquations:
    """The equations of a pair, from its residual and the fields ``[p, *frame]``."""
    p = len(fields)
    products = [residual * x for x in fields] + [x * y for x in fields for y in fields]
    others = [residual**2, frame.difference**2, frame.blurred, frame.blurred**2]
    found = window.totals([*others, *products])
    squares, change, level, power = found[:4]
    total = found[4:]
    weight = window.sum()
    return PairEquations(
        squares=squares,
        gradient=total[:p],
        information=total[p:].reshape(p, p),
        num_pixels=window.num_pixels.astype(total.dtype),
        change=change,
        contrast=jnp.maximum(power - level**2 / jnp.where(weight > 0, weight, 1), 0),
        structure=_structure(window.values * residual),
        num_pairs=(window.num_pixels > 0).astype(total.dtype),
    )


def _nuisance_columns(frame: Frame, residual: jax.Array, options: JointOptions) -> jax.Array:
    """What gain and offset multiply, ``[q, *frame]``."""
    columns = []
    if options.gain:
        predicted = frame.blurred + residual
        # Where no offset is fitted the gain multiplies the mean of A as well.
        columns += [predicted if options.offset else predicted + frame.centre / frame.scale]
    if options.offset:
        columns += [jnp.ones_like(residual)]
    return jnp.stack(columns)


def _fit_nuisances(
    residual: jax.Array, fields: jax.Array, columns: jax.Array, window: Window
) -> tuple[jax.Array, jax.Array]:
    """Linear least squares of residual and fields on the columns, ``[q, *frame]``.

    Returns:
        What is added to a gain of 1 and a level of 0, ``[q]``, and the coefficients of the
        fields, ``[p, q]``.
    """
    weighted = window.values[None] * columns
    normal = inner_products(weighted, columns)
    right = inner_products(weighted, residual[None])[:, 0]
    across = inner_products(fields, weighted)
    return -solve_small(normal, right), jnp.stack([solve_small(normal, row) for row in across])


def _structure(weighted: jax.Array) -> jax.Array:
    """Sum of products of neighbours, mean over the axes; by every eighth row of a large frame."""
    step = _ROWS if bucket_shape(weighted.shape)[0] >= _LEAST_ROWS else 1
    rows = weighted[::step]
    sums = [jnp.sum(rows * jnp.roll(rows, 1, axis)) for axis in range(1, weighted.ndim)]
    sums += [jnp.sum(rows[: len(weighted[1::step])] * weighted[1::step])]
    return step * jnp.mean(jnp.stack(sums))
