"""A Gaussian Markov random field: a map smoothed as far as its own scatter suggests."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from gaussjax.maps.variogram import Observations, increment_variance, neighbour_weights
from gaussjax.numerics import loops
from gaussjax.numerics.block_tridiagonal import solve_block_tridiagonal
from gaussjax.numerics.linear_algebra import product

# Precisions of the differences of neighbours, down [ny - 1, nx] and across [ny, nx - 1].
Ties = Sequence[jax.Array]
# Least variance of the field's increments, of the errors' variance: a few values that agree by
# chance must not become one.
_LEAST_VARIATION = 0.1
# Variance of the surface before it is known, of that of the values; rounds until it is.
_LARGEST_SURFACE, _NUM_ROUNDS = 4.0, 4


def smooth(
    seen: Observations, lags: tuple[int, ...], wanted: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Posterior mean and standard deviation at the nodes of a grid, both ``[ny, nx]``.

    A quadratic surface G b and a Gaussian Markov random field x,

        minimise  sum_i (y_i - (G b + x)_i)^2 / s_i^2 + b'b / u^2 + sum_ij w_ij (x_i - x_j)^2 / t^2

    over neighbours ij, with ``t^2`` from :func:`~gaussjax.maps.variogram.increment_variance` and
    w from :func:`~gaussjax.maps.variogram.neighbour_weights`, both of what the surface leaves, and
    ``u^2`` by a few steps of expectation and maximisation. Without a surface a slope would count as
    chance, and every value between two others as uncertain by it. The surface is seen at the
    places; to the field's nodes y is moved by the field's own slope, found the round before, and
    ``s_i^2`` grows by the variance of the field over that distance. A node without an observation
    does not tie its neighbours together, because a step may lie between them: it is interpolated
    afterwards, and the mean square of what that leaves at its neighbours is added to its variance.

    Args:
        seen: y, s^2 and the places.
        lags: nodes per axis from which on errors are independent.
        wanted: places where the surface is taken, which lie a rounding off the nodes, or None.

    Returns:
        NaN where no two observations are that far apart.

    Source: Rue & Held, "Gaussian Markov Random Fields", Chapman & Hall 2005, sec. 3.2 and 4.4;
    Dempster, Laird & Rubin, J. R. Stat. Soc. B 39(1), 1977.
    """
    known = jnp.isfinite(seen.variance)
    typical = jnp.nanmedian(jnp.where(known, seen.variance, jnp.nan))
    nodes = jnp.moveaxis(jnp.indices(seen.shape, dtype=typical.dtype), 0, -1)
    away = seen.place - nodes
    surface, at_nodes = _surface(seen.place), _surface(nodes if wanted is None else wanted)

    def improve(_, carried):
        terms, spread, mean, _ = carried
        bent = _slopes(mean - product(at_nodes, terms))
        moved = replace(seen, value=seen.value - jnp.sum(bent * away, axis=-1))
        level = replace(moved, value=moved.value - product(surface, terms))
        increment = jnp.maximum(increment_variance(level, lags), _LEAST_VARIATION * typical)
        # A step lies inside of all the tiles that overlap there.
        weights = [neighbour_weights(level, increment, k, lags[k] + 1) for k in range(2)]
        # What the field may change over that distance is not known.
        variance = seen.variance + jnp.sum(away**2, axis=-1) * increment
        columns = jnp.concatenate([surface, moved.value[..., None]], axis=-1)
        field, own, information = _field(variance, columns, weights, increment)
        eye = jnp.eye(len(terms), dtype=terms.dtype)
        covariance = jnp.linalg.inv(information[:-1, :-1] + eye / spread)
        terms = product(covariance, information[:-1, -1])
        spread = jnp.maximum(jnp.mean(terms**2 + jnp.diag(covariance)), _LEAST_VARIATION * typical)
        alone = field[..., -1] - product(field[..., :-1], terms)
        unseen = at_nodes - field[..., :-1]
        variance = own + jnp.sum(product(unseen, covariance) * unseen, axis=-1)
        variance = jnp.where(known, variance, variance + _disagreement(alone, known))
        return terms, spread, alone + product(at_nodes, terms), variance

    centre = jnp.nanmedian(jnp.where(known, seen.value, jnp.nan))
    spread = jnp.nanmean(jnp.where(known, (seen.value - centre) ** 2, jnp.nan)) + typical
    nothing = jnp.zeros_like(seen.value)
    begin = nothing[0, 0] * surface[0, 0], _LARGEST_SURFACE * spread, nothing, nothing
    mean, variance = loops.fori_loop(0, _NUM_ROUNDS, improve, begin)[2:]
    return mean, jnp.sqrt(variance)


