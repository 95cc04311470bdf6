"""Any smooth transfer function as a cubic spline over frequency, and what it is summed with.

With knots at w_k = k pi / num_bins the change that a filter makes is

    T(w) - 1 = sum_k c_k beta(|w| / spacing - k),     beta the cubic B-spline, even in w

along every direction alike. Along one axis only, T is a spline over |w_j| plus two more by the
second and the fourth power across the axis, in a narrow wedge about it; the rest of the plane has
splines over |w|, by even powers of the cosine of the angle to the axis.

Source: M. Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Processing
Magazine 16(6), 1999.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import angular_frequencies

# B-splines that differ from 0 at a frequency; those of one colour have none in common.
_NUM_NEIGHBOURS = 4
NUM_COLOURS = 2 * _NUM_NEIGHBOURS - 1
# Beyond pi, in the corners, knots stand ever farther apart: they cost as much as others.
_CORNER = 1.5
# Of T about an axis, and in the rest of the plane.
NUM_ORDERS = 3
# The wedge about an axis: so many knots wide, and so much wider per rad/px along the axis.
_STRIP, _SLOPE = 2.0, 0.1


class Term(NamedTuple):
    """A spline over some coordinate of the half plane, times a factor."""

    first: jax.Array  # index of the first of four coefficients at every frequency; -1 is 1
    weights: jax.Array  # of the four, ``[4, *half plane]``


@dataclass(frozen=True)
class TransferSpline:
    """Which spline (not a pytree): coefficients have the shape ``[terms, size]``.

    Attributes:
        image_shape: of the frame that is transformed.
        num_bins: knots above 0, up to pi rad/px.
        axis: None for all directions alike, else the axis of the image.
    """

    image_shape: tuple[int, ...]
    num_bins: int
    axis: int | None = None

    @property
    def num_terms(self) -> int:
        """1; along an axis the orders in its wedge, and as many in the rest of the plane."""
        return 1 if self.axis is None else 2 * NUM_ORDERS

    @property
    def size(self) -> int:
        """Coefficients per term."""
        corner = self.num_bins * math.sqrt(len(self.image_shape)) * (1 + 1e-6)
        return int(_stretched(np.asarray(corner), self.num_bins)) + _NUM_NEIGHBOURS - 1

    def terms(self, dtype) -> list[Term]:
        """The terms on the half plane of the frame."""
        waves = angular_frequencies(self.image_shape, dtype)
        half = np.broadcast_shapes(*(wave.shape for wave in waves))
        squares = [jnp.broadcast_to(wave**2, half) for wave in waves]
        scale = self.num_bins / math.pi
        radius = _stretched(jnp.sqrt(sum(squares)) * scale, self.num_bins)
        if self.axis is None:
            return [_term(radius, jnp.ones(half, dtype))]
        along = jnp.sqrt(squares[self.axis]) * scale
        across = sum(square for k, square in enumerate(squares) if k != self.axis)
        part = across * scale**2 / (_STRIP + _SLOPE * along) ** 2
        inside = jnp.where(part < 1, 1, 0).astype(dtype)
        whole = along**2 + across * scale**2
        cosine = along**2 / jnp.where(whole > 0, whole, 1)  # squared
        orders = range(NUM_ORDERS)
        wedge = [_term(along, inside * part**order) for order in orders]
        return wedge + [_term(radius, (1 - inside) * cosine**order) for order in orders]

    def combine(self, terms: list[Term], coefficients: jax.Array) -> jax.Array:
        """The spline at every frequency of the half plane."""
        total = jnp.zeros_like(terms[0].weights[0])
        for term, row in zip(terms, coefficients, strict=True):
            for k in range(_NUM_NEIGHBOURS):
                place = jnp.abs(term.first + k)
                total = total + term.weights[k] * jnp.take(row, place, mode="clip")
        return total

    def sums(self, terms: list[Term], values: jax.Array) -> jax.Array:
        """Sums over the half plane of values times every B-spline, ``[terms, size]``."""
        found = []
        for term in terms:
            total = jnp.zeros(self.size, values.dtype)
            for k in range(_NUM_NEIGHBOURS):
                place = jnp.abs(term.first + k).reshape(-1)
                weighted = (term.weights[k] * values).reshape(-1)
                total = total + jax.ops.segment_sum(weighted, place, self.size)
            found.append(total)
        return jnp.stack(found)

    def combs(self) -> np.ndarray:
        """Coefficients that hold every colour of every term, ``[terms * colours, terms, size]``."""
        combs = np.zeros((self.num_terms, NUM_COLOURS, self.num_terms, self.size))
        for term in range(self.num_terms):
            for index in range(self.size):
                combs[term, index % NUM_COLOURS, term, index] = 1
        return combs.reshape(-1, self.num_terms, self.size)

    def matrix(self, responses: jax.Array) -> jax.Array:
        """Matrix over all coefficients from its products with :meth:`combs`, of their shape.

        B-splines farther apart than their width count as orthogonal. Source: A. R. Curtis, M. J. D.
        Powell & J. K. Reid, "On the estimation of sparse Jacobian matrices", IMA J. Appl. Math.
        13(1), 1974.
        """
        responses = responses.reshape(self.num_terms, NUM_COLOURS, self.num_terms, self.size)
        index = np.arange(self.size)
        near = np.abs(index[:, None] - index[None, :]) < _NUM_NEIGHBOURS
        # The wedge and the rest have no frequency in common.
        group = np.arange(self.num_terms) // NUM_ORDERS
        linked = (group[:, None] == group[None, :])[:, None, :, None] & near[None, :, None, :]
        # [q, l, p, k] -> [p, k, q, l]
        found = responses[:, index % NUM_COLOURS].transpose(2, 3, 0, 1)
        size = self.num_terms * self.size
        return jnp.where(linked, found, 0).reshape(size, size)


def spline_rows(knots: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Rows that give the spline and its slope per knot at coordinates, ``[n, size]`` each."""
    distance = knots[:, None] - jnp.arange(size, dtype=knots.dtype)[None, :]
    mirrored = knots[:, None] + jnp.ones((1, size), knots.dtype)
    first = jnp.asarray(np.arange(size) == 1, knots.dtype)[None, :]
    values = _b_spline(distance) + first * _b_spline(mirrored)
    return values, _b_spline_slope(distance) + first * _b_spline_slope(mirrored)


def _term(coordinate: jax.Array, factor: jax.Array) -> Term:
    below = jnp.floor(coordinate)
    parts = [_b_spline(coordinate - below - (k - 1)) * factor for k in range(_NUM_NEIGHBOURS)]
    return Term(below.astype(jnp.int32) - 1, jnp.stack(parts))


def _stretched(knots, num_bins: int) -> Any:
    """Knots of a frequency: in proportion up to pi, fewer beyond."""
    xp = np if isinstance(knots, np.ndarray) else jnp
    beyond = xp.maximum(knots - num_bins, 0)
    return xp.minimum(knots, num_bins) + _CORNER * xp.log1p(beyond / _CORNER)


def _b_spline(x: jax.Array) -> jax.Array:
    size = jnp.abs(x)
    outer = jnp.maximum(2 - size, 0) ** 3 / 6
    return outer - 4 * jnp.maximum(1 - size, 0) ** 3 / 6


def _b_spline_slope(x: jax.Array) -> jax.Array:
    size = jnp.abs(x)
    slope = -(jnp.maximum(2 - size, 0) ** 2) / 2 + 2 * jnp.maximum(1 - size, 0) ** 2
    return jnp.sign(x) * slope
