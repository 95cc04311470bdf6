"""What one pair adds to the joint fit of many: sums that are exact for any blur, and additive.

Least squares on the interior W is stationary where ``<W J, T_theta A - B> = 0``. With the
*instrument* ``Z = W J(theta_0)`` held fixed, ``<Z, T_theta A> = sum_w m conj(Z^) A^ T_theta(w)`` is
diagonal and exact for any theta, border included: its coefficients ``c = m conj(Z^) A^`` and the
gradient at theta_0 stand for the pair, whose blur is the root of

    F(theta) = sum_w Re c (T_theta - T_0) + <Z, T_0 A - B>.

Both add up over pairs. At theta_0 the slope of F is ``J' W J``, and a root there is that of least
squares; elsewhere it is as unbiased, if a little less precise.

Source: instrumental variables as in W. A. Fuller, "Measurement Error Models", Wiley 1987, ch. 1.4.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import forward_transform, half_plane_weights
from gaussjax.model.response import BlurModel
from gaussjax.model.window import Window
from gaussjax.numerics.linear_algebra import inner_products, solve_small
from gaussjax.pair.frame import Frame, frame_window
from gaussjax.pair.prediction import filtered
from gaussjax.statistics.covariance import block_counts, score_blocks

# Of frames of so many rows, one in eight tells how neighbours correlate.
_LEAST_ROWS, _ROWS = 64, 8


@dataclass(frozen=True)
class Nuisances:
    """What every pair has of its own beside the blur, solved for at theta_0 (not a pytree).

    Attributes:
        gain: a factor.
        offset: a constant.
    """

    gain: bool = False
    offset: bool = False

    @property
    def count(self) -> int:
        """Of parameters per pair."""
        return self.gain + self.offset


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PairSums:
    """Sums over the compared pixels of a pair, at theta_0, in the scale of its frame.

    Attributes:
        coefficients: c, one spectrum per variance, ``[p, *spectrum]``.
        blocks: over each block of neighbours the sums of the scores ``Z r`` and of their slopes
            ``Z Z'``, ``[p + p^2, blocks]``.
        squares: ``sum W r^2``.
        change: ``sum W (B - A)^2``.
        structure: ``sum W r r'`` with r' the next pixel's, mean over the axes: 0 for white noise.
        num_pixels: compared.
        gain: of the pair; 1 where it is not fitted.
        level: of the pair: what is added to ``gain T A`` in the centre and scale of the frame.
    """

    coefficients: jax.Array
    blocks: jax.Array
    squares: jax.Array
    change: jax.Array
    structure: jax.Array
    num_pixels: jax.Array
    gain: jax.Array
    level: jax.Array

    @property
    def gradient(self) -> jax.Array:
        """F at theta_0, ``[p]``."""
        return jnp.sum(self.blocks[: len(self.slope)], axis=1)

    @property
    def slope(self) -> jax.Array:
        """Of F at theta_0, ``[p, p]``."""
        p = round((len(self.blocks) + 0.25) ** 0.5 - 0.5)
        return jnp.sum(self.blocks[p:], axis=1).reshape(p, p)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Filters:
    """What all pairs are filtered by in a pass.

    Attributes:
        response: T at theta_0, ``[*spectrum]``, real.
        slopes: its derivatives by the variances, ``[p, *spectrum]``.
    """

    response: jax.Array
    slopes: jax.Array


def make_filters(model: BlurModel, origin: jax.Array, shape: tuple[int, ...]) -> Filters:
    """Of images of a shape, at theta_0; the model has no shift."""
    return Filters(*model.responses(origin, shape))


def pair_sums(
    frame: Frame,
    filters: Filters,
    nuisances: Nuisances,
    margins: jax.Array,
    noise: jax.Array | None,
) -> PairSums:
    """The sums of a pair.

    Args:
        frame: of the pair.
        filters: at theta_0.
        nuisances: of the pair.
        margins: px per axis that are not compared at the edge, ``[ndim]``.
        noise: variance of white noise in A, in the scale of the frame, or None. What it adds to
            products of A with itself is known, ``v_A sum_w m T T' sum_x W``, and subtracted.
    """
    window = frame_window(frame, margins)
    weights = half_plane_weights(frame.blurred.shape, frame.blurred.dtype)
    known = None
    if noise is not None:
        known = _NoiseOfA(filters.response, filters.slopes, noise * window.sum() * weights)
    change, *fields = filtered(frame, filters.response, list(filters.slopes))
    fitted = _Fitted(
        residual=change - frame.difference,
        fields=jnp.stack(fields),
        gain=jnp.ones((), change.dtype),
        level=jnp.zeros((), change.dtype),
        noise=known,
    )
    if nuisances.count:
        fitted = _with_nuisances(fitted, frame, nuisances, window)
    residual, fields, gain = fitted.residual, fitted.fields, fitted.gain
    instruments = forward_transform(window.values[None] * fields, residual.ndim)
    # A blur without a shift has a real transfer function.
    products = jnp.conj(instruments) * frame.spectrum[None]
    coefficients = gain * weights[None] * products.real
    counts = block_counts(window.shape)
    scores = score_blocks(residual, fields, window)
    slopes = jnp.stack([window.block_totals(x * y, counts) for x in fields for y in fields])
    if fitted.noise is not None:
        share = window.block_totals(jnp.ones_like(residual), counts) / window.sum()
        by_noise, noise_fields = fitted.noise.coefficients, fitted.noise.fields
        coefficients = coefficients - gain * by_noise
        of_scores = gain * fitted.noise.product(noise_fields)
        scores = scores - jnp.multiply.outer(of_scores, share)
        of_fields = jnp.ravel(inner_products(by_noise, noise_fields))
        slopes = slopes - jnp.multiply.outer(of_fields, share)
    squares, change = window.totals([residual**2, frame.difference**2])
    return PairSums(
        coefficients=coefficients,
        blocks=jnp.concatenate([x.reshape(len(x), -1) for x in (scores, slopes)]),
        squares=squares,
        change=change,
        structure=_structure(window.values * residual),
        num_pixels=window.num_pixels,
        gain=gain,
        level=fitted.level,
    )


@dataclass(frozen=True)
class _Fitted:
    """Residual and fields of a pair with nuisances of these values.

    Attributes:
        residual: predicted - B.
        fields: of the variances, without what the nuisances take up of them, ``[p, *frame]``.
        gain: of the prediction.
        level: added to it.
        noise: the part of white noise in A, or None.
    """

    residual: jax.Array
    fields: jax.Array
    gain: jax.Array
    level: jax.Array
    noise: "_NoiseOfA | None"


def _with_nuisances(plain: _Fitted, frame: Frame, nuisances: Nuisances, window: Window) -> _Fitted:
    """The best nuisances of a pair by linear least squares, at theta_0."""
    residual, fields, noise = plain.residual, plain.fields, plain.noise
    columns = _columns(frame, residual, nuisances)
    weighted = window.values[None] * columns
    normal = inner_products(weighted, columns)
    right = inner_products(weighted, residual[None])[:, 0]
    across = inner_products(fields, weighted)
    if noise is not None and nuisances.gain:
        power = noise.product(noise.response[None])[0]
        normal = normal.at[0, 0].add(-power)
        right = right.at[0].add(-power)
        across = across.at[:, 0].add(-noise.product(noise.fields))
    change = -solve_small(normal, right)
    gain = 1 + change[0] if nuisances.gain else plain.gain
    taken = gain * jnp.stack([solve_small(normal, row) for row in across])
    if noise is not None:
        noise = noise.freed(gain, taken[:, 0] if nuisances.gain else jnp.zeros_like(gain))
    return _Fitted(
        residual=residual + jnp.tensordot(change, columns, 1),
        fields=gain * fields - jnp.tensordot(taken, columns, 1),
        gain=gain,
        level=_level(change, frame, nuisances),
        noise=noise,
    )


@dataclass(frozen=True)
class _NoiseOfA:
    """The part of white noise in A in a prediction and in the fields: filtered by these.

    Attributes:
        response: of the prediction, ``[*spectrum]``.
        fields: ``[p, *spectrum]``.
        weights: of the frequencies, times the variance and the sum of the window.
    """

    response: jax.Array
    fields: jax.Array
    weights: jax.Array

    @property
    def coefficients(self) -> jax.Array:
        """Weighted fields."""
        return self.weights[None] * self.fields

    def product(self, filters: jax.Array) -> jax.Array:
        """What noise adds to products of the prediction with what has these filters, ``[i]``."""
        return inner_products(self.weights[None] * filters, self.response[None])[:, 0]

    def freed(self, gain: jax.Array, taken: jax.Array) -> "_NoiseOfA":
        """With the fields of instruments, from which a part of the prediction was taken."""
        part = jnp.reshape(taken, (-1,) + (1,) * self.response.ndim) * self.response[None]
        return _NoiseOfA(self.response, gain * self.fields - part, self.weights)


def _structure(weighted: jax.Array) -> jax.Array:
    """Sum of products of neighbours, mean over the axes; by every eighth row of a large frame."""
    step = _ROWS if len(weighted) >= _LEAST_ROWS else 1
    rows = weighted[::step]
    sums = [jnp.sum(rows * jnp.roll(rows, 1, axis)) for axis in range(1, weighted.ndim)]
    sums += [jnp.sum(rows[: len(weighted[1::step])] * weighted[1::step])]
    return step * jnp.mean(jnp.stack(sums))


def _columns(frame: Frame, residual: jax.Array, nuisances: Nuisances) -> jax.Array:
    """What gain and offset multiply, ``[q, *frame]``."""
    columns = []
    if nuisances.gain:
        predicted = frame.blurred + residual
        # Where no offset is fitted the gain multiplies the mean of A as well.
        columns += [predicted if nuisances.offset else predicted + frame.centre / frame.scale]
    if nuisances.offset:
        columns += [jnp.ones_like(residual)]
    return jnp.stack(columns)


def _level(change: jax.Array, frame: Frame, nuisances: Nuisances) -> jax.Array:
    """Of nuisances that differ by this from 1 and 0."""
    if nuisances.offset:
        return change[-1]
    return change[0] * frame.centre / frame.scale