def _field(variance: jax.Array, columns: jax.Array, weights: Ties, increment: jax.Array):
    """What the field alone makes of columns U: its nodes, their variance, and ``U' C^-1 U``.

    C is the covariance of what is seen, without the surface.
    """
    known = jnp.isfinite(variance)
    both_known = known[:-1] & known[1:], known[:, :-1] & known[:, 1:]
    weights = [jnp.where(*pair, 0) for pair in zip(both_known, weights, strict=True)]
    ties = [weight / increment for weight in weights]
    mean, own = posterior(variance, ties, columns)
    shown = jnp.where(known[..., None], mean, 0)
    # Squares of what is left and of the field: as a difference, rounding would take the sum.
    parts = [(columns - shown, jnp.where(known, 1 / variance, 0))]
    parts += [(jnp.diff(shown, axis=k), tie) for k, tie in enumerate(ties)]
    squares = partial(jnp.einsum, "yx,yxi,yxj->ij", precision="highest")
    information = jnp.sum(jnp.stack([squares(w, part, part) for part, w in parts]), axis=0)
    open_ties = [jnp.where(both, 0, 1 / increment) for both in both_known]
    filled, spread = posterior(jnp.where(known, own, jnp.inf), open_ties, shown)
    mean = jnp.where(known[..., None], mean, filled)
    return mean, jnp.where(known, own, spread), information


def _surface(place: jax.Array) -> jax.Array:
    """Terms of a quadratic but its constant at places, ``[ny, nx, 5]``, each of 1 at the ends."""
    y, x = (2 * place[..., k] / max(count - 1, 1) - 1 for k, count in enumerate(place.shape[:2]))
    return jnp.stack([y, x, y * y, x * x, y * x], axis=-1)


def _slopes(field: jax.Array) -> jax.Array:
    """Changes of a field from node to node, ``[ny, nx, 2]``: the lesser of both sides."""
    slopes = []
    for axis in range(2):
        change = jnp.moveaxis(jnp.diff(field, axis=axis), axis, 0)
        padded = jnp.pad(change, ((1, 1), (0, 0)))
        before, after = padded[:-1], padded[1:]
        least = jnp.sign(before) * jnp.minimum(jnp.abs(before), jnp.abs(after))
        slopes.append(jnp.moveaxis(jnp.where(before * after > 0, least, 0), 0, axis))
    return jnp.stack(slopes, axis=-1)


def _disagreement(mean: jax.Array, known: jax.Array) -> jax.Array:
    """Mean square of what interpolation leaves at a node's neighbours, across the way to each.

    Without known ones beside them, that of their differences from the node: by a slope, too.
    """
    seen = jnp.pad(jnp.where(known, mean, jnp.nan), 1, constant_values=jnp.nan)
    around = jnp.pad(mean, 1, constant_values=jnp.nan)
    first, second = [], []
    for axis in range(2):
        left = seen - 0.5 * (jnp.roll(seen, 1, 1 - axis) + jnp.roll(seen, -1, 1 - axis))
        for side in (1, -1):
            first.append((jnp.roll(around, side, axis)[1:-1, 1:-1] - mean) ** 2)
            second.append(jnp.roll(left, side, axis)[1:-1, 1:-1] ** 2)
    differences, curvatures = (jnp.nanmean(jnp.stack(each), axis=0) for each in (first, second))
    return jnp.where(jnp.isfinite(curvatures), curvatures, differences)


def posterior(variance: jax.Array, ties: Ties, columns: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means ``P^-1 S^-1 Y`` of the nodes for columns Y, and their variance, diag ``P^-1``.

    Both on the grid: ``[ny, nx, columns]`` and ``[ny, nx]``. ``P = S^-1 + L``, S the variances of
    what is seen, L the Laplacian of the ties. NaN where neither values nor ties reach a node.
    """
    down, across = ties
    precision = jnp.where(jnp.isfinite(variance), 1 / variance, 0)
    rows = jnp.pad(down, ((1, 0), (0, 0))) + jnp.pad(down, ((0, 1), (0, 0)))
    sides = jnp.pad(across, ((0, 0), (1, 0))) + jnp.pad(across, ((0, 0), (0, 1)))
    total = precision + rows + sides
    # A node without any equation must not make the others singular.
    unseen = total == 0
    diagonal = jax.vmap(jnp.diag)(jnp.where(unseen, 1, total))
    if columns.shape[1] > 1:
        beside = jax.vmap(lambda row: jnp.diag(row, 1))(across)
        diagonal = diagonal - beside - beside.transpose(0, 2, 1)
    right = precision[..., None] * columns
    mean, own = solve_block_tridiagonal(diagonal, -jax.vmap(jnp.diag)(down), right)
    return jnp.where(unseen[..., None], jnp.nan, mean), jnp.where(unseen, jnp.nan, own)
