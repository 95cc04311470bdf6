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
from collections.abc import Callable
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
    """Where every frequency stands among the knots, and the factors of the terms.

    Terms over one coordinate are a group: the whole plane, or the wedge and the rest.
    """

    first: jax.Array  # of four coefficients, -1 stands for 1; ``[groups, *half plane]``
    weights: jax.Array  # of the four, ``[4, groups, orders, *half plane]``


@dataclass(frozen=True)
class TransferSpline:
    """Which spline (not a pytree): coefficients have the shape ``[terms, size]``."""

    image_shape: tuple[int, ...]  # of the frame that is transformed
    num_bins: int  # knots above 0, up to pi rad/px
    axis: int | None = None  # None for all directions alike, else the axis of the image

    @property
    def num_terms(self) -> int:
        """1; along an axis the orders in its wedge, and as many in the rest of the plane."""
        return math.prod(self._groups)

    @property
    def _groups(self) -> tuple[int, int]:
        """The groups of terms, and the orders of each."""
        return (1, 1) if self.axis is None else (2, NUM_ORDERS)

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
            return _terms(radius[None], jnp.ones((1, 1, *half), dtype))
        along = jnp.sqrt(squares[self.axis]) * scale
        across = sum(square for k, square in enumerate(squares) if k != self.axis)
        part = across * scale**2 / (_STRIP + _SLOPE * along) ** 2
        inside = jnp.where(part < 1, 1, 0).astype(dtype)
        whole = along**2 + across * scale**2
        cosine = along**2 / jnp.where(whole > 0, whole, 1)  # squared
        wedge = [inside * part**order for order in range(NUM_ORDERS)]
        rest = [(1 - inside) * cosine**order for order in range(NUM_ORDERS)]
        factors = jnp.stack([jnp.stack(wedge), jnp.stack(rest)])
        return _terms(jnp.stack([along, radius]), factors)

    def combine(self, terms: Terms, coefficients: jax.Array) -> jax.Array:
        """The spline at every frequency of the half plane, of all terms or of a part of them."""
        groups, orders = terms.weights.shape[1:3]
        rows = coefficients.reshape(groups, orders, self.size)
        total = 0
        for group in range(groups):
            for k in range(_NUM_NEIGHBOURS):
                places = jnp.abs(terms.first[group] + k)
                values = jnp.take(rows[group], places, axis=1, mode="clip")
                total = total + jnp.sum(terms.weights[k, group] * values, axis=0)
        return jnp.asarray(total)

    def single(self, terms: Terms, index: jax.Array) -> jax.Array:
        """The spline of which one coefficient is 1, by its index among those of all terms."""
        (first,), weights = self.term(terms, index // self.size)
        place = index % self.size
        parts = [
            jnp.where(jnp.abs(first + k) == place, weights[k, 0, 0], 0)
            for k in range(_NUM_NEIGHBOURS)
        ]
        return reduce(jnp.add, parts)

    def term(self, terms: Terms, index: jax.Array) -> Terms:
        """One of the terms alone."""
        group, order = index // self._groups[1], index % self._groups[1]
        return Terms(terms.first[group][None], terms.weights[:, group, order][:, None, None])

    def group(self, terms: Terms, index: jax.Array) -> Terms:
        """The terms over the coordinate of one term: others have no frequency in common with it."""
        group = index // self._groups[1]
        return Terms(terms.first[group][None], terms.weights[:, group][:, None])

    def sums(self, terms: Terms, values: jax.Array) -> jax.Array:
        """Sums over the half plane of values times every B-spline, ``[terms, size]``."""
        found = []
        for first, weights in zip(terms.first, jnp.swapaxes(terms.weights, 0, 1), strict=True):
            # Of the four B-splines of a frequency at once: to look for their place takes longest.
            weighted = (weights * values[None, None]).reshape(-1, values.size)
            count = self.size - (_NUM_NEIGHBOURS - 2)
            sums = jax.ops.segment_sum(weighted.T, first.reshape(-1) + 1, count)
            found.append(_assembled(sums.reshape(count, _NUM_NEIGHBOURS, -1)))
        return jnp.concatenate(found)

    def gram(self, terms: Terms, values: jax.Array) -> jax.Array:
        """Sums over the half plane of values times every two B-splines, ``[n, n]``."""

        def row(carry, index):
            return carry, self.sums(terms, values * self.single(terms, index)).reshape(-1)

        count = self.num_terms * self.size
        return loops.scan(row, 0, jnp.arange(count, dtype=jnp.int32))[1]

    def band(self, terms: Terms, response: Callable, scale: jax.Array) -> jax.Array:
        """The matrix of products with B-splines of what a filter brings forth, ``[n, n]``.

        Linear in the filter, on the half plane. Changes of coefficients are tried at one over their
        scale, ``[terms, size]``, every comb with the terms that it has frequencies in common with.
        """
        combs = jnp.asarray(self.combs(), scale.dtype)

        def products(carry, comb):
            term, coefficients = comb
            change = self.combine(self.term(terms, term), coefficients / scale[term])
            return carry, self.sums(self.group(terms, term), response(change))

        owners = jnp.repeat(jnp.arange(self.num_terms, dtype=jnp.int32), len(combs))
        combs = owners, jnp.tile(combs, (self.num_terms, 1))
        return self.matrix(loops.scan(products, 0, combs)[1]) * scale.reshape(1, -1)

    def combs(self) -> np.ndarray:
        """Coefficients of one term that hold every colour, ``[colours, size]``."""
        index = np.arange(self.size)
        return (index[None] % NUM_COLOURS == np.arange(NUM_COLOURS)[:, None]).astype(float)

    def matrix(self, responses: jax.Array) -> jax.Array:
        """Matrix over all coefficients from the products of :meth:`combs` of every term.

        With every B-spline of the term's group, ``[terms, colours, orders, size]``. Those farther
        apart than their width count as orthogonal. Source: A. R. Curtis, M. J. D. Powell & J. K.
        Reid, "On the estimation of sparse Jacobian matrices", IMA J. Appl. Math. 13(1), 1974.
        """
        groups, orders = self._groups
        index = np.arange(self.size)
        near = np.abs(index[:, None] - index[None, :]) < _NUM_NEIGHBOURS
        # [g, p, k, q, l] -> [g, q, l, p, k]
        found = responses.reshape(groups, orders, NUM_COLOURS, orders, self.size)
        found = found[:, :, index % NUM_COLOURS].transpose(0, 3, 4, 1, 2)
        blocks = jnp.where(near[:, None, :], found, 0).reshape(groups, orders * self.size, -1)
        return jax.scipy.linalg.block_diag(*blocks)


def _assembled(sums: jax.Array) -> jax.Array:
    """Sums of every coefficient, ``[terms, size]``, from those by the first of its four.

    These have the shape ``[size - 2, 4, terms]``; the first is -1, which stands for 1: the spline
    is even in frequency.
    """
    mirrored, total = sums[0, 0], 0
    for k in range(_NUM_NEIGHBOURS):
        part = sums[:, k] if k else sums[1:, 0]
        before = max(k - 1, 0)
        total = total + jnp.pad(part, ((before, _NUM_NEIGHBOURS - 1 - k), (0, 0)))
    return jnp.asarray(total).at[1].add(mirrored).T


def spline_rows(knots: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Rows that give the spline and its slope per knot at coordinates, ``[n, size]`` each."""
    distance = knots[:, None] - jnp.arange(size, dtype=knots.dtype)[None, :]
    mirrored = knots[:, None] + jnp.ones((1, size), knots.dtype)
    first = jnp.asarray(np.arange(size) == 1, knots.dtype)[None, :]
    values = _b_spline(distance) + first * _b_spline(mirrored)
    return values, _b_spline_slope(distance) + first * _b_spline_slope(mirrored)


def _terms(coordinates: jax.Array, factors: jax.Array) -> Terms:
    below = jnp.floor(coordinates)
    beyond = (coordinates - below)[:, None]
    parts = [_b_spline(beyond - (k - 1)) * factors for k in range(_NUM_NEIGHBOURS)]
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
