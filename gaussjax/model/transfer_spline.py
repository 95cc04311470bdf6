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
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.fourier import angular_frequencies
from gaussjax.numerics import loops

# B-splines that differ from 0 at a frequency; those of one colour have none in common.
_NUM_NEIGHBOURS = 4
NUM_COLOURS = 2 * _NUM_NEIGHBOURS - 1
# Beyond pi, in the corners, knots stand ever farther apart: they cost as much as others.
_CORNER = 1.5
# Of T about an axis, and in the rest of the plane.
NUM_ORDERS = 3
# The wedge about an axis: so many knots wide, and so much wider per rad/px along the axis.
_STRIP, _SLOPE = 2.0, 0.1


class Terms(NamedTuple):
    """Where every frequency stands among the knots of every term, and the factors of the terms."""

    first: jax.Array  # of four coefficients, -1 stands for 1; ``[terms, *half plane]``
    weights: jax.Array  # of the four, ``[4, terms, *half plane]``


@dataclass(frozen=True)
class TransferSpline:
    """Which spline (not a pytree): coefficients have the shape ``[terms, size]``."""

    image_shape: tuple[int, ...]  # of the frame that is transformed
    num_bins: int  # knots above 0, up to pi rad/px
    axis: int | None = None  # None for all directions alike, else the axis of the image

    @property
    def num_terms(self) -> int:
        """1; along an axis the orders in its wedge, and as many in the rest of the plane."""
        return 1 if self.axis is None else 2 * NUM_ORDERS

    @property
    def size(self) -> int:
        """Coefficients per term."""
        corner = self.num_bins * math.sqrt(len(self.image_shape)) * (1 + 1e-6)
        return int(_stretched(np.asarray(corner), self.num_bins)) + _NUM_NEIGHBOURS - 1

    def terms(self, dtype) -> Terms:
        """The terms on the half plane of the frame."""
        waves = angular_frequencies(self.image_shape, dtype)
        half = np.broadcast_shapes(*(wave.shape for wave in waves))
        squares = [jnp.broadcast_to(wave**2, half) for wave in waves]
        scale = self.num_bins / math.pi
        radius = _stretched(jnp.sqrt(sum(squares)) * scale, self.num_bins)
        if self.axis is None:
            return _terms(radius[None], jnp.ones((1, *half), dtype))
        along = jnp.sqrt(squares[self.axis]) * scale
        across = sum(square for k, square in enumerate(squares) if k != self.axis)
        part = across * scale**2 / (_STRIP + _SLOPE * along) ** 2
        inside = jnp.where(part < 1, 1, 0).astype(dtype)
        whole = along**2 + across * scale**2
        cosine = along**2 / jnp.where(whole > 0, whole, 1)  # squared
        factors = [inside * part**order for order in range(NUM_ORDERS)]
        factors += [(1 - inside) * cosine**order for order in range(NUM_ORDERS)]
        coordinates = [along] * NUM_ORDERS + [radius] * NUM_ORDERS
        return _terms(jnp.stack(coordinates), jnp.stack(factors))

    def combine(self, terms: Terms, coefficients: jax.Array) -> jax.Array:
        """The spline at every frequency of the half plane."""
        flat, total = coefficients.reshape(-1), 0
        for k in range(_NUM_NEIGHBOURS):
            values = jnp.take(flat, self._places(terms, k), mode="clip")
            total = total + terms.weights[k] * values
        return jnp.sum(total, axis=0)

    def single(self, terms: Terms, index: jax.Array) -> jax.Array:
        """The spline of which one coefficient is 1, by its index among those of all terms."""
        term, place = index // self.size, index % self.size
        first, weights = terms.first[term], terms.weights[:, term]
        parts = [
            jnp.where(jnp.abs(first + k) == place, weights[k], 0) for k in range(_NUM_NEIGHBOURS)
        ]
        return reduce(jnp.add, parts)

    def sums(self, terms: Terms, values: jax.Array) -> jax.Array:
        """Sums over the half plane of values times every B-spline, ``[terms, size]``."""
        count = self.num_terms * self.size
        total = jnp.zeros(count, values.dtype)
        for k in range(_NUM_NEIGHBOURS):
            weighted = terms.weights[k] * values[None]
            places = self._places(terms, k).reshape(-1)
            total = total + jax.ops.segment_sum(weighted.reshape(-1), places, count)
        return total.reshape(self.num_terms, self.size)

    def gram(self, terms: Terms, values: jax.Array) -> jax.Array:
        """Sums over the half plane of values times every two B-splines, ``[n, n]``."""

        def row(carry, index):
            return carry, self.sums(terms, values * self.single(terms, index)).reshape(-1)

        count = self.num_terms * self.size
        return loops.scan(row, 0, jnp.arange(count, dtype=jnp.int32))[1]

    def _places(self, terms: Terms, k: int) -> jax.Array:
        """Index of the k-th of four coefficients among those of all terms; even in frequency."""
        offset = self.size * np.arange(self.num_terms, dtype=np.int32)
        offset = jnp.asarray(offset).reshape(-1, *[1] * (terms.first.ndim - 1))
        return jnp.abs(terms.first + k) + offset

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
        count = self.num_terms * self.size
        responses = responses.reshape(self.num_terms, NUM_COLOURS, self.num_terms, self.size)
        index = np.arange(self.size)
        near = np.abs(index[:, None] - index[None, :]) < _NUM_NEIGHBOURS
        # The wedge and the rest have no frequency in common.
        group = np.arange(self.num_terms) // NUM_ORDERS
        linked = (group[:, None] == group[None, :])[:, None, :, None] & near[None, :, None, :]
        # [q, l, p, k] -> [p, k, q, l]
        found = responses[:, index % NUM_COLOURS].transpose(2, 3, 0, 1)
        return jnp.where(linked, found, 0).reshape(count, count)


def spline_rows(knots: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Rows that give the spline and its slope per knot at coordinates, ``[n, size]`` each."""
    distance = knots[:, None] - jnp.arange(size, dtype=knots.dtype)[None, :]
    mirrored = knots[:, None] + jnp.ones((1, size), knots.dtype)
    first = jnp.asarray(np.arange(size) == 1, knots.dtype)[None, :]
    values = _b_spline(distance) + first * _b_spline(mirrored)
    return values, _b_spline_slope(distance) + first * _b_spline_slope(mirrored)


def _terms(coordinates: jax.Array, factors: jax.Array) -> Terms:
    below = jnp.floor(coordinates)
    parts = [_b_spline(coordinates - below - (k - 1)) * factors for k in range(_NUM_NEIGHBOURS)]
    return Terms(below.astype(jnp.int32) - 1, jnp.stack(parts))


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
